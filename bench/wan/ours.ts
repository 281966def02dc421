/** Waybill over the link: a real server on B, `waybill put` on A; or, with `core`, what that command is built on. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { bdpBytes } from './link.ts';
import type { Link, LinkSpec } from './link.ts';
import { Meter } from './meter.ts';
import type { Result } from './meter.ts';
import { start, until } from './processes.ts';
import type { Started } from './processes.ts';
import type { Contender, Task } from './rivals.ts';

const project = path.join(import.meta.dirname, '..', '..');
const COMMAND = path.join(project, 'src/cli/waybill.ts');
const CORE = path.join(import.meta.dirname, 'core-client.ts');
const BUDGET = '1000T,1000000000,1000000000';
const MiB = 2 ** 20;

export interface WaybillServer {
  readonly url: string;
  readonly token: string;
  readonly certificate: string;
  readonly folder: string;
  readonly process: Started;
}

interface Ready {
  readonly https: readonly { readonly port: number }[];
  readonly first: { readonly login: string; readonly folder: string };
}

function identity(folder: string, address: string): { certificate: string; key: string } {
  const [certificate, key] = [path.join(folder, 'tls.crt'), path.join(folder, 'tls.key')];
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench`.split(' ');
  const names = ['-addext', `subjectAltName=IP:${address}`];
  execFileSync('openssl', [...words, ...names, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  return { certificate, key };
}

export async function startWaybill(link: Link, scratch: string, seconds: number): Promise<WaybillServer> {
  const folder = mkdtempSync(path.join(scratch, 'waybill-'));
  const { address } = link.b;
  const { certificate, key } = identity(folder, address);
  const data = path.join(folder, 'data');
  const serve = [process.execPath, COMMAND, 'serve', '--data', data, '--json', '--log-level', 'warn'];
  const places = ['--sftp', '127.0.0.1:0', '--https', `${address}:0`, '--tls-cert', certificate, '--tls-key', key];
  const server = start(link.b, [...serve, ...places, '--budget-initial', BUDGET], { seconds });
  try {
    const ended = server.ended.then((code) => {
      throw new Error(`waybill serve ended with ${code}: ${server.errors().trim()}`);
    });
    ended.catch(() => undefined);
    const line = until('waybill serve', 30, () => {
      const said = server.output();
      return said.includes('\n') ? (said.split('\n')[0] ?? null) : null;
    });
    const ready = JSON.parse(await Promise.race([line, ended])) as Ready;
    const token = path.join(folder, 'token');
    const scopes = 'files:list,files:read,files:write';
    const add = ['token', 'add', ready.first.login, '--scopes', scopes, '--token-out', token, '--data', data];
    execFileSync(process.execPath, [COMMAND, ...add], { stdio: ['ignore', 'ignore', 'inherit'] });
    const url = `https://${address}:${ready.https[0]?.port ?? 0}`;
    return { url, token, certificate, folder: ready.first.folder, process: server };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** What may be on the way: the default of the command, and more where the link needs it. */
export const windowBytes = (spec: LinkSpec): number =>
  Math.min(256, Math.max(32, Math.ceil((2 * bdpBytes(spec)) / MiB))) * MiB;

export interface Way {
  /** Instead of the command. */
  readonly core: boolean;
  readonly policy: string;
  readonly verbose: boolean;
}

export function startPut(server: WaybillServer, task: Task, way: Way, name = ''): Started {
  const { link, spec, source, seconds } = task;
  const window = windowBytes(spec);
  const to = `${server.folder}/${name}`;
  const words = way.core
    ? [CORE, server.url, server.certificate, server.token, source, to, way.policy, String(window)]
    : [
        ...[COMMAND, 'put', source, `:${to}`, '--server', server.url, '--trust', server.certificate],
        ...['--token-file', server.token, '--policy', way.policy, '--window', `${window / MiB}M`],
        ...['--udp-only', '--json', ...(way.verbose ? ['--verbose'] : [])],
      ];
  return start(link.a, [process.execPath, ...words], { seconds });
}

interface Said {
  readonly event?: string;
  readonly bytes?: number;
  readonly files?: number;
}

/** How far it says it came. */
export function progressOf(client: Started): { bytes: number; files: number; done: boolean } {
  let [bytes, files, done] = [0, 0, false];
  for (const line of client.output().split('\n')) {
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

/** Timed from where the command says that it begins, as iperf3 does, until it has ended: everything is durable then. */
export const ours = (name: string, way: Way): Contender => ({
  name,
  async run(task): Promise<Result> {
    const { link, spec, seconds, scratch } = task;
    const server = await startWaybill(link, scratch, seconds + 90);
    const started = performance.now();
    const client = startPut(server, task, way);
    const meter = new Meter(link, spec, seconds, () => [server.process.pid, client.pid]);
    try {
      const code = await client.ended;
      const took = (performance.now() - (client.spokeAt() ?? started)) / 1000;
      const cost = await meter.stop();
      const { bytes, files, done } = progressOf(client);
      if (way.verbose) process.stderr.write(`${client.output()}${client.errors()}${server.process.errors()}\n`);
      if (code !== 0 && took < seconds * 0.9) throw new Error(`put: ${code}: ${client.errors().trim()}`);
      return { ...cost, bytes, files, seconds: took, cut: !done };
    } finally {
      await meter.stop();
      await client.stop();
      await server.process.stop();
    }
  },
});

/** Files over the HTTPS of the same server, by curl: what there is without fast transfers. */
export const overHttps = (name: string): Contender => ({
  name,
  async run(task): Promise<Result> {
    const { link, spec, seconds, scratch, source, bytes } = task;
    const server = await startWaybill(link, scratch, seconds + 90);
    const authorization = `Authorization: Bearer ${readFileSync(server.token, 'utf8').trim()}`;
    const url = `${server.url}/api/v1/content${server.folder}/file`;
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
      await server.process.stop();
    }
  },
});
