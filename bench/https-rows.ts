/** The rows of the table of HTTPS. */
import { createHash } from 'node:crypto';
import { createReadStream, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { curl, requestsPerSecond } from './https-client.ts';
import type { HttpsServer } from './https-servers.ts';
import { cpuSeconds, memory } from './process-cost.ts';
import { big } from './rows.ts';
import type { Place } from './rows.ts';
import type { Row } from './table.ts';

type HttpsRow = Row<HttpsServer, Place>;

const CONNECTIONS = 16;
const ENTRIES = 100;
const SECONDS = 5;
const MiB = 2 ** 20;

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

const prepared = new Set<string>();
async function once(server: HttpsServer, what: string, work: () => Promise<void>): Promise<void> {
  const key = `${server.name} ${what}`;
  if (prepared.has(key)) return;
  await work();
  prepared.add(key);
}

/** What goes down is what went up; looked at once, outside of what is measured. */
const ensureBig = (server: HttpsServer, place: Place): Promise<void> =>
  once(server, 'big', async () => {
    await curl(server, `${server.content}big`, '-T', big(place));
    const got = join(place.local, 'got');
    await curl(server, `${server.content}big`, '-o', got);
    if ((await sha256(got)) !== (await sha256(big(place)))) throw new Error(`${server.name}: wrong bytes`);
    rmSync(got);
  });

const ensureDirectory = (server: HttpsServer, place: Place): Promise<void> =>
  once(server, 'directory', async () => {
    await server.makeDirectory('listed');
    const range = `[001-${ENTRIES}]`;
    const small = join(place.local, 'small', 'file-00000');
    await curl(server, `${server.content}listed/file-${range}`, '-T', small);
  });

const get = (server: HttpsServer): Promise<number> => curl(server, `${server.content}big`, '-o', '/dev/null');

/** A new file each time; taking it away again is not measured. */
async function put(server: HttpsServer, place: Place): Promise<number> {
  const seconds = await curl(server, `${server.content}put`, '-T', big(place));
  await curl(server, `${server.names}put`, '-X', 'DELETE');
  return seconds;
}

async function cpuOf(server: HttpsServer, work: () => Promise<unknown>): Promise<number> {
  const before = cpuSeconds(server.pid);
  await work();
  return cpuSeconds(server.pid) - before;
}

const listings = (server: HttpsServer, connections: number): Promise<number> =>
  requestsPerSecond(server, server.listing('listed'), { connections, seconds: SECONDS });

export const httpsRows: readonly HttpsRow[] = [
  {
    id: 'https-get',
    title: 'GET 1 GB',
    unit: 's',
    better: 'less',
    bar: 0.7,
    aim: 1,
    prepare: ensureBig,
    run: get,
  },
  {
    id: 'https-get4',
    title: '4 GETs of 1 GB at once',
    unit: 's',
    better: 'less',
    bar: 0.7,
    aim: 1,
    prepare: ensureBig,
    run: async (server) => {
      const start = performance.now();
      await Promise.all([1, 2, 3, 4].map(() => get(server)));
      return (performance.now() - start) / 1000;
    },
  },
  {
    id: 'https-cpu-get',
    title: 'server CPU seconds, GET 1 GB',
    unit: 'CPU s',
    better: 'less',
    prepare: ensureBig,
    run: (server) => cpuOf(server, () => get(server)),
  },
  {
    id: 'https-put',
    title: 'PUT 1 GB',
    unit: 's',
    better: 'less',
    bar: 0.7,
    aim: 1,
    run: put,
  },
  {
    id: 'https-cpu-put',
    title: 'server CPU seconds, PUT 1 GB',
    unit: 'CPU s',
    better: 'less',
    run: (server, place) => cpuOf(server, () => put(server, place)),
  },
  {
    id: 'https-list',
    title: `listings of ${ENTRIES} entries, ${CONNECTIONS} connections`,
    unit: 'a second',
    better: 'more',
    least: 2000,
    prepare: ensureDirectory,
    run: (server) => listings(server, CONNECTIONS),
  },
  {
    id: 'https-list-64',
    title: 'the same, 64 connections',
    unit: 'a second',
    better: 'more',
    least: 2000,
    prepare: ensureDirectory,
    run: (server) => listings(server, 4 * CONNECTIONS),
  },
  {
    id: 'https-cpu-list',
    title: 'server CPU, one listing',
    unit: 'ms',
    better: 'less',
    prepare: ensureDirectory,
    run: async (server) => {
      let rate = 0;
      const seconds = await cpuOf(server, async () => {
        rate = await listings(server, CONNECTIONS);
      });
      return (seconds * 1000) / (rate * SECONDS);
    },
  },
  {
    id: 'https-memory',
    title: 'memory of all server processes after the rows above',
    unit: 'MB (PSS)',
    better: 'less',
    rounds: 1,
    run: (server) => Promise.resolve(memory(server.pid).pss / MiB),
  },
];
