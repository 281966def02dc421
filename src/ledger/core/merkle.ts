/**
 * The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1) over SHA-256: hashes, the compact right edge, and the
 * verification of proofs. Pure; nothing here trusts the proof, the sizes or the index that it is given.
 */
import { createHash, hash } from 'node:crypto';
import { WaybillError } from '../../base/errors.ts';

export const HASH_BYTES = 32;
/** Sizes are JavaScript numbers; what is above 2^53 - 1 is refused, never rounded. */
export const SIZE_MAX = Number.MAX_SAFE_INTEGER;
/** No proof in a tree of at most SIZE_MAX leaves is longer. */
export const PROOF_HASHES_MAX = 64;

const nodeInput = Buffer.alloc(1 + 2 * HASH_BYTES);
nodeInput[0] = 0x01;
const leafInput = Buffer.alloc(1 + 0x1_0000);

// latin1: a one-shot digest as a one-byte string and a copy take half the time of a Buffer of its own.
function digest(input: Uint8Array): string {
  return hash('sha256', input, 'latin1');
}

export const EMPTY_ROOT: Buffer = Buffer.from(digest(Buffer.alloc(0)), 'latin1');

export function leafHash(entry: Uint8Array): Buffer {
  if (entry.length >= leafInput.length) return createHash('sha256').update(Buffer.of(0)).update(entry).digest();
  leafInput.set(entry, 1);
  return Buffer.from(digest(leafInput.subarray(0, 1 + entry.length)), 'latin1');
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  checkHash(left);
  checkHash(right);
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return Buffer.from(digest(nodeInput), 'latin1');
}

function checkHash(value: Uint8Array): void {
  if (value.length !== HASH_BYTES) throw invalid(`a hash has ${value.length} bytes, not ${HASH_BYTES}`);
}

export function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

export function isPowerOfTwo(value: number): boolean {
  return value >= 1 && 2 ** Math.round(Math.log2(value)) === value;
}

export function checkSize(value: number, what = 'tree size'): void {
  if (!isSize(value)) throw invalid(`${what} ${value} is not a whole number from 0 to 2^53 - 1`);
}

function invalid(message: string): WaybillError {
  return new WaybillError('ledger-proof-invalid', message);
}

/** The root over perfect subtrees given from left to right, largest first. */
export function foldRight(hashes: readonly Uint8Array[]): Buffer {
  const last = hashes.at(-1);
  if (last === undefined) return EMPTY_ROOT;
  let root: Buffer = Buffer.from(last);
  for (let at = hashes.length - 2; at >= 0; at--) root = nodeHash(hashes[at] as Uint8Array, root);
  return root;
}

/** The root over consecutive hashes in one buffer, of which there are a power of two. */
export function perfectRoot(hashes: Buffer): Buffer {
  let width = hashes.length / HASH_BYTES;
  if (!isPowerOfTwo(width)) throw invalid(`${hashes.length} bytes are not the hashes of a perfect tree`);
  const work = Buffer.from(hashes);
  for (; width > 1; width /= 2) {
    for (let at = 0; at < width * HASH_BYTES; at += 2 * HASH_BYTES) {
      work.copy(nodeInput, 1, at, at + 2 * HASH_BYTES);
      work.write(digest(nodeInput), at / 2, HASH_BYTES, 'latin1');
    }
  }
  return Buffer.from(work.subarray(0, HASH_BYTES));
}

/** How many perfect subtrees a tree of this size has: the bits that are set in it. */
export function subtreeCount(size: number): number {
  let count = 0;
  for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

/** What `Frontier.append` tells: a perfect subtree of 2^level leaves is complete. `hash` is valid only during the call. */
export type PerfectNode = (level: number, hash: Buffer) => void;

/**
 * The compact range of a tree that only grows: one hash for each bit that is set in its size. Enough to append to it
 * and to know its root without reading anything that came before.
 */
export class Frontier {
  private count = 0;
  /** Slot i holds the subtree of 2^i leaves when bit i of `count` is set. */
  private readonly slots = Buffer.alloc(53 * HASH_BYTES);
  private readonly current = Buffer.alloc(HASH_BYTES);

  get size(): number {
    return this.count;
  }

  append(leaf: Uint8Array, onPerfect?: PerfectNode): void {
    checkHash(leaf);
    if (this.count === SIZE_MAX) throw invalid('the tree is full');
    const { current, slots } = this;
    current.set(leaf);
    onPerfect?.(0, current);
    let level = 0;
    for (let rest = this.count; rest % 2 === 1; rest = (rest - 1) / 2) {
      slots.copy(nodeInput, 1, level * HASH_BYTES, (level + 1) * HASH_BYTES);
      nodeInput.set(current, 1 + HASH_BYTES);
      current.write(digest(nodeInput), 0, HASH_BYTES, 'latin1');
      level++;
      onPerfect?.(level, current);
    }
    slots.set(current, level * HASH_BYTES);
    this.count++;
  }

  root(): Buffer {
    return foldRight(this.toHashes());
  }

  /** The hashes of the perfect subtrees from left to right, largest first. */
  toHashes(): Buffer[] {
    const hashes: Buffer[] = [];
    let level = 0;
    for (let rest = this.count; rest > 0; rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1) hashes.push(Buffer.from(this.slots.subarray(level * HASH_BYTES, (level + 1) * HASH_BYTES)));
      level++;
    }
    return hashes.reverse();
  }

  static fromHashes(size: number, hashes: readonly Uint8Array[]): Frontier {
    checkSize(size);
    if (hashes.length !== subtreeCount(size))
      throw invalid(`a tree of ${size} has ${subtreeCount(size)} perfect subtrees, not ${hashes.length}`);
    const frontier = new Frontier();
    frontier.count = size;
    let level = 0;
    let at = hashes.length;
    for (let rest = size; rest > 0; rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1) {
        const value = hashes[--at] as Uint8Array;
        checkHash(value);
        frontier.slots.set(value, level * HASH_BYTES);
      }
      level++;
    }
    return frontier;
  }

  clone(): Frontier {
    const copy = new Frontier();
    copy.count = this.count;
    copy.slots.set(this.slots);
    return copy;
  }
}

