/**
 * The Merkle sum tree over all tenants' logs. Its leaves, sorted by blinded identifier, are (identifier, size, root) of
 * each log; each inner node commits to hash, count, sum, and the least and greatest identifier of both its children.
 * So whoever is shown a path learns three things: what the log of one identifier is, that no second leaf can have this
 * identifier (every sibling's range lies wholly beside it), and that all sizes together are the sum at the top.
 *
 * The shape is that of RFC 6962 over the sorted leaves; the hashes are in a domain of their own. A path tells of the
 * nodes beside it: ranges of blinded identifiers, and how many entries are below each. Of a neighbour leaf that is one
 * tenant's size, without a way to learn whose.
 */
import { isSize } from './merkle.ts';
import { EMPTY_SUM_ROOT, innerNode, leafNode, refuse } from './sum-node.ts';
import type { SumLeaf, SumNode, SumRoot } from './sum-node.ts';
import type { SumProof } from './sum-proof.ts';

export { EMPTY_SUM_ROOT } from './sum-node.ts';
export type { SumLeaf, SumNode, SumRoot } from './sum-node.ts';
export { verifySumProof } from './sum-proof.ts';
export type { SumProof } from './sum-proof.ts';

export class SumTree {
  /** Sorted by identifier. */
  private readonly leaves: SumLeaf[];
  /**
   * Row 0 are the leaves' nodes; a last one without a neighbour stands in the next row as it is. Null after an
   * insertion, which moves everything right of it: made again when needed.
   */
  private rows: SumNode[][] | null = null;
  /** Leaves whose node in row 0 is new, and not yet in the rows above. */
  private readonly dirty = new Set<number>();
  private total: number;

  constructor(leaves: readonly SumLeaf[] = []) {
    this.leaves = leaves.map(copyOf).sort((a, b) => Buffer.compare(a.id, b.id));
    this.leaves.forEach((leaf, at) => {
      if (this.leaves[at - 1]?.id.equals(leaf.id) === true) throw refuse('two leaves have one identifier');
    });
    this.total = this.root().sum;
  }

  get count(): number {
    return this.leaves.length;
  }

  get(id: Uint8Array): SumLeaf | null {
    const at = this.search(id);
    const leaf = this.leaves[at];
    return leaf !== undefined && Buffer.compare(leaf.id, id) === 0 ? leaf : null;
  }

  /**
   * A known identifier costs O(log n), less when many change before the next root or proof; a new one O(n), once for any
   * number of them. Throws, and leaves the tree as it was, when all sizes together would be above 2^53 - 1.
   */
  set(leaf: SumLeaf): void {
    const copy = copyOf(leaf);
    const node = leafNode(copy);
    const at = this.search(leaf.id);
    const before = this.leaves[at];
    const known = before?.id.equals(leaf.id) === true;
    this.total = checkTotal(this.total - (known ? before.size : 0) + copy.size);
    if (known) this.leaves[at] = copy;
    else this.leaves.splice(at, 0, copy);
    const nodes = known ? this.rows?.[0] : undefined;
    if (nodes === undefined) {
      this.rows = null;
      return;
    }
    nodes[at] = node;
    this.dirty.add(at);
  }

  root(): SumRoot {
    const top = this.build().at(-1)?.[0];
    return top === undefined ? EMPTY_SUM_ROOT : { hash: top.hash, sum: top.sum, count: top.count };
  }

  /** That this is the leaf of the identifier, or that there is none: `verifySumProof` tells which. */
  prove(id: Uint8Array): SumProof {
    const rows = this.build();
    const at = this.search(id);
    const leaf = this.leaves[at];
    if (leaf !== undefined && Buffer.compare(leaf.id, id) === 0)
      return { form: 'leaf', leaf, path: siblings(rows, 0, at) };
    if (this.leaves.length === 0) return { form: 'empty' };
    if (this.leaves.length === 1) return { form: 'single', leaf: this.leaves[0] as SumLeaf };
    return proveGap(rows, id);
  }

  /** The position of the first leaf that is not before this identifier. */
  private search(id: Uint8Array): number {
    let [low, high] = [0, this.leaves.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (Buffer.compare((this.leaves[middle] as SumLeaf).id, id) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private build(): SumNode[][] {
    if (this.rows === null) {
      this.rows = [this.leaves.map(leafNode)];
      for (let row = this.rows[0] as SumNode[]; row.length > 1; this.rows.push(row)) {
        const below = row;
        row = Array.from({ length: Math.ceil(below.length / 2) }, (_, at) => parentOf(below, at));
      }
    } else {
      renew(this.rows, this.dirty);
    }
    this.dirty.clear();
    return this.rows;
  }
}

function checkTotal(total: number): number {
  if (!isSize(total)) throw refuse('the sum of the sizes of all logs is above 2^53 - 1');
  return total;
}

function copyOf({ id, size, root }: SumLeaf): SumLeaf {
  return { id: Buffer.from(id), size, root: Buffer.from(root) };
}

function parentOf(row: readonly SumNode[], at: number): SumNode {
  const left = row[2 * at] as SumNode;
  const right = row[2 * at + 1];
  return right === undefined ? left : innerNode(left, right);
}

/** Each node above a changed leaf once. */
function renew(rows: readonly SumNode[][], leaves: ReadonlySet<number>): void {
  let changed = leaves;
  for (let level = 1; level < rows.length; level++) {
    changed = new Set([...changed].map((at) => at >>> 1));
    for (const at of changed) (rows[level] as SumNode[])[at] = parentOf(rows[level - 1] as SumNode[], at);
  }
}

/** The nodes beside the way from a node to the top, lowest first. */
function siblings(rows: readonly SumNode[][], fromLevel: number, at: number): SumNode[] {
  const path: SumNode[] = [];
  for (let level = fromLevel, here = at; level + 1 < rows.length; level++, here >>>= 1) {
    const sibling = rows[level]?.[here ^ 1];
    if (sibling !== undefined) path.push(sibling);
  }
  return path;
}

/** The highest node with the identifier in neither child's range: the path to it discloses the least. */
function proveGap(rows: readonly SumNode[][], id: Uint8Array): SumProof {
  let at = 0;
  for (let level = rows.length - 1; level > 0; level--) {
    const left = rows[level - 1]?.[2 * at] as SumNode;
    const right = rows[level - 1]?.[2 * at + 1];
    if (right !== undefined && !covers(left, id) && !covers(right, id))
      return { form: 'gap', left, right, path: siblings(rows, level, at) };
    at = 2 * at + (right !== undefined && covers(right, id) ? 1 : 0);
  }
  throw refuse('the identifier is in the tree');
}

function covers({ min, max }: SumNode, id: Uint8Array): boolean {
  return Buffer.compare(min, id) <= 0 && Buffer.compare(id, max) <= 0;
}
