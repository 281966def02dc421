/**
 * A link of an emulator program, for kernels without netem. It is called as
 *
 *   PROGRAM 'LINK OPTIONS' 'COMMAND ON B' 'COMMAND ON A'
 *
 * makes a network namespace for each side (A is 10.77.9.1, B is 10.77.9.2), runs one shell command in each, ends B's when
 * A's ends, and takes the link down. Both commands only keep their namespace open: what is measured enters by nsenter.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bufferBytes } from './link.ts';
import type { Link, LinkSpec, Side } from './link.ts';
import { onAnyExit, start, until } from './processes.ts';

const HERE: Side = { address: '', enter: [], keeper: null };

export function emulatorOptions(spec: LinkSpec, seed: number): string {
  const { mbit, rtt, loss, ackLoss, burstLoss, jitter, reorder, police, outage, halveAt } = spec;
  const given: readonly (readonly [string, string | number | undefined])[] = [
    ['mbit', mbit],
    ['rtt', rtt],
    ['loss', loss],
    ['ack-loss', ackLoss],
    ['buffer', bufferBytes(spec)],
    ['burst-loss', burstLoss?.join(',')],
    ['jitter', jitter],
    ['reorder', reorder],
    ['police', police?.join(',')],
    ['outage', outage?.join(',')],
    ['halve-at', halveAt],
    ['seed', seed],
  ];
  return given.flatMap(([name, value]) => (value === undefined ? [] : [`--${name} ${value}`])).join(' ');
}

export async function openEmulatedLink(program: string, spec: LinkSpec, seed: number, seconds: number): Promise<Link> {
  const folder = mkdtempSync(path.join(tmpdir(), 'waybill-link-'));
  const keep = (name: string): string => `echo $$ > ${folder}/${name}; exec sleep ${Math.ceil(seconds)}`;
  const words = [program, emulatorOptions(spec, seed), keep('b'), keep('a')];
  // The sleeps end it all, should this process be killed.
  const emulator = start(HERE, words, { seconds: seconds + 5, endsItself: true });
  const read = (name: string): number | null => {
    try {
      return Number(readFileSync(path.join(folder, name), 'utf8')) || null;
    } catch {
      return null;
    }
  };
  /** The end of A's command is the end of the link. */
  const end = (): void => {
    try {
      process.kill(read('a') ?? emulator.pid, 'SIGTERM');
    } catch {
      // It ended by itself.
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const forget = onAnyExit(end);
  const close = async (): Promise<void> => {
    end();
    forget();
    await Promise.race([emulator.ended, new Promise((resolve) => setTimeout(resolve, 3000))]);
    await emulator.stop();
  };
  const over = emulator.ended.then(() => {
    throw new Error(`the emulator ended: ${emulator.errors().trim()}`);
  });
  over.catch(() => undefined);
  const both = async (): Promise<Link> => {
    const [a, b] = [await until('side A', 20, () => read('a')), await until('side B', 20, () => read('b'))];
    const side = (keeper: number, address: string): Side => ({
      address,
      keeper,
      enter: ['nsenter', `--net=/proc/${keeper}/ns/net`, '--'],
    });
    return {
      a: side(a, '10.77.9.1'),
      b: side(b, '10.77.9.2'),
      kind: 'emulator',
      close,
    };
  };
  try {
    return await Promise.race([both(), over]);
  } catch (error) {
    await close();
    throw error;
  }
}
