/**
 * A link of an emulator program, for kernels without netem. It is called as
 *
 *   PROGRAM 'LINK OPTIONS' 'COMMAND ON B' 'COMMAND ON A'
 *
 * makes a network namespace for each side (A is 10.77.9.1, B is 10.77.9.2), runs one shell command in each, ends B's when
 * A's ends, and takes the link down. Both commands only keep their namespace open: what is measured enters by nsenter.
 * A's lives as long as the pipe on its standard input, so that no end of the bench, not even kill -9, leaves a link behind.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { bufferBytes } from './link.ts';
import type { Counters, Link, LinkSpec, Side } from './link.ts';
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

/** What an emulator says at its end of the packets of A, in the file that the variable LINKEM_LOG names. */
export function countersOf(text: string): Counters | null {
  const found = /^A->B in (\d+) out (\d+) tail-dropped (\d+) lost (\d+) policed (\d+)$/m.exec(text);
  if (found === null) return null;
  const [input = 0, out = 0, dropped = 0, lost = 0, policed = 0] = found.slice(1).map(Number);
  return { in: input, out, dropped, lost, policed };
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

export async function openEmulatedLink(program: string, spec: LinkSpec, seed: number, seconds: number): Promise<Link> {
  const folder = mkdtempSync(path.join(tmpdir(), `waybill-wan-${process.pid}-`));
  const [a, b, log] = ['a', 'b', 'log'].map((name) => path.join(folder, name)) as [string, string, string];
  const most = Math.ceil(seconds);
  const words = [
    ...[program, emulatorOptions(spec, seed)],
    ...[`echo $$ > ${b}; exec sleep ${most}`, `echo $$ > ${a}; exec timeout ${most} cat > /dev/null`],
  ];
  const emulator = start(HERE, words, {
    ...{ seconds: most + 5, endsItself: true, input: null, environment: { LINKEM_LOG: log } },
  });
  const pid = (file: string): number | null => Number(textOf(file)) || null;
  /** The end of A's command is the end of the link. */
  const end = (): void => {
    try {
      process.kill(pid(a) ?? emulator.pid, 'SIGTERM');
    } catch {
      // It ended by itself.
    }
  };
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  const forget = onAnyExit(() => {
    end();
    remove();
  });
  const close = async (): Promise<Counters | null> => {
    end();
    await Promise.race([emulator.ended, new Promise((resolve) => setTimeout(resolve, 3000))]);
    await emulator.stop();
    const counters = countersOf(textOf(log));
    remove();
    forget();
    return counters;
  };
  const over = emulator.ended.then(() => {
    throw new Error(`the emulator ended: ${emulator.errors().trim()}`);
  });
  over.catch(() => undefined);
  const both = async (): Promise<Link> => {
    const [keeperA, keeperB] = [await until('side A', 20, () => pid(a)), await until('side B', 20, () => pid(b))];
    const side = (keeper: number, address: string): Side => ({
      ...{ address, keeper, enter: ['nsenter', `--net=/proc/${keeper}/ns/net`, '--'] },
    });
    return {
      ...{ a: side(keeperA, '10.77.9.1'), b: side(keeperB, '10.77.9.2') },
      ...{ kind: 'emulator', madeAt: performance.now(), close },
    };
  };
  try {
    return await Promise.race([both(), over]);
  } catch (error) {
    await close();
    throw error;
  }
}
