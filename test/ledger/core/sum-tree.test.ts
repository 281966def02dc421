/** The sum tree against a naive one, and every way that a proof out of it must not verify. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { WaybillError } from '../../../src/base/errors.ts';
import { decodeSumProof, encodeSumProof } from '../../../src/ledger/core/sum-proof.ts';
import { EMPTY_SUM_ROOT, SumTree, verifySumProof } from '../../../src/ledger/core/sum-tree.ts';
import type { SumLeaf, SumNode, SumProof, SumRoot } from '../../../src/ledger/core/sum-tree.ts';
import { flipped, sha256 } from './naive.ts';

const idOf = (number: number): Buffer => sha256(Buffer.from(`id ${number}`));
const rootOf = (number: number): Buffer => sha256(Buffer.from(`root ${number}`));
const leafOf = (number: number, size = number * 10): SumLeaf => ({ id: idOf(number), size, root: rootOf(number) });
const leavesOf = (count: number): SumLeaf[] => Array.from({ length: count }, (_, number) => leafOf(number));

const u64 = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
};
const LABEL = Buffer.from('waybill sum tree v1\0');

const nodeBytes = ({ hash, min, max, count, sum }: SumNode): Buffer[] => [hash, min, max, u64(count), u64(sum)];

/** By the definition, top down over sorted leaves. */
function naive(leaves: readonly SumLeaf[]): SumNode {
  const [first] = leaves as [SumLeaf];
  if (leaves.length === 1) {
    const hash = sha256(Buffer.of(0x10), LABEL, first.id, u64(first.size), first.root);
    return { hash, count: 1, sum: first.size, min: first.id, max: first.id };
  }
  const k = 2 ** Math.floor(Math.log2(leaves.length - 1));
  const [left, right] = [naive(leaves.slice(0, k)), naive(leaves.slice(k))];
  const inner = [left, right].flatMap(nodeBytes);
  return {
    hash: sha256(Buffer.of(0x11), LABEL, ...inner),
    count: left.count + right.count,
    sum: left.sum + right.sum,
    min: left.min,
    max: right.max,
  };
}

const sorted = (leaves: readonly SumLeaf[]): SumLeaf[] => leaves.toSorted((a, b) => Buffer.compare(a.id, b.id));

function fails(act: () => unknown, words?: RegExp): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof WaybillError);
    assert.equal(error.code, 'ledger-proof-invalid');
    if (words !== undefined) assert.match(error.message, words);
    return true;
  });
}

void describe('SumTree', () => {
  it('the empty tree', () => {
    const tree = new SumTree();
    assert.deepEqual(tree.root(), EMPTY_SUM_ROOT);
    assert.deepEqual(EMPTY_SUM_ROOT, { hash: sha256(Buffer.of(0x12), LABEL), sum: 0, count: 0 });
    assert.equal(verifySumProof(tree.prove(idOf(1)), idOf(1), tree.root()), null);
    fails(() => verifySumProof({ form: 'empty' }, idOf(1), new SumTree(leavesOf(1)).root()), /0 logs, not 1/);
  });

  it('has the root of the definition, for every count', () => {
    for (let count = 1; count <= 40; count++) {
      const { hash, sum } = naive(sorted(leavesOf(count)));
      assert.deepEqual(new SumTree(leavesOf(count)).root(), { hash, sum, count });
    }
  });

  it('any order of insertions and updates leads to the same root', () => {
    const step = fc.tuple(fc.nat(30), fc.nat(1000), fc.boolean());
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const tree = new SumTree();
        const leaves = new Map<number, SumLeaf>();
        for (const [number, size, look] of steps) {
          leaves.set(number, leafOf(number, size));
          tree.set(leafOf(number, size));
          if (look) assert.equal(tree.root().count, leaves.size);
        }
        assert.equal(tree.count, leaves.size);
        assert.deepEqual(tree.root(), new SumTree([...leaves.values()]).root());
        for (const [number, leaf] of leaves) assert.deepEqual(tree.get(idOf(number)), leaf);
        assert.equal(tree.get(idOf(1000)), null);
      }),
    );
  });

  it('an update of one leaf hashes only its way up', () => {
    const tree = new SumTree(leavesOf(20_000));
    tree.root();
    const start = process.hrtime.bigint();
    for (let i = 0; i < 2000; i++) {
      tree.set(leafOf(i, i));
      tree.root();
    }
    // 15 hashes each: some 20 ms. Hashing all leaves 2,000 times would take a minute.
    assert.ok(Number(process.hrtime.bigint() - start) / 1e9 < 3);
  });

  it('does not share memory with its caller', () => {
    const leaf = leafOf(1);
    const tree = new SumTree([leaf, leafOf(2)]);
    const before = tree.root();
    leaf.root.fill(0);
    tree.set(leafOf(3));
    tree.set(leafOf(3));
    assert.deepEqual(tree.root(), new SumTree(leavesOf(4).slice(1)).root());
    assert.notDeepEqual(tree.root(), before);
  });

  it('refuses two leaves of one identifier, bad leaves, and sums of 2^53', () => {
    fails(() => new SumTree([leafOf(1), leafOf(1, 5)]), /one identifier/);
    for (const size of [-1, 0.5, 2 ** 53, NaN]) fails(() => new SumTree([leafOf(1, size)]));
    fails(() => new SumTree([{ ...leafOf(1), id: Buffer.alloc(31) }]));
    const tree = new SumTree([leafOf(1, 2 ** 53 - 2), leafOf(2, 1), leafOf(3, 0)]);
    const root = tree.root();
    assert.equal(root.sum, 2 ** 53 - 1);
    fails(() => {
      tree.set(leafOf(3, 1));
    }, /above 2\^53/);
    assert.deepEqual(tree.root(), root);
    assert.deepEqual(tree.get(idOf(3)), leafOf(3, 0));
    fails(() => new SumTree([leafOf(1, 2 ** 53 - 1), leafOf(2, 1)]), /above 2\^53/);
  });
});

