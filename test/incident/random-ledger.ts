/** Ledgers of any history, made of the strange cases rather than of the usual ones. */
import fc from 'fast-check';
import type { ByteRange } from '../../src/ledger/core/fields.ts';
import type { Event } from '../../src/ledger/core/kinds.ts';
import { TestLedger, testId } from './test-ledger.ts';

export const LOGS = ['installation', 'acme', 'birch', 'cedar'] as const;
const SESSIONS = 6;
const FOLDERS = 3;
const PATHS = ['/in/a.csv', '/in/b.csv', '/out/päivä.xml', '/top.txt', '/in/deep/c', '/', '/out', '/in/', '/out/夜'];

export interface Step {
  readonly log: number;
  readonly what: number;
  readonly session: number;
  readonly reading: number;
  readonly file: number;
  readonly path: number;
  readonly number: number;
  readonly pause: number;
}

export const steps = fc.array(
  fc.record({
    log: fc.nat(LOGS.length - 1),
    what: fc.nat(99),
    session: fc.nat(SESSIONS - 1),
    reading: fc.nat(5),
    file: fc.nat(4),
    path: fc.nat(PATHS.length - 1),
    number: fc.nat(6),
    pause: fc.nat(3),
  }),
  { minLength: 40, maxLength: 400 },
);

function rangesOf(number: number): ByteRange[] {
  return Array.from(
    { length: number % 4 },
    (_, at) => [at * 5_000_000 + number, 1 + ((number + at) % 3) * 4_000_000] as const,
  );
}

export function signIn(session: string, number: number): Event {
  return {
    ...{
      kind: 'sign-in',
      session,
      account: testId('account', number % 3),
      login: `login-${number % 3}`,
      protocol: 'sftp',
    },
    ...{
      address: number % 2 === 0 ? `192.0.2.${number}` : `2001:db8::${number}`,
      client: `client ${number % 2}`,
      run: testId('run', number % 2),
    },
    ...{ node: `node-${number % 2}`, software: `waybill 1.${number % 2}` },
    factors: number % 2 === 0 ? ['publickey'] : ['publickey', 'totp'],
    credentials: number % 2 === 0 ? [testId('credential', number)] : [testId('credential', number), 'totp-1'],
    ...{ descriptions: [`key "${number}"`], firsts: [] },
  };
}

function eventOf(step: Step): Event | Buffer {
  const { what, number } = step;
  const session = testId('session', step.session);
  // Mostly the session's own readings, sometimes another's.
  const reading = testId('reading', number === 0 ? step.reading : step.session * 10 + step.reading);
  const folder = testId('folder', step.log * 10 + (step.path % FOLDERS));
  const file = testId('file', step.file);
  const version = number === 5 ? null : testId('version', step.file * 10 + (step.reading % 2));
  const path = PATHS[step.path] ?? '/';
  if (what < 14) return signIn(session, step.session);
  if (what < 44)
    return {
      kind: 'release',
      session,
      reading,
      folder,
      file,
      version,
      first: number,
      count: 1 + (number % 2),
      bytes: number * 3_000_000,
      path,
    };
  if (what < 62) {
    const ranges = rangesOf(number);
    const bytes = ranges.reduce((sum, [, length]) => sum + length, 0);
    return { kind: 'sent', session, reading, file, version, known: number !== 3, bytes, ranges };
  }
  if (what < 72) return { kind: 'listed', session, folder, count: number, path };
  if (what < 78) return { kind: 'stored', session, folder, file, version, replaces: null, size: number, path };
  if (what < 80) return { kind: 'renamed', session, folder, toFolder: folder, path, toPath: path };
  if (what < 82) return { kind: 'removed', session, folder, file, version: null, path };
  if (what < 83)
    return {
      kind: 'containment',
      action: 'suspend',
      session,
      account: null,
      credential: '',
      reason: 'test',
      detail: {},
    };
  if (what < 84)
    return {
      kind: 'changed',
      action: number < 4 ? 'product.add' : 'product.remove',
      actor: '',
      approvedBy: '',
      account: null,
      folder,
      credential: '',
      detail: { product: `product ${number % 2}` },
    };
  if (what < 85) return Buffer.from([1, 200, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
  if (what < 86) return Buffer.from([1, 16, 0, 0, 0, 0, 0, 0, 0, 0, 7]);
  return { kind: 'session-end', session, reason: 'closed', gap: number === 2 };
}

/** `seals`: after which shares of the steps a head is written. */
export function addSteps(ledger: TestLedger, list: readonly Step[], start: number): number {
  let time = start;
  for (const name of LOGS) ledger.log(name, start);
  for (const step of list) {
    time += step.pause;
    const event = eventOf(step);
    const log = ledger.log(LOGS[step.log] ?? 'acme');
    if (Buffer.isBuffer(event)) log.entries.push(withTime(event, time));
    else log.add(event, time);
  }
  return time;
}

function withTime(bytes: Buffer, time: number): Buffer {
  bytes.writeUInt32BE(Math.floor(time / 2 ** 32), 2);
  bytes.writeUInt32BE(time >>> 0, 6);
  return bytes;
}
