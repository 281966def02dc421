/**
 * Date.toISOString of whole seconds, for lists. V8 writes each with printf, half as dear as all else of an entry; and
 * lists of the same directories are asked for again and again. (Texts put together here would not be flat, which costs
 * JSON.stringify more than it saves.)
 */

const KEPT = 8192;
const known = new Map<number, string>();

/** `seconds` since 1970; throws for what no Date can be. */
export function isoSeconds(seconds: number): string {
  const found = known.get(seconds);
  if (found !== undefined) return found;
  if (known.size >= KEPT) known.clear();
  const text = new Date(seconds * 1000).toISOString();
  known.set(seconds, text);
  return text;
}
