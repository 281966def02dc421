/** Entry bundles of C2SP tlog-tiles: entries in order, each as u16 (big-endian) length and bytes; 256 in a full bundle. */
import { WaybillError } from '../../base/errors.ts';

export const BUNDLE_ENTRIES_MAX = 256;
export const ENTRY_BYTES_MAX = 0xffff;

/** The bytes of one entry in a bundle; bundles are these, one after another. */
export function encodeBundleEntry(entry: Uint8Array): Buffer {
  if (entry.length > ENTRY_BYTES_MAX)
    throw new WaybillError('ledger-damaged', `an entry of ${entry.length} bytes; at most ${ENTRY_BYTES_MAX} fit`);
  const out = Buffer.allocUnsafe(2 + entry.length);
  out.writeUInt16BE(entry.length);
  out.set(entry, 2);
  return out;
}

export function encodeBundle(entries: readonly Uint8Array[]): Buffer {
  checkCount(entries.length);
  return Buffer.concat(entries.map(encodeBundleEntry));
}

/** Exactly `count` entries as views on `bytes`; anything missing or left over is refused. */
export function decodeBundle(bytes: Uint8Array, count: number): Buffer[] {
  checkCount(count);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const entries: Buffer[] = [];
  let at = 0;
  while (entries.length < count) {
    if (buffer.length - at < 2) throw short(entries.length, count);
    const end = at + 2 + buffer.readUInt16BE(at);
    if (end > buffer.length) throw short(entries.length, count);
    entries.push(buffer.subarray(at + 2, end));
    at = end;
  }
  if (at !== buffer.length)
    throw new WaybillError('ledger-damaged', `a bundle of ${count} entries has ${buffer.length - at} bytes too many`);
  return entries;
}

function checkCount(count: number): void {
  if (!Number.isInteger(count) || count < 1 || count > BUNDLE_ENTRIES_MAX)
    throw new WaybillError('ledger-damaged', `a bundle has 1 to ${BUNDLE_ENTRIES_MAX} entries, not ${count}`);
}

function short(at: number, count: number): WaybillError {
  return new WaybillError('ledger-damaged', `a bundle of ${count} entries ends within number ${at}`);
}
