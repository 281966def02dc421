/** Where the parts of a ledger lie, below its folder: the server writes them, verifiers and investigators read them. */
import { WaybillError } from '../../base/errors.ts';
import { TILE_WIDTH, tilePath } from './tiles.ts';

export const HEADS = 'heads';
/** A checkpoint of the heads with the cosignatures of witnesses; `heads/checkpoint` stays the log's own. */
export const COSIGNED = `${HEADS}/cosigned`;
export const VKEY = 'vkey';

export function logFolder(log: string): string {
  return `logs/${log}`;
}

export function checkpointPath(folder: string): string {
  return `${folder}/checkpoint`;
}

/** Origin, and name of the key, of a tenant's log. */
export function logOrigin(origin: string, log: string): string {
  return `${origin}/${log}`;
}

/** The file with the changes of heads index * 256 and on, `width` of them. */
export function changesPath(index: number, width: number): string {
  return `${HEADS}/changes/${tilePath({ level: 'entries', index, width }).slice('tile/entries/'.length)}`;
}

/** Each as u32 (big-endian) length and bytes: one head may change more logs than an entry bundle's u16 could say. */
export function encodeChangesFile(parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(part.length);
      return [length, part];
    }),
  );
}

export function decodeChangesFile(bytes: Uint8Array, count: number): Buffer[] {
  if (count < 1 || count > TILE_WIDTH) throw damaged(`it cannot hold ${count}`);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Buffer[] = [];
  let at = 0;
  while (parts.length < count) {
    if (buffer.length - at < 4) throw damaged('it ends too early');
    const end = at + 4 + buffer.readUInt32BE(at);
    if (end > buffer.length) throw damaged('it ends too early');
    parts.push(buffer.subarray(at + 4, end));
    at = end;
  }
  if (at !== buffer.length) throw damaged('bytes stand after its end');
  return parts;
}

function damaged(why: string): WaybillError {
  return new WaybillError('ledger-damaged', `a file of changes is damaged: ${why}`);
}
