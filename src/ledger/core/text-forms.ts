/** The small forms that all C2SP text formats share. Each value has exactly one spelling; any other is refused. */
import { WaybillError } from '../../base/errors.ts';
import { HASH_BYTES, isSize } from './merkle.ts';

export function malformed(what: string): WaybillError {
  return new WaybillError('ledger-proof-invalid', what);
}

const DECIMAL = /^(?:0|[1-9][0-9]{0,15})$/;

/** ASCII decimal without leading zeros, at most 2^53 - 1; null for anything else. */
export function parseDecimal(text: string): number | null {
  const value = DECIMAL.test(text) ? Number(text) : -1;
  return isSize(value) ? value : null;
}

/** RFC 4648 section 4 with padding and without stray bits; null for anything else. */
export function parseBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * The same, but stray bits after the last byte are dropped, as Go does: for signatures, which are not themselves signed,
 * and where refusing one of an unknown key would refuse the whole note.
 */
export function parseLooseBase64(text: string): Buffer | null {
  return BASE64.test(text) ? Buffer.from(text, 'base64') : null;
}

export function formatBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

export function parseHash(text: string): Buffer | null {
  const bytes = text.length === 44 ? parseBase64(text) : null;
  return bytes?.length === HASH_BYTES ? bytes : null;
}

// fatal and ignoreBOM: what is signed are the bytes, so no two inputs may become the same text.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** UTF-8 without control characters but newline (signed-note, "Format"), at most `max` bytes. */
export function decodeLines(input: Uint8Array | string, max: number, what: string): string {
  if (input.length > max) throw malformed(`${what} is longer than ${max} bytes`);
  let text: string;
  try {
    text = typeof input === 'string' ? input : utf8.decode(input);
  } catch (cause) {
    throw new WaybillError('ledger-proof-invalid', `${what} is not UTF-8`, { cause });
  }
  if (!text.isWellFormed() || /[\u0000-\u0009\u000b-\u001f]/.test(text))
    throw malformed(`${what} has a control character or is not UTF-8`);
  return text;
}
