/** The nodes of the sum tree (sum-tree.ts): what a hash of it commits to. */
import { hash } from 'node:crypto';
import { WaybillError } from '../../base/errors.ts';
import { HASH_BYTES, isSize } from './merkle.ts';

/** Of one tenant's log. `id` is its blinded identifier, `root` the root of its tree of `size`. */
export interface SumLeaf {
  readonly id: Buffer;
  readonly size: number;
  readonly root: Buffer;
}

/** A subtree, as its parent commits to it. `min` and `max` are its least and greatest identifier. */
export interface SumNode {
  readonly hash: Buffer;
  readonly count: number;
  readonly sum: number;
  readonly min: Buffer;
  readonly max: Buffer;
}

export interface SumRoot {
  readonly hash: Buffer;
  /** Entries in all logs. */
  readonly sum: number;
  /** Logs. */
  readonly count: number;
}

// Prefixes that RFC 6962 has not (0x00, 0x01), and a label, so that no hash of another tree is one of this.
const LABEL = Buffer.from('waybill sum tree v1\0');
const LEAF = 0x10;
const INNER = 0x11;
const EMPTY = 0x12;
const NODE_BYTES = 3 * HASH_BYTES + 16;
const leafInput = Buffer.concat([Buffer.of(LEAF), LABEL, Buffer.alloc(2 * HASH_BYTES + 8)]);
const innerInput = Buffer.concat([Buffer.of(INNER), LABEL, Buffer.alloc(2 * NODE_BYTES)]);
const START = 1 + LABEL.length;

export const EMPTY_SUM_ROOT: SumRoot = {
  hash: hash('sha256', Buffer.concat([Buffer.of(EMPTY), LABEL]), 'buffer'),
  sum: 0,
  count: 0,
};

export function refuse(message: string): WaybillError {
  return new WaybillError('ledger-proof-invalid', `sum tree: ${message}`);
}

export function checkHash(value: Uint8Array, what: string): void {
  if (value.length !== HASH_BYTES) throw refuse(`${what} has ${value.length} bytes, not ${HASH_BYTES}`);
}

function writeU64(target: Buffer, value: number, at: number): number {
  target.writeUInt32BE(Math.floor(value / 2 ** 32), at);
  return target.writeUInt32BE(value % 2 ** 32, at + 4);
}

export function leafNode({ id, size, root }: SumLeaf): SumNode {
  checkHash(id, 'an identifier');
  checkHash(root, 'a root');
  if (!isSize(size)) throw refuse('the size of a log is no number from 0 to 2^53 - 1');
  leafInput.set(id, START);
  leafInput.set(root, writeU64(leafInput, size, START + HASH_BYTES));
  return { hash: digest(leafInput), count: 1, sum: size, min: id, max: id };
}

/** Throws unless every identifier on the left is less than every one on the right, and the sum is below 2^53. */
export function innerNode(left: SumNode, right: SumNode): SumNode {
  checkNode(left);
  checkNode(right);
  if (Buffer.compare(left.max, right.min) >= 0) throw refuse('identifiers are not in ascending order');
  const sum = left.sum + right.sum;
  const count = left.count + right.count;
  if (!isSize(sum) || !isSize(count)) throw refuse('the sum of the sizes of all logs is above 2^53 - 1');
  writeNode(right, writeNode(left, START));
  return { hash: digest(innerInput), count, sum, min: left.min, max: right.max };
}

function checkNode({ hash: value, count, sum, min, max }: SumNode): void {
  checkHash(value, 'a hash');
  checkHash(min, 'an identifier');
  checkHash(max, 'an identifier');
  if (!isSize(sum) || !isSize(count) || count < 1) throw refuse('a count or a sum is no number in its range');
  const order = Buffer.compare(min, max);
  if (order > 0 || (order === 0) !== (count === 1)) throw refuse('a range of identifiers does not fit its count');
}

function writeNode({ hash: value, count, sum, min, max }: SumNode, start: number): number {
  let at = start;
  for (const part of [value, min, max]) {
    innerInput.set(part, at);
    at += HASH_BYTES;
  }
  return writeU64(innerInput, sum, writeU64(innerInput, count, at));
}

// latin1: see merkle.ts.
function digest(input: Buffer): Buffer {
  return Buffer.from(hash('sha256', input, 'latin1'), 'latin1');
}
