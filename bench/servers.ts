/**
 * The servers of the side-by-side bench: each started on a free loopback port with data in a folder of its own, the same
 * client key allowed, and stopped by its process id. A rival that is not installed gives null and is named so.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export const CIPHER = 'aes256-gcm@openssh.com';

export interface BenchServer {
  readonly name: string;
  readonly version: string;
  readonly port: number;
  readonly user: string;
  readonly key: string;
  /** Folder over SFTP in which the client may write. */
  readonly folder: string;
  readonly pid: number;
  /** The bench's cipher, unless the server does not have it. */
  readonly cipher: string;
  stop(): Promise<void>;
}

export interface Workspace {
  /** Server data; on the disk. */
  readonly data: string;
  readonly key: string;
  readonly publicKey: string;
}

/** Per 24 hours: bytes, files, listings. */
const BENCH_BUDGET = '1000T,1000000000,1000000000';

const project = join(import.meta.dirname, '..');
const node = process.execPath;

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.on('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => {
        resolve(port);
      });
    });
  });
}

/** Resolves when something accepts on the port; gives up after ten seconds. */
export async function listening(port: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const ok = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1', () => {
        socket.destroy();
        resolve(true);
      });
      socket.on('error', () => {
        resolve(false);
      });
    });
    if (ok) return;
    if (Date.now() > deadline) throw new Error(`nothing listens on ${port}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function stopChild(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve();
      return;
    }
    child.on('exit', () => {
      resolve();
    });
    child.kill('SIGTERM');
  });
}

export function firstLine(command: string, args: string[], stream: 'stdout' | 'stderr' = 'stdout'): string {
  const run = (() => {
    try {
      return execFileSync(
        'sh',
        ['-c', `${[command, ...args].join(' ')} ${stream === 'stderr' ? '2>&1' : '2>/dev/null'}`],
        { encoding: 'utf8' },
      );
    } catch {
      return '';
    }
  })();
  return run.split('\n')[0]?.trim() ?? '';
}

export const installed = (path: string): boolean => existsSync(path);

/** What `waybill serve --json` prints when it serves. */
interface Ready {
  readonly sftp: { readonly port: number };
  readonly https: readonly { readonly port: number }[];
  readonly first: { readonly login: string; readonly key: string; readonly folder: string };
}

/** `root`: another checkout, to compare two commits in one run. */
export async function serveWaybill(
  data: string,
  root: string | null,
  words: readonly string[] = [],
): Promise<{ child: ChildProcess; ready: Ready; home: string }> {
  const home = root ?? project;
  const extra = (process.env['WAYBILL_BENCH_NODE_ARGS'] ?? '').split(' ').filter((word) => word !== '');
  const child = spawn(
    node,
    [
      ...extra,
      join(home, 'src/cli/waybill.ts'),
      'serve',
      '--data',
      data,
      '--sftp',
      '127.0.0.1:0',
      '--json',
      '--log-level',
      'warn',
      '--max-startups',
      '1000',
      '--max-startups-per-source',
      '1000',
      // Budgets stay on and count; a bench reads more in a minute than people do in a month.
      ...(knows(home, "'budget-initial'") ? ['--budget-initial', BENCH_BUDGET] : []),
      // Unless it is measured: it has processes of its own, and a fixed port.
      ...(!words.includes('--https') && knows(home, 'ADDRESS:PORT|none') ? ['--https', 'none'] : []),
      ...(servesHttpsByItself(home) ? ['--https', 'none'] : []),
      ...words,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const ready = await new Promise<Ready>((resolve, reject) => {
    child.on('exit', () => {
      reject(new Error('waybill did not start'));
    });
    createInterface({ input: child.stdout }).once('line', (line) => {
      resolve(JSON.parse(line) as Ready);
    });
  });
  child.stdout.resume();
  return { child, ready, home };
}

export const commitOf = (home: string): string => firstLine('git', ['-C', home, 'rev-parse', '--short', 'HEAD']);

/** With a `root` it is called "before". */
export async function startWaybill(work: Workspace, root: string | null = null): Promise<BenchServer> {
  const data = join(work.data, root === null ? 'waybill' : 'before');
  const { child, ready, home } = await serveWaybill(data, root);
  return {
    name: root === null ? 'Waybill' : 'before',
    version: commitOf(home),
    port: ready.sftp.port,
    user: ready.first.login,
    key: ready.first.key,
    folder: ready.first.folder,
    cipher: CIPHER,
    pid: child.pid ?? 0,
    stop: () => stopChild(child),
  };
}

function servesHttpsByItself(home: string): boolean {
  return readFileSync(join(home, 'src/config/options.ts'), 'utf8').includes('httpsAddress');
}

/** What another checkout does not know it does not take. */
function knows(home: string, words: string): boolean {
  return readFileSync(join(home, 'src/config/options.ts'), 'utf8').includes(words);
}

export async function startOpenssh(work: Workspace): Promise<BenchServer | null> {
  if (!installed('/usr/sbin/sshd')) return null;
  const folder = join(work.data, 'openssh');
  mkdirSync(folder, { recursive: true });
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const port = await freePort();
  const hostKey = join(work.data, 'openssh_host_key');
  if (!existsSync(hostKey)) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', hostKey]);
  const config = join(work.data, 'sshd_config');
  writeFileSync(
    config,
    [
      `Port ${port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${hostKey}`,
      `AuthorizedKeysFile ${work.publicKey}`,
      'StrictModes no',
      'UsePAM no',
      'PermitRootLogin prohibit-password',
      'PasswordAuthentication no',
      'PidFile none',
      'MaxStartups 2000',
      'MaxSessions 10',
      'UseDNS no',
      'Subsystem sftp /usr/lib/openssh/sftp-server',
      'LogLevel ERROR',
      '',
    ].join('\n'),
  );
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', config], { stdio: ['ignore', 'inherit', 'inherit'] });
  await listening(port);
  return {
    name: 'OpenSSH',
    version: firstLine('ssh', ['-V'], 'stderr').split(',')[0] ?? '',
    port,
    user: process.env['USER'] ?? 'root',
    key: work.key,
    folder,
    cipher: CIPHER,
    pid: child.pid ?? 0,
    stop: () => stopChild(child),
  };
}

export async function startProftpd(work: Workspace): Promise<BenchServer | null> {
  if (!installed('/usr/sbin/proftpd') || !installed('/usr/lib/proftpd/mod_sftp.so')) return null;
  const folder = join(work.data, 'proftpd');
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const hostKey = join(work.data, 'proftpd_host_key');
  if (!existsSync(hostKey)) execFileSync('ssh-keygen', ['-q', '-t', 'ecdsa', '-m', 'PEM', '-N', '', '-f', hostKey]);
  const keys = join(work.data, 'proftpd_keys');
  writeFileSync(keys, execFileSync('ssh-keygen', ['-e', '-f', work.publicKey]));
  const config = join(work.data, 'proftpd.conf');
  writeFileSync(
    config,
    [
      'LoadModule mod_sftp.c',
      'ServerType standalone',
      'ServerName bench',
      'DefaultAddress 127.0.0.1',
      'SocketBindTight on',
      `Port ${port}`,
      'User root',
      'Group root',
      'RootLogin on',
      'RequireValidShell off',
      'UseFtpUsers off',
      'UseReverseDNS off',
      'MaxInstances 2000',
      `PidFile ${join(work.data, 'proftpd.pid')}`,
      `ScoreboardFile ${join(work.data, 'proftpd.scoreboard')}`,
      `DelayTable none`,
      'DefaultRoot /',
      'AllowOverwrite on',
      'WtmpLog off',
      'TransferLog none',
      '<IfModule mod_sftp.c>',
      'SFTPEngine on',
      `SFTPHostKey ${hostKey}`,
      `SFTPAuthorizedUserKeys file:${keys}`,
      'SFTPAuthMethods publickey',
      'SFTPLog none',
      '</IfModule>',
      '',
    ].join('\n'),
  );
  const child = spawn('/usr/sbin/proftpd', ['-n', '-q', '-c', config], { stdio: ['ignore', 'ignore', 'ignore'] });
  await listening(port);
  return {
    name: 'ProFTPD',
    version: firstLine('/usr/sbin/proftpd', ['-v'], 'stderr'),
    port,
    user: 'root',
    key: work.key,
    folder,
    cipher: CIPHER,
    pid: child.pid ?? 0,
    stop: () => stopChild(child),
  };
}

export async function startRclone(work: Workspace): Promise<BenchServer | null> {
  if (!installed('/usr/bin/rclone')) return null;
  const folder = join(work.data, 'rclone');
  mkdirSync(folder, { recursive: true });
  const port = await freePort();
  const hostKey = join(work.data, 'rclone_host_key');
  if (!existsSync(hostKey)) execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', hostKey]);
  const child = spawn(
    '/usr/bin/rclone',
    [
      'serve',
      'sftp',
      folder,
      '--addr',
      `127.0.0.1:${port}`,
      '--authorized-keys',
      work.publicKey,
      '--key',
      hostKey,
      '--user',
      'bench',
      '--vfs-cache-mode',
      'writes',
      '--cache-dir',
      join(work.data, 'rclone-cache'),
      '--config',
      '/dev/null',
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  await listening(port);
  return {
    name: 'rclone',
    version: firstLine('rclone', ['version']),
    port,
    user: 'bench',
    key: work.key,
    folder: '/',
    // Go's SSH of this release has no aes256-gcm: the nearest it has.
    cipher: 'aes128-gcm@openssh.com',
    pid: child.pid ?? 0,
    stop: () => stopChild(child),
  };
}
