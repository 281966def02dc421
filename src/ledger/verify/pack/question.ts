/**
 * The question that a pack answers for one tenant, in a form that whoever verifies can ask again. Lists mean "any of
 * these", different lists "and", as in `waybill investigate`.
 *
 * A question may name accounts, credentials or sessions of other tenants. A tenant must not be shown those: a value
 * that its own log does not have stands there as a salted hash. Whoever verifies can still see that it is nowhere in
 * this log, and the operator can say later what it was. (Random identifiers cannot be guessed from it; a short login
 * can, by somebody who tries them.)
 */
import { hash } from 'node:crypto';
import { BlockList, isIP } from 'node:net';
import { WaybillError } from '../../../base/errors.ts';
import type { Json } from '../../core/fields.ts';
import type { EntryOf } from '../../core/kinds.ts';

export interface BlindedValue {
  /** 16 bytes in hexadecimal. */
  readonly salt: string;
  readonly hash: string;
}
export type Value = string | BlindedValue;

export interface PackQuestion {
  /** Milliseconds since 1970; null is from the beginning, and to the end. `to` is not included. */
  readonly from: number | null;
  readonly to: number | null;
  readonly credential: readonly Value[];
  readonly account: readonly Value[];
  readonly session: readonly Value[];
  readonly address: readonly string[];
  readonly client: readonly string[];
  readonly node: readonly string[];
  readonly software: readonly string[];
  /** Identifiers of the tenant's folders; null is all of them. */
  readonly folder: readonly string[] | null;
}

export const ANYTHING: PackQuestion = {
  from: null,
  to: null,
  credential: [],
  account: [],
  session: [],
  address: [],
  client: [],
  node: [],
  software: [],
  folder: null,
};

export function blind(value: string, salt: string): BlindedValue {
  return { salt, hash: hash('sha256', Buffer.from(`waybill pack value\0${salt}\0${value}`), 'hex') };
}

function isValue(value: Value, candidate: string): boolean {
  return typeof value === 'string' ? value === candidate : blind(candidate, value.salt).hash === value.hash;
}

type SignIn = EntryOf<'sign-in'>;

/** What each condition on sessions is compared with. */
export const CANDIDATES = {
  credential: ({ credentials, descriptions }: SignIn) => [...credentials, ...descriptions],
  account: ({ account, login }: SignIn) => [account ?? '', login],
  session: ({ session }: SignIn) => [session ?? ''],
} as const;

/** Whether a sign-in is one that the question is about. Made once; `matches` is asked for each sign-in. */
export class SessionMatcher {
  readonly asksForSessions: boolean;
  private readonly question: PackQuestion;
  private readonly addresses: BlockList | null;

  constructor(question: PackQuestion) {
    this.question = question;
    this.addresses = question.address.length === 0 ? null : addressList(question.address);
    const { credential, account, session, address, client, node, software } = question;
    this.asksForSessions = [credential, account, session, address, client, node, software].some(
      (list) => list.length > 0,
    );
  }

  /** Of a sign-in that failed nobody knows the session, nor whose credential it was. */
  matchesFailed({ account, login, address, client, run }: EntryOf<'sign-in-failed'>): boolean {
    const { question } = this;
    const asked = [question.credential, question.session, question.software].some((list) => list.length > 0);
    const names = [account ?? '', login];
    return (
      !asked &&
      (question.account.length === 0 || question.account.some((value) => names.some((one) => isValue(value, one)))) &&
      (this.addresses === null || isIn(this.addresses, address)) &&
      (question.client.length === 0 ||
        question.client.some((one) => client.toLowerCase().includes(one.toLowerCase()))) &&
      (question.node.length === 0 || question.node.includes(run ?? ''))
    );
  }

