/** Starts a real server by the README's command on a free port, with data in a temporary folder, for tests with real clients. */
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';

export const PROJECT = join(import.meta.dirname, '../..');
const COMMAND = 'src/cli/waybill.ts';
const WAYBILL = join(PROJECT, COMMAND);
/** Milliseconds; a machine that is busy with other tests takes seconds. */
const READY_WITHIN = 30_000;

export interface TestServer {
  readonly host: string;
  readonly port: number;
  readonly fingerprints: string[];
  readonly login: string;
  readonly key: string;
  readonly folder: string;
  readonly tenant: string;
  /** The link by which the first administrator enrols; a secret alone without HTTPS. */
  readonly enrol: string | null;
  /** Temporary folder of the test; data/ in it is the server's. */
  readonly temporary: string;
  readonly data: string;
  readonly child: ChildProcess;
  /** What the server wrote on standard error so far. */
  log(): string;
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Stops the server and removes the folder. */
  remove(): Promise<void>;
}

interface Ready {
  event: 'ready';
  sftp: { host: string; port: number; fingerprints: string[] };
  first: { tenant: string; login: string; key: string; folder: string };
  enrol: string | null;
}

/** The process alone, for who does not wait until it is ready. `project`: where its sources are. */
export function spawnServer(
  temporary: string,
  args: readonly string[] = [],
  project = PROJECT,
): ChildProcessByStdio<null, Readable, Readable> {
  return spawn(
    process.execPath,
    [
      join(project, COMMAND),
      'serve',
      '--data',
      join(temporary, 'data'),
      '--sftp',
      '127.0.0.1:0',
      ...['--https', 'none'],
      // Each front is a process that compiles its own sources: a test that is not about two of them has one.
      ...(args.includes('--fronts') ? [] : ['--fronts', '1']),
      '--json',
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
}

export async function startServer(
  options: { args?: readonly string[]; temporary?: string; project?: string } = {},
): Promise<TestServer> {
  const temporary = options.temporary ?? mkdtempSync(join(tmpdir(), 'waybill-test-'));
  const child = spawnServer(temporary, options.args, options.project);
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const ready = await new Promise<Ready>((resolve, reject) => {
    const slow = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`the server was not ready after ${READY_WITHIN} ms:\n${log}`));
    }, READY_WITHIN);
    child.once('exit', (code, signal) => {
      clearTimeout(slow);
      reject(new Error(`the server ended with ${String(code ?? signal)} before it was ready:\n${log}`));
    });
    createInterface({ input: child.stdout }).once('line', (line) => {
      clearTimeout(slow);
      resolve(JSON.parse(line) as Ready);
    });
  });
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  };
  return {
    ...ready.sftp,
    ...ready.first,
    enrol: ready.enrol,
    temporary,
    data: join(temporary, 'data'),
    child,
    log: () => log,
    stop,
    remove: async () => {
      await stop();
      rmSync(temporary, { recursive: true, force: true });
    },
  };
}

/** The port of the listener for older clients (`--sftp-legacy 127.0.0.1:0`), as the server's log tells it. */
export function legacyPort(server: TestServer): number {
  return portOf(server, 'legacy');
}

/** The port of the first listener of a profile, as the server's log tells it. */
export function portOf(server: TestServer, profile: 'legacy' | 'https'): number {
  const ready = server
    .log()
    .split('\n')
    .find((line) => line.includes(`"profile":"${profile}"`));
  if (ready === undefined) throw new Error(`no listener of the profile ${profile}`);
  const { listeners } = JSON.parse(ready) as { listeners: { port: number; profile: string }[] };
  return listeners.find((listener) => listener.profile === profile)?.port ?? 0;
}

/**
 * Does what a `waybill` command does against the server of that data folder; rejects with its output when it fails. In this
 * process: a process of its own takes twenty times as long, and is what the tests of cli/ are about.
 */
export async function waybill(server: { data: string }, args: readonly string[], input = ''): Promise<string> {
  const { main } = await import('../../src/cli/waybill.ts');
  let [out, err] = ['', ''];
  const code = await main([...args, '--data', server.data], {
    stdin: Readable.from([input]),
    stdout: { write: (text) => (out += text) },
    stderr: { write: (text) => (err += text) },
  });
  if (code !== 0) throw new Error(`waybill ${args.join(' ')} ended with ${code}:\n${out}${err}`);
  return out;
}

/** The same by the command itself. */
export function waybillProcess(server: { data: string }, args: readonly string[], input = ''): Promise<string> {
  return run(process.execPath, [WAYBILL, ...args, '--data', server.data], { input });
}

/** Runs a program to its end and gives what it wrote on standard output. */
export function run(
  command: string,
  args: readonly string[],
  options: { input?: string; env?: Record<string, string>; cwd?: string } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...options.env },
      cwd: options.cwd,
    });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', reject);
    child.stdin.on('error', () => undefined); // a program that does not read its input is judged by how it ends
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ${args.join(' ')} ended with ${String(code ?? signal)}:\n${out}${err}`));
    });
    child.stdin.end(options.input ?? '');
  });
}
