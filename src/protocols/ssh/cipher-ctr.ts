/**
 * AES in counter mode (RFC 4344) with an HMAC (RFC 6668). Encrypt-then-MAC is OpenSSH's *-etm@openssh.com: the length
 * field is clear and the MAC is over what is sent. The older order, MAC over the plain packet, is for the legacy profile.
 */
import * as crypto from 'node:crypto';
import { frame, notAuthentic, unframe, type PacketOpener, type PacketSealer } from './packet-cipher.ts';

export interface MacAlgorithm {
  readonly hash: 'sha256' | 'sha512';
  readonly bytes: number;
  readonly encryptThenMac: boolean;
}

export interface CtrKeys {
  readonly cipher: string;
  readonly key: Buffer;
  readonly iv: Buffer;
  readonly mac: MacAlgorithm;
  readonly macKey: Buffer;
}

const BLOCK_BYTES = 16;

/** One HMAC per packet, over the sequence number first. */
class PacketMac {
  readonly algorithm: MacAlgorithm;
  private readonly key: crypto.KeyObject;
  private readonly counter = Buffer.alloc(4);

  constructor(keys: CtrKeys) {
    this.algorithm = keys.mac;
    this.key = crypto.createSecretKey(keys.macKey);
  }

  start(sequence: number): crypto.Hmac {
    this.counter.writeUInt32BE(sequence, 0);
    return crypto.createHmac(this.algorithm.hash, this.key).update(this.counter);
  }
}

export class CtrSealer implements PacketSealer {
  private readonly mac: PacketMac;
  private readonly stream: crypto.Cipheriv;

  constructor(keys: CtrKeys) {
    this.mac = new PacketMac(keys);
    this.stream = crypto.createCipheriv(keys.cipher, keys.key, keys.iv);
  }

  seal(sequence: number, parts: readonly Buffer[], out: Buffer[]): number {
    const { encryptThenMac, bytes } = this.mac.algorithm;
    const pieces = frame(parts, BLOCK_BYTES, !encryptThenMac);
    const wireBytes = 4 + (pieces[0] as Buffer).readUInt32BE(0) + bytes;
    const mac = this.mac.start(sequence);
    if (encryptThenMac) {
      const head = pieces[0] as Buffer;
      const length = head.subarray(0, 4);
      out.push(length);
      mac.update(length);
      pieces[0] = head.subarray(4);
    }
    for (const piece of pieces) {
      const sealed = this.stream.update(piece);
      mac.update(encryptThenMac ? sealed : piece);
      out.push(sealed);
    }
    out.push(mac.digest());
    return wireBytes;
  }
}

export class EncryptThenMacOpener implements PacketOpener {
  readonly headerBytes = 4;
  readonly tagBytes: number;
  readonly blockBytes = BLOCK_BYTES;
  readonly lengthAligned = false;
  private readonly mac: PacketMac;
  private readonly stream: crypto.Decipheriv;

  constructor(keys: CtrKeys) {
    this.mac = new PacketMac(keys);
    this.tagBytes = keys.mac.bytes;
    this.stream = crypto.createDecipheriv(keys.cipher, keys.key, keys.iv);
  }

  packetLength(_sequence: number, header: Buffer): number {
    return header.readUInt32BE(0);
  }

  open(sequence: number, wire: Buffer): Buffer {
    const tagAt = wire.length - this.tagBytes;
    const expected = this.mac.start(sequence).update(wire.subarray(0, tagAt)).digest();
    if (!crypto.timingSafeEqual(expected, wire.subarray(tagAt))) throw notAuthentic();
    return unframe(this.stream.update(wire.subarray(4, tagAt)));
  }
}

/**
 * The length field is encrypted: the first block is decrypted to learn it, before the MAC can be checked. In counter
 * mode that block tells an attacker only how many bytes are awaited, which the bound on the length keeps harmless.
 */
export class EncryptAndMacOpener implements PacketOpener {
  readonly headerBytes = BLOCK_BYTES;
  readonly tagBytes: number;
  readonly blockBytes = BLOCK_BYTES;
  readonly lengthAligned = true;
  private readonly mac: PacketMac;
  private readonly stream: crypto.Decipheriv;
  private first = Buffer.alloc(0);

  constructor(keys: CtrKeys) {
    this.mac = new PacketMac(keys);
    this.tagBytes = keys.mac.bytes;
    this.stream = crypto.createDecipheriv(keys.cipher, keys.key, keys.iv);
  }

  packetLength(_sequence: number, header: Buffer): number {
    this.first = this.stream.update(header);
    return this.first.readUInt32BE(0);
  }

  open(sequence: number, wire: Buffer): Buffer {
    const tagAt = wire.length - this.tagBytes;
    const plain = Buffer.concat([this.first, this.stream.update(wire.subarray(BLOCK_BYTES, tagAt))]);
    const expected = this.mac.start(sequence).update(plain).digest();
    if (!crypto.timingSafeEqual(expected, wire.subarray(tagAt))) throw notAuthentic();
    return unframe(plain.subarray(4));
  }
}
