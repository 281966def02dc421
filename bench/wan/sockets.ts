/** Downloads by plain `sftp get`, from ours under a control of the kernel's, and from OpenSSH: B fetches from A. */
import { execFileSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { sshOptions } from '../../test/interop/ssh-options.ts';
import { CIPHER } from '../servers.ts';
import type { Contender, Task } from './contender.ts';
import { hasControl } from './iperf.ts';
import type { Side } from './link.ts';
import { Meter } from './meter.ts';
import type { Result } from './meter.ts';
import { SSHD, startSshd } from './openssh.ts';
import { start } from './processes.ts';
import type { Started } from './processes.ts';

interface Server {
  readonly port: number;
  readonly key: string;
  readonly login: string;
  readonly process: Started;
}

/** Ended after `seconds`: what has arrived by then counts. */
async function fetch(task: Task, { port, key, login, process }: Server, file: string): Promise<Result> {
  const { link, spec, seconds, scratch, bytes: all } = task;
  const target = path.join(scratch, 'got');
  const words = ['sftp', '-q', '-b', '-', ...sshOptions({ port, key }, `Ciphers=${CIPHER}`)];
  const begun = performance.now();
  const client = start(link.b, [...words, `${login}@${link.a.address}`], { seconds, input: `get ${file} ${target}\n` });
  const meter = new Meter(link, spec, seconds, () => [process.pid, client.pid]);
  try {
    const code = await client.ended;
    const took = (performance.now() - begun) / 1000;
    const cost = await meter.stop();
    if (code !== 0 && took < seconds * 0.9) throw new Error(`sftp: ${client.errors().trim()}`);
    const bytes = existsSync(target) ? statSync(target).size : 0;
    return { ...cost, bytes, files: bytes === all ? 1 : 0, seconds: took, cut: code !== 0 };
  } finally {
    await meter.stop();
    await client.stop();
  }
}

/** A route that names a control wins over the socket: without it for as long as ours chooses. */
async function withoutRouteControl<T>({ enter }: Side, work: () => Promise<T>): Promise<T> {
  const ip = (...words: readonly string[]): string =>
    execFileSync('env', [...enter, 'ip', ...words], { encoding: 'utf8' });
  const named = ip('-4', 'route', 'show')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.includes(' congctl '));
  const replace = (lines: readonly string[]): void => {
    for (const line of lines) ip('route', 'replace', ...line.split(/ +/));
  };
  replace(named.map((line) => line.replace(/ congctl (lock )?\S+/, '')));
  try {
    return await work();
  } finally {
    replace(named);
  }
}

const expects: Contender['expects'] = ({ seconds }) => seconds + 1;

/** `control`: as --tcp-congestion names it. */
export const sftpGet = (name: string, control: string): Contender => ({
  name,
  expects,
  async prepare({ stage }) {
    if (hasControl(control)) await stage.library(control);
  },
  async run(task) {
    if (!hasControl(control)) return null;
    const { sftp, folder, process } = await task.stage.library(control);
    return withoutRouteControl(task.link.a, () =>
      fetch(task, { ...sftp, process }, `${folder}/${path.basename(task.source)}`),
    );
  },
});

/** With what the routes name: cubic. */
export const opensshGet = (name: string): Contender => ({
  name,
  expects,
  async run(task) {
    if (!existsSync(SSHD)) return null;
    const server = await startSshd(task.link.a, path.join(task.scratch, 'ssh'), task.seconds + 60);
    try {
      return await fetch(task, { ...server, login: 'root' }, task.source);
    } finally {
      await server.process.stop();
    }
  },
});
