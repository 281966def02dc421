/** Crashes at any moment: what the durable release entries say is never more than what the budgets still know. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { Recorder } from '../../../src/ledger/recorder.ts';
import { Acquaintances } from '../../../src/policy/budgets/acquaintances.ts';
import { Budgets } from '../../../src/policy/budgets/budgets.ts';
import { SCOPE_KINDS } from '../../../src/policy/budgets/scopes.ts';
import type { Scope, ScopeKind, Who } from '../../../src/policy/budgets/scopes.ts';
import { DAY_MS, WINDOWS } from '../../../src/policy/budgets/windows.ts';
import { SqliteAcquaintances } from '../../../src/store/sqlite/acquaintances.ts';
import { SqliteBudgets } from '../../../src/store/sqlite/budgets.ts';
import { Database } from '../../../src/store/sqlite/database.ts';
import { SqliteHolds } from '../../../src/store/sqlite/holds.ts';
import { SqliteLedger } from '../../../src/store/sqlite/ledger.ts';
import { TestMachine } from './machine.ts';

const MiB = 2 ** 20;
const TENANTS = ['1'.repeat(32), '2'.repeat(32)];
const ACCOUNTS = ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)];
/** Small, so that little is kept ahead and rows are saved often. */
const FIGURES = { initial: [2048 * MiB, 8000, 400], floor: [1, 1, 1], cap: [2 ** 50, 1e9, 1e9] } as const;

function whoIs(account: number): Who {
  const id = ACCOUNTS[account] ?? '';
  const tenant = TENANTS[account === 2 ? 1 : 0] ?? '';
  return { session: id, account: id, tenant, credentials: ['key'], marks: [] };
}

function scopesWith(account: number): Scope[] {
  const { account: id, tenant } = whoIs(account);
  return [
    { kind: 'account', id },
    { kind: 'credential', id: `${id}/key` },
    { kind: 'tenant', id: tenant },
    { kind: 'installation', id: '' },
  ];
}

class Run {
  readonly machine: TestMachine;
  readonly folder = mkdtempSync(join(tmpdir(), 'waybill-budgets-'));
  readonly database: Database;
  readonly recorder: Recorder;
  budgets!: Budgets;
  /** Releases whose write failed: the file stays counted. */
  failed = 0;
  private readonly underWay: Promise<unknown>[] = [];

  private constructor(machine: TestMachine, from: Run | null) {
    this.machine = machine;
    const file = join(this.folder, 'waybill.db');
    for (const end of ['', '-wal'])
      if (from !== null && existsSync(join(from.folder, `waybill.db${end}`)))
        copyFileSync(join(from.folder, `waybill.db${end}`), file + end);
    this.database = new Database(file);
    this.recorder = new Recorder(new SqliteLedger(this.database));
  }

  static async open(machine: TestMachine, from: Run | null): Promise<Run> {
    const run = new Run(machine, from);
    const { database, recorder: ledger } = run;
    run.budgets = await Budgets.open({
      store: new SqliteBudgets(database),
      holdStore: new SqliteHolds(database),
      ledger,
      acquaintances: new Acquaintances(new SqliteAcquaintances(database), ledger),
      figures: FIGURES,
      machine,
    });
    return run;
  }

  /** `fails`: the write is refused by its own action, as when a right was taken away. */
  async release(account: number, bytes: number, files: number, fails: boolean): Promise<void> {
    const who = whoIs(account);
    const reserved = await this.budgets.release(who, { folder: null, version: null, path: '/x', bytes, files });
    const at = String(this.machine.monotonic());
    const named = { session: who.session, reading: who.account, folder: null, file: null, version: null };
    this.begin(
      reserved.write(this.database, () => {
        if (fails) throw new Error('refused');
        const event = { kind: 'release', ...named, first: 0, count: files, bytes, path: at } as const;
        this.recorder.append(who.tenant, event);
      }),
    );
  }

  async list(account: number, directory: number): Promise<void> {
    const who = whoIs(account);
    const reserved = await this.budgets.listing(who, { folder: null, path: '/', directory });
    const at = String(this.machine.monotonic());
    this.begin(
      reserved.write(this.database, () => {
        const event = { kind: 'listed', session: who.session, folder: null, count: directory, path: at } as const;
        this.recorder.append(who.tenant, event);
      }),
    );
  }

