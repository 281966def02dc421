/** Published vectors of transparency-dev/merkle: right proofs verify, and every way found there to break one is refused. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { WaybillError } from '../../src/base/errors.ts';
import { verifyConsistency, verifyInclusion } from '../../src/ledger/core/merkle.ts';

type Case = readonly [
  name: string,
  mustFail: boolean,
  numbers: readonly number[],
  first: number,
  second: number,
  proof: readonly number[],
];
type Group = 'inclusion' | 'consistency' | 'subtreeInclusion' | 'subtreeConsistency';

const vectors = JSON.parse(readFileSync(join(import.meta.dirname, 'merkle-proofs.json'), 'utf8')) as Record<
  Group,
  Case[]
> & { hashes: string[] };
const hashes = vectors.hashes.map((text) => Buffer.from(text, 'base64'));
const hash = (row: number): Buffer => hashes[row] as Buffer;

function holds(act: () => void): boolean {
  try {
    act();
    return true;
  } catch (error) {
    assert.ok(error instanceof WaybillError && error.code === 'ledger-proof-invalid', String(error));
    return false;
  }
}

/** Its two equal roots have twelve bytes. That library leaves lengths to its caller; we refuse what is no hash. */
const NO_HASHES = 'additional/sizes-are-equal-one-and-proof-is-empty';

/** Runs what `check` answers true or false to; null is a case that asks for what is not built. */
function judge(group: Group, expected: number, check: (row: Case) => boolean | null): void {
  let ran = 0;
  for (const row of vectors[group]) {
    const result = check(row);
    if (result === null) continue;
    ran++;
    assert.equal(result, !row[1] && row[0] !== NO_HASHES, `${group} ${row[0]}`);
  }
  assert.equal(ran, expected);
}

/** Whether the draft knows such a subtree: it begins at a multiple of a power of two that is at least its width. */
function isSubtree(start: number, end: number): boolean {
  return end > start && start % 2 ** Math.ceil(Math.log2(end - start)) === 0;
}

describe('transparency-dev/merkle', () => {
  test('inclusion', () => {
    judge('inclusion', 98, ([, , [index = NaN, size = NaN], leaf, root, proof]) =>
      holds(() => {
        verifyInclusion(proof.map(hash), index, size, hash(leaf), hash(root));
      }),
    );
  });

  test('consistency', () => {
    judge('consistency', 98, ([, , [oldSize = NaN, newSize = NaN], oldRoot, newRoot, proof]) =>
      holds(() => {
        verifyConsistency(proof.map(hash), oldSize, newSize, hash(oldRoot), hash(newRoot));
      }),
    );
  });

  test('inclusion in a subtree', () => {
    judge('subtreeInclusion', 185, ([, , [index = NaN, start = NaN, end = NaN], leaf, root, proof]) =>
      isSubtree(start, end)
        ? holds(() => {
            verifyInclusion(proof.map(hash), index - start, end - start, hash(leaf), hash(root));
          })
        : null,
    );
  });

  test('consistency of a subtree at the start', () => {
    judge('subtreeConsistency', 91, ([, , [start = NaN, end = NaN, size = NaN], first, root, proof]) =>
      start === 0 && end > 0
        ? holds(() => {
            verifyConsistency(proof.map(hash), end, size, hash(first), hash(root));
          })
        : null,
    );
  });
});
