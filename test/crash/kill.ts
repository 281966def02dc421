/** kill -9 of real processes at seeded moments of a running load; then a restart, and every acknowledged file is compared. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ssh2Session } from '../interop/suite.ts';
import { startServer, waybill, type TestServer } from '../interop/server.ts';
import { Ledger, readState, runWorker, seeded } from './load.ts';

const WORKERS = 4;

/** Process ids of the server's fronts. */
function fronts(server: TestServer): number[] {
  return readdirSync('/proc')
    .filter((name) => {
      if (!/^\d+$/.test(name)) return false;
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === server.child.pid;
      } catch {
        return false;
      }
    })
    .map(Number);
}

async function verify(server: TestServer, ledger: Ledger, context: string): Promise<void> {
  const { client, sftp } = await ssh2Session(server);
  for (const name of new Set([...ledger.acknowledged.keys(), ...ledger.open.keys()])) {
    const held = ledger.acknowledged.get(name) ?? null;
    const open = ledger.open.get(name);
    const found = await readState(sftp, `${server.folder}/${name}`);
    if (open === undefined) assert.equal(found, held, `${context}: ${name} is not what was acknowledged`);
    // An unanswered upload may also have left a part of itself, visible to its uploader: any content is right for that name.
    ledger.settle(name, found);
  }
  client.end();
}

export async function crashRounds(rounds: number, seed: number): Promise<{ operations: number }> {
  const temporary = mkdtempSync(join(tmpdir(), 'waybill-crash-'));
  const random = seeded(seed);
  const ledger = new Ledger();
  try {
    for (let round = 0; round < rounds; round++) {
      const server = await startServer({
        temporary,
        args: ['--max-startups', '500', '--max-startups-per-source', '500', '--penalties', 'false'],
      });
      await verify(server, ledger, `seed ${seed}, round ${round}`);
      let stopped = false;
      const workers = Array.from({ length: WORKERS }, (_, worker) =>
        runWorker(server, ledger, worker, seeded(seed * 1000 + round * 10 + worker), () => stopped),
      );
      const victim = random();
      await delay(30 + random() * 900);
      if (victim < 0.3) {
        // A front alone: the server goes on and must not need a restart.
        const pids = fronts(server);
        const pid = pids[Math.floor(random() * pids.length)];
        if (pid !== undefined) process.kill(pid, 'SIGKILL');
        await delay(random() * 300);
      }
      stopped = true;
      await server.stop('SIGKILL');
      await Promise.all(workers);
    }
    const server = await startServer({ temporary });
    await verify(server, ledger, `seed ${seed}, end`);
    await waybill(server, ['check']);
    await server.stop();
    return { operations: ledger.operations };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
