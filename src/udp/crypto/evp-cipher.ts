/**
 * AES-256-GCM by OpenSSL's EVP, called through node:ffi in the library that Node itself carries: no object and no copy a
 * datagram, where node:crypto makes several. What is called: EVP_EncryptInit(3ssl), "AEAD interface".
 */
import { timingSafeEqual } from 'node:crypto';
import type { CipherMaker, DatagramCipher } from '../wire/sealing.ts';
import type { Arena } from '../native/arena.ts';
import { DATAGRAM_MAX, HEADER_LENGTH, NONCE_LENGTH, TAG_LENGTH } from '../wire/sizes.ts';

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

interface Parts {
  readonly evp: Evp;
  readonly arena: Arena;
  /** Nonce, tag, the lengths that OpenSSL writes; a key while it is set. */
  readonly scratch: Buffer;
  /** What came, while it is being decrypted in place: a datagram that is not of the peer stays as it was. */
  readonly kept: Buffer;
  /** For a datagram that does not lie in the arena. */
  readonly stage: Buffer;
}

const NONCE_AT = 0;
const TAG_AT = 16;
const WRITTEN_AT = 32n;
const KEY_AT = 48;
const SCRATCH_BYTES = 80;

/** Where the context of a cipher that nobody holds any more is freed: keys change while a transfer goes on. */
const contexts = new FinalizationRegistry<() => void>((free) => {
  free();
});

/** Throws where node:ffi or the symbols are not to be had. */
export async function openEvp(arena: Arena): Promise<CipherMaker> {
  const ffi = await import('node:ffi');
  const evp = ffi.dlopen(null, SIGNATURES).functions as unknown as Evp;
  const [scratch, kept, stage] = [SCRATCH_BYTES, DATAGRAM_MAX, DATAGRAM_MAX].map((bytes) => arena.take(bytes)) as [
    Buffer,
    Buffer,
    Buffer,
  ];
  const parts: Parts = { evp, arena, scratch, kept, stage };
  const make = (key: Buffer): DatagramCipher => new EvpCipher(parts, key);
  proveItself(make);
  return make;
}

class EvpCipher implements DatagramCipher {
  private readonly parts: Parts;
  private readonly sealing: bigint;
  private readonly opening: bigint;
  /** Of the scratch. */
  private readonly nonceAt: bigint;
  private readonly writtenAt: bigint;

  constructor(parts: Parts, key: Buffer) {
    const { evp, arena, scratch } = parts;
    this.parts = parts;
    this.nonceAt = arena.addressOf(scratch);
    this.writtenAt = this.nonceAt + WRITTEN_AT;
    key.copy(scratch, KEY_AT);
    const at = this.nonceAt + BigInt(KEY_AT);
    const [sealing, opening] = [evp.EVP_CIPHER_CTX_new(), evp.EVP_CIPHER_CTX_new()];
    const cipher = evp.EVP_aes_256_gcm();
    const ready =
      evp.EVP_EncryptInit_ex(sealing, cipher, 0n, at, 0n) & evp.EVP_DecryptInit_ex(opening, cipher, 0n, at, 0n);
    scratch.fill(0, KEY_AT);
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
    const { arena, stage, scratch } = this.parts;
    nonce.copy(scratch, NONCE_AT, 0, NONCE_LENGTH);
    if (arena.has(datagram)) {
      this.sealAt(arena.addressOf(datagram), bodyEnd);
      return;
    }
    datagram.copy(stage, 0, 0, bodyEnd);
    this.sealAt(arena.addressOf(stage), bodyEnd);
    stage.copy(datagram, HEADER_LENGTH, HEADER_LENGTH, bodyEnd + TAG_LENGTH);
  }

  open(datagram: Buffer, length: number, nonce: Buffer): boolean {
    const { arena, stage, scratch, kept } = this.parts;
    const bodyEnd = length - TAG_LENGTH;
    nonce.copy(scratch, NONCE_AT, 0, NONCE_LENGTH);
    datagram.copy(scratch, TAG_AT, bodyEnd, length);
    if (!arena.has(datagram)) {
      datagram.copy(stage, 0, 0, bodyEnd);
      if (!this.openAt(arena.addressOf(stage), bodyEnd)) return false;
      stage.copy(datagram, HEADER_LENGTH, HEADER_LENGTH, bodyEnd);
      return true;
    }
    datagram.copy(kept, 0, HEADER_LENGTH, bodyEnd);
    if (this.openAt(arena.addressOf(datagram), bodyEnd)) return true;
    kept.copy(datagram, HEADER_LENGTH, 0, bodyEnd - HEADER_LENGTH);
    return false;
  }

  private sealAt(start: bigint, bodyEnd: number): void {
    const { evp } = this.parts;
    const { sealing: context, writtenAt } = this;
    const body = start + BigInt(HEADER_LENGTH);
    const done =
      evp.EVP_EncryptInit_ex(context, 0n, 0n, 0n, this.nonceAt) &
      evp.EVP_EncryptUpdate(context, 0n, writtenAt, start, HEADER_LENGTH) &
      evp.EVP_EncryptUpdate(context, body, writtenAt, body, bodyEnd - HEADER_LENGTH) &
      evp.EVP_EncryptFinal_ex(context, body, writtenAt) &
      evp.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LENGTH, start + BigInt(bodyEnd));
    if (done !== 1) throw new Error('OpenSSL could not seal a datagram');
  }

  private openAt(start: bigint, bodyEnd: number): boolean {
    const { evp } = this.parts;
    const { opening: context, writtenAt } = this;
    const body = start + BigInt(HEADER_LENGTH);
    const opened =
      evp.EVP_DecryptInit_ex(context, 0n, 0n, 0n, this.nonceAt) &
      evp.EVP_DecryptUpdate(context, 0n, writtenAt, start, HEADER_LENGTH) &
      evp.EVP_DecryptUpdate(context, body, writtenAt, body, bodyEnd - HEADER_LENGTH) &
      evp.EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LENGTH, this.nonceAt + BigInt(TAG_AT));
    return opened === 1 && evp.EVP_DecryptFinal_ex(context, body, writtenAt) === 1;
  }
}

/** An experimental interface to foreign code: before it is trusted it has to get one published answer right. */
function proveItself(make: CipherMaker): void {
  // The GCM specification of McGrew and Viega, test case 14: key, nonce and block of zeros; ours has a header beside, so
  // what is compared is the ciphertext alone. The tag shows itself by opening, and by not opening.
  const cipher = make(Buffer.alloc(32));
  const nonce = Buffer.alloc(NONCE_LENGTH);
  const datagram = Buffer.alloc(HEADER_LENGTH + 16 + TAG_LENGTH);
  const bodyEnd = HEADER_LENGTH + 16;
  cipher.seal(datagram, bodyEnd, nonce);
  const expected = Buffer.from('cea7403d4d606b6e074ec5d3baf39d18', 'hex');
  const right = timingSafeEqual(datagram.subarray(HEADER_LENGTH, bodyEnd), expected);
  const changed = Buffer.from(datagram);
  changed.writeUInt8(changed.readUInt8(0) ^ 1, 0);
  if (!right || cipher.open(changed, changed.length, nonce) || !cipher.open(datagram, datagram.length, nonce))
    throw new Error('OpenSSL through FFI does not answer as published');
}
