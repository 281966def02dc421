/** Offline proofs: of one entry, and of the silence of one tenant; and that no change of a file goes unseen. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { WaybillError } from '../../../src/base/errors.ts';
import { signCheckpoint } from '../../../src/ledger/core/checkpoint.ts';
import { blindedIdentifier, decodeHead, encodeHead } from '../../../src/ledger/core/head.ts';
import { EMPTY_ROOT, leafHash } from '../../../src/ledger/core/merkle.ts';
import { generateSignerKey } from '../../../src/ledger/core/note.ts';
import { decodeLogProof, encodeLogProof, verifyLogProof } from '../../../src/ledger/core/proof.ts';
import type { LogProof } from '../../../src/ledger/core/proof.ts';
import { decodeSilence, encodeSilence, verifySilence } from '../../../src/ledger/core/silence.ts';
import type { SilenceBundle, SilencePoint } from '../../../src/ledger/core/silence.ts';
import { SumTree } from '../../../src/ledger/core/sum-tree.ts';
import type { SumProof } from '../../../src/ledger/core/sum-tree.ts';
import { entries, flipped, naivePath, naiveRoot, sha256 } from './naive.ts';

const ORIGIN = 'waybill.example/heads';
const log = generateSignerKey(ORIGIN);
const key = log.verifier;

/** A heads log over tenants whose logs grow: each step names the tenants that get an entry. */
class Installation {
  readonly heads: Buffer[] = [];
  /** The proof of every tenant at every head. */
  private readonly proofs: Map<string, SumProof>[] = [];
  private readonly tree = new SumTree();
  private readonly logs = new Map<string, Buffer[]>();
  private readonly tenants: readonly string[];

  constructor(tenants: readonly string[]) {
    this.tenants = tenants;
  }

  id(tenant: string): Buffer {
    return Buffer.from(
      blindedIdentifier(sha256(Buffer.from(tenant)).toString('hex').slice(0, 32), '00'.repeat(16)),
      'hex',
    );
  }

  seal(active: readonly string[], change: Partial<ReturnType<typeof decodeHead>> = {}): void {
    for (const tenant of active) {
      const own = [...(this.logs.get(tenant) ?? []), Buffer.from(`${tenant} ${this.heads.length}`)];
      this.logs.set(tenant, own);
      this.tree.set({ id: this.id(tenant), size: own.length, root: naiveRoot(own) });
    }
    const { hash, sum, count } = this.tree.root();
    const time = 1_700_000_000_000 + this.heads.length * 60_000;
    const head = {
      time,
      sumRoot: hash,
      total: sum,
      tenants: count,
      changes: sha256(),
      run: '0'.repeat(32),
      software: 's',
    };
    this.heads.push(encodeHead({ ...head, ...change }));
    this.proofs.push(new Map(this.tenants.map((tenant) => [tenant, this.tree.prove(this.id(tenant))])));
  }

  checkpoint(size = this.heads.length): string {
    return signCheckpoint({ origin: ORIGIN, size, root: naiveRoot(this.heads.slice(0, size)), extensions: [] }, [log]);
  }

  point(tenant: string, index: number): SilencePoint {
    const sum = this.proofs[index]?.get(tenant) as SumProof;
    return { index, entry: this.heads[index] as Buffer, inclusion: naivePath(index, this.heads), sum };
  }

  silence(tenant: string, from: number, to: number): SilenceBundle {
    const points = { from: this.point(tenant, from), to: this.point(tenant, to) };
    return { id: this.id(tenant), ...points, checkpoint: this.checkpoint() };
  }
}

const TENANTS = ['a', 'b', 'c', 'd', 'e'];
const installation = new Installation(TENANTS);
for (const active of [['a'], ['a', 'b', 'c', 'd'], ['b'], ['a', 'c'], [], ['b', 'c', 'd'], ['a']])
  installation.seal(active);

function fails(act: () => unknown, words?: RegExp): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof WaybillError, String(error));
    assert.ok(error.code === 'ledger-proof-invalid' || error.code === 'ledger-entry-invalid', error.code);
    if (words !== undefined) assert.match(error.message, words);
    return true;
  });
}

const verify = (bundle: SilenceBundle): ReturnType<typeof verifySilence> => verifySilence(bundle, key, ORIGIN);
/** d is silent from head 1 to head 4. */
const silent = installation.silence('d', 1, 4);

