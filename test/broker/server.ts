/** A real server of the command line, in a process of its own, for tests that kill things. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';

const COMMAND = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'waybill.ts');

export interface Served {
  readonly process: ChildProcess;
  readonly port: number;
  readonly log: string[];
}

export interface Failed {
  readonly code: number | null;
  readonly errors: string;
  readonly output: string;
}

function start(folder: string, words: readonly string[]): ChildProcess {
  const where = ['--data', folder, '--sftp', '127.0.0.1:0', '--https', 'none'];
  const args = [COMMAND, 'serve', '--json', ...where, '--fronts', '1', ...words];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

export async function serve(folder: string, ...words: string[]): Promise<Served> {
  const child = start(folder, words);
  if (child.stdout === null || child.stderr === null) throw new Error('no output');
  const log: string[] = [];
  createInterface(child.stderr).on('line', (line) => log.push(line));
  const lines = createInterface(child.stdout);
  const ready = once(lines, 'line') as Promise<[string]>;
  const [line] = await Promise.race([
    ready,
    once(child, 'exit').then(() => {
      throw new Error(`the server ended: ${log.join('\n')}`);
    }),
  ]);
  const { sftp } = JSON.parse(line) as { sftp: { port: number } };
  return { process: child, port: sftp.port, log };
}

/** A start that is expected to fail. */
export async function serveFails(folder: string, ...words: string[]): Promise<Failed> {
  const child = start(folder, words);
  let [output, errors] = ['', ''];
  child.stdout?.on('data', (text: Buffer) => (output += text.toString()));
  child.stderr?.on('data', (text: Buffer) => (errors += text.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, errors, output };
}

export async function end(served: Served, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  if (served.process.exitCode !== null || served.process.signalCode !== null) return served.process.exitCode;
  const exit = once(served.process, 'exit') as Promise<[number | null]>;
  served.process.kill(signal);
  return (await exit)[0];
}

/** Children by the system's own account, without waiting for anyone's word. */
export function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((child) => parentOf(child) === pid);
}

function parentOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0;
  }
}

/** A zombie is as good as gone: only its parent has not looked yet. */
export async function untilGone(pid: number): Promise<void> {
  const state = (): string => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  };
  for (let tries = 0; tries < 500; tries++) {
    try {
      if (!existsSync(`/proc/${pid}`) || state() === 'Z') return;
    } catch {
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`process ${pid} lives on`);
}

/** Resolves with what the server says first, or '' when it closes at once. */
export function firstWords(port: number): Promise<{ text: string; socket: Socket }> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {
      resolve({ text: '', socket });
    });
    socket.once('data', (data) => {
      resolve({ text: data.toString('latin1').split('\r\n')[0] ?? '', socket });
    });
    socket.once('close', () => {
      resolve({ text: '', socket });
    });
  });
}
