/**
 * Requests of `waybill login` that wait for somebody, bounded: nobody's flood pushes out the request of another, because a
 * full table refuses and does not forget, and each source and network has a share of it. Pure; time comes in.
 */
import { randomInt } from 'node:crypto';
import { hashSecret, newSecret } from '../accounts/web/secret.ts';
import { WaybillError } from '../base/errors.ts';

const DEVICE = 'wbd_';
/** RFC 8628 section 6.1: no vowels, so that no words come about; 8 of them are 34 bits, for ten minutes. */
const LETTERS = 'BCDFGHJKLMNPQRSTVWXZ';
const CODE_LETTERS = 8;
const CODE = new RegExp(`^[${LETTERS}]{${CODE_LETTERS}}$`);

export const LOGIN_LIFE_MILLISECONDS = 10 * 60_000;
const INTERVAL_MILLISECONDS = 2000;
/** Of clocks and networks: what comes this much early is on time. */
const EARLY_MILLISECONDS = 500;
/** RFC 8628 section 3.5. */
const SLOWER_MILLISECONDS = 5000;

export interface LoginLimits {
  readonly all: number;
  readonly network: number;
  /** A whole office may come from one address. */
  readonly source: number;
}
const LIMITS: LoginLimits = { all: 20_000, network: 512, source: 64 };

export type LoginState<A> =
  | { readonly kind: 'waiting' }
  /** Somebody has confirmed it and the certificate is being made. */
  | { readonly kind: 'deciding' }
  | { readonly kind: 'refused'; readonly code: 'login-denied' | 'login-elsewhere' }
  | { readonly kind: 'granted'; readonly answer: A };

export interface LoginRequest<Q, A> {
  readonly asked: Q;
  readonly userCode: string;
  readonly begun: number;
  readonly expires: number;
  readonly source: string;
  readonly device: string;
  state: LoginState<A>;
  interval: number;
  next: number;
}

export class LoginTable<Q, A> {
  private readonly limits: LoginLimits;
  /** In the order in which they began. */
  private readonly byDevice = new Map<string, LoginRequest<Q, A>>();
  private readonly byUserCode = new Map<string, LoginRequest<Q, A>>();
  /** By source, and by network. */
  private readonly counts = new Map<string, number>();

  constructor(limits = LIMITS) {
    this.limits = limits;
  }

  get size(): number {
    return this.byDevice.size;
  }

  /** Throws `login-too-fast` when its source, its network or everybody has as many as may wait at once. */
  add(source: string, asked: Q, now: number): { deviceCode: string; request: LoginRequest<Q, A> } {
    this.sweep(now);
    const { all, network, source: most } = this.limits;
    if (this.count(source) >= most || this.count(networkOf(source)) >= network || this.size >= all)
      throw new WaybillError('login-too-fast', 'too many requests wait for somebody already');
    const { text: deviceCode, hash } = newSecret(DEVICE);
    const request: LoginRequest<Q, A> = {
      asked,
      source,
      userCode: this.freshCode(),
      device: hash.toString('hex'),
      begun: now,
      expires: now + LOGIN_LIFE_MILLISECONDS,
      state: { kind: 'waiting' },
      interval: INTERVAL_MILLISECONDS,
      next: now + INTERVAL_MILLISECONDS,
    };
    this.byDevice.set(request.device, request);
    this.byUserCode.set(request.userCode, request);
    for (const place of [source, networkOf(source)]) this.counts.set(place, this.count(place) + 1);
    return { deviceCode, request };
  }

  byDeviceCode(text: string, now: number): LoginRequest<Q, A> | null {
    return this.standing(this.byDevice.get(hashSecret(DEVICE, text)?.toString('hex') ?? ''), now);
  }

  /** However it was typed: small letters, spaces, with or without its hyphen. */
  byTypedCode(text: string, now: number): LoginRequest<Q, A> | null {
    const code = text.toUpperCase().replaceAll(/[\s-]/g, '');
    return CODE.test(code) ? this.standing(this.byUserCode.get(code), now) : null;
  }

  remove({ device, userCode, source }: LoginRequest<Q, A>): void {
    if (!this.byDevice.delete(device)) return;
    this.byUserCode.delete(userCode);
    for (const place of [source, networkOf(source)]) {
      const left = this.count(place) - 1;
      if (left > 0) this.counts.set(place, left);
      else this.counts.delete(place);
    }
  }

  sweep(now: number): void {
    for (const request of this.byDevice.values()) {
      if (now < request.expires) return;
      this.remove(request);
    }
  }

  private standing(request: LoginRequest<Q, A> | undefined, now: number): LoginRequest<Q, A> | null {
    if (request === undefined) return null;
    if (now < request.expires) return request;
    this.remove(request);
    return null;
  }

  private count(place: string): number {
    return this.counts.get(place) ?? 0;
  }

  private freshCode(): string {
    for (;;) {
      const code = Array.from({ length: CODE_LETTERS }, () => LETTERS[randomInt(LETTERS.length)]).join('');
      if (!this.byUserCode.has(code)) return code;
    }
  }
}

/** Who asks too early has to ask less often from then on. Answers whether he did. */
export function tooEarly(request: Pick<LoginRequest<unknown, unknown>, 'next' | 'interval'>, now: number): boolean {
  const early = now < request.next - EARLY_MILLISECONDS;
  if (early) request.interval += SLOWER_MILLISECONDS;
  request.next = now + request.interval;
  return early;
}

/** "WDJB-MJHT": easier to compare. */
export function shownCode(code: string): string {
  return `${code.slice(0, CODE_LETTERS / 2)}-${code.slice(CODE_LETTERS / 2)}`;
}

/** What one subscriber can have many sources of: an IPv4 /24, an IPv6 /48 (sources are addresses and /64s). */
function networkOf(source: string): string {
  return source.includes(':')
    ? `${source.split(':').slice(0, 3).join(':')}::/48`
    : `${source.replace(/\.\d+$/, '')}.0/24`;
}
