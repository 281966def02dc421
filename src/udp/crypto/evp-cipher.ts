/**
 * AES-256-GCM by OpenSSL's EVP, called through node:ffi in the library that Node itself carries: no object and no copy a
 * datagram, where node:crypto makes several. What is called: EVP_EncryptInit(3ssl), "AEAD interface".
 */
import { timingSafeEqual } from 'node:crypto';
import type { CipherMaker, DatagramCipher } from '../wire/sealing.ts';
import { HEADER_LENGTH, NONCE_LENGTH, TAG_LENGTH } from '../wire/sizes.ts';

const EVP_CTRL_AEAD_GET_TAG = 0x10;
const EVP_CTRL_AEAD_SET_TAG = 0x11;

const INIT = { return: 'int32', arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'pointer'] } as const;
const UPDATE = { return: 'int32', arguments: ['pointer', 'pointer', 'pointer', 'pointer', 'int32'] } as const;
const FINAL = { return: 'int32', arguments: ['pointer', 'pointer', 'pointer'] } as const;
const SIGNATURES = {
  EVP_CIPHER_CTX_new: { return: 'pointer', arguments: [] },
  EVP_CIPHER_CTX_free: { return: 'void', arguments: ['pointer'] },
  EVP_aes_256_gcm: { return: 'pointer', arguments: [] },
  EVP_CIPHER_CTX_ctrl: { return: 'int32', arguments: ['pointer', 'int32', 'int32', 'pointer'] },
  EVP_EncryptInit_ex: INIT,
  EVP_EncryptUpdate: UPDATE,
  EVP_EncryptFinal_ex: FINAL,
  EVP_DecryptInit_ex: INIT,
  EVP_DecryptUpdate: UPDATE,
  EVP_DecryptFinal_ex: FINAL,
} as const;

type Init = (context: bigint, cipher: bigint, engine: bigint, key: bigint, nonce: bigint) => number;
type Update = (context: bigint, out: bigint, written: bigint, from: bigint, length: number) => number;
type Final = (context: bigint, out: bigint, written: bigint) => number;
interface Evp {
  EVP_CIPHER_CTX_new(): bigint;
  EVP_CIPHER_CTX_free(context: bigint): void;
  EVP_aes_256_gcm(): bigint;
  EVP_CIPHER_CTX_ctrl(context: bigint, type: number, length: number, at: bigint): number;
  readonly EVP_EncryptInit_ex: Init;
  readonly EVP_EncryptUpdate: Update;
  readonly EVP_EncryptFinal_ex: Final;
  readonly EVP_DecryptInit_ex: Init;
  readonly EVP_DecryptUpdate: Update;
  readonly EVP_DecryptFinal_ex: Final;
}

interface Memory {
  readonly buffer: Buffer;
  readonly address: bigint;
}

interface Parts {
  readonly evp: Evp;
  readonly addressOf: (buffer: Buffer) => bigint;
  /** Nonce, tag and the lengths that OpenSSL writes. */
  readonly scratch: Memory;
}

const NONCE_AT = 0;
const TAG_AT = 16;
const WRITTEN_AT = 32n;
const SCRATCH_BYTES = 40;

/** Where the context of a cipher that nobody holds any more is freed: keys change while a transfer goes on. */
const contexts = new FinalizationRegistry<() => void>((free) => {
  free();
});

/** Throws where node:ffi or the symbols are not to be had. */
export async function openEvp(): Promise<CipherMaker> {
  const ffi = await import('node:ffi');
  const evp = ffi.dlopen(null, SIGNATURES).functions as unknown as Evp;
  const bases = new WeakMap<ArrayBufferLike, bigint>();
  const addressOf = (buffer: Buffer): bigint => {
    let base = bases.get(buffer.buffer);
    if (base === undefined) {
      base = ffi.getRawPointer(buffer.buffer);
      bases.set(buffer.buffer, base);
    }
    return base + BigInt(buffer.byteOffset);
  };
  const buffer = Buffer.from(new ArrayBuffer(SCRATCH_BYTES));
  const parts: Parts = { evp, addressOf, scratch: { buffer, address: addressOf(buffer) } };
  const make = (key: Buffer): DatagramCipher => new EvpCipher(parts, key);
  proveItself(make);
  return make;
}

class EvpCipher implements DatagramCipher {
  private readonly parts: Parts;
  private readonly sealing: bigint;
  private readonly opening: bigint;
  /** What came, while it is being decrypted in place: a datagram that is not of the peer stays as it was. */
  private kept = Buffer.from(new ArrayBuffer(2048));

