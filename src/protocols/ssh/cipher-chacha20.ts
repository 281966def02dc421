/**
 * chacha20-poly1305@openssh.com (OpenSSH's PROTOCOL.chacha20poly1305): two ChaCha20 keys, one for the length field
 * and one for the rest; the Poly1305 key is the first block of the second stream. The nonce is the sequence number.
 */
import * as crypto from 'node:crypto';
import { frame, notAuthentic, unframe, type PacketOpener, type PacketSealer } from './packet-cipher.ts';

const TAG_BYTES = 16;
const BLOCK_BYTES = 8;
const ZERO_BLOCK = Buffer.alloc(64);

interface Mac {
  update(data: Buffer): Mac;
  final(): Buffer;
}

/** Missing in @types/node as of 26.6. */
const { createMac } = crypto as unknown as { createMac: (algorithm: 'poly1305', key: Buffer) => Mac };

/** OpenSSL's form: block counter (64 bits little-endian), then the nonce, here the sequence number as uint64. */
function nonceOf(sequence: number): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeUInt32BE(sequence, 12);
  return iv;
}

/** The stream of the packet's own key, standing at block 1, and the Poly1305 key from block 0. */
function start(key: crypto.KeyObject, nonce: Buffer): { stream: crypto.Cipheriv; mac: Mac } {
  const stream = crypto.createCipheriv('chacha20', key, nonce);
  return { stream, mac: createMac('poly1305', stream.update(ZERO_BLOCK).subarray(0, 32)) };
}

class Keys {
  readonly packet: crypto.KeyObject;
  readonly length: crypto.KeyObject;

  constructor(key: Buffer) {
    this.packet = crypto.createSecretKey(key.subarray(0, 32));
    this.length = crypto.createSecretKey(key.subarray(32, 64));
  }
}

export class ChaChaSealer implements PacketSealer {
  private readonly keys: Keys;

  constructor(key: Buffer) {
    this.keys = new Keys(key);
  }

  seal(sequence: number, parts: readonly Buffer[], out: Buffer[]): number {
    const pieces = frame(parts, BLOCK_BYTES, false);
    const head = pieces[0] as Buffer;
    const nonce = nonceOf(sequence);
    const length = crypto.createCipheriv('chacha20', this.keys.length, nonce).update(head.subarray(0, 4));
    const { stream, mac } = start(this.keys.packet, nonce);
    mac.update(length);
    out.push(length);
    for (let i = 0; i < pieces.length; i++) {
      const sealed = stream.update(i === 0 ? head.subarray(4) : (pieces[i] as Buffer));
      mac.update(sealed);
      out.push(sealed);
    }
    out.push(mac.final());
    return 4 + head.readUInt32BE(0) + TAG_BYTES;
  }
}

export class ChaChaOpener implements PacketOpener {
  readonly headerBytes = 4;
  readonly tagBytes = TAG_BYTES;
  readonly blockBytes = BLOCK_BYTES;
  readonly lengthAligned = false;
  private readonly keys: Keys;

  constructor(key: Buffer) {
    this.keys = new Keys(key);
  }

  packetLength(sequence: number, header: Buffer): number {
    const nonce = nonceOf(sequence);
    return crypto.createCipheriv('chacha20', this.keys.length, nonce).update(header).readUInt32BE(0);
  }

  open(sequence: number, wire: Buffer): Buffer {
    const tagAt = wire.length - TAG_BYTES;
    const { stream, mac } = start(this.keys.packet, nonceOf(sequence));
    const expected = mac.update(wire.subarray(0, tagAt)).final();
    if (!crypto.timingSafeEqual(expected, wire.subarray(tagAt))) throw notAuthentic();
    return unframe(stream.update(wire.subarray(4, tagAt)));
  }
}
