import { randomFillSync } from 'node:crypto';

const ID_BYTES = 16;
/** Asking the system for 16 bytes costs as much as asking for 4,096. Not for keys: they must not lie in memory twice. */
const pool = Buffer.alloc(256 * ID_BYTES);
let used = pool.length;

function take(): Buffer {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += ID_BYTES;
  return pool.subarray(used - ID_BYTES, used);
}

/** 128 random bits as 32 hexadecimal digits. */
export function newId(): string {
  return take().toString('hex');
}

/**
 * 48 bits of milliseconds, then 80 random bits: rows that are made together lie together in an index, so that a commit
 * writes a few pages and not one for every row.
 */
export function newOrderedId(now: number): string {
  const bytes = take();
  bytes.writeUIntBE(now, 0, 6);
  return bytes.toString('hex');
}