  constructor(parts: Parts, key: Buffer) {
    this.parts = parts;
    const { evp } = parts;
    const memory = Buffer.from(new ArrayBuffer(key.length));
    key.copy(memory);
    const at = parts.addressOf(memory);
    const [sealing, opening] = [evp.EVP_CIPHER_CTX_new(), evp.EVP_CIPHER_CTX_new()];
    const cipher = evp.EVP_aes_256_gcm();
    const ready =
      evp.EVP_EncryptInit_ex(sealing, cipher, 0n, at, 0n) & evp.EVP_DecryptInit_ex(opening, cipher, 0n, at, 0n);
    memory.fill(0);
    const free = (): void => {
      evp.EVP_CIPHER_CTX_free(sealing);
      evp.EVP_CIPHER_CTX_free(opening);
    };
    if (ready !== 1) {
      free();
      throw new Error('OpenSSL refused the key of a transfer');
    }
    [this.sealing, this.opening] = [sealing, opening];
    contexts.register(this, free);
  }

  seal(datagram: Buffer, bodyEnd: number, nonce: Buffer): void {
    const { evp, scratch } = this.parts;
    const { sealing: context } = this;
    const start = this.parts.addressOf(datagram);
    const body = start + BigInt(HEADER_LENGTH);
    const written = scratch.address + WRITTEN_AT;
    nonce.copy(scratch.buffer, NONCE_AT, 0, NONCE_LENGTH);
    const done =
      evp.EVP_EncryptInit_ex(context, 0n, 0n, 0n, scratch.address) &
      evp.EVP_EncryptUpdate(context, 0n, written, start, HEADER_LENGTH) &
      evp.EVP_EncryptUpdate(context, body, written, body, bodyEnd - HEADER_LENGTH) &
      evp.EVP_EncryptFinal_ex(context, body, written) &
      evp.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LENGTH, start + BigInt(bodyEnd));
    if (done !== 1) throw new Error('OpenSSL could not seal a datagram');
  }

  open(datagram: Buffer, length: number, nonce: Buffer): boolean {
    const { evp, scratch } = this.parts;
    const { opening: context } = this;
    const bodyEnd = length - TAG_LENGTH;
    const start = this.parts.addressOf(datagram);
    const body = start + BigInt(HEADER_LENGTH);
    const written = scratch.address + WRITTEN_AT;
    nonce.copy(scratch.buffer, NONCE_AT, 0, NONCE_LENGTH);
    datagram.copy(scratch.buffer, TAG_AT, bodyEnd, length);
    if (this.kept.length < length) this.kept = Buffer.from(new ArrayBuffer(length));
    datagram.copy(this.kept, 0, HEADER_LENGTH, bodyEnd);
    const opened =
      evp.EVP_DecryptInit_ex(context, 0n, 0n, 0n, scratch.address) &
      evp.EVP_DecryptUpdate(context, 0n, written, start, HEADER_LENGTH) &
      evp.EVP_DecryptUpdate(context, body, written, body, bodyEnd - HEADER_LENGTH) &
      evp.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LENGTH, scratch.address + BigInt(TAG_AT));
    if (opened === 1 && evp.EVP_DecryptFinal_ex(context, body, written) === 1) return true;
    this.kept.copy(datagram, HEADER_LENGTH, 0, bodyEnd - HEADER_LENGTH);
    return false;
  }
}

/** An experimental interface to foreign code: before it is trusted it has to get one published answer right. */
function proveItself(make: CipherMaker): void {
  // The GCM specification of McGrew and Viega, test case 14: key, nonce and block of zeros; ours has a header beside, so
  // what is compared is the ciphertext alone. The tag shows itself by opening, and by not opening.
  const cipher = make(Buffer.alloc(32));
  const nonce = Buffer.alloc(NONCE_LENGTH);
  const datagram = Buffer.from(new ArrayBuffer(HEADER_LENGTH + 16 + TAG_LENGTH));
  const bodyEnd = HEADER_LENGTH + 16;
  cipher.seal(datagram, bodyEnd, nonce);
  const expected = Buffer.from('cea7403d4d606b6e074ec5d3baf39d18', 'hex');
  const right = timingSafeEqual(datagram.subarray(HEADER_LENGTH, bodyEnd), expected);
  const changed = Buffer.from(datagram);
  changed.writeUInt8(changed.readUInt8(0) ^ 1, 0);
  if (!right || cipher.open(changed, changed.length, nonce) || !cipher.open(datagram, datagram.length, nonce))
    throw new Error('OpenSSL through FFI does not answer as published');
}
