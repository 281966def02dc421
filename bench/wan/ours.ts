/** Waybill over the link: `waybill put` from A to a server on B, `waybill get` by B from a server on A; timed as commands. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Contender, Task } from './contender.ts';
import { bdpBytes } from './link.ts';
import type { LinkSpec, Side } from './link.ts';
import { Meter } from './meter.ts';
import type { Result } from './meter.ts';
import { start } from './processes.ts';
import type { Started } from './processes.ts';
import { COMMAND } from './waybill-server.ts';
import type { WaybillServer } from './waybill-server.ts';

const CORE = path.join(import.meta.dirname, 'core-client.ts');
const MiB = 2 ** 20;

/** What the small client has on the way; the command knows by itself. */
const windowBytes = (spec: LinkSpec): number =>
  Math.min(256, Math.max(32, Math.ceil((5 * bdpBytes(spec)) / MiB))) * MiB;

export interface Way {
  /** Instead of the command. */
  readonly core: boolean;
  readonly policy: string;
  readonly verbose: boolean;
}

type Words = (server: WaybillServer, task: Task, way: Way) => readonly string[];

const optionsOf: Words = (server, _task, way) => [
  ...['--server', server.url, '--trust', server.certificate, '--token-file', server.token],
  ...['--policy', way.policy],
  ...['--udp-only', '--json', ...(way.verbose ? ['--verbose'] : [])],
];

/** What a command remembers of interrupted uploads is of its run alone. */
function startClient(side: Side, words: readonly string[], { scratch, seconds }: Task): Started {
  const environment = { XDG_CACHE_HOME: path.join(scratch, 'cache') };
  return start(side, [process.execPath, ...words], { seconds, environment });
}

export function startPut(server: WaybillServer, task: Task, way: Way, name = ''): Started {
  const { link, spec, source } = task;
  const to = `${server.folder}/${name}`;
  const words = way.core
    ? [CORE, server.url, server.certificate, server.token, source, to, way.policy, String(windowBytes(spec))]
    : [COMMAND, 'put', source, `:${to}`, ...optionsOf(server, task, way)];
  return startClient(link.a, words, task);
}

function startGet(server: WaybillServer, task: Task, way: Way): Started {
  const from = `:${server.folder}/${path.basename(task.source)}`;
  return startClient(
    task.link.b,
    [COMMAND, 'get', from, `${task.scratch}/got/`, ...optionsOf(server, task, way)],
    task,
  );
}

interface Said {
  readonly event?: string;
  readonly bytes?: number;
  readonly files?: number;
}

export interface Progress {
  readonly bytes: number;
  readonly files: number;
  readonly done: boolean;
}

export const progressOf = (client: Started): Progress => progressIn(client.output());

/** How far it says it came. */
export function progressIn(output: string): Progress {
  let [bytes, files, done] = [0, 0, false];
  for (const line of output.split('\n')) {
    let said: Said;
    try {
      said = JSON.parse(line) as Said;
    } catch {
      continue; // its last line may not be whole
    }
    if (said.event !== 'progress' && said.event !== 'done') continue;
    bytes = said.bytes ?? bytes;
    files = said.files ?? files;
    done = said.event === 'done';
  }
  return { bytes, files, done };
}

/** Timed from the start of the command to its end: everything is durable then. */
async function timed(server: WaybillServer, task: Task, way: Way, begin: () => Started): Promise<Result> {
  const { link, spec, seconds } = task;
  const started = performance.now();
  const client = begin();
  const meter = new Meter(link, spec, seconds, () => [server.process.pid, client.pid]);
  try {
    const code = await client.ended;
    const took = (performance.now() - started) / 1000;
    const cost = await meter.stop();
    const { bytes, files, done } = progressOf(client);
    if (way.verbose) process.stderr.write(`${client.output()}${client.errors()}${server.process.errors()}\n`);
    if (code !== 0 && took < seconds * 0.9) throw new Error(`waybill: ${code}: ${client.errors().trim()}`);
    return { ...cost, bytes, files, seconds: took, cut: !done };
  } finally {
    await meter.stop();
    await client.stop();
  }
}

const wholeFile: Pick<Contender, 'finishes' | 'expects'> = {
  finishes: true,
  expects: ({ fileSeconds, rtt }) => fileSeconds * 1.08 + rtt / 100 + 1,
};

export const put = (name: string, way: Way): Contender => ({
  ...wholeFile,
  name,
  async prepare({ stage }) {
    await stage.waybill();
  },
  async run(task) {
    const server = await task.stage.waybill();
    return timed(server, task, way, () => startPut(server, task, way));
  },
});

export const get = (name: string, way: Way): Contender => ({
  ...wholeFile,
  name,
  async prepare({ stage }) {
    await stage.library();
  },
  async run(task) {
    if (way.core) return null;
    const server = await task.stage.library();
    return timed(server, task, way, () => startGet(server, task, way));
  },
});

/** Files over the HTTPS of the same server, by curl: what there is without fast transfers. */
export const overHttps = (name: string): Contender => ({
  name,
  finishes: true,
  expects: () => 4,
  async prepare({ stage }) {
    await stage.waybill();
  },
  async run(task): Promise<Result> {
    const { link, spec, seconds, source, bytes, stage } = task;
    const server = await stage.waybill();
    const authorization = `Authorization: Bearer ${readFileSync(server.token, 'utf8').trim()}`;
    const url = `${server.url}/api/v1/content${server.folder}/by-https-${stage.next()}`;
    const words = ['curl', '-sS', '--fail-with-body', '--cacert', server.certificate, '-H', '@-', '-T', source, url];
    const begun = performance.now();
    const client = start(link.a, words, { seconds, input: `${authorization}\n` });
    const meter = new Meter(link, spec, seconds, () => [server.process.pid, client.pid]);
    try {
      const code = await client.ended;
      const took = (performance.now() - begun) / 1000;
      if (code !== 0) throw new Error(`curl: ${code}: ${client.errors().trim()}`);
      return { ...(await meter.stop()), bytes, files: 1, seconds: took, cut: false };
    } finally {
      await meter.stop();
      await client.stop();
    }
  },
});