void describe('silence', () => {
  it('is shown wherever it was, and nowhere else', () => {
    const active = [['a'], ['a', 'b', 'c', 'd'], ['b'], ['a', 'c'], [], ['b', 'c', 'd'], ['a']];
    for (const tenant of TENANTS)
      for (let from = 0; from < 7; from++)
        for (let to = from + 1; to < 7; to++) {
          const bundle = decodeSilence(encodeSilence(installation.silence(tenant, from, to)));
          const quiet = active.slice(from + 1, to + 1).every((names) => !names.includes(tenant));
          if (!quiet)
            fails(() => verify(bundle), /^silence: the log of the tenant has \d entries in the first head and/);
          else {
            const shown = verify(bundle);
            const size = active.slice(0, to + 1).filter((names) => names.includes(tenant)).length;
            assert.equal(shown.size, size);
            assert.equal(shown.present, size > 0);
            if (size === 0) assert.deepEqual(shown.root, EMPTY_ROOT);
            assert.equal(shown.to.time - shown.from.time, (to - from) * 60_000);
            assert.equal(shown.checkpoint.size, 7);
          }
        }
  });

  it('needs two heads in their order', () => {
    fails(() => verify({ ...silent, from: silent.to, to: silent.from }), /not after the first/);
    fails(() => verify({ ...silent, to: silent.from }), /not after the first/);
    const back = new Installation(TENANTS);
    back.seal(['a']);
    back.seal([], { time: 5 });
    fails(() => verify(back.silence('a', 0, 1)), /time of the second head/);
  });

  it('names the head whose totals, root or place are wrong', () => {
    const lying = (change: Partial<ReturnType<typeof decodeHead>>): SilenceBundle => {
      const other = new Installation(TENANTS);
      other.seal(['a', 'b']);
      other.seal([], change);
      return other.silence('a', 0, 1);
    };
    verify(lying({}));
    fails(() => verify(lying({ total: 3 })), /"to": sum tree: the path leads to 2 entries in all logs, not 3/);
    fails(() => verify(lying({ tenants: 3 })), /"to": sum tree: the path leads to 2 logs, not 3/);
    fails(() => verify(lying({ sumRoot: sha256() })), /"to": sum tree: the path leads to another root/);
    fails(() => verify({ ...silent, from: { ...silent.from, index: 0 } }), /"from": inclusion of entry 0/);
    fails(() => verify({ ...silent, from: installation.point('b', 1) }), /"from": sum tree: the leaf is of another/);
    fails(() => verify({ ...silent, id: installation.id('b') }), /"from"/);
    const garbage = new Installation(TENANTS);
    garbage.seal(['a']);
    garbage.heads.push(Buffer.from('no head'));
    const point = {
      ...installation.point('a', 1),
      index: 1,
      entry: Buffer.from('no head'),
      inclusion: naivePath(1, garbage.heads),
    };
    const bundle = { id: garbage.id('a'), from: garbage.point('a', 0), to: point, checkpoint: garbage.checkpoint() };
    fails(() => verify(bundle), /"to": /);
  });

  it('a log that is gone, rolled back or rewritten is not silent', () => {
    const at = (tree: SumTree, head: number): SilenceBundle['from'] => {
      const { hash, sum, count } = tree.root();
      const entry = encodeHead({
        ...decodeHead(silent.from.entry),
        time: head,
        sumRoot: hash,
        total: sum,
        tenants: count,
      });
      return { index: head, entry, inclusion: [], sum: tree.prove(silent.id) };
    };
    const leaf = { id: silent.id, size: 3, root: sha256(Buffer.from('x')) };
    const beside = { id: sha256(), size: 1, root: sha256() };
    const pair = (second: SumTree): SilenceBundle => {
      const [from, to] = [at(new SumTree([leaf, beside]), 0), at(second, 1)];
      const heads = [from.entry, to.entry];
      const proven = (point: SilencePoint): SilencePoint => ({ ...point, inclusion: naivePath(point.index, heads) });
      const checkpoint = signCheckpoint({ origin: ORIGIN, size: 2, root: naiveRoot(heads), extensions: [] }, [log]);
      return { id: silent.id, from: proven(from), to: proven(to), checkpoint };
    };
    assert.equal(verify(pair(new SumTree([leaf, beside]))).size, 3);
    fails(() => verify(pair(new SumTree([beside]))), /is gone in the second head/);
    fails(() => verify(pair(new SumTree())), /is gone in the second head/);
    fails(() => verify(pair(new SumTree([{ ...leaf, size: 2 }]))), /3 entries in the first head and 2/);
    fails(() => verify(pair(new SumTree([{ ...leaf, root: sha256() }, beside]))), /another root in the second head/);
  });

  it('by another key, of another log or another checkpoint it is nothing', () => {
    fails(() => verifySilence(silent, generateSignerKey(ORIGIN).verifier, ORIGIN), /not signed by any key/);
    fails(() => verifySilence(silent, key, 'other'), /not of other/);
    fails(() => verify({ ...silent, checkpoint: installation.checkpoint(6) }), /"from": inclusion/);
    fails(() => verify({ ...silent, checkpoint: installation.checkpoint(4) }), /"from": inclusion/);
  });

  it('not one bit of the file can be changed, nor a line dropped, repeated or moved', () => {
    const text = Buffer.from(encodeSilence(silent));
    // Stray bits at the end of the signature's base64 stand for nothing.
    const end = text.lastIndexOf('=') - 1;
    fc.assert(
      fc.property(fc.nat(end * 8 - 1), (bit) => {
        fails(() => verify(decodeSilence(flipped(text, bit))));
      }),
      { numRuns: 400 },
    );
    const lines = text.toString().split('\n');
    for (let at = 0; at < lines.length - 1; at++) {
      fails(() => verify(decodeSilence(lines.toSpliced(at, 1).join('\n'))));
      if (!(lines[at] ?? '').startsWith('—'))
        fails(() => verify(decodeSilence(lines.toSpliced(at, 0, lines[at] ?? '').join('\n'))));
      if (at > 0 && lines[at] !== lines[at - 1])
        fails(() => verify(decodeSilence(lines.toSpliced(at - 1, 2, lines[at] ?? '', lines[at - 1] ?? '').join('\n'))));
    }
    for (let cut = 0; cut < end; cut += 7) fails(() => verify(decodeSilence(text.subarray(0, cut))));
  });
});

