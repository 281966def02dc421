/**
 * Sealing and opening of datagrams in place. The cipher itself is given: node:crypto (node-cipher.ts), or OpenSSL through
 * FFI. Which key seals a packet follows from its number, so keys change without a word on the wire.
 */
import { hkdfSync } from 'node:crypto';
import { packetNumberOf } from './header.ts';
import { CONNECTION_ID_LENGTH, KEY_EPOCH_PACKETS, KEY_LENGTH, NONCE_LENGTH, TAG_LENGTH } from './sizes.ts';

/** One AES-256-GCM key. Both work on the caller's buffer; header (16 bytes) is AAD, the tag follows the body. */
export interface DatagramCipher {
  /** Encrypts bytes 16..bodyEnd and writes the tag after them. */
  seal(datagram: Buffer, bodyEnd: number, nonce: Buffer): void;
  /** Decrypts bytes 16..length-16 when the tag fits, and says whether it did. Otherwise the buffer is as it was. */
  open(datagram: Buffer, length: number, nonce: Buffer): boolean;
}

export type CipherMaker = (key: Buffer) => DatagramCipher;

/** Who began the transfer seals with 'client', the server with 'server'. */
export type Direction = 'client' | 'server';

export interface TransferSecret {
  /** 32 random bytes, given over HTTPS, for one transfer and one attempt: packet numbers begin at 0 under it. */
  readonly secret: Buffer;
  readonly connectionId: Buffer;
}

interface EpochKey {
  readonly epoch: number;
  readonly cipher: DatagramCipher;
  readonly iv: Buffer;
}

/** The keys of one direction. Keeps those of two epochs: reordering crosses the border between them. */
export class DirectionKeys {
  private readonly transfer: TransferSecret;
  private readonly direction: Direction;
  private readonly maker: CipherMaker;
  private current: EpochKey;
  private other: EpochKey | null = null;
  private readonly nonce = Buffer.alloc(NONCE_LENGTH);

  constructor(transfer: TransferSecret, direction: Direction, maker: CipherMaker) {
    if (transfer.secret.length !== KEY_LENGTH || transfer.connectionId.length !== CONNECTION_ID_LENGTH) {
      throw new RangeError('a transfer has a secret of 32 bytes and a connection id of 8');
    }
    this.transfer = transfer;
    this.direction = direction;
    this.maker = maker;
    this.current = this.derive(0);
  }

  private derive(epoch: number): EpochKey {
    const info = `waybill fast transfer 1 ${this.direction} ${epoch}`;
    const made = Buffer.from(
      hkdfSync('sha256', this.transfer.secret, this.transfer.connectionId, info, KEY_LENGTH + NONCE_LENGTH),
    );
    return { epoch, cipher: this.maker(made.subarray(0, KEY_LENGTH)), iv: made.subarray(KEY_LENGTH) };
  }

  /** Seals the body that ends at `bodyEnd`; returns the length of the datagram. */
  seal(datagram: Buffer, bodyEnd: number): number {
    const packetNumber = packetNumberOf(datagram);
    const epoch = Math.floor(packetNumber / KEY_EPOCH_PACKETS);
    if (epoch !== this.current.epoch) this.current = this.derive(epoch);
    this.setNonce(this.current.iv, packetNumber);
    this.current.cipher.seal(datagram, bodyEnd, this.nonce);
    return bodyEnd + TAG_LENGTH;
  }

  /** Opens in place. A forger can make us derive one key (the next epoch's), once. */
  open(datagram: Buffer, length: number): boolean {
    const packetNumber = packetNumberOf(datagram);
    const epoch = Math.floor(packetNumber / KEY_EPOCH_PACKETS);
    const key = this.keyFor(epoch);
    if (key === null) return false;
    this.setNonce(key.iv, packetNumber);
    if (!key.cipher.open(datagram, length, this.nonce)) return false;
    if (epoch > this.current.epoch) [this.current, this.other] = [key, this.current];
    return true;
  }

  private keyFor(epoch: number): EpochKey | null {
    if (epoch === this.current.epoch) return this.current;
    if (epoch === this.other?.epoch) return this.other;
    if (epoch !== this.current.epoch + 1) return null;
    this.other = this.derive(epoch);
    return this.other;
  }

  private setNonce(iv: Buffer, packetNumber: number): void {
    iv.copy(this.nonce);
    const high = Math.floor(packetNumber / 0x1_0000_0000);
    this.nonce.writeUInt16BE(iv.readUInt16BE(6) ^ high, 6);
    this.nonce.writeUInt32BE((iv.readUInt32BE(8) ^ (packetNumber >>> 0)) >>> 0, 8);
  }
}
