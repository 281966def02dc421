/**
 * Slows guessing without locking anybody out. Attempts are counted per (login, source); a pair that has failed often
 * must wait before the next attempt is looked at, and attempts made at once queue behind each other. An attacker
 * elsewhere is another pair, so a victim's own sign-in is never held up by him. Unknown logins are slowed alike.
 */
import { isIPv6 } from 'node:net';
import { BoundedMap } from '../base/bounded-map.ts';

interface Pair {
  failures: number;
  /** Of the last attempt, for forgetting. */
  at: number;
  /** When the next attempt may be looked at. */
  free: number;
}

export interface SlowingLimits {
  /** Failures that cost nothing: people mistype. */
  readonly free: number;
  readonly first: number;
  readonly longest: number;
  /** After this long without an attempt a pair is forgotten. */
  readonly forget: number;
  readonly pairs: number;
}

const DEFAULTS: SlowingLimits = { free: 3, first: 500, longest: 30_000, forget: 15 * 60_000, pairs: 50_000 };

export class Slowing {
  private readonly pairs: BoundedMap<string, Pair>;
  /** Pairs that succeeded, for as long as there is room. */
  private readonly familiar: BoundedMap<string, true>;
  private readonly limits: SlowingLimits;

  constructor(limits: Partial<SlowingLimits> = {}) {
    this.limits = { ...DEFAULTS, ...limits };
    this.pairs = new BoundedMap(this.limits.pairs);
    this.familiar = new BoundedMap(this.limits.pairs);
  }

  /** Milliseconds to wait before this attempt is looked at; null = refuse it now, too many are waiting already. */
  enter(login: string, address: string, now: number): number | null {
    const pair = this.current(keyOf(login, address), now);
    const wait = Math.max(0, pair.free - now);
    if (wait > this.limits.longest) return null;
    // The attempt books its turn before it is known whether it fails: parallel guesses cannot share one.
    pair.free = now + wait + this.delay(pair.failures);
    pair.at = now;
    return wait;
  }

  failed(login: string, address: string, now: number): void {
    const pair = this.current(keyOf(login, address), now);
    pair.failures++;
    pair.at = now;
    pair.free = Math.max(pair.free, now + this.delay(pair.failures));
  }

  succeeded(login: string, address: string): void {
    this.pairs.delete(keyOf(login, address));
    this.familiar.set(keyOf(login, address), true);
  }

  isFamiliar(login: string, address: string): boolean {
    return this.familiar.get(keyOf(login, address)) !== undefined;
  }

  private delay(failures: number): number {
    const over = failures - this.limits.free;
    return over <= 0 ? 0 : Math.min(this.limits.longest, this.limits.first * 2 ** Math.min(over - 1, 20));
  }

  private current(key: string, now: number): Pair {
    const known = this.pairs.get(key);
    if (known !== undefined && now - known.at < this.limits.forget) return known;
    const fresh = { failures: 0, at: now, free: 0 };
    this.pairs.set(key, fresh);
    return fresh;
  }
}

function keyOf(login: string, address: string): string {
  return `${sourceOf(address)} ${login}`;
}

/** One household or server has a /64 of IPv6 to itself, so its addresses count as one. */
export function sourceOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.toLowerCase().split('%', 1)[0]?.split('::') ?? [];
  const front = head === '' ? [] : head.split(':');
  const back = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array.from({ length: missing }, () => '0'), ...back];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}