void describe('log proof', () => {
  const data = entries(11);
  const checkpoint = signCheckpoint({ origin: ORIGIN, size: 11, root: naiveRoot(data), extensions: [] }, [log]);
  const proof: LogProof = { extra: Buffer.from('more'), index: 5, hashes: naivePath(5, data), checkpoint };
  const leaf = leafHash(data[5] as Buffer);

  it('comes back and verifies', () => {
    for (const extra of [null, Buffer.alloc(0), Buffer.alloc(5000, 7)]) {
      const again = decodeLogProof(encodeLogProof({ ...proof, extra }));
      assert.deepEqual(again, { ...proof, extra });
      assert.equal(verifyLogProof(again, leaf, key, ORIGIN).size, 11);
    }
    const alone = signCheckpoint({ origin: ORIGIN, size: 1, root: naiveRoot(data.slice(0, 1)), extensions: [] }, [log]);
    const one = decodeLogProof(encodeLogProof({ extra: null, index: 0, hashes: [], checkpoint: alone }));
    verifyLogProof(one, leafHash(data[0] as Buffer), key, ORIGIN);
  });

  it('changed it fails', () => {
    const text = Buffer.from(encodeLogProof({ ...proof, extra: null }));
    const end = text.lastIndexOf('=') - 1;
    for (let bit = 0; bit < end * 8; bit++)
      fails(() => verifyLogProof(decodeLogProof(flipped(text, bit)), leaf, key, ORIGIN));
    fails(() => verifyLogProof(proof, leafHash(data[6] as Buffer), key, ORIGIN), /another root/);
    fails(() => verifyLogProof(proof, leaf, generateSignerKey(ORIGIN).verifier, ORIGIN));
    fails(() => verifyLogProof(proof, leaf, key, 'other'));
  });

  it('malformed', () => {
    const text = encodeLogProof(proof);
    for (const bad of [
      '',
      'c2sp.org/tlog-proof@v1',
      text.replace('@v1', '@v2'),
      text.replace('index 5', 'index 05'),
      text.replace('index 5', 'index -5'),
      text.replace('index 5\n', ''),
      text.replace('extra ', 'extra  '),
      text.replace('extra bW9yZQ==', 'extra !!'),
      text.replace('extra', 'Extra'),
      text.replace('\n\n', '\n'),
      text.replace('index 5\n', 'index 5\nQQ==\n'),
      text.replace('index 5\n', `index 5\n${'A'.repeat(44)}\n`),
      text.replace('index 5\n', `index 5\n${`${leaf.toString('base64')}\n`.repeat(61)}`),
      text.replace('index', 'index\r'),
    ])
      fails(() => verifyLogProof(decodeLogProof(bad), leaf, key, ORIGIN));
  });
});
