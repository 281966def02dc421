import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chart } from '../../../bench/wan/chart.ts';
import { estimate, listed, pending } from '../../../bench/wan/estimate.ts';
import { judge } from '../../../bench/wan/figures.ts';
import { bestMbit } from '../../../bench/wan/link.ts';
import type { Result } from '../../../bench/wan/meter.ts';
import { OURS, OURS_GET, planAll, runsOf, SFTP_SMALL } from '../../../bench/wan/plan.ts';
import type { Measurement } from '../../../bench/wan/plan.ts';
import { about, lineOf, report } from '../../../bench/wan/report.ts';
import { LEAD_SECONDS } from '../../../bench/wan/rows.ts';
import { emptyState, keep } from '../../../bench/wan/state.ts';
import type { Measured } from '../../../bench/wan/state.ts';

const OPTIONS = {
  ...{ seconds: 10, fileSeconds: 20, loopbackBytes: 2 ** 30, smallFiles: 10_000, smallSeconds: null },
  way: { core: false, policy: 'fair', verbose: false },
};
const rows = planAll(OPTIONS);
const row = (id: string): Measurement => {
  const found = rows.find((one) => one.id === id);
  assert.ok(found, id);
  return found;
};
const base: Result = {
  ...{
    bytes: 1e8,
    seconds: 10,
    cut: false,
    files: 1,
    addedDelay: 5,
    cpuSeconds: 2,
    memory: 50 * 2 ** 20,
    sent: 1.03e8,
    steady: 0.11,
  },
};
const ofRate = (mbit: number, more: Partial<Result> = {}): Result => ({
  ...base,
  bytes: (mbit * 1e6 * base.seconds) / 8,
  ...more,
});

function record(measured: Measured, id: string, who: string, results: readonly (Result | string)[]): void {
  for (const [run, one] of results.entries())
    keep(measured, id, who, {
      ...{
        run,
        at: `2026-01-0${run + 1}T10:00:00.000Z`,
        commit: 'abc1234',
        aim: 20,
        tries: typeof one === 'string' ? 2 : 1,
      },
      ...(typeof one === 'string' ? { result: null, failed: one } : { result: one }),
    });
}

describe('the plan', () => {
  it('has every row of the table and every line below it, each with what is beside us', () => {
    const ids = new Map(rows.map(({ id, contenders }) => [id, contenders.map(({ name }) => name)]));
    assert.equal(ids.size, rows.length, 'no two rows have the same name');
    for (const id of '100-20-1 100-100-1 100-200-0.1 100-200-1 100-200-5 100-200-10 100-300-5 1000-200-2'.split(' '))
      assert.deepEqual(ids.get(id), [OURS, OURS_GET, 'cubic x1', 'BBR x1', 'BBR x8', 'sftp']);
    for (const id of 'buffer-0.25 buffer-1 buffer-4 burst reorder jitter police halved outage ack-loss-10'.split(' '))
      assert.deepEqual(ids.get(id), [OURS, OURS_GET, 'cubic x1', 'BBR x1']);
    for (const buffer of [0.25, 1, 4]) {
      assert.ok(ids.get(`beside-${buffer}`)?.includes('cubic beside Waybill'));
      assert.ok(ids.get(`beside-${buffer}`)?.includes('bbr beside Waybill'));
      assert.deepEqual(ids.get(`several-${buffer}`), ['Waybill x2', 'Waybill x4', 'Waybill x8', 'second of Waybill']);
    }
    assert.deepEqual(ids.get('small-files'), [OURS, OURS_GET, SFTP_SMALL]);
    assert.deepEqual(ids.get('loopback'), [OURS, OURS_GET, 'scp', 'sftp', 'HTTPS (curl)']);
  });

  it('files are as large as the link carries in their seconds, flows have their own', () => {
    const { bytes, link, seconds, patience } = row('100-200-5');
    assert.ok(link);
    assert.equal(Math.round((bytes * 8) / 1e6 / bestMbit(link)), 20);
    assert.equal(seconds, 10);
    assert.ok(patience > 40);
    assert.deepEqual(row('outage').link?.outage, [20 / 3, 5], 'in the middle of ours');
  });

  it('sftp has time for all small files, once; or so many seconds, as often as the others', () => {
    const small = row('small-files');
    assert.ok(small.seconds >= 1250 * 3 * 0.2, 'three round trips a file at the least');
    assert.deepEqual([runsOf(small, SFTP_SMALL, 5), runsOf(small, OURS, 5)], [1, 5]);
    const short = planAll({ ...OPTIONS, smallSeconds: 60 }).find(({ id }) => id === 'small-files');
    assert.deepEqual([short?.seconds, short && runsOf(short, SFTP_SMALL, 5)], [60, 5]);
  });

  it('tells how long it takes, and how long what is left of it', () => {
    const measured = emptyState('w');
    const wanted = { rows: [row('100-20-1')], who: ['BBR x1', OURS], runs: 5 };
    const [before] = estimate(wanted, measured);
    assert.ok(before && before.round > 30 && before.round < 50 && Math.abs(before.left - 5 * before.round) < 0.001);
    record(measured, '100-20-1', 'BBR x1', [base, 'failed']);
    record(measured, '100-20-1', OURS, [base]);
    assert.deepEqual(pending(row('100-20-1'), wanted, 0, measured), []);
    assert.equal(pending(row('100-20-1'), wanted, 1, measured).length, 2);
    const after = estimate(wanted, measured);
    assert.ok(Math.abs((after[0]?.left ?? 0) - 4 * before.round) < 0.001);
    assert.match(listed(after, 5), /table +100-20-1 +Waybill put, BBR x1\n.* all\n$/);
    const halved = estimate({ rows: [row('halved')], who: null, runs: 1 }, measured)[0]?.round ?? 0;
    const whole = estimate({ rows: [row('jitter')], who: null, runs: 1 }, measured)[0]?.round ?? 0;
    assert.ok(halved > whole + 2 * LEAD_SECONDS, 'each has a link of its own where something happens to it');
  });
});

