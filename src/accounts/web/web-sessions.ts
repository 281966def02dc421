/**
 * Web sessions: what a browser's cookie stands for. They outlive connections and restarts; each connection that shows
 * the cookie has a session of its own in the broker, which ends with it. Of the cookie only SHA-256 is kept.
 */
import { newId } from '../../base/ids.ts';
import type { Account } from '../account.ts';
import { isComplete } from '../chains.ts';
import { change, oneself } from './parts.ts';
import type { WebParts } from './parts.ts';
import { webChains } from './policy.ts';
import { hashSecret, newSecret, sameHash } from './secret.ts';
import type { WebSession } from './store.ts';

export const WEB_IDLE_MILLISECONDS = 30 * 60_000;
export const WEB_LIFE_MILLISECONDS = 12 * 3_600_000;
const COOKIE = 'wbs_';
/** More of one account than this are some that nobody knows of: the oldest ends. */
const SESSIONS_MAX = 50;

/** What opened it. */
export interface WebProof {
  readonly factor: string;
  readonly id: string;
  readonly description: string;
}

export interface Beginning {
  readonly account: Account;
  readonly proofs: readonly WebProof[];
  readonly address: string;
  readonly client: string;
}

export type WebSessionVerdict =
  | { readonly good: true; readonly session: WebSession; readonly account: Account }
  | {
      readonly good: false;
      readonly fault: 'cookie-unknown' | 'cookie-expired' | 'account-suspended' | 'proof-withdrawn';
    };

export class WebSessions {
  private readonly parts: WebParts;
  /** Newer than what the store has; see `noted`. */
  private readonly active = new Map<string, number>();

  constructor(parts: WebParts) {
    this.parts = parts;
  }

  /** Inside the write that completes the sign-in. */
  begin({ account, proofs, address, client }: Beginning): { session: WebSession; cookie: string } {
    const { store, clock } = this.parts;
    const now = clock.now();
    const { text: cookie, hash } = newSecret(COOKIE);
    const session: WebSession = {
      id: newId(),
      hash,
      account: account.id,
      factors: proofs.map(({ factor }) => factor),
      credentials: proofs.map(({ id }) => id),
      descriptions: proofs.map(({ description }) => description),
      address,
      client,
      begun: now,
      lastUsed: now,
      // When the person signed in at the provider, we do not know: it may have been this morning.
      strong: proofs.every(({ factor }) => factor === 'sso-mfa') ? null : now,
    };
    const open = store.sessions(account.id);
    for (const old of open.slice(0, Math.max(0, open.length - SESSIONS_MAX + 1))) store.removeSession(old.id);
    store.addSession(session);
    return { session, cookie };
  }

  judge(cookie: string): WebSessionVerdict {
    const hash = hashSecret(COOKIE, cookie);
    const session = hash === null ? null : this.parts.store.sessionByHash(hash);
    if (hash === null || session === null || !sameHash(hash, session.hash))
      return { good: false, fault: 'cookie-unknown' };
    return this.judgeSession(session);
  }

  private judgeSession(stored: WebSession): WebSessionVerdict {
    const { store, accounts, clock } = this.parts;
    const session = this.current(stored);
    const account = accounts.account(session.account);
    if (account === null) return { good: false, fault: 'cookie-unknown' };
    if (clock.now() >= this.endOf(session)) return { good: false, fault: 'cookie-expired' };
    if (account.status !== 'active') return { good: false, fault: 'account-suspended' };
    const chains = webChains(store, account);
    const stands =
      isComplete(chains, session.factors) &&
      session.factors.every((factor, at) => this.stands(factor, session.credentials[at] ?? ''));
    return stands ? { good: true, session, account } : { good: false, fault: 'proof-withdrawn' };
  }

  /** By its id; null when it is over. */
  find(id: string): WebSession | null {
    const stored = this.parts.store.session(id);
    const verdict = stored === null ? null : this.judgeSession(stored);
    return verdict?.good === true ? verdict.session : null;
  }

  list(account: string): WebSession[] {
    return this.parts.store
      .sessions(account)
      .filter(({ id }) => this.find(id) !== null)
      .map((one) => this.current(one));
  }

  /** When it ends, unless it is used again. */
  endOf({ begun, lastUsed }: WebSession): number {
    return Math.min(begun + WEB_LIFE_MILLISECONDS, lastUsed + WEB_IDLE_MILLISECONDS);
  }

  /** Durable with the next `noted`; a crash makes it a little older than it is. */
  touch(id: string, at: number): void {
    this.active.set(id, Math.max(at, this.active.get(id) ?? 0));
  }

  /** A strong factor was shown again. Inside a write. */
  showedStrong(id: string): boolean {
    const now = this.parts.clock.now();
    return this.parts.store.touchSession(id, now, now);
  }

  /** Writes down when sessions were used, and forgets those that are over. */
  async noted(): Promise<void> {
    const { store, clock } = this.parts;
    const seen = [...this.active];
    this.active.clear();
    const now = clock.now();
    await store.write(() => {
      for (const [id, at] of seen) store.touchSession(id, at, null);
      store.removeSessionsBefore(now - WEB_LIFE_MILLISECONDS, now - WEB_IDLE_MILLISECONDS);
    });
  }

  /** By the person himself. False when it is over already. */
  end(account: Account, id: string, why: string): Promise<boolean> {
    const { store } = this.parts;
    if (store.session(id)?.account !== account.id) return Promise.resolve(false);
    this.active.delete(id);
    return change(this.parts, account, oneself(account), 'web-session.end', { credential: id, detail: { why } }, () =>
      store.removeSession(id),
    );
  }

  private stands(factor: string, id: string): boolean {
    const { store, accounts, sso } = this.parts;
    // A recovery code was spent by being used.
    if (factor === 'recovery') return true;
    if (factor === 'sso' || factor === 'sso-mfa') return sso?.stands(factor, id) === true;
    return (factor === 'passkey' ? store.passkey(id) : accounts.credential(id)) !== null;
  }

  private current(session: WebSession): WebSession {
    return { ...session, lastUsed: Math.max(session.lastUsed, this.active.get(session.id) ?? 0) };
  }
}
