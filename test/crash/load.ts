/**
 * A load of writes, renames and removals by several workers at once. Each owns its names and has one operation under way
 * at a time, so that after a crash it can be said of each worker's files what they may hold; see worlds.ts.
 */
import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type ssh2 from 'ssh2';
import { content, ssh2Session } from '../interop/suite.ts';
import type { TestServer } from '../interop/server.ts';
import type { Operation, Worlds } from './worlds.ts';

/** A small seeded generator (mulberry32): the same operations and moments again, as far as processes allow. */
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

/** Around the limits of what travels inline, of a frame and of a segment; the small ones are frequent. */
const SIZES = [0, 1, 10_240, 65_535, 65_536, 65_537, 131_073, 300_000, 1_000_000, 8_388_608, 8_900_000];
const NAMES = 6;
const POOL = content('crash load', 9_000_000);

function bytesFor(random: () => number): Buffer {
  const size = SIZES[Math.floor(random() ** 1.5 * SIZES.length)] ?? 0;
  const from = Math.floor(random() * (POOL.length - size));
  return POOL.subarray(from, from + size);
}

function choose(worlds: Worlds, worker: string, random: () => number): { operation: Operation; bytes: Buffer } {
  const anyName = (): string => `${worker}${Math.floor(random() * NAMES)}`;
  const name = anyName();
  const kind = random();
  if (worlds.certain?.has(name)) {
    if (kind < 0.15) return { operation: { kind: 'remove', name }, bytes: POOL };
    const to = anyName();
    if (kind < 0.4 && to !== name) return { operation: { kind: 'rename', name, to }, bytes: POOL };
  }
  const bytes = bytesFor(random);
  return { operation: { kind: 'write', name, hash: sha256(bytes) }, bytes };
}

/** A session that can lose its connection at any time: every wait ends then. */
export interface Session {
  readonly sftp: ssh2.SFTPWrapper;
  /** Rejects with `Gone` when the connection ends first, whatever ssh2 does with the callback. */
  readonly ask: <T>(work: (done: (error?: Error | null, value?: T) => void) => void) => Promise<T>;
  end(): void;
}

export class Gone extends Error {}

export async function openSession(server: TestServer): Promise<Session> {
  const { client, sftp } = await ssh2Session(server);
  const gone = new Promise<never>((_, reject) => {
    const cut = (): void => {
      reject(new Gone('the connection was cut'));
    };
    client.on('close', cut).on('end', cut).on('error', cut);
  });
  gone.catch(() => undefined);
  return {
    sftp,
    ask: (work) =>
      Promise.race([
        gone,
        new Promise<never>((resolve, reject) => {
          work((error, value) => {
            // Only an answer of the server has a status; the rest is ssh2 on its way down.
            if (!error) resolve(value as never);
            else if (typeof (error as { code?: unknown }).code === 'number') reject(error);
            else reject(new Gone(error.message));
          });
        }),
      ]),
    end: () => {
      client.destroy();
    },
  };
}

function carryOut({ sftp, ask }: Session, folder: string, operation: Operation, bytes: Buffer): Promise<unknown> {
  const path = `${folder}/${operation.name}`;
  return ask((done) => {
    if (operation.kind === 'write') sftp.writeFile(path, bytes, done);
    else if (operation.kind === 'remove') sftp.unlink(path, done);
    else sftp.ext_openssh_rename(path, `${folder}/${operation.to}`, done);
  });
}

export interface Worker {
  readonly name: string;
  readonly worlds: Worlds;
  /** Connections that it has lost while it was running. */
  lost: number;
}

/** Works on until `stopped()`, with a new connection when it has lost its own. A refusal by the server is a failure. */
export async function runWorker(
  server: TestServer,
  worker: Worker,
  random: () => number,
  stopped: () => boolean,
): Promise<void> {
  const { worlds, name } = worker;
  while (!stopped()) {
    const session = await openSession(server).catch(() => null);
    if (session === null) {
      await delay(10);
      continue;
    }
    try {
      while (!stopped()) {
        const { operation, bytes } = choose(worlds, name, random);
        worlds.begin(operation);
        await carryOut(session, server.folder, operation, bytes).catch((error: unknown) => {
          if (error instanceof Gone) throw error;
          throw new Error(`${operation.kind} of ${operation.name} was refused: ${String(error)}`, { cause: error });
        });
        worlds.acknowledge();
      }
    } catch (error) {
      worlds.lose();
      if (!(error instanceof Gone)) throw error;
      worker.lost++;
    } finally {
      session.end();
    }
  }
}