describe('the report', () => {
  const measured = emptyState('policy fair');
  record(measured, '100-200-1', OURS, [ofRate(90), ofRate(70), ofRate(92)]);
  record(measured, '100-200-1', OURS_GET, [ofRate(50), 'put: 7: cut | off']);
  record(measured, '100-200-1', 'cubic x1', ['iperf3: it said nothing']);
  record(measured, 'halved', OURS, [ofRate(70, { seconds: 20, bytes: (70 * 1e6 * 20) / 8 })]);
  record(measured, 'beside-1', 'cubic beside bbr', [ofRate(10)]);
  record(measured, 'beside-1', 'cubic beside Waybill', [ofRate(8.9, { beside: 30 })]);
  record(measured, 'small-files', OURS, [ofRate(10, { files: 10_000, seconds: 12 })]);
  record(measured, 'small-files', SFTP_SMALL, [ofRate(1, { files: 800, seconds: 60, cut: true })]);
  record(measured, 'loopback', OURS, [ofRate(4000)]);
  measured.links['100-200-1'] = { in: 1000, out: 980, dropped: 10, lost: 10, policed: 0 };
  const text = report(rows, measured, ['# head', '']);

  it('has medians with their spread, shares, and says what reaches its bar', () => {
    assert.match(
      text,
      /\| 100 Mb\/s, 200 ms, 1 % \(best 94\.7\) \| Waybill put \| 3 \| 90\.0 \(70\.0-92\.0\) \| 0\.951 \| 99\.0 \| 10\.0 \|/,
    );
    assert.match(text, /\| \*\*above\*\* 0\.93 \|/);
    assert.match(text, /Waybill get \| 1, 1 failed \| 50\.0 \| 0\.528 .*\*\*below\*\* 0\.93/);
    assert.match(text, /## Bars: 2 of 4 measured are reached/);
  });

  it('what failed has its reason, and breaks no table', () => {
    assert.match(text, /cubic x1 \| 0 \| failed: iperf3: it said nothing \|/);
    assert.match(text, /## Runs that failed/);
    for (const table of text.split('\n\n').filter((part) => part.startsWith('|')))
      assert.equal(
        new Set(
          table
            .trim()
            .split('\n')
            .map((line) => line.split(/(?<!\\)\|/).length),
        ).size,
        1,
        table,
      );
  });

  it('cubic beside us is judged by what it keeps beside BBR, small files by sftp, and an extrapolation says so', () => {
    assert.match(text, /\*\*below\*\* 0\.9: 0\.89 of what cubic keeps beside BBR/);
    assert.match(text, /750\.0, \*\*extrapolated\*\*/);
    assert.equal(judge(row('small-files'), OURS, measured)?.reached, true);
    assert.equal(judge(row('loopback'), OURS, measured), null);
    assert.equal(judge(row('beside-4'), 'cubic beside Waybill', measured), null, 'nothing to judge it by');
  });

  it('best is less where the link carries less', () => {
    // Halved after 10 s: of 20 s it carries three quarters.
    assert.match(lineOf(row('halved'), OURS, measured) ?? '', /\| 70\.0 \| 0\.976 \|/);
  });

  it('says when, of which commit, with what, and what the links did', () => {
    assert.match(
      about(measured),
      /^10 runs, 2026-01-01 10:00 UTC to 2026-01-03 10:00 UTC; commit abc1234; ours with policy fair; .* 20 s/,
    );
    assert.match(text, /\| 100 Mb\/s, 200 ms, 1 % \| 1,000 \| 1\.000 \| 1\.000 \| 0\.000 \|/);
  });

  it('has a picture of the shares', () => {
    const picture = chart(rows, measured);
    assert.ok(picture);
    assert.match(picture, /^<svg [\s\S]*<\/svg>\n$/);
    assert.match(picture, />100 Mb\/s, 200 ms, 1 %<[\s\S]*fill="#0969da"[\s\S]*>0\.95</);
    assert.equal(chart(rows, emptyState('w')), null);
  });
});