  /** The commit of everything that waits fails, as on a full disk. */
  failCommit(): void {
    this.begin(
      this.database.write(() => {
        this.database.sql.exec('ROLLBACK');
      }),
    );
  }

  sweep(): void {
    this.begin(this.budgets.sweep());
  }

  private begin(work: Promise<unknown>): void {
    this.underWay.push(
      work.catch((error: unknown) => {
        if (!(error instanceof Error)) throw error;
        this.failed++;
      }),
    );
  }

  async settled(): Promise<void> {
    await Promise.all(this.underWay.splice(0));
  }

  /** What is on disk at this moment, opened by another process. */
  async crash(): Promise<Run> {
    const next = await Run.open(this.machine, this);
    await this.remove();
    return next;
  }

  async restart(): Promise<Run> {
    await this.settled();
    await this.budgets.stop();
    return this.crash();
  }

  async remove(): Promise<void> {
    await this.settled();
    this.database.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** By the entries alone. */
  used(scope: Scope, dimension: string, ms: number): number {
    const since = this.machine.monotonic() - ms;
    const id = scope.id.split('/')[0] ?? '';
    const mine = (session: string | null, tenant: string): boolean =>
      scope.kind === 'installation' || (scope.kind === 'tenant' ? tenant === id : session === id);
    let used = 0;
    const directories = new Set<number>();
    for (const { tenant, entry } of this.recorder.pending()) {
      if (entry.kind === 'release' && mine(entry.session, tenant) && Number(entry.path) > since)
        used += dimension === 'bytes' ? entry.bytes : dimension === 'files' ? entry.count : 0;
      if (entry.kind === 'listed' && mine(entry.session, tenant) && Number(entry.path) > since)
        directories.add(entry.count);
    }
    return dimension === 'listings' ? directories.size : used;
  }

  /** `slack`: how much too high the figures may be, of each dimension. */
  compare(slack: readonly [number, number, number] | null, kinds: readonly ScopeKind[] = SCOPE_KINDS): void {
    for (const account of ACCOUNTS.keys())
      for (const scope of scopesWith(account).filter(({ kind }) => kinds.includes(kind)))
        for (const { dimension, window, used } of this.budgets.usage(scope)) {
          const what = `${scope.kind} ${dimension} ${window}`;
          const least = this.used(scope, dimension, window * 1000);
          assert.ok(used >= least, `${what}: ${used} of ${least}`);
          if (slack === null) continue;
          const bucketMs = WINDOWS.find(({ seconds }) => seconds === window)?.bucketMs ?? 0;
          const more = slack[dimension === 'bytes' ? 0 : dimension === 'files' ? 1 : 2];
          const most = this.used(scope, dimension, window * 1000 + bucketMs) + more;
          assert.ok(used <= most, `${what}: ${used} of at most ${most}`);
        }
  }
}

type Plain = 'settle' | 'sweep' | 'crash' | 'restart' | 'fail-commit';
type Step =
  | { readonly kind: 'release'; readonly account: number; readonly bytes: number; readonly fails: boolean }
  | { readonly kind: 'list'; readonly account: number; readonly directory: number }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: Plain };

const account = fc.constantFrom(0, 0, 0, 1, 2);
const bytes = fc.constantFrom(1000, 4 * MiB, 8 * MiB, 24 * MiB);
const release = fc.record({
  kind: fc.constant('release' as const),
  account,
  bytes,
  fails: fc.nat(7).map((n) => n === 0),
});
const list = fc.record({ kind: fc.constant('list' as const), account, directory: fc.integer({ min: 1, max: 4 }) });
const pass = fc
  .oneof(fc.integer({ min: 0, max: 70_000 }), fc.integer({ min: 0, max: 2 * DAY_MS }))
  .map((ms) => ({ kind: 'pass', ms }) as const);
function only(kind: Plain): fc.Arbitrary<Step> {
  return fc.constant({ kind });
}

