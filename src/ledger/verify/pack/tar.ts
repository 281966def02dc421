/**
 * The outer form of an evidence pack: a POSIX ustar archive, so that anybody can look inside with any tool, of which
 * every byte is fixed: a header is what `header` makes of name and size, and nothing else is accepted. So no bit of a
 * pack is without meaning, and none can be changed unseen.
 */
import { WaybillError } from '../../../base/errors.ts';

export const BLOCK = 512;
export const END: Buffer = Buffer.alloc(2 * BLOCK);
const NAME_MAX = 100;
/** Eleven octal digits. */
export const MEMBER_MAX = 0o77777777777;

export function header(name: string, size: number): Buffer {
  if (!/^[a-zA-Z0-9./-]+$/.test(name) || name.length > NAME_MAX || size > MEMBER_MAX)
    throw new WaybillError('ledger-proof-invalid', `a pack can have no member ${name} of ${size} bytes`);
  const block = Buffer.alloc(BLOCK);
  block.write(name, 0, 'latin1');
  block.write('0000644\0', 100, 'latin1');
  block.write('0000000\0', 108, 'latin1');
  block.write('0000000\0', 116, 'latin1');
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  block.write('00000000000\0', 136, 'latin1');
  block.write('        ', 148, 'latin1');
  block.write('0', 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  block.write('0000000\0', 329, 'latin1');
  block.write('0000000\0', 337, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

export function padding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

export interface MemberHeader {
  readonly name: string;
  readonly size: number;
}

/** Null for the end of the archive. */
export function parseHeader(block: Buffer): MemberHeader | null {
  if (block.every((byte) => byte === 0)) return null;
  const end = block.indexOf(0);
  const name = block.toString('latin1', 0, end < 0 ? 0 : Math.min(end, NAME_MAX));
  const size = /^[0-7]{11}$/.test(block.toString('latin1', 124, 135))
    ? parseInt(block.toString('latin1', 124, 135), 8)
    : -1;
  if (size < 0 || !/^[a-zA-Z0-9./-]+$/.test(name) || !header(name, size).equals(block))
    throw new WaybillError('ledger-proof-invalid', 'the header of a member of the pack is not in its one form');
  return { name, size };
}