  matches(signIn: SignIn): boolean {
    const { question } = this;
    const values = (name: keyof typeof CANDIDATES): boolean => {
      const list = question[name];
      return list.length === 0 || CANDIDATES[name](signIn).some((one) => list.some((value) => isValue(value, one)));
    };
    const any = (list: readonly string[], test: (value: string) => boolean): boolean =>
      list.length === 0 || list.some(test);
    const { client, node, run, software } = signIn;
    return (
      values('credential') &&
      values('account') &&
      values('session') &&
      (this.addresses === null || isIn(this.addresses, signIn.address)) &&
      any(question.client, (value) => client.toLowerCase().includes(value.toLowerCase())) &&
      any(question.node, (value) => value === node || value === run) &&
      any(question.software, (value) => software === value || software.endsWith(` ${value}`))
    );
  }
}

function isIn(list: BlockList, address: string): boolean {
  const family = isIP(address);
  // What is no address at all may be any: never understated.
  return family === 0 || list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

function addressList(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [first = '', last] = range.split('-');
    const [network = '', bits] = first.split('/');
    const family = isIP(network) === 4 ? 'ipv4' : 'ipv6';
    try {
      if (isIP(network) === 0 || (bits !== undefined && last !== undefined)) throw new Error('no address');
      if (last !== undefined) list.addRange(network, last, family);
      else if (bits !== undefined && /^[0-9]{1,3}$/.test(bits)) list.addSubnet(network, Number(bits), family);
      else if (bits === undefined) list.addAddress(network, family);
      else throw new Error('no prefix');
    } catch (cause) {
      throw new WaybillError('option-invalid', `${JSON.stringify(range)} is no address, network or range`, { cause });
    }
  }
  return list;
}

const TEXT_LISTS = ['address', 'client', 'node', 'software'] as const;
const VALUE_LISTS = ['credential', 'account', 'session'] as const;
const VALUES_MAX = 10_000;

/** Null when it is not of the form. */
export function parseQuestion(value: Json | undefined): PackQuestion | null {
  if (!isObject(value) || Object.keys(value).length !== Object.keys(ANYTHING).length) return null;
  const from = parseMoment(value['from']);
  const to = parseMoment(value['to']);
  const folder = value['folder'] === null ? null : texts(value['folder']);
  if (from === undefined || to === undefined || folder === undefined) return null;
  if (folder?.some((id) => !/^[0-9a-f]{32}$/.test(id)) === true) return null;
  const question: Record<string, unknown> = { from, to, folder };
  for (const name of TEXT_LISTS) question[name] = texts(value[name]);
  for (const name of VALUE_LISTS) question[name] = values(value[name]);
  return Object.values(question).includes(undefined) ? null : (question as unknown as PackQuestion);
}

export function questionJson(question: PackQuestion): { readonly [key: string]: Json } {
  const { from, to, ...lists } = question;
  return { ...(lists as { readonly [key: string]: Json }), from: momentText(from), to: momentText(to) };
}

/** ISO 8601 in UTC with milliseconds, the one form. */
export function momentText(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString();
}

/** Undefined when it is not of the form. */
export function parseMoment(value: Json | undefined): number | null | undefined {
  if (value === null) return null;
  const time = typeof value === 'string' ? Date.parse(value) : NaN;
  return Number.isSafeInteger(time) && time >= 0 && new Date(time).toISOString() === value ? time : undefined;
}

export function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function texts(value: Json | undefined): string[] | undefined {
  if (!Array.isArray(value) || value.length > VALUES_MAX) return undefined;
  return value.every((one) => typeof one === 'string') ? value : undefined;
}

function values(value: Json | undefined): Value[] | undefined {
  if (!Array.isArray(value) || value.length > VALUES_MAX) return undefined;
  const right = value.every((one: Json) => {
    if (typeof one === 'string') return true;
    if (!isObject(one)) return false;
    const { salt, hash: digest, ...rest } = one;
    return isHex(salt, 32) && isHex(digest, 64) && Object.keys(rest).length === 0;
  });
  return right ? value : undefined;
}

function isHex(value: Json | undefined, length: number): boolean {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]*$/.test(value);
}
