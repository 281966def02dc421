/** The rows of the table of SFTP. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomFillSync } from 'node:crypto';
import { join } from 'node:path';
import ssh2 from 'ssh2';
import { sftp } from './client.ts';
import { cpuSeconds, memory } from './process-cost.ts';
import type { BenchServer } from './servers.ts';
import type { Row } from './table.ts';

export interface Place {
  /** Where the client reads and writes; memory-backed, so that the client's disk is not what is measured. */
  readonly local: string;
  readonly megabytes: number;
  readonly smallFiles: number;
  readonly idleSessions: number;
}

type SftpRow = Row<BenchServer, Place>;

export const big = (place: Place): string => join(place.local, 'big');
const small = (place: Place): string => join(place.local, 'small');
const remote = (server: BenchServer, name: string): string => `${server.folder === '/' ? '' : server.folder}/${name}`;

/** Makes the client's files; the content is random, so that nothing can be won by compressing. */
export function prepareLocal(place: Place): void {
  mkdirSync(small(place), { recursive: true });
  const block = Buffer.allocUnsafe(1 << 20);
  writeFileSync(big(place), '');
  for (let n = 0; n < place.megabytes; n++) writeFileSync(big(place), randomFillSync(block), { flag: 'a' });
  for (let n = 0; n < place.smallFiles; n++)
    writeFileSync(join(small(place), `file-${String(n).padStart(5, '0')}`), randomFillSync(block.subarray(0, 10_240)));
}

async function putBig(server: BenchServer, place: Place): Promise<void> {
  await sftp(server, [`put ${big(place)} ${remote(server, 'big')}`]);
}

/** A new file each time; taking it away again is not measured. */
async function putNew(server: BenchServer, place: Place): Promise<number> {
  const name = remote(server, 'put');
  const seconds = await sftp(server, [`put ${big(place)} ${name}`]);
  await sftp(server, [`rm ${name}`]);
  return seconds;
}

/** The folder is made first: one of the rivals cannot `put -r` into a name that is not there. */
function putSmall(server: BenchServer, place: Place, name: string): Promise<number> {
  return sftp(server, [`mkdir ${remote(server, name)}`, `put -r ${small(place)}/. ${remote(server, name)}`]);
}

const prepared = new Set<string>();
async function once(key: string, work: () => Promise<unknown>): Promise<void> {
  if (prepared.has(key)) return;
  await work();
  prepared.add(key);
}

const ensureBig = (server: BenchServer, place: Place): Promise<void> =>
  once(`big ${server.name}`, () => putBig(server, place));

async function get(server: BenchServer, place: Place, name: string): Promise<number> {
  const target = join(place.local, name);
  const seconds = await sftp(server, [`get ${remote(server, 'big')} ${target}`]);
  rmSync(target);
  return seconds;
}

function sameBytes(left: string, right: string): boolean {
  return readFileSync(left).equals(readFileSync(right));
}

interface Idle {
  readonly pss: number;
  readonly rss: number;
}

/** What a server needed with its first eight sessions, before any work. */
const idleBaseline = new Map<string, { pss: number; rss: number }>();

/** Opens `count` signed-in sessions with the sftp subsystem running, gives what each costs the server, and closes them. */
async function idle(server: BenchServer, count: number): Promise<Idle> {
  const clients: ssh2.Client[] = [];
  const privateKey = readFileSync(server.key);
  const open = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const client = new ssh2.Client();
      clients.push(client);
      client.on('error', reject);
      client.on('ready', () => {
        client.sftp((error) => {
          if (error) reject(error);
          else resolve();
        });
      });
      client.connect({ host: '127.0.0.1', port: server.port, username: server.user, privateKey, readyTimeout: 60_000 });
    });
  // A few first, so that what a server loads once is not counted as the price of a session.
  for (let n = 0; n < 8; n++) await open();
  // The first time only: later a server may have memory left over from the sessions before, and cost nothing.
  const before = idleBaseline.get(server.name) ?? memory(server.pid);
  idleBaseline.set(server.name, before);
  for (let n = 0; n < count; n += 8) await Promise.all(Array.from({ length: 8 }, open));
  await new Promise((resolve) => setTimeout(resolve, 3000)); // let collectors run, as an idle server would
  const after = memory(server.pid);
  for (const client of clients) client.destroy();
  return { pss: (after.pss - before.pss) / count / 1024, rss: (after.rss - before.rss) / count / 1024 };
}

