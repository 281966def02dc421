/**
 * Penalties per source address, pure: time comes in as an argument. A source that fails to sign in, lets the grace time
 * run out or breaks the protocol earns seconds; once it owes more than the threshold it is refused until it owes nothing.
 * Every refusal after a relapse lasts longer, because the debt is paid off at one second a second.
 */
import { isIPv6 } from 'node:net';

export const OFFENCES = {
  /** A refused sign-in. */
  'sign-in': 5,
  grace: 10,
  protocol: 10,
  /** The source had its start-ups full and still came. */
  crowding: 1,
} as const;
export type Offence = keyof typeof OFFENCES;

const THRESHOLD_SECONDS = 15;
const MOST_SECONDS = 600;
const SOURCES_MAX = 65_536;

interface Debt {
  /** Milliseconds at which it is paid off. */
  until: number;
  refused: boolean;
}

/** What counts as one source: an IPv4 address, or the /64 that one IPv6 subscriber holds. */
export function sourceOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return mapped;
  if (!isIPv6(address)) return address;
  const [head = '', tail] = (address.split('%')[0] ?? '').split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  // A dotted tail stands for two groups; only the first four groups matter here.
  const missing = tail === undefined ? 0 : 8 - left.length - right.length - (address.includes('.') ? 1 : 0);
  const groups = [...left, ...Array<string>(Math.max(0, missing)).fill('0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

export class Penalties {
  private readonly debts = new Map<string, Debt>();

  get size(): number {
    return this.debts.size;
  }

  add(source: string, offence: Offence, now: number): void {
    const debt = this.debts.get(source);
    const from = Math.max(debt?.until ?? 0, now);
    const until = Math.min(from + OFFENCES[offence] * 1000, now + MOST_SECONDS * 1000);
    const refused = (debt !== undefined && debt.until > now && debt.refused) || until - now >= THRESHOLD_SECONDS * 1000;
    this.debts.delete(source);
    this.debts.set(source, { until, refused });
    if (this.debts.size > SOURCES_MAX) this.makeRoom(now);
  }

  refuses(source: string, now: number): boolean {
    const debt = this.debts.get(source);
    if (debt === undefined) return false;
    if (debt.until > now) return debt.refused;
    this.debts.delete(source);
    return false;
  }

  /** Forgets what is paid; failing that the source that has been quiet for longest. */
  private makeRoom(now: number): void {
    for (const [source, debt] of this.debts) if (debt.until <= now) this.debts.delete(source);
    for (const source of this.debts.keys()) {
      if (this.debts.size <= SOURCES_MAX) return;
      this.debts.delete(source);
    }
  }
}

interface Places {
  readonly all: number;
  readonly perSource: number;
}

/** Connections that have not signed in yet, in all and by source. */
export class Startups {
  private readonly bySource = new Map<string, number>();
  private readonly places: Places;
  private all = 0;

  constructor(places: Places) {
    this.places = places;
  }

  /** False when there is no place for one more. */
  enter(source: string): boolean {
    const here = this.bySource.get(source) ?? 0;
    if (this.all >= this.places.all || here >= this.places.perSource) return false;
    this.all++;
    this.bySource.set(source, here + 1);
    return true;
  }

  leave(source: string): void {
    const here = this.bySource.get(source) ?? 0;
    if (here === 0) return;
    this.all--;
    if (here === 1) this.bySource.delete(source);
    else this.bySource.set(source, here - 1);
  }
}