const treeAndId = fc
  .tuple(fc.integer({ min: 1, max: 40 }), fc.nat(60))
  .map(([count, number]) => ({ tree: new SumTree(leavesOf(count)), count, number, id: idOf(number) }));

/** All single changes of a proof: each value of each node, nodes dropped, repeated and swapped. */
function* changed(proof: SumProof, bit: number): Generator<SumProof> {
  if (proof.form === 'empty') return;
  if (proof.form === 'leaf' || proof.form === 'single') {
    const { leaf } = proof;
    yield { ...proof, leaf: { ...leaf, id: flipped(leaf.id, bit) } };
    yield { ...proof, leaf: { ...leaf, root: flipped(leaf.root, bit) } };
    yield { ...proof, leaf: { ...leaf, size: leaf.size + 1 } };
  }
  if (proof.form === 'gap')
    for (const side of ['left', 'right'] as const)
      for (const other of changedNode(proof[side], bit)) yield { ...proof, [side]: other };
  if (proof.form === 'gap') yield { ...proof, left: proof.right, right: proof.left };
  if (proof.form === 'single') return;
  const { path } = proof;
  for (const [at, node] of path.entries()) {
    for (const other of changedNode(node, bit)) yield { ...proof, path: path.with(at, other) };
    yield { ...proof, path: path.toSpliced(at, 1) };
    yield { ...proof, path: path.toSpliced(at, 0, node) };
    const next = path[at + 1];
    if (next !== undefined) yield { ...proof, path: path.toSpliced(at, 2, next, node) };
  }
}

function* changedNode(node: SumNode, bit: number): Generator<SumNode> {
  for (const part of ['hash', 'min', 'max'] as const) yield { ...node, [part]: flipped(node[part], bit) };
  for (const part of ['count', 'sum'] as const)
    for (const by of [-1, 1, 2 ** 53]) yield { ...node, [part]: node[part] + by };
}

