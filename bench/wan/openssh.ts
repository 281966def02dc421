/** OpenSSH's sftp and scp over the same link, as people have them. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { sshOptions } from '../../test/interop/ssh-options.ts';
import { CIPHER, freePort } from '../servers.ts';
import type { Contender, Task } from './contender.ts';
import type { Side } from './link.ts';
import { Meter } from './meter.ts';
import { start, until } from './processes.ts';
import type { Started } from './processes.ts';

export interface SshServer {
  readonly port: number;
  readonly key: string;
  readonly folder: string;
  readonly process: Started;
}

export const SSHD = '/usr/sbin/sshd';
/** Ends whose link went away with a bench that was killed end by themselves; slow ones are not taken for them. */
const ALIVE_SECONDS = 30;
const ALIVE_MOST = 4;

export async function startSshd(side: Side, folder: string, seconds: number): Promise<SshServer> {
  mkdirSync(folder, { recursive: true });
  const [key, hostKey, config] = ['client', 'host', 'sshd_config'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  for (const one of [key, hostKey]) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', one]);
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await freePort();
  const lines = [
    `Port ${port}`,
    `ListenAddress ${side.address}`,
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile ${key}.pub`,
    ...['StrictModes no', 'UsePAM no', 'PermitRootLogin prohibit-password', 'PasswordAuthentication no'],
    ...['PidFile none', 'MaxStartups 100', 'UseDNS no', 'LogLevel VERBOSE'],
    ...[`ClientAliveInterval ${ALIVE_SECONDS}`, `ClientAliveCountMax ${ALIVE_MOST}`],
    'Subsystem sftp /usr/lib/openssh/sftp-server',
  ];
  writeFileSync(config, `${lines.join('\n')}\n`);
  const server = start(side, [SSHD, '-D', '-e', '-f', config], { seconds });
  await until('sshd', 10, () => (server.errors().includes('listening on') ? true : null));
  return { port, key, folder, process: server };
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

/** What each of so many sessions is told: a file, or every so many-th directory of the tree. */
function batches({ source, files }: Task, sessions: number, folder: string): string[] {
  if (files === 1) return [`put ${source} ${folder}/file`];
  const parts = readdirSync(source).sort();
  return Array.from({ length: sessions }, (_, session) =>
    parts
      .filter((_name, at) => at % sessions === session)
      .map((name) => `put -r ${path.join(source, name)} ${folder}/`)
      .join('\n'),
  );
}

/** Ended after `seconds`: what has arrived by then counts. `program`: scp takes one file. */
export const openssh = (name: string, sessions: number, program: 'sftp' | 'scp' = 'sftp'): Contender => ({
  name,
  // Over a link it is the time that is given; without one it is done soon.
  expects: ({ seconds, fileSeconds, rtt }) => (rtt === 0 ? fileSeconds + 1 : seconds + 1),
  async prepare({ stage }) {
    if (existsSync(SSHD)) await stage.sshd();
  },
  async run(task) {
    if (!existsSync(SSHD)) return null;
    const { link, spec, seconds, source, stage } = task;
    const server = await stage.sshd();
    const folder = mkdtempSync(path.join(task.scratch, 'there-'));
    const alive = [`ServerAliveInterval=${ALIVE_SECONDS}`, `ServerAliveCountMax=${ALIVE_MOST}`];
    const options = sshOptions(server, `Ciphers=${CIPHER}`, ...alive);
    const to = `root@${link.b.address}`;
    const begun = performance.now();
    const clients = batches(task, sessions, folder).map((input) =>
      program === 'sftp'
        ? start(link.a, ['sftp', '-q', '-b', '-', ...options, to], { seconds, input: `${input}\n` })
        : start(link.a, ['scp', '-q', ...options, source, `${to}:${folder}/file`], { seconds }),
    );
    const pids = (): number[] => [server.process.pid, ...clients.map(({ pid }) => pid)];
    const meter = new Meter(link, spec, seconds, pids);
    try {
      const codes = await Promise.all(clients.map(({ ended }) => ended));
      const took = (performance.now() - begun) / 1000;
      const cost = await meter.stop();
      const arrived = arrivedIn(folder);
      const cut = codes.some((code) => code !== 0);
      if (cut && took < seconds * 0.9) throw new Error(`${program}: ${clients[0]?.errors().trim() ?? ''}`);
      return { ...cost, ...arrived, seconds: took, cut };
    } finally {
      await meter.stop();
      await Promise.all(clients.map((client) => client.stop()));
    }
  },
});
