/** The header traceparent (W3C Trace Context, version 00). Pure. */

/** Of whoever called, as a request named it. It decides nothing here. */
export interface TraceContext {
  /** 32 hexadecimal digits, not all 0. */
  readonly trace: string;
  /** 16 of them. */
  readonly span: string;
  readonly flags: number;
}

/** Later versions may say more after what version 00 says; ff is none. */
const FORM = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const LENGTH_MAX = 256;

/** Null for what is not one: then there is none, which is no fault of the request. */
export function parseTraceparent(text: string): TraceContext | null {
  if (text.length > LENGTH_MAX) return null;
  const [, version, trace = '', span = '', flags = '', more] = FORM.exec(text) ?? [];
  if (version === undefined || (version === '00' && more !== undefined)) return null;
  // Of the flags only "sampled" has a meaning.
  return { trace, span, flags: Number.parseInt(flags, 16) & 1 };
}
