/** Every process of a measurement: started here, bounded in time, and gone when the bench is, however it ends. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Side } from './link.ts';

const running = new Set<ChildProcess>();
/** What else is to be undone when the bench is ended from outside; must not wait. */
const undo = new Set<() => void>();

export function onAnyExit(work: () => void): () => void {
  undo.add(work);
  return () => undo.delete(work);
}

/** It and all that it started, which may have started others. */
function family(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ');
    return [pid, ...children.filter((one) => one.trim() !== '').flatMap((one) => family(Number(one)))];
  } catch {
    return [pid]; // ended while we looked, or a kernel that does not say
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/** The families first: whoever lost its parent is not found by it. A link that is gone tells nobody that the other end is. */
function clean(): void {
  for (const pid of [...running].flatMap(({ pid: root }) => (root === undefined ? [] : family(root)))) kill(pid);
  for (const work of undo) work();
  undo.clear();
}

process.on('exit', clean);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    process.exit(130);
  });

export interface Started {
  readonly pid: number;
  /** Resolves with the exit code; null when it was ended by a signal. */
  readonly ended: Promise<number | null>;
  readonly output: () => string;
  /** When it last said something on its standard output, as performance.now() has it. */
  readonly spokeAt: () => number;
  readonly errors: () => string;
  /** SIGTERM, and SIGKILL two seconds later; resolves when it is gone. */
  stop(): Promise<void>;
}

export interface StartOptions {
  /** It is ended after so many seconds. */
  readonly seconds: number;
  /** Null: its standard input stays open as long as this process lives. */
  readonly input?: string | null;
  readonly environment?: Readonly<Record<string, string>>;
  /** It has things to take down itself: at the end of the bench whoever started it tells it, and nothing kills it. */
  readonly endsItself?: boolean;
}

/** The kernel ends it when this process is gone, whatever ended that. */
const BOUND = hasCommand('setpriv') ? ['setpriv', '--pdeathsig', 'KILL', '--'] : [];
const OUTPUT_MAX = 16 * 2 ** 20;

export function start(side: Side, words: readonly string[], options: StartOptions): Started {
  const [command = '', ...rest] = [...(options.endsItself === true ? [] : BOUND), ...side.enter, ...words];
  const env = { ...process.env, ...options.environment };
  const child = spawn(command, rest, { stdio: ['pipe', 'pipe', 'pipe'], env });
  if (options.endsItself !== true) running.add(child);
  const texts = { stdout: '', stderr: '' };
  let spokeAt = performance.now();
  child.stdout.on('data', () => {
    spokeAt = performance.now();
  });
  for (const name of ['stdout', 'stderr'] as const)
    child[name].on('data', (some: Buffer) => {
      if (texts[name].length < OUTPUT_MAX) texts[name] += some.toString();
    });
  child.stdin.on('error', () => undefined);
  if (options.input !== null) child.stdin.end(options.input ?? '');
  const ended = new Promise<number | null>((resolve) => {
    child.on('error', (error) => {
      texts.stderr += error.message;
      resolve(127);
    });
    child.on('close', (code) => {
      running.delete(child);
      resolve(code);
    });
  });
  const stop = async (): Promise<void> => {
    child.kill('SIGTERM');
    const hard = setTimeout(() => child.kill('SIGKILL'), 2000);
    // Who keeps its output open, as a grandchild may, is not waited for.
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 4000).unref())]);
    clearTimeout(hard);
  };
  const limit = setTimeout(() => void stop(), options.seconds * 1000);
  void ended.then(() => {
    clearTimeout(limit);
  });
  return {
    pid: child.pid ?? 0,
    ended,
    output: () => texts.stdout,
    spokeAt: () => spokeAt,
    errors: () => texts.stderr,
    stop,
  };
}

/** Waits until `look` gives something, for so many seconds. */
export async function until<T>(what: string, seconds: number, look: () => T | null | Promise<T | null>): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function hasCommand(name: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${name}`]).status === 0;
}
