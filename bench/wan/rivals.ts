/** What others do over the same link: the kernel's TCP by iperf3, and OpenSSH's sftp as people have it. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { sshOptions } from '../../test/interop/ssh-options.ts';
import { CIPHER, freePort } from '../servers.ts';
import type { Link, LinkSpec } from './link.ts';
import { Meter } from './meter.ts';
import type { Result } from './meter.ts';
import { start, until } from './processes.ts';
import type { Started } from './processes.ts';

export interface Task {
  readonly link: Link;
  readonly spec: LinkSpec;
  readonly seconds: number;
  /** Of the file, or of all of them. */
  readonly bytes: number;
  /** More than one: a tree of so many. */
  readonly files: number;
  readonly scratch: string;
  /** The file, or the directory with the files. */
  readonly source: string;
}

export interface Contender {
  readonly name: string;
  /** Null: not on this machine. */
  run(task: Task): Promise<Result | null>;
}

interface IperfEnd {
  readonly end?: { readonly sum_received?: { readonly bytes: number; readonly seconds: number } };
  readonly error?: string;
}

/** A flow of the kernel for so many seconds. What it received is known when it ended. */
export async function startIperf(
  link: Link,
  control: string,
  flows: number,
  seconds: number,
): Promise<{ pids: readonly number[]; received: Promise<{ bytes: number; seconds: number }>; stop(): Promise<void> }> {
  const port = String(await freePort());
  const most = seconds + 30;
  const server = start(link.b, ['iperf3', '-s', '-1', '-p', port, '--forceflush'], { seconds: most });
  await until('iperf3', 10, () => (server.output().includes('listening') ? true : null));
  const options = ['-C', control, '-P', String(flows), '-t', String(seconds), '-J'];
  const client = start(link.a, ['iperf3', '-c', link.b.address, '-p', port, ...options], { seconds: most });
  const received = client.ended.then(async () => {
    await server.stop();
    const said = parse(client.output());
    const sum = said.end?.sum_received;
    if (sum === undefined) throw new Error(`iperf3 ${control}: ${said.error ?? client.errors().trim()}`);
    return sum;
  });
  received.catch(() => undefined);
  const stop = async (): Promise<void> => {
    await Promise.all([client.stop(), server.stop()]);
  };
  return { pids: [client.pid, server.pid], received, stop };
}

function parse(text: string): IperfEnd {
  try {
    return JSON.parse(text) as IperfEnd;
  } catch {
    return {};
  }
}

export const hasControl = (name: string): boolean =>
  readFileSync('/proc/sys/net/ipv4/tcp_available_congestion_control', 'utf8').split(/\s+/).includes(name);

export const iperf = (name: string, control: string, flows: number): Contender => ({
  name,
  async run({ link, spec, seconds }) {
    if (!hasControl(control)) return null;
    const flow = await startIperf(link, control, flows, seconds);
    const meter = new Meter(link, spec, seconds, () => flow.pids);
    try {
      const { bytes, seconds: took } = await flow.received;
      return { ...(await meter.stop()), bytes, seconds: took, cut: false, files: 1 };
    } finally {
      await meter.stop();
      await flow.stop();
    }
  },
});

interface SshServer {
  readonly port: number;
  readonly key: string;
  readonly folder: string;
  readonly process: Started;
}

const SSHD = '/usr/sbin/sshd';

async function startSshd({ link, scratch }: Task, seconds: number): Promise<SshServer> {
  const folder = mkdtempSync(path.join(scratch, 'ssh-'));
  const [key, hostKey, config] = ['client', 'host', 'sshd_config'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const one of [key, hostKey]) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', one]);
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const files = path.join(folder, 'files');
  mkdirSync(files);
  const port = await freePort();
  const lines = [
    `Port ${port}`,
    `ListenAddress ${link.b.address}`,
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${key}.pub`,
    ...['StrictModes no', 'UsePAM no', 'PermitRootLogin prohibit-password', 'PasswordAuthentication no'],
    ...['PidFile none', 'MaxStartups 100', 'UseDNS no', 'LogLevel VERBOSE'],
    'Subsystem sftp /usr/lib/openssh/sftp-server',
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const server = start(link.b, [SSHD, '-D', '-e', '-f', config], { seconds });
  await until('sshd', 10, () => (server.errors().includes('listening on') ? true : null));
  return { port, key, folder: files, process: server };
}

/** Bytes and files below a directory. */
export function arrivedIn(folder: string): { bytes: number; files: number } {
  let [bytes, files] = [0, 0];
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const { size } = statSync(path.join(entry.parentPath, entry.name));
    bytes += size;
    if (size > 0) files++;
  }
  return { bytes, files };
}

/** The lines of a batch for each of so many sessions, which share the files. */
function batches({ source, files }: Task, sessions: number, folder: string): string[] {
  if (files === 1) return [`put ${source} ${folder}/file`];
  const names = readdirSync(source).sort();
  return Array.from({ length: sessions }, (_, session) =>
    names
      .filter((_name, at) => at % sessions === session)
      .map((name) => `put ${path.join(source, name)} ${folder}/${name}`)
      .join('\n'),
  );
}

/** Ended after `seconds`: what has arrived by then counts. `program`: scp takes one file. */
export const openssh = (name: string, sessions: number, program: 'sftp' | 'scp' = 'sftp'): Contender => ({
  name,
  async run(task) {
    if (!existsSync(SSHD)) return null;
    const { link, spec, seconds, source } = task;
    const server = await startSshd(task, seconds + 60);
    const options = sshOptions(server, `Ciphers=${CIPHER}`);
    const to = `root@${link.b.address}`;
    const begun = performance.now();
    const clients = batches(task, sessions, server.folder).map((input) =>
      program === 'sftp'
        ? start(link.a, ['sftp', '-q', '-b', '-', ...options, to], { seconds, input: `${input}\n` })
        : start(link.a, ['scp', '-q', ...options, source, `${to}:${server.folder}/file`], { seconds }),
    );
    const meter = new Meter(link, spec, seconds, () => [server.process.pid, ...clients.map(({ pid }) => pid)]);
    try {
      const codes = await Promise.all(clients.map(({ ended }) => ended));
      const took = (performance.now() - begun) / 1000;
      const cost = await meter.stop();
      const arrived = arrivedIn(server.folder);
      const cut = codes.some((code) => code !== 0);
      if (cut && took < seconds * 0.9) throw new Error(`${program}: ${clients[0]?.errors().trim() ?? ''}`);
      return { ...cost, ...arrived, seconds: took, cut };
    } finally {
      await meter.stop();
      await Promise.all(clients.map((client) => client.stop()));
      await server.process.stop();
    }
  },
});
