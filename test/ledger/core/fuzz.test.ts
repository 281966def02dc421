/** Every parser of ledger/core against bytes of no sense and of nearly good sense. */
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeBundle } from '../../../src/ledger/core/bundle.ts';
import { signCheckpoint } from '../../../src/ledger/core/checkpoint.ts';
import { encodeChanges, encodeHead } from '../../../src/ledger/core/head.ts';
import { formatSignerKey, formatVerifierKey } from '../../../src/ledger/core/note.ts';
import { encodeLogProof } from '../../../src/ledger/core/proof.ts';
import { encodeSilence } from '../../../src/ledger/core/silence.ts';
import { encodeSumProof } from '../../../src/ledger/core/sum-proof.ts';
import { SumTree } from '../../../src/ledger/core/sum-tree.ts';
import { formatAddCheckpoint } from '../../../src/ledger/core/witness.ts';
import { FUZZ_TARGETS, SIGNERS } from './fuzz-targets.ts';
import { entries, naivePath, naiveProof, naiveRoot, sha256 } from './naive.ts';

const { key, witness } = SIGNERS;
const leaf = (name: string): { id: Buffer; size: number; root: Buffer } => ({
  id: sha256(Buffer.from(name)),
  size: 1,
  root: sha256(),
});
const tree = new SumTree(['a', 'b', 'c', 'd', 'e'].map(leaf));
const head = (time: number): Buffer =>
  encodeHead({
    time,
    sumRoot: tree.root().hash,
    total: 5,
    tenants: 5,
    changes: sha256(),
    run: '0'.repeat(32),
    software: 'x',
  });
const heads = [head(1), head(2), head(3)];
const checkpoint = signCheckpoint(
  { origin: key.verifier.name, size: 3, root: naiveRoot(heads), extensions: ['ext'] },
  [key, witness],
  7,
);
const point = (index: number, name: string): Parameters<typeof encodeSilence>[0]['from'] => ({
  index,
  entry: heads[index] as Buffer,
  inclusion: naivePath(index, heads),
  sum: tree.prove(sha256(Buffer.from(name))),
});
const silence = (name: string): string =>
  encodeSilence({ id: sha256(Buffer.from(name)), from: point(0, name), to: point(2, name), checkpoint });

/** Well-formed inputs, from which changed ones reach further than noise does. */
const SEEDS: readonly Buffer[] = [
  'tile/0/x001/x234/067.p/7',
  encodeBundle(entries(3)),
  formatVerifierKey(key.verifier),
  formatSignerKey(witness),
  checkpoint,
  checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1),
  ...['a', 'b', 'x', 'y'].map((name) => encodeSumProof(tree.prove(sha256(Buffer.from(name))))),
  encodeLogProof({ extra: Buffer.from('x'), index: 1, hashes: naivePath(1, heads), checkpoint }),
  silence('a'),
  silence('x'),
  `# p\nlog ${formatVerifierKey(key.verifier)}\nwitness A ${formatVerifierKey(witness.verifier)}\ngroup G any A\nquorum G\n`,
  formatAddCheckpoint({ oldSize: 0, proof: [], note: checkpoint }),
  formatAddCheckpoint({ oldSize: 2, proof: naiveProof(2, heads), note: checkpoint }),
  heads[0] as Buffer,
  encodeChanges([{ log: sha256().toString('hex'), size: 1, root: sha256() }]),
].map((seed) => Buffer.from(seed as string));

const change = fc.tuple(fc.nat(), fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x0a, 0x20, 0x30, 0x2b)));
const changed = fc
  .tuple(fc.constantFrom(...SEEDS), fc.array(change, { maxLength: 4 }), fc.nat(), fc.constantFrom(...SEEDS))
  .map(([seed, changes, cut, other]) => {
    const bytes = Buffer.from(seed);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    const end = cut % bytes.length;
    if (cut % 4 === 0) return bytes.subarray(0, end);
    return cut % 4 === 1 ? Buffer.concat([bytes.subarray(0, end), other.subarray(cut % other.length)]) : bytes;
  });
const noise = fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes));

void describe('fuzz', () => {
  for (const [name, target] of Object.entries(FUZZ_TARGETS)) {
    it(name, () => {
      for (const seed of SEEDS) target(seed);
      fc.assert(fc.property(fc.oneof({ weight: 4, arbitrary: changed }, noise), target), { numRuns: 1500 });
    });
  }
});
