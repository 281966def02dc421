/** Proofs and roots of any size up to the reader's own, from hashes that the reader vouches for (RFC 6962 section 2.1). */
import { WaybillError } from '../../base/errors.ts';
import type { HashReader, TreeNode } from './hash-reader.ts';
import { checkSize, foldRight, Frontier } from './merkle.ts';

/** Leaves from start (included) to end (not included). */
type Range = readonly [start: number, end: number];

/** The perfect subtrees of a range that is a subtree of an RFC 6962 tree, from left to right. */
function perfectNodes([start, end]: Range): TreeNode[] {
  const nodes: TreeNode[] = [];
  for (let at = start; at < end;) {
    let level = 0;
    let width = 1;
    while (at % (width * 2) === 0 && at + width * 2 <= end) {
      width *= 2;
      level++;
    }
    nodes.push({ level, index: at / width });
    at += width;
  }
  return nodes;
}

async function rootsOf(reader: HashReader, ranges: readonly Range[]): Promise<Buffer[]> {
  const parts = ranges.map(perfectNodes);
  const hashes = await reader.hashes(parts.flat());
  let at = 0;
  return parts.map((nodes) => foldRight(hashes.slice(at, (at += nodes.length))));
}

function checkWithin(reader: HashReader, size: number): void {
  checkSize(size);
  if (size > reader.size) throw outside(`a tree of ${reader.size} says nothing of one of ${size}`);
}

function outside(message: string): WaybillError {
  return new WaybillError('ledger-proof-invalid', message);
}

/** The largest power of two below n, which is at least 2. */
function splitPoint(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

export async function rootFromTiles(reader: HashReader, size: number): Promise<Buffer> {
  checkWithin(reader, size);
  const [root] = await rootsOf(reader, [[0, size]]);
  return root as Buffer;
}

export async function frontierFromTiles(reader: HashReader, size = reader.size): Promise<Frontier> {
  checkWithin(reader, size);
  return Frontier.fromHashes(size, await reader.hashes(perfectNodes([0, size])));
}

/** RFC 6962 section 2.1.1, PATH(index, D[size]). */
export async function inclusionProof(reader: HashReader, index: number, size: number): Promise<Buffer[]> {
  checkWithin(reader, size);
  checkSize(index, 'index');
  if (index >= size) throw outside(`a tree of ${size} has no entry ${index}`);
  const siblings: Range[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitPoint(end - start);
    if (index < middle) {
      siblings.push([middle, end]);
      end = middle;
    } else {
      siblings.push([start, middle]);
      start = middle;
    }
  }
  return rootsOf(reader, siblings.reverse());
}

/** RFC 6962 section 2.1.2, PROOF(oldSize, D[newSize]). Empty for sizes that are the same, and from the empty tree. */
export async function consistencyProof(reader: HashReader, oldSize: number, newSize: number): Promise<Buffer[]> {
  checkWithin(reader, newSize);
  checkSize(oldSize);
  if (oldSize > newSize) throw outside(`a tree of ${newSize} is not consistent with a larger one of ${oldSize}`);
  if (oldSize === 0 || oldSize === newSize) return [];
  const ranges: Range[] = [];
  let [start, end] = [0, newSize];
  // `oldSize` is inside (start, end) until the old tree ends where a subtree does.
  while (oldSize !== end) {
    const middle = start + splitPoint(end - start);
    if (oldSize <= middle) {
      ranges.push([middle, end]);
      end = middle;
    } else {
      ranges.push([start, middle]);
      start = middle;
    }
  }
  // A subtree that begins at 0 is the old tree itself, which the verifier knows.
  if (start !== 0) ranges.push([start, end]);
  return rootsOf(reader, ranges.reverse());
}