void describe('proofs of the sum tree', () => {
  it('show the leaf of every identifier, or that there is none, and survive their bytes', () => {
    fc.assert(
      fc.property(treeAndId, ({ tree, count, number, id }) => {
        const proof = decodeSumProof(encodeSumProof(tree.prove(id)));
        assert.deepEqual(proof, tree.prove(id));
        const leaf = verifySumProof(proof, id, tree.root());
        assert.deepEqual(leaf, number < count ? leafOf(number) : null);
      }),
    );
  });

  it('changed in any way they fail', () => {
    fc.assert(
      fc.property(treeAndId, fc.nat(), ({ tree, id }, bit) => {
        const proof = tree.prove(id);
        const root = tree.root();
        for (const other of changed(proof, bit)) fails(() => verifySumProof(other, id, root));
        for (const other of [
          { ...root, hash: flipped(root.hash, bit) },
          { ...root, sum: root.sum + 1 },
          { ...root, count: root.count + 1 },
        ])
          fails(() => verifySumProof(proof, id, other));
      }),
    );
  });

  it('do not serve another identifier, nor another moment', () => {
    fc.assert(
      fc.property(treeAndId, fc.nat(60), ({ tree, count, number, id }, other) => {
        const proof = tree.prove(id);
        // The absence of one identifier may honestly show that of others in the same gap; never of one that is there.
        if (other !== number && other < count) fails(() => verifySumProof(proof, idOf(other), tree.root()));
        if (number < count && other !== number) fails(() => verifySumProof(proof, idOf(other), tree.root()));
        const root = tree.root();
        tree.set(leafOf(other, 7777));
        fails(() => verifySumProof(proof, id, tree.root()));
        assert.deepEqual(verifySumProof(proof, id, root), number < count ? leafOf(number) : null);
      }),
    );
  });

  it('no second leaf of an identifier, even by whoever makes the tree', () => {
    // A liar hides T's true leaf between two that he names with ranges that leave T out.
    const [a, t, b] = sorted([leafOf(1), leafOf(2), leafOf(3)]) as [SumLeaf, SumLeaf, SumLeaf];
    const honest = new SumTree([a, t, b]);
    const proof = honest.prove(t.id) as SumProof & { form: 'leaf' };
    const [beside] = proof.path as [SumNode];
    for (const lie of [
      { ...beside, max: t.id },
      { ...beside, min: t.id },
      { ...beside, min: Buffer.alloc(32), max: Buffer.alloc(32, 0xff) },
    ])
      fails(() => verifySumProof({ ...proof, path: proof.path.with(0, lie) }, t.id, honest.root()));
    // Under the root that such a tree really has, the true leaf cannot be shown any more.
    const doubled: SumRoot = honest.root();
    fails(() => verifySumProof({ form: 'leaf', leaf: { ...t, size: 999 }, path: proof.path }, t.id, doubled));
  });

  it('ranges that overlap or do not fit their count are refused, even where the root commits to them', () => {
    const [a, b, c, d] = sorted(leavesOf(4)) as [SumLeaf, SumLeaf, SumLeaf, SumLeaf];
    const rootOver = (left: SumNode, right: SumNode): SumRoot => ({
      hash: sha256(Buffer.of(0x11), LABEL, ...nodeBytes(left), ...nodeBytes(right)),
      sum: left.sum + right.sum,
      count: left.count + right.count,
    });
    const show = (leaf: SumLeaf, path: SumNode[], left: SumNode, right: SumNode): unknown =>
      verifySumProof({ form: 'leaf', leaf, path }, leaf.id, rootOver(left, right));
    const [ac, bd] = [naive([a, c]), naive([b, d])];
    fails(() => show(a, [naive([c]), bd], ac, bd), /ascending/);
    const single = naive([a]);
    for (const lie of [
      { ...naive([c]), max: d.id },
      { ...naive([c]), min: d.id },
      { ...naive([c, d]), max: c.id },
    ])
      fails(() => show(a, [lie], single, lie), /does not fit its count/);
    for (const lie of [
      { ...naive([c]), count: 0 },
      { ...naive([c]), sum: -1 },
    ])
      fails(
        () => verifySumProof({ form: 'leaf', leaf: a, path: [lie] }, a.id, { hash: sha256(), sum: 0, count: 1 }),
        /range/,
      );
    show(a, [naive([c])], single, naive([c]));
  });

  it('the shape is fixed', () => {
    const tree = new SumTree(leavesOf(3));
    const [a, b, c] = sorted(leavesOf(3)) as [SumLeaf, SumLeaf, SumLeaf];
    // (a, (b, c)) in place of ((a, b), c): a tree of the same leaves with another root, as if it were of this form.
    const right = naive([b, c]);
    const skew = sha256(Buffer.of(0x11), LABEL, ...nodeBytes(naive([a])), ...nodeBytes(right));
    fails(
      () =>
        verifySumProof({ form: 'leaf', leaf: a, path: [right] }, a.id, { hash: skew, sum: tree.root().sum, count: 3 }),
      /shape/,
    );
  });

  it('paths without end, wrong lengths and unknown forms are refused', () => {
    const tree = new SumTree(leavesOf(2));
    const proof = tree.prove(leavesOf(2)[0]?.id as Buffer) as SumProof & { form: 'leaf' };
    const long = Array<SumNode>(54).fill(proof.path[0] as SumNode);
    fails(() => verifySumProof({ ...proof, path: long }, proof.leaf.id, tree.root()), /54 nodes/);
    fails(() => verifySumProof(proof, proof.leaf.id.subarray(1), tree.root()));
    const bytes = encodeSumProof(proof);
    for (let cut = 0; cut < bytes.length; cut++) fails(() => decodeSumProof(bytes.subarray(0, cut)));
    fails(() => decodeSumProof(Buffer.concat([bytes, Buffer.of(0)])), /too many/);
    fails(() => decodeSumProof(Buffer.of(9)), /unknown form/);
    fails(() => decodeSumProof(Buffer.concat([Buffer.of(1, 255), Buffer.alloc(112 * 257, 1)])), /longer/);
    fails(() => decodeSumProof(Buffer.concat([Buffer.of(2), Buffer.alloc(72, 0xff)])), /2\^53/);
  });
});