/** Both figures come from the same open sessions; the second row only shows the other one. */
const idlePss = new Map<string, number[]>();

export const rowsFor = (sessions: number): readonly SftpRow[] => [
  {
    id: 'idle',
    only: ['Waybill', 'before', 'OpenSSH'],
    title: `memory per idle signed-in session, ${sessions} open`,
    unit: 'KiB (RSS)',
    better: 'less',
    bar: 20,
    aim: 50,
    run: async (server, place) => {
      const { pss, rss } = await idle(server, place.idleSessions);
      idlePss.set(server.name, [...(idlePss.get(server.name) ?? []), pss]);
      return rss;
    },
  },
  {
    id: 'idle-pss',
    only: ['Waybill', 'before', 'OpenSSH'],
    title: 'the same sessions, shared pages counted once',
    unit: 'KiB (PSS)',
    better: 'less',
    bar: 20,
    aim: 50,
    run: async (server, place) => {
      const figures = idlePss.get(server.name);
      return figures?.shift() ?? (await idle(server, place.idleSessions)).pss;
    },
  },
  {
    id: 'get',
    title: 'get 1 GB, one session',
    unit: 's',
    better: 'less',
    bar: 1,
    aim: 1.3,
    prepare: ensureBig,
    run: (server, place) => get(server, place, 'got'),
  },
  {
    id: 'get4',
    only: ['Waybill', 'before', 'OpenSSH'],
    title: '4 gets of 1 GB at once',
    unit: 's',
    better: 'less',
    bar: 1.1,
    aim: 1.6,
    prepare: ensureBig,
    run: async (server, place) => {
      const start = performance.now();
      await Promise.all([1, 2, 3, 4].map((n) => get(server, place, `got${n}`)));
      return (performance.now() - start) / 1000;
    },
  },
  {
    id: 'cpu-get',
    only: ['Waybill', 'before', 'OpenSSH'],
    title: 'server CPU seconds, get 1 GB',
    unit: 'CPU s',
    better: 'less',
    bar: 1,
    aim: 1 / 0.7,
    prepare: ensureBig,
    run: async (server, place) => {
      const before = cpuSeconds(server.pid);
      await get(server, place, 'got');
      await new Promise((resolve) => setTimeout(resolve, 300)); // a forking server has to wait for its child first
      return cpuSeconds(server.pid) - before;
    },
  },
  {
    id: 'get-r',
    title: 'get -r 2,000 files of 10 KiB',
    unit: 's',
    better: 'less',
    bar: 0.8,
    aim: 1,
    prepare: (server, place) => once(`small ${server.name}`, () => putSmall(server, place, 'small')),
    run: async (server, place) => {
      const target = join(place.local, 'got-small');
      const seconds = await sftp(server, [`get -r ${remote(server, 'small')} ${target}`]);
      if (!sameBytes(join(target, 'file-00007'), join(small(place), 'file-00007')))
        throw new Error(`${server.name}: wrong bytes`);
      rmSync(target, { recursive: true });
      return seconds;
    },
  },
  {
    id: 'put-r',
    title: 'put -r 2,000 files of 10 KiB',
    unit: 's',
    better: 'less',
    bar: 0.8,
    aim: 1,
    run: (server, place) =>
      sftp(server, [`put -r ${small(place)} ${remote(server, `small-${Date.now().toString(36)}`)}`]),
  },
  {
    id: 'sign-in',
    title: '40 sign-ins one after another',
    unit: 's',
    better: 'less',
    bar: 1.5,
    aim: 3,
    run: async (server) => {
      let seconds = 0;
      for (let n = 0; n < 40; n++) seconds += await sftp(server, ['pwd']);
      return seconds;
    },
  },
  {
    id: 'put',
    title: 'put 1 GB, one session',
    unit: 's',
    better: 'less',
    bar: 1,
    aim: 1.3,
    run: (server, place) => putNew(server, place),
  },
  {
    id: 'cpu-put',
    only: ['Waybill', 'before', 'OpenSSH'],
    title: 'server CPU seconds, put 1 GB',
    unit: 'CPU s',
    better: 'less',
    bar: 1,
    aim: 1 / 0.7,
    run: async (server, place) => {
      const before = cpuSeconds(server.pid);
      await putNew(server, place);
      await new Promise((resolve) => setTimeout(resolve, 300));
      return cpuSeconds(server.pid) - before;
    },
  },
];
