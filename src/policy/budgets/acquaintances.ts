/**
 * From where, with what and by which software an account has come before. A first of these is marked in the sign-in's
 * entry, and its sessions share a reduced budget until an administrator confirms it. The first sign-in of an account that
 * never had one is believed: there is nothing to compare it with, and somebody has just set it up.
 */
import { isIPv6 } from 'node:net';
import { plainAddress } from '../../base/addresses.ts';
import type { Acting } from '../../base/acting.ts';
import { BoundedMap } from '../../base/bounded-map.ts';
import { WaybillError } from '../../base/errors.ts';
import { changed } from '../../ledger/changed.ts';
import type { Ledger } from '../../ledger/ledger.ts';

export const KINDS_OF_ACQUAINTANCE = ['address', 'credential', 'client'] as const;
export type AcquaintanceKind = (typeof KINDS_OF_ACQUAINTANCE)[number];

export interface Acquaintance {
  readonly account: string;
  readonly kind: AcquaintanceKind;
  readonly value: string;
  /** Milliseconds since 1970. */
  readonly firstSeen: number;
  readonly confirmed: boolean;
}

/** Changing methods join the transaction of the `write` they are called in. */
export interface AcquaintanceStore {
  write<T>(action: () => T): Promise<T>;
  acquaintance(account: string, kind: AcquaintanceKind, value: string): Acquaintance | null;
  /** The oldest first. */
  acquaintances(account: string): Acquaintance[];
  /** Of all accounts. */
  unconfirmed(limit: number): Acquaintance[];
  putAcquaintance(acquaintance: Acquaintance): void;
  removeAcquaintance(account: string, kind: AcquaintanceKind, value: string): void;
  removeAcquaintances(account: string): void;
}

/** What a sign-in shows of itself. */
export interface Seen {
  readonly address: string;
  /** Ids. */
  readonly credentials: readonly string[];
  /** As it names itself, with its version. */
  readonly client: string;
}

/** Past this many that nobody confirmed, the oldest of the account go: one who hops addresses fills no disk. */
const UNCONFIRMED_KEPT = 1000;
const ACCOUNTS_KEPT = 20_000;
const LISTED = 1000;

export class Acquaintances {
  private readonly store: AcquaintanceStore;
  private readonly ledger: Ledger;
  private readonly wall: () => number;
  /** Marks, by account. */
  private readonly confirmed = new BoundedMap<string, ReadonlySet<string>>(ACCOUNTS_KEPT);

  constructor(store: AcquaintanceStore, ledger: Ledger, wall: () => number = Date.now) {
    this.store = store;
    this.ledger = ledger;
    this.wall = wall;
  }

  /** Inside the write of the sign-in. Returns the marks that the account never had before. */
  meet(account: string, seen: Seen): string[] {
    const { store } = this;
    const known = store.acquaintances(account);
    const marks = new Set(known.map(({ kind, value }) => markOf(kind, value)));
    const firsts = partsOf(seen).filter(([kind, value]) => !marks.has(markOf(kind, value)));
    for (const [kind, value] of firsts)
      store.putAcquaintance({ account, kind, value, firstSeen: this.wall(), confirmed: known.length === 0 });
    const loose = known.filter(({ confirmed }) => !confirmed);
    for (const { kind, value } of loose.slice(0, Math.max(0, loose.length + firsts.length - UNCONFIRMED_KEPT)))
      store.removeAcquaintance(account, kind, value);
    // Read again when it is needed: this write may still fail.
    if (firsts.length > 0) this.confirmed.delete(account);
    return firsts.map(([kind, value]) => markOf(kind, value));
  }

  /** Whether something of a session, by its marks, is not confirmed; what is not known any more is not. */
  isReduced(account: string, marks: readonly string[]): boolean {
    let known = this.confirmed.get(account);
    if (known === undefined) {
      const rows = this.store.acquaintances(account).filter(({ confirmed }) => confirmed);
      known = new Set(rows.map(({ kind, value }) => markOf(kind, value)));
      this.confirmed.set(account, known);
    }
    for (const mark of marks) if (!known.has(mark)) return true;
    return false;
  }

  list(account: string): Acquaintance[] {
    return this.store.acquaintances(account);
  }

  /** What waits for a person, of all accounts. */
  waiting(limit = LISTED): Acquaintance[] {
    return this.store.unconfirmed(limit);
  }

  /** Also before it was ever seen: a key that somebody adds is expected. Sessions that are open notice at once. */
  async confirm(account: string, tenant: string, kind: AcquaintanceKind, value: string, by: Acting): Promise<void> {
    await this.change(account, tenant, 'acquaintance.confirm', by, kind, value, () => {
      const known = this.store.acquaintance(account, kind, value);
      const firstSeen = known?.firstSeen ?? this.wall();
      this.store.putAcquaintance({ account, kind, value, firstSeen, confirmed: true });
    });
  }

  /** The next sign-in with it is a first again. */
  async forget(account: string, tenant: string, kind: AcquaintanceKind, value: string, by: Acting): Promise<void> {
    await this.change(account, tenant, 'acquaintance.forget', by, kind, value, () => {
      if (this.store.acquaintance(account, kind, value) === null)
        throw new WaybillError('not-found', `the account has never come with this ${kind}`);
      this.store.removeAcquaintance(account, kind, value);
    });
  }

  /** Inside the write that removes the account. */
  forgetAccount(account: string): void {
    this.store.removeAcquaintances(account);
    this.confirmed.delete(account);
  }

  private async change(
    account: string,
    tenant: string,
    action: string,
    by: Acting,
    kind: AcquaintanceKind,
    value: string,
    apply: () => void,
  ): Promise<void> {
    const { actor, approvedBy } = by;
    await this.store.write(() => {
      by.within?.();
      apply();
      this.ledger.append(tenant, changed(action, { actor, approvedBy, account, detail: { kind, value } }));
    });
    this.confirmed.delete(account);
  }
}

/** How a session carries what it came with: "address 192.0.2.1", "client OpenSSH". */
export function marksOf(seen: Seen): string[] {
  return partsOf(seen).map(([kind, value]) => markOf(kind, value));
}

function markOf(kind: AcquaintanceKind, value: string): string {
  return `${kind} ${value}`;
}

function partsOf({ address, credentials, client }: Seen): [AcquaintanceKind, string][] {
  return [
    ['address', networkOf(address)],
    ...credentials.map((credential): [AcquaintanceKind, string] => ['credential', credential]),
    ['client', productOf(client)],
  ];
}

/** An IPv6 host chooses a new address within its /64 each day; an IPv4 address stands for itself. */
export function networkOf(address: string): string {
  const plain = plainAddress(address);
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.toLowerCase().split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const groups =
    tail === undefined
      ? left
      : [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

const CLIENT_CHARACTERS = 80;

/** "SSH-2.0-OpenSSH_9.7p1 Debian" -> "OpenSSH": an update is no new client. The client says it itself, so it only ever alarms. */
export function productOf(client: string): string {
  const software = client.replace(/^SSH-[^-]*-/, '');
  const product = /^[^\d]*[A-Za-z]/.exec(software)?.[0] ?? software;
  return product.slice(0, CLIENT_CHARACTERS);
}
