/**
 * kill -9 of real processes at seeded moments of a running load; then a restart, and every file is read and compared.
 * It shows that no order of steps loses what was acknowledged; that the system's disk cache survives the kill is not its
 * subject (test/files/crash.test.ts takes unsynced data away).
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { FileEntryWithStats } from 'ssh2';
import type { KindName } from '../../src/ledger/core/kinds.ts';
import { readLedger } from '../ledger/reading.ts';
import { spawnServer, startServer, waybill, type TestServer } from '../interop/server.ts';
import { openSession, runWorker, seeded, sha256, type Session, type Worker } from './load.ts';
import { Worlds } from './worlds.ts';

const WORKERS = ['a', 'b', 'c', 'd'];
/** Shares of the rounds. */
const FRONT_KILLS = 0.3;
const SIGN_IN_KILLS = 0.15;
const START_KILLS = 0.2;
/** How long anything may take that has to happen; far beyond what it takes. */
const PATIENCE = 20_000;
/**
 * Budgets off: each crash takes as used what may have been used, 1/64 of ten minutes, and fifty within a minute or two are
 * most of that budget. What budgets do in a crash has its own tests (test/policy/budgets).
 */
const ARGS = ['--fronts', '2', '--penalties', 'false', '--budgets', 'off'];

const EMPTY = sha256(Buffer.alloc(0));

interface Compared {
  readonly files: number;
  /** Those with content. */
  readonly read: number;
}

export interface CrashReport {
  readonly rounds: number;
  readonly frontsKilled: number;
  /** Operations that were answered OK. */
  readonly acknowledged: number;
  readonly filesCompared: number;
  /** Entries about content in the signed ledger at the end. */
  readonly entries: number;
}

/** Process ids of the server's fronts. */
function fronts(server: TestServer): number[] {
  return readdirSync('/proc')
    .filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return Number(parent) === server.child.pid && state !== 'Z';
      } catch {
        return false;
      }
    })
    .map(Number);
}

