/**
 * Proofs out of the sum tree (sum-tree.ts), their bytes, and their verification.
 *
 * Why a proof of presence and one of absence can never both hold under one root: each way down from the root goes, at
 * every node, only into a child whose range has the identifier. The ranges of two children never overlap, so there is
 * one such way at most; a proof of absence shows the node where it ends, and a leaf below that node would have given
 * the node another range, hence another hash.
 */
import { ByteReader, ByteWriter, MalformedBytes } from '../../base/bytes.ts';
import { HASH_BYTES, isPowerOfTwo } from './merkle.ts';
import { checkHash, EMPTY_SUM_ROOT, innerNode, leafNode, refuse } from './sum-node.ts';
import type { SumLeaf, SumNode, SumRoot } from './sum-node.ts';

export type SumProof =
  | { readonly form: 'leaf'; readonly leaf: SumLeaf; readonly path: readonly SumNode[] }
  /** Absent: both children of one node, and the identifier in the range of neither. */
  | { readonly form: 'gap'; readonly left: SumNode; readonly right: SumNode; readonly path: readonly SumNode[] }
  /** Absent: the one leaf there is has another identifier. */
  | { readonly form: 'single'; readonly leaf: SumLeaf }
  | { readonly form: 'empty' };

const PATH_MAX = 53;

/** The leaf of this identifier under this root, or null when it is proven that there is none. */
export function verifySumProof(proof: SumProof, id: Uint8Array, root: SumRoot): SumLeaf | null {
  checkHash(id, 'an identifier');
  switch (proof.form) {
    case 'leaf': {
      if (Buffer.compare(proof.leaf.id, id) !== 0) throw refuse('the leaf is of another identifier');
      checkTop(climb(leafNode(proof.leaf), proof.path, id), root);
      return proof.leaf;
    }
    case 'gap':
      checkBeside(proof.left, id);
      checkBeside(proof.right, id);
      checkTop(climb(join(proof.left, proof.right), proof.path, id), root);
      return null;
    case 'single':
      if (Buffer.compare(proof.leaf.id, id) === 0) throw refuse('the identifier is in the tree');
      checkTop(leafNode(proof.leaf), root);
      return null;
    case 'empty':
      checkTop(EMPTY_SUM_ROOT, root);
      return null;
  }
}

function climb(start: SumNode, path: readonly SumNode[], id: Uint8Array): SumNode {
  if (path.length > PATH_MAX) throw refuse(`a path has ${path.length} nodes, more than any tree needs`);
  let node = start;
  for (const sibling of path) {
    checkBeside(sibling, id);
    // Which side it is on follows from the ranges; `innerNode` refuses ranges that overlap.
    node = Buffer.compare(sibling.max, node.min) < 0 ? join(sibling, node) : join(node, sibling);
  }
  return node;
}

/** The shape of RFC 6962: on the left as many leaves as the largest power of two that is less than all. */
function join(left: SumNode, right: SumNode): SumNode {
  const node = innerNode(left, right);
  if (!isPowerOfTwo(left.count) || left.count * 2 < node.count)
    throw refuse('the tree is not of the shape that its count has');
  return node;
}

function checkBeside({ min, max }: SumNode, id: Uint8Array): void {
  if (Buffer.compare(min, id) <= 0 && Buffer.compare(id, max) <= 0)
    throw refuse('another subtree has the identifier in its range');
}

function checkTop({ hash, sum, count }: SumRoot, root: SumRoot): void {
  if (count !== root.count) throw refuse(`the path leads to ${count} logs, not ${root.count}`);
  if (sum !== root.sum) throw refuse(`the path leads to ${sum} entries in all logs, not ${root.sum}`);
  if (!hash.equals(root.hash)) throw refuse('the path leads to another root');
}

const FORMS = ['leaf', 'gap', 'single', 'empty'] as const;
export const SUM_PROOF_BYTES_MAX = 2 + (PATH_MAX + 2) * (3 * HASH_BYTES + 16);

export function encodeSumProof(proof: SumProof): Buffer {
  const writer = new ByteWriter().u8(FORMS.indexOf(proof.form));
  if (proof.form === 'leaf' || proof.form === 'single')
    writer.raw(proof.leaf.id).u64(BigInt(proof.leaf.size)).raw(proof.leaf.root);
  const nodes = proof.form === 'gap' ? [proof.left, proof.right] : [];
  if (proof.form === 'leaf' || proof.form === 'gap') {
    writer.u8(proof.path.length);
    nodes.push(...proof.path);
  }
  for (const { hash, count, sum, min, max } of nodes)
    writer.raw(hash).u64(BigInt(count)).u64(BigInt(sum)).raw(min).raw(max);
  return writer.finish();
}

export function decodeSumProof(bytes: Buffer): SumProof {
  try {
    const reader = new ByteReader(bytes);
    const proof = readProof(reader);
    reader.done();
    return proof;
  } catch (error) {
    if (error instanceof MalformedBytes) throw refuse(`a proof is malformed: ${error.message}`);
    throw error;
  }
}

function readProof(reader: ByteReader): SumProof {
  const form = FORMS[reader.u8()];
  if (form === 'empty') return { form };
  if (form === 'single') return { form, leaf: readLeaf(reader) };
  if (form === 'leaf') return { form, leaf: readLeaf(reader), path: readNodes(reader, reader.u8()) };
  if (form === undefined) throw refuse('a proof is of an unknown form');
  const [left, right, ...path] = readNodes(reader, 2 + reader.u8());
  return { form, left: left as SumNode, right: right as SumNode, path };
}

function readLeaf(reader: ByteReader): SumLeaf {
  return { id: reader.bytes(HASH_BYTES), size: readNumber(reader), root: reader.bytes(HASH_BYTES) };
}

function readNodes(reader: ByteReader, count: number): SumNode[] {
  if (count > PATH_MAX + 2) throw refuse('a path is longer than any tree needs');
  return Array.from({ length: count }, () => ({
    hash: reader.bytes(HASH_BYTES),
    count: readNumber(reader),
    sum: readNumber(reader),
    min: reader.bytes(HASH_BYTES),
    max: reader.bytes(HASH_BYTES),
  }));
}

function readNumber(reader: ByteReader): number {
  const value = Number(reader.u64());
  if (!Number.isSafeInteger(value)) throw refuse('a number is above 2^53 - 1');
  return value;
}
