/** Password hashes: argon2id in PHC strings, computed by a few at a time. */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import type { WorkLine } from './work-line.ts';

interface Cost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** OWASP's first recommendation for argon2id (19 MiB, 2 passes, 1 lane): about 40 ms of one core. */
const COST: Cost = { memory: 19456, passes: 2, parallelism: 1 };
const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Bounds for what is read back: a forged row must not make one sign-in cost gigabytes. */
const MEMORY_MAX = 262_144;
const PASSES_MAX = 16;

export const PASSWORD_BYTES_MAX = 1024;
export const PASSWORD_LENGTH_MIN = 8;
export const PASSWORD_LENGTH_ALONE = 15;

/** Of no password: nobody knows one with this tag. Verifying against it costs what a real one costs. */
export const DUMMY_HASH = format(COST, Buffer.alloc(SALT_BYTES, 0x57), Buffer.alloc(TAG_BYTES));

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Composed form (RFC 8265 section 4.2): the same password typed on another system has the same bytes. */
function prepared(password: Uint8Array): Buffer {
  try {
    return Buffer.from(utf8.decode(password).normalize('NFC'), 'utf8');
  } catch {
    return Buffer.from(password);
  }
}

function compute(password: Uint8Array, salt: Buffer, cost: Cost, tagLength: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    argon2('argon2id', { message: prepared(password), nonce: salt, tagLength, ...cost }, (error, tag) => {
      if (error === null) resolve(tag);
      else reject(error);
    });
  });
}

export async function hashPassword(password: Uint8Array): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return format(COST, salt, await compute(password, salt, COST, TAG_BYTES));
}

/** `source` is who waits, for fairness. Rejects with WorkRefused when too much is waiting already. */
export async function verifyPassword(
  line: WorkLine,
  source: string,
  hash: string,
  password: Uint8Array,
): Promise<boolean> {
  const { cost, salt, tag } = parse(hash);
  const computed = await line.run(source, () => compute(password, salt, cost, tag.length));
  return timingSafeEqual(computed, tag);
}

function format(cost: Cost, salt: Buffer, tag: Buffer): string {
  const text = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  const { memory, passes, parallelism } = cost;
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${text(salt)}$${text(tag)}`;
}

const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

function parse(hash: string): { cost: Cost; salt: Buffer; tag: Buffer } {
  const [, memory = '', passes = '', parallelism = '', salt = '', tag = ''] = PHC.exec(hash) ?? [];
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
  const sound = cost.memory >= 8 && cost.memory <= MEMORY_MAX && cost.passes >= 1 && cost.passes <= PASSES_MAX;
  if (!sound || cost.parallelism < 1) throw new WaybillError('internal', 'a stored password hash is not usable');
  return { cost, salt: Buffer.from(salt, 'base64'), tag: Buffer.from(tag, 'base64') };
}

/**
 * Throws `option-invalid` saying which rule is not met. NIST SP 800-63B-4 section 3.1.1.2: 15 characters where the
 * password signs in alone, 8 beside another factor; no classes of characters, no end of its own; and a list of what is
 * tried first, to which the words below belong (breached-passwords.ts has the rest).
 */
export function checkPasswordRules(password: string, login: string, alone = true): void {
  const text = password.normalize('NFC');
  const least = alone ? PASSWORD_LENGTH_ALONE : PASSWORD_LENGTH_MIN;
  if (Array.from(text).length < least)
    throw new WaybillError('option-invalid', `the password must have at least ${least} characters`);
  const failed = RULES.find(([holds]) => !holds(text, login));
  if (failed !== undefined) throw new WaybillError('option-invalid', `the password ${failed[1]}`);
}

/** Whether it is long enough to sign in without anything else. */
export function isLongAlone(password: string): boolean {
  return Array.from(password.normalize('NFC')).length >= PASSWORD_LENGTH_ALONE;
}

const RULES: readonly (readonly [(password: string, login: string) => boolean, string])[] = [
  [
    (password) => Buffer.byteLength(password) <= PASSWORD_BYTES_MAX,
    `must have at most ${PASSWORD_BYTES_MAX} bytes in UTF-8`,
  ],
  [(password) => !/\p{Cc}/u.test(password), 'must not hold control characters'],
  [(password) => password.isWellFormed(), 'must be valid Unicode'],
  // Part of the list of what is tried first (one character again and again), not a rule of composition.
  [(password) => new Set(password).size >= 5, 'must have at least 5 different characters'],
  [
    (password, login) => login.length < 4 || !password.toLowerCase().includes(login.toLowerCase()),
    'must not contain the login',
  ],
  [(password) => !isWellKnown(password), 'is one of those that are tried first'],
];

/** What stays of the most used long passwords once digits and signs are gone from both ends. */
const WELL_KNOWN =
  /^[\d\W_]*(?:pass?word|passw0rd|p@ssw0rd|qwert[yz](?:uiop)?|letmein|welcome|iloveyou|admin(?:istrator)?|changeme|waybill)[\d\W_]*$/i;
const RUNS = ['01234567890123456789', 'abcdefghijklmnopqrstuvwxyz', 'qwertyuiopasdfghjklzxcvbnm'];

function isWellKnown(password: string): boolean {
  const lower = password.toLowerCase();
  return (
    WELL_KNOWN.test(lower) ||
    RUNS.some((run) => run.includes(lower) || Array.from(run).reverse().join('').includes(lower))
  );
}
