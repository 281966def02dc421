/**
 * A load whose every acknowledged effect is remembered, so that after a crash it can be said of each file what it must hold.
 * Each worker owns its names and has one operation under way at a time: after a crash that one file may be as before or as after.
 */
import { createHash } from 'node:crypto';
import type ssh2 from 'ssh2';
import { content, ssh2Session } from '../interop/suite.ts';
import type { TestServer } from '../interop/server.ts';

/** SHA-256 of what a name holds; null = there is nothing by that name. */
type State = string | null;

export class Ledger {
  readonly acknowledged = new Map<string, State>();
  /** Names touched by an operation that was never answered, with the states that are right besides the acknowledged one. */
  readonly open = new Map<string, State[]>();
  operations = 0;

  begin(changes: ReadonlyMap<string, State>): void {
    for (const [name, state] of changes) this.open.set(name, [...(this.open.get(name) ?? []), state]);
  }

  end(changes: ReadonlyMap<string, State>): void {
    for (const [name, state] of changes) {
      this.acknowledged.set(name, state);
      this.open.delete(name);
    }
    this.operations++;
  }

  /** Once a restarted server has been read, what it holds is the new truth. */
  settle(name: string, state: State): void {
    this.acknowledged.set(name, state);
    this.open.delete(name);
  }
}

/** A small seeded generator (mulberry32): the load can be run again as it was. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const SIZES = [0, 1, 10_240, 65_536, 65_537, 300_000, 8_388_608, 9_500_000];

/** One block of random-looking bytes, made once: hashing megabytes per operation would be the load itself. */
const POOL = content('crash load', 10_000_000);

function bytesFor(random: () => number): Buffer {
  const size = SIZES[Math.floor(random() * SIZES.length)] ?? 0;
  const from = Math.floor(random() * (POOL.length - size));
  return POOL.subarray(from, from + size);
}

type Done = (error?: Error | null) => void;
const ask = (work: (done: Done) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    work((error) => {
      if (error) reject(error);
      else resolve();
    });
  });

async function operation(
  sftp: ssh2.SFTPWrapper,
  ledger: Ledger,
  folder: string,
  worker: number,
  random: () => number,
): Promise<void> {
  const name = `w${worker}-${Math.floor(random() * 6)}`;
  const path = `${folder}/${name}`;
  const held = ledger.acknowledged.get(name) ?? null;
  const kind = random();
  const changes = new Map<string, State>();
  let act: () => Promise<void>;
  if (held !== null && kind < 0.15) {
    changes.set(name, null);
    act = () =>
      ask((done) => {
        sftp.unlink(path, done);
      });
  } else if (held !== null && kind < 0.35) {
    const target = `w${worker}-${Math.floor(random() * 6)}`;
    if (target === name) return;
    changes.set(name, null).set(target, held);
    act = () =>
      ask((done) => {
        sftp.ext_openssh_rename(path, `${folder}/${target}`, done);
      });
  } else {
    const bytes = bytesFor(random);
    changes.set(name, sha256(bytes));
    act = () =>
      ask((done) => {
        sftp.writeFile(path, bytes, done);
      });
  }
  ledger.begin(changes);
  await act();
  ledger.end(changes);
}

/** Runs until its connection is cut or `stopped()`; errors after a kill are what the test is about and end the worker. */
export async function runWorker(
  server: TestServer,
  ledger: Ledger,
  worker: number,
  random: () => number,
  stopped: () => boolean,
): Promise<void> {
  const { client, sftp } = await ssh2Session(server);
  const gone = new Promise<void>((resolve) => {
    client.on('close', () => {
      resolve();
    });
    client.on('error', () => {
      resolve();
    });
  });
  const work = (async () => {
    while (!stopped()) await operation(sftp, ledger, server.folder, worker, random);
  })();
  await Promise.race([work.catch(() => undefined), gone]);
  client.destroy();
}

export async function readState(sftp: ssh2.SFTPWrapper, path: string): Promise<State> {
  return new Promise((resolve, reject) => {
    sftp.readFile(path, (error, bytes) => {
      if (!error) resolve(sha256(bytes));
      else if ((error as { code?: number }).code === 2) resolve(null);
      else reject(error);
    });
  });
}
