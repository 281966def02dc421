/**
 * aes128-gcm@openssh.com and aes256-gcm@openssh.com: RFC 5647 with OpenSSH's names. The length field is not
 * encrypted but authenticated; the nonce is a fixed part and a counter of packets, both from the key exchange.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type CipherGCMTypes, type KeyObject } from 'node:crypto';
import { frame, notAuthentic, unframe, type PacketOpener, type PacketSealer } from './packet-cipher.ts';

const TAG_BYTES = 16;
const BLOCK_BYTES = 16;

/** RFC 5647 section 7.1: 4 fixed bytes, then a 64-bit counter that wraps. */
class Nonce {
  readonly bytes: Buffer;

  constructor(initial: Buffer) {
    // Not Buffer.from: that would hold 8 KiB of the shared pool as long as the connection lives.
    this.bytes = Buffer.alloc(initial.length);
    initial.copy(this.bytes);
  }

  next(): void {
    for (let i = 11; i >= 4; i--) {
      const value = ((this.bytes[i] as number) + 1) & 0xff;
      this.bytes[i] = value;
      if (value !== 0) return;
    }
  }
}

export class GcmSealer implements PacketSealer {
  private readonly name: CipherGCMTypes;
  private readonly key: KeyObject;
  private readonly nonce: Nonce;

  constructor(name: CipherGCMTypes, key: Buffer, iv: Buffer) {
    this.name = name;
    this.key = createSecretKey(key);
    this.nonce = new Nonce(iv);
  }

  seal(_sequence: number, parts: readonly Buffer[], out: Buffer[]): number {
    const pieces = frame(parts, BLOCK_BYTES, false);
    const head = pieces[0] as Buffer;
    const length = head.subarray(0, 4);
    const cipher = createCipheriv(this.name, this.key, this.nonce.bytes);
    cipher.setAAD(length);
    out.push(length, cipher.update(head.subarray(4)));
    for (let i = 1; i < pieces.length; i++) out.push(cipher.update(pieces[i] as Buffer));
    cipher.final();
    out.push(cipher.getAuthTag());
    this.nonce.next();
    return 4 + length.readUInt32BE(0) + TAG_BYTES;
  }
}

export class GcmOpener implements PacketOpener {
  readonly headerBytes = 4;
  readonly tagBytes = TAG_BYTES;
  readonly blockBytes = BLOCK_BYTES;
  readonly lengthAligned = false;
  private readonly name: CipherGCMTypes;
  private readonly key: KeyObject;
  private readonly nonce: Nonce;

  constructor(name: CipherGCMTypes, key: Buffer, iv: Buffer) {
    this.name = name;
    this.key = createSecretKey(key);
    this.nonce = new Nonce(iv);
  }

  packetLength(_sequence: number, header: Buffer): number {
    return header.readUInt32BE(0);
  }

  open(_sequence: number, wire: Buffer): Buffer {
    const tagAt = wire.length - TAG_BYTES;
    const decipher = createDecipheriv(this.name, this.key, this.nonce.bytes, { authTagLength: TAG_BYTES });
    decipher.setAAD(wire.subarray(0, 4));
    decipher.setAuthTag(wire.subarray(tagAt));
    const plain = decipher.update(wire.subarray(4, tagAt));
    try {
      decipher.final(); // OpenSSL compares the tag in constant time
    } catch {
      throw notAuthentic();
    }
    this.nonce.next();
    return unframe(plain);
  }
}
