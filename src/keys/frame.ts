/**
 * Seals and opens single frames (layout.ts). The associated data binds a frame to its blob, segment and position, so
 * somebody who can write the blob folder can neither move frames nor exchange blobs without being found out.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { FRAMES_PER_SEGMENT, FRAME_PLAIN, FRAME_STORED, NONCE_BYTES, SEGMENT_STORED, TAG_BYTES } from './layout.ts';

const ALGORITHM = 'aes-256-gcm';
const OPTIONS = { authTagLength: TAG_BYTES };
const MAGIC = Buffer.from('WBF1', 'latin1');
const SEGMENT_AT = MAGIC.length + 16;
const FRAME_AT = SEGMENT_AT + 4;
const AAD_BYTES = FRAME_AT + 4;
const BLOB_ID = /^[0-9a-f]{32}$/;

/** Bytes on disk of a frame of `plain` bytes. */
export function storedLength(plain: number): number {
  return NONCE_BYTES + plain + TAG_BYTES;
}

/** Where a frame lies in its blob. `frame` counts from the start of the file, not of the segment. */
export function storedPosition(frame: number): number {
  const segment = Math.floor(frame / FRAMES_PER_SEGMENT);
  return segment * SEGMENT_STORED + (frame % FRAMES_PER_SEGMENT) * FRAME_STORED;
}

/** Plain bytes of frame `frame` of a content of `size` bytes; 0 when the frame is past its end. */
export function plainLength(frame: number, size: number): number {
  return Math.max(0, Math.min(FRAME_PLAIN, size - frame * FRAME_PLAIN));
}

/**
 * The nonces of one opening of one blob: epoch (u32) || counter (u64). The broker never gives an epoch of a blob twice
 * and the counter never goes back, so no nonce repeats under a segment's key, whatever crashes in between.
 */
export class NonceSequence {
  private readonly epoch: number;
  private counter = 0;

  constructor(epoch: number) {
    if (!Number.isInteger(epoch) || epoch < 1 || epoch > 0xffffffff) throw new RangeError('epoch outside u32');
    this.epoch = epoch;
  }

  next(): Buffer {
    const nonce = Buffer.allocUnsafe(NONCE_BYTES);
    nonce.writeUInt32BE(this.epoch, 0);
    nonce.writeUInt32BE(Math.floor(this.counter / 2 ** 32), 4);
    nonce.writeUInt32BE(this.counter % 2 ** 32, 8);
    this.counter += 1;
    return nonce;
  }
}

/** The frames of one blob. Keys are given per call: this object holds none. */
export class FrameCipher {
  private readonly aad = Buffer.alloc(AAD_BYTES);

  constructor(blob: string) {
    if (!BLOB_ID.test(blob)) throw new RangeError('blob id is not 32 hex digits');
    MAGIC.copy(this.aad);
    this.aad.write(blob, MAGIC.length, 'hex');
  }

  /** The parts of a stored frame in their order. `plain` is done with when this returns. */
  seal(key: Buffer, nonce: Buffer, frame: number, plain: Buffer): [nonce: Buffer, ciphertext: Buffer, tag: Buffer] {
    const cipher = createCipheriv(ALGORITHM, key, nonce, OPTIONS);
    cipher.setAAD(this.bind(frame));
    const ciphertext = cipher.update(plain);
    cipher.final();
    return [nonce, ciphertext, cipher.getAuthTag()];
  }

  /** The plaintext in memory of its own, or null when not every byte is what was sealed for this very place. */
  open(key: Buffer, frame: number, stored: Buffer): Buffer | null {
    if (stored.length < NONCE_BYTES + TAG_BYTES) return null;
    const end = stored.length - TAG_BYTES;
    const decipher = createDecipheriv(ALGORITHM, key, stored.subarray(0, NONCE_BYTES), OPTIONS);
    decipher.setAAD(this.bind(frame));
    decipher.setAuthTag(stored.subarray(end));
    const plain = decipher.update(stored.subarray(NONCE_BYTES, end));
    try {
      decipher.final();
    } catch {
      // The one reason for final() to throw is a wrong tag; its message would say less than the caller's.
      return null;
    }
    return plain;
  }

  private bind(frame: number): Buffer {
    this.aad.writeUInt32BE(Math.floor(frame / FRAMES_PER_SEGMENT), SEGMENT_AT);
    this.aad.writeUInt32BE(frame % FRAMES_PER_SEGMENT, FRAME_AT);
    return this.aad;
  }
}