async function play(steps: readonly Step[], crashes: boolean): Promise<void> {
  const machine = new TestMachine();
  let run = await Run.open(machine, null);
  let failed = 0;
  const compare = (): void => {
    run.compare(crashes ? null : [0, failed + run.failed, 0]);
  };
  try {
    for (const step of steps) {
      if (step.kind === 'release') await run.release(step.account, step.bytes, 1, step.fails);
      if (step.kind === 'list') await run.list(step.account, step.directory);
      if (step.kind === 'pass') machine.pass(step.ms);
      if (step.kind === 'settle') await run.settled();
      if (step.kind === 'sweep') run.sweep();
      if (step.kind === 'fail-commit') run.failCommit();
      if (step.kind === 'restart' || step.kind === 'crash') {
        const before = run;
        run = await (step.kind === 'crash' ? run.crash() : run.restart());
        failed += before.failed;
      }
      if (step.kind === 'crash' || step.kind === 'restart') compare();
    }
    await run.settled();
    compare();
  } finally {
    await run.remove();
  }
}

const ordinary = [
  { weight: 16, arbitrary: release as fc.Arbitrary<Step> },
  { weight: 4, arbitrary: list as fc.Arbitrary<Step> },
  { weight: 4, arbitrary: pass as fc.Arbitrary<Step> },
  { weight: 10, arbitrary: only('settle') },
  { weight: 2, arbitrary: only('sweep') },
  { weight: 1, arbitrary: only('fail-commit') },
];

test('a crash at any moment reopens no budget', { timeout: 120_000 }, async () => {
  const step = fc.oneof(
    ...ordinary,
    { weight: 3, arbitrary: only('crash') },
    { weight: 1, arbitrary: only('restart') },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 60, size: 'max' }), (steps) => play(steps, true)),
    { numRuns: 20 },
  );
});

test('a clean stop loses nothing and adds nothing', { timeout: 120_000 }, async () => {
  const step = fc.oneof(...ordinary.slice(0, 2), only('settle'), only('restart'));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), (steps) => play(steps, false)),
    { numRuns: 12 },
  );
});

test('a crash makes the figures higher by what was kept ahead, and not by more', async () => {
  const machine = new TestMachine();
  let run = await Run.open(machine, null);
  try {
    for (let crash = 1; crash <= 5; crash++) {
      await run.release(0, MiB, 1, false);
      await run.settled();
      run = await run.crash();
      run.compare([crash * 8 * MiB, crash * 31, crash * 8], ['account']);
    }
    machine.pass(120_000);
    await run.budgets.sweep();
    const before = run.budgets.usage({ kind: 'account', id: ACCOUNTS[0] ?? '' });
    run = await run.crash();
    assert.deepEqual(
      run.budgets.usage({ kind: 'account', id: ACCOUNTS[0] ?? '' }),
      before,
      'nothing is ahead of a quiet scope',
    );
  } finally {
    await run.remove();
  }
});

test('what was ahead counts from the start that found it, also when nobody asks for a long time', async () => {
  const machine = new TestMachine();
  let run = await Run.open(machine, null);
  const scope: Scope = { kind: 'account', id: ACCOUNTS[0] ?? '' };
  const bytes = (window: number): number | undefined =>
    run.budgets.usage(scope).find((row) => row.dimension === 'bytes' && row.window === window)?.used;
  try {
    await run.release(0, MiB, 1, false);
    await run.settled();
    run = await run.crash();
    await run.budgets.sweep();
    machine.pass(20 * DAY_MS);
    await run.budgets.sweep();
    run = await run.crash();
    assert.equal(bytes(86_400), 0);
    assert.equal(bytes(2_592_000), 9 * MiB);
  } finally {
    await run.remove();
  }
});

test('releases of one group share the row: few rows for many small files', async () => {
  const machine = new TestMachine();
  const run = await Run.open(machine, null);
  try {
    await run.release(0, 1000, 1, false);
    await run.settled();
    const changes = run.database.sql.prepare('SELECT total_changes() AS n');
    const before = Number(changes.get()?.['n']);
    for (let file = 0; file < 1000; file++) await run.release(0, 1000, 1, false);
    await run.settled();
    const rows = Number(changes.get()?.['n']) - before - 1000;
    assert.ok(rows < 150, `${rows} rows beside the thousand entries`);
  } finally {
    await run.remove();
  }
});