function isAlive(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

async function until(what: string, server: TestServer, happened: () => boolean): Promise<void> {
  const deadline = Date.now() + PATIENCE;
  while (!happened()) {
    assert.ok(Date.now() < deadline, `${what} did not happen; the server said:\n${server.log()}`);
    await delay(5);
  }
}

/** Null: a part of an upload that was never answered, which only its account sees and nobody can read. */
async function read({ sftp, ask }: Session, path: string): Promise<string | null> {
  try {
    return sha256(
      await ask<Buffer>((done) => {
        sftp.readFile(path, done);
      }),
    );
  } catch (error) {
    if (error instanceof Error && error.message.includes('is not complete')) return null;
    throw error;
  }
}

/** Lists and reads everything, and compares it with what may be there. */
async function verify(server: TestServer, workers: readonly Worker[], context: string): Promise<Compared> {
  const session = await openSession(server);
  const listed = await session.ask<FileEntryWithStats[]>((done) => {
    session.sftp.readdir(server.folder, done);
  });
  const names = listed.map((entry) => entry.filename);
  const hashes = await Promise.all(names.map((name) => read(session, `${server.folder}/${name}`)));
  session.end();
  let files = 0;
  for (const { name: worker, worlds } of workers) {
    const found = new Map<string, string>();
    for (const [index, name] of names.entries()) {
      if (!name.startsWith(worker)) continue;
      const hash = hashes[index];
      if (hash != null) found.set(name, hash);
      else assert.ok(worlds.leftovers.has(name), `${context}: ${name} is no complete file, but nothing was left of it`);
    }
    const expected = worlds.toString();
    const held = [...found].map(([name, hash]) => `${name}=${hash.slice(0, 8)}`).join(' ');
    assert.ok(worlds.settle(found), `${context}: there is\n${held}\nbut it should be\n${expected}`);
    files += found.size;
  }
  return { files, read: hashes.filter((hash) => hash !== null && hash !== EMPTY).length };
}

/** Every worker has been answered from now on. */
async function answers(server: TestServer, workers: readonly Worker[]): Promise<void> {
  const before = workers.map(({ worlds }) => worlds.acknowledged);
  await until('an answer to every worker', server, () =>
    workers.every(({ worlds }, index) => worlds.acknowledged > (before[index] ?? 0)),
  );
}

/** One front dies: who was with the other one is served on, who lost his connection gets a new one, and another front comes. */
async function killFront(server: TestServer, workers: readonly Worker[], random: () => number): Promise<void> {
  const before = fronts(server);
  const victim = before[Math.floor(random() * before.length)];
  assert.ok(victim !== undefined && before.length === 2, `there are ${before.length} fronts`);
  const lost = workers.map((worker) => worker.lost);
  process.kill(victim, 'SIGKILL');
  await until('another front', server, () => {
    const now = fronts(server);
    return !now.includes(victim) && now.length === 2;
  });
  await answers(server, workers);
  const kept = workers.filter((worker, index) => worker.lost === lost[index]);
  assert.ok(kept.length > 0, 'no session was left');
  (await openSession(server)).end();
}

/** A start that is killed on the way: recovery must bear being cut off, too. */
async function killStart(temporary: string, after: number): Promise<void> {
  const child = spawnServer(temporary, ARGS);
  child.stdout.resume();
  child.stderr.resume();
  const ended = once(child, 'exit');
  await delay(after);
  child.kill('SIGKILL');
  await ended;
}

async function round(server: TestServer, workers: readonly Worker[], seed: number): Promise<{ frontKilled: boolean }> {
  const random = seeded(seed);
  let stopped = false;
  const running = Promise.all(
    workers.map((worker, index) => runWorker(server, worker, seeded(seed * 10 + index + 1), () => stopped)),
  );
  // A refusal is heard of at once, not when the workers are waited for.
  const unless = new Promise<never>((_, reject) => {
    running.catch(reject);
  });
  unless.catch(() => undefined);
  const step = (work: Promise<void>): Promise<void> => Promise.race([unless, work]);
  const frontKilled = random() < FRONT_KILLS;
  const duringSignIn = !frontKilled && random() < SIGN_IN_KILLS;
  try {
    if (!duringSignIn) await step(answers(server, workers));
    await step(delay(random() * (duringSignIn ? 100 : 700)));
    if (frontKilled) await step(killFront(server, workers, random));
  } finally {
    stopped = true;
    const left = fronts(server);
    await server.stop('SIGKILL');
    // Without their server fronts hold nobody's connection: a client has to hear of it.
    await until('the end of the fronts', server, () => !left.some(isAlive));
  }
  await running;
  return { frontKilled };
}

/**
 * What was answered is in the ledger, under its signature: an entry for each change that was acknowledged, and a release for
 * each content that was read. Not the other way round: what was never answered may have happened.
 */
async function checkLedger(server: TestServer, acknowledged: number, read: number): Promise<number> {
  const ledger = join(server.data, 'ledger');
  await waybill(server, ['verify', ledger, '--key', join(ledger, 'vkey')]);
  const count = new Map<string, number>();
  for (const { kind } of [...readLedger(ledger).values()].flat()) count.set(kind, (count.get(kind) ?? 0) + 1);
  const of = (...kinds: KindName[]): number => kinds.reduce((sum, kind) => sum + (count.get(kind) ?? 0), 0);
  const changes = of('stored', 'removed', 'renamed');
  assert.ok(changes >= acknowledged, `${acknowledged} changes were acknowledged, ${changes} are in the ledger`);
  assert.ok(of('release') >= read, `${read} contents were read, ${of('release')} were released`);
  return changes + of('release', 'sent');
}

export async function crashRounds(rounds: number, seed: number): Promise<CrashReport> {
  const temporary = mkdtempSync(join(tmpdir(), 'waybill-crash-'));
  const workers = WORKERS.map((name) => ({ name, worlds: new Worlds(), lost: 0 }));
  let [frontsKilled, filesCompared, filesRead] = [0, 0, 0];
  const compare = async (context: string): Promise<void> => {
    if (server === null) return;
    const { files, read } = await verify(server, workers, `seed ${seed}, ${context}`);
    filesCompared += files;
    filesRead += read;
  };
  let server: TestServer | null = null;
  try {
    const random = seeded(seed);
    for (let index = 0; index < rounds; index++) {
      if (index > 0 && random() < START_KILLS) await killStart(temporary, random() * 700);
      server = await startServer({ temporary, args: ARGS });
      await compare(`before round ${index}`);
      const { frontKilled } = await round(server, workers, seed * 1000 + index);
      if (frontKilled) frontsKilled++;
    }
    server = await startServer({ temporary, args: ARGS });
    await compare('end');
    await waybill(server, ['check']);
    await server.stop();
    const acknowledged = workers.reduce((sum, { worlds }) => sum + worlds.acknowledged, 0);
    const entries = await checkLedger(server, acknowledged, filesRead);
    return { rounds, frontsKilled, acknowledged, filesCompared, entries };
  } catch (error) {
    throw new Error(`${String(error)}\nThe server said:\n${server?.log().slice(-4000) ?? ''}`, { cause: error });
  } finally {
    await server?.stop('SIGKILL');
    rmSync(temporary, { recursive: true, force: true });
  }
}