function checkProof(proof: readonly Uint8Array[]): void {
  if (proof.length > PROOF_HASHES_MAX) throw invalid(`a proof has ${proof.length} hashes, more than any tree needs`);
  for (const value of proof) checkHash(value);
}

/** RFC 9162 section 2.1.3.2: `leaf` (a leaf hash) is entry number `index` of the tree of `size` with this root. */
export function verifyInclusion(
  proof: readonly Uint8Array[],
  index: number,
  size: number,
  leaf: Uint8Array,
  root: Uint8Array,
): void {
  const what = `inclusion of entry ${index} in a tree of ${size}`;
  checkSize(size);
  checkSize(index, 'index');
  if (index >= size) throw invalid(`${what}: there is no such entry`);
  checkProof(proof);
  checkHash(leaf);
  checkHash(root);
  let node = index;
  let last = size - 1;
  let result: Uint8Array = leaf;
  for (const value of proof) {
    if (last === 0) throw invalid(`${what}: the proof is too long`);
    if (node % 2 === 1 || node === last) {
      result = nodeHash(value, result);
      // A node without a right sibling is its parent: go up to where it has a left one.
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      result = nodeHash(result, value);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) throw invalid(`${what}: the proof is too short`);
  if (Buffer.compare(result, root) !== 0) throw invalid(`${what}: the proof leads to another root`);
}

/** RFC 9162 section 2.1.4.2: the tree of `newSize` begins with all entries of the tree of `oldSize`. */
export function verifyConsistency(
  proof: readonly Uint8Array[],
  oldSize: number,
  newSize: number,
  oldRoot: Uint8Array,
  newRoot: Uint8Array,
): void {
  const what = `consistency of a tree of ${newSize} with one of ${oldSize}`;
  checkSize(oldSize);
  checkSize(newSize);
  if (oldSize > newSize) throw invalid(`${what}: the later tree is smaller`);
  checkProof(proof);
  checkHash(oldRoot);
  checkHash(newRoot);
  for (const [size, root] of [[oldSize, oldRoot] as const, [newSize, newRoot] as const]) {
    if (size === 0 && Buffer.compare(root, EMPTY_ROOT) !== 0) throw invalid(`${what}: the empty tree has another root`);
  }
  if (oldSize === newSize || oldSize === 0) {
    if (proof.length > 0) throw invalid(`${what}: the proof is too long`);
    if (oldSize === newSize && Buffer.compare(oldRoot, newRoot) !== 0)
      throw invalid(`${what}: same size, but other roots: the history was rewritten`);
    return;
  }
  const [oldResult, newResult] = foldConsistency(proof, oldSize, newSize, oldRoot, what);
  if (Buffer.compare(oldResult, oldRoot) !== 0) throw invalid(`${what}: the proof leads to another earlier root`);
  if (Buffer.compare(newResult, newRoot) !== 0) throw invalid(`${what}: the proof leads to another later root`);
}

function foldConsistency(
  proof: readonly Uint8Array[],
  oldSize: number,
  newSize: number,
  oldRoot: Uint8Array,
  what: string,
): readonly [Uint8Array, Uint8Array] {
  let node = oldSize - 1;
  let last = newSize - 1;
  while (node % 2 === 1) {
    node = (node - 1) / 2;
    last = Math.floor(last / 2);
  }
  // An earlier tree that is one perfect subtree is its own start; the proof leaves that hash out.
  const path = node === 0 ? [oldRoot, ...proof] : proof;
  const start = path[0];
  if (start === undefined) throw invalid(`${what}: the proof is too short`);
  let oldResult = start;
  let newResult = start;
  for (const value of path.slice(1)) {
    if (last === 0) throw invalid(`${what}: the proof is too long`);
    if (node % 2 === 1 || node === last) {
      oldResult = nodeHash(value, oldResult);
      newResult = nodeHash(value, newResult);
      while (node % 2 === 0 && node !== 0) {
        node /= 2;
        last = Math.floor(last / 2);
      }
    } else {
      newResult = nodeHash(newResult, value);
    }
    node = Math.floor(node / 2);
    last = Math.floor(last / 2);
  }
  if (last !== 0) throw invalid(`${what}: the proof is too short`);
  return [oldResult, newResult];
}
