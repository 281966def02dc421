import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { receivedOf } from '../../../bench/wan/iperf.ts';
import { meanOfPings, middle, steadyOf } from '../../../bench/wan/meter.ts';
import type { Result } from '../../../bench/wan/meter.ts';
import { progressIn } from '../../../bench/wan/ours.ts';
import { jain, ratesSince } from '../../../bench/wan/shared.ts';
import { Sources } from '../../../bench/wan/sources.ts';
import { emptyState, isDone, keep, keepCounters, load, resultsIn, save } from '../../../bench/wan/state.ts';

const result: Result = {
  ...{
    bytes: 1e6,
    seconds: 1,
    cut: false,
    files: 1,
    addedDelay: 3,
    cpuSeconds: 1,
    memory: 2 ** 20,
    sent: 1.1e6,
    steady: 0.11,
  },
};
const run = (at: number, more: object = {}) => ({
  ...{ run: at, at: '2026-01-01T00:00:00.000Z', commit: 'c', aim: 3, result, tries: 1, ...more },
});

describe('what the bench reads', () => {
  it('iperf3 says what the receiver counted, or why not', () => {
    const said = {
      end: { sum_sent: { bytes: 9, seconds: 1 }, sum_received: { bytes: 5, seconds: 2.5, bits_per_second: 16 } },
    };
    assert.deepEqual(receivedOf(JSON.stringify(said)), { bytes: 5, seconds: 2.5 });
    assert.throws(() => receivedOf(JSON.stringify({ error: 'unable to connect' })), /iperf3: unable to connect/);
    assert.throws(() => receivedOf(JSON.stringify({ ...said, error: 'the server has ended' })), /has ended/);
    assert.throws(() => receivedOf('', 'Killed\n'), /iperf3: Killed/);
    assert.throws(() => receivedOf('{"end":{}}'), /it said nothing/);
  });

  it('the command says how far it came, until its last whole line', () => {
    const lines = ['{"event":"start"}', '{"event":"progress","bytes":10,"files":0}', '{"event":"file","bytes":20}'];
    assert.deepEqual(progressIn(`${lines.join('\n')}\n{"event":"pro`), { bytes: 10, files: 0, done: false });
    assert.deepEqual(progressIn(`${lines.join('\n')}\n{"event":"done","bytes":20,"files":1}\n`), {
      ...{ bytes: 20, files: 1, done: true },
    });
  });

  it('pings, and shares of flows', () => {
    assert.equal(meanOfPings('64 bytes: time=10.5 ms\nno answer\n64 bytes: time=20.5 ms\n'), 15.5);
    assert.equal(meanOfPings(''), null);
    const before = [0, 0, 50].map((bytes) => ({ bytes, at: 1000 }));
    const now = [{ bytes: 300, at: 2500 }, { bytes: 300, at: 4000 }, before[2] ?? { bytes: 0, at: 0 }];
    assert.deepEqual(ratesSince(before, now), [200, 100, 0]);
    assert.equal(jain([1, 1, 1, 1]), 1);
    assert.equal(jain([4, 0, 0, 0]), 0.25);
  });
});

describe('a run', () => {
  it('has a rate without begin and end', () => {
    // Two seconds of nothing, eight at 100 a second, two of nothing.
    const samples = Array.from({ length: 121 }, (_, at) => ({
      at: at / 10,
      bytes: Math.min(Math.max(at / 10 - 2, 0), 8) * 100,
    }));
    const steady = (steadyOf(samples) ?? 0) * 800;
    assert.ok(Math.abs(steady - 100) < 0.001, `${steady}`);
    assert.equal(steadyOf([]), null);
    assert.equal(
      steadyOf([
        { at: 0, bytes: 5 },
        { at: 1, bytes: 5 },
      ]),
      null,
    );
  });

  it('in the middle of several is by each figure', () => {
    const three = [1, 2, 9].map((seconds) => ({ ...result, seconds, addedDelay: seconds === 9 ? null : seconds }));
    const middleOf = middle(three);
    assert.equal(middleOf?.seconds, 2);
    assert.equal(middleOf.bytes, 1e6);
    assert.equal(middleOf.addedDelay, 1.5);
    assert.equal(middleOf.steady, 0.11);
    assert.equal((middleOf.sent ?? 0) / middleOf.bytes, 1.1);
    assert.equal(middle([]), null);
  });
});

describe('the state', () => {
  it('outlives the bench; what failed is measured again, and replaced', (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'waybill-bench-test-'));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    const file = path.join(folder, 'state');
    const state = emptyState('policy fair');
    keep(state, 'row', 'who', run(1));
    keep(state, 'row', 'who', run(0, { result: null, failed: 'cut', tries: 2 }));
    keepCounters(state, 'row', { in: 10, out: 8, dropped: 1, lost: 1, policed: 0 });
    keepCounters(state, 'row', { in: 10, out: 9, dropped: 1, lost: 0, policed: 0 });
    keepCounters(state, 'row', null);
    save(file, state);
    const again = load(file, 'policy fair');
    assert.deepEqual(again, state);
    assert.deepEqual(again.links['row'], { in: 20, out: 17, dropped: 2, lost: 1, policed: 0 });
    assert.deepEqual(
      [0, 1, 2].map((at) => isDone(again, 'row', 'who', at)),
      [false, true, false],
    );
    keep(again, 'row', 'who', run(0));
    assert.equal(resultsIn(again, 'row', 'who').length, 2);
    assert.throws(() => load(file, 'policy low'), /was measured with policy fair/);
    writeFileSync(file, '{"row":{}}');
    assert.throws(() => load(file, 'policy fair'), /is not a state/);
    assert.deepEqual(load(path.join(folder, 'none'), 'w'), emptyState('w'));
  });

  it('files are made once for their size, and a tree has a part for each session', (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'waybill-bench-test-'));
    t.after(() => {
      rmSync(folder, { recursive: true });
    });
    const sources = new Sources(folder);
    const file = sources.of({ bytes: 40 * 2 ** 20, files: 1 });
    const { size, mtimeNs } = statSync(file, { bigint: true });
    assert.equal(size, 40n * 2n ** 20n);
    sources.of({ bytes: 40 * 2 ** 20, files: 1 });
    assert.equal(statSync(file, { bigint: true }).mtimeNs, mtimeNs);
    const tree = sources.of({ bytes: 20 * 100, files: 20 });
    assert.equal(readFileSync(path.join(tree, 'part-3', 'file-19')).length, 100);
    assert.throws(() => statSync(file), /ENOENT/);
  });
});
