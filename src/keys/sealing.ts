/** AES-256-GCM for small secrets: 1 || nonce(12) || ciphertext || tag(16), the purpose authenticated. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import { NONCE_BYTES, TAG_BYTES } from './layout.ts';

const FORM = 1;
const OVERHEAD = 1 + NONCE_BYTES + TAG_BYTES;

// Random nonces: one key seals far fewer than the 2^32 messages where two equal ones become thinkable.
export function sealWith(key: KeyObject, purpose: string, plaintext: Uint8Array): Buffer {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(purpose));
  return Buffer.concat([Buffer.of(FORM), nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

export function openWith(key: KeyObject, purpose: string, sealed: Uint8Array): Buffer {
  const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
  if (bytes.length < OVERHEAD || bytes[0] !== FORM) throw unavailable(purpose);
  const nonce = bytes.subarray(1, 1 + NONCE_BYTES);
  const tagAt = bytes.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(purpose));
  decipher.setAuthTag(bytes.subarray(tagAt));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(1 + NONCE_BYTES, tagAt)), decipher.final()]);
  } catch (cause) {
    throw unavailable(purpose, cause);
  }
}

function unavailable(purpose: string, cause?: unknown): WaybillError {
  return new WaybillError(
    'key-unavailable',
    `what was sealed for "${purpose}" was altered or sealed with another key`,
    {
      cause,
    },
  );
}
