/** What happens to a key between its adding and its removal: it makes room for the next one, or nobody uses it any more. */
import { randomBytes } from 'node:crypto';
import { LOCAL_OPERATOR } from '../base/acting.ts';
import type { Acting } from '../base/acting.ts';
import type { Clock } from '../base/clock.ts';
import { WaybillError } from '../base/errors.ts';
import { changed } from '../ledger/changed.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { keyTypeRow } from '../sshkeys/algorithms.ts';
import type { AuthorizedKey, KeyRestrictions } from '../sshkeys/authorized-keys.ts';
import { fingerprint } from '../sshkeys/public-key.ts';
import type { Account, KeyCredential } from './account.ts';
import { readKeyLine } from './key-lines.ts';
import type { AccountStore } from './store.ts';

export interface KeyLifeParts {
  readonly store: AccountStore;
  readonly clock: Clock;
  readonly ledger: Ledger | null;
}

const DAY = 86_400_000;

export class KeyLife {
  private readonly parts: KeyLifeParts;

  constructor(parts: KeyLifeParts) {
    this.parts = parts;
  }

  suspendedSince(id: string): number | null {
    return this.parts.store.suspendedSince(id);
  }

  /**
   * A new key beside an old one, which ends when the overlap is over. What restricted the old one restricts the new one,
   * unless the line says otherwise: its addresses, and how long it is good for. Answers the new key.
   */
  async rotate(id: string, line: string, overlapSeconds: number, by: Acting = LOCAL_OPERATOR): Promise<KeyCredential> {
    const { store, clock, ledger } = this.parts;
    const found = readKeyLine(line);
    const print = fingerprint(found.key.blob);
    if (found.certAuthority) throw new WaybillError('option-invalid', 'an authority takes the place of no key');
    return await store.write(() => {
      by.within?.();
      const { key: old, account } = this.keyOf(id);
      if (store.isRevoked('fingerprint', '', print)) throw new WaybillError('option-invalid', 'this key is revoked');
      const [now, algorithm] = [clock.now(), found.key.type];
      const known = { id: randomBytes(16).toString('hex'), account: account.id, kind: 'key', algorithm } as const;
      const rest = { label: found.comment === '' ? old.label : found.comment, created: now, lastUsed: null };
      const restrictions = inherited(old, found, now);
      const made: KeyCredential = { ...known, ...rest, blob: found.key.blob, fingerprint: print, restrictions };
      store.putCredential(made);
      const until = Math.min(old.restrictions.expires ?? Infinity, now + overlapSeconds * 1000);
      store.setKeyExpiry(old.id, until);
      const replaced = { replaces: old.id, old: old.fingerprint, until: new Date(until).toISOString() };
      const event = { ...by, account: account.id, credential: made.id, detail: { fingerprint: print, ...replaced } };
      ledger?.append(account.tenant, changed('key.rotate', event));
      return made;
    });
  }

  /** Back into use. Throws `not-found` for what is no key of an account. */
  async reinstate(id: string, by: Acting = LOCAL_OPERATOR): Promise<KeyCredential> {
    const { store, clock, ledger } = this.parts;
    return await store.write(() => {
      by.within?.();
      const { key, account } = this.keyOf(id);
      if (store.suspendedSince(id) === null) throw new WaybillError('option-invalid', 'this key is not suspended');
      store.setSuspended(id, null, clock.now());
      const detail = { fingerprint: key.fingerprint };
      ledger?.append(account.tenant, changed('key.reinstate', { ...by, account: account.id, credential: id, detail }));
      return key;
    });
  }

  /** Puts keys out of use that nobody has used for so long; answers which. */
  async suspendUnused(days: number): Promise<KeyCredential[]> {
    const { store, clock } = this.parts;
    const before = clock.now() - days * DAY;
    // Looked at first without a write: in almost every hour there are none.
    if (store.keysUnusedSince(before).length === 0) return [];
    return await store.write(() => {
      const keys = store.keysUnusedSince(before);
      for (const key of keys) this.suspend(key, days);
      return keys;
    });
  }

  private suspend({ id, account, fingerprint: print, lastUsed, created }: KeyCredential, days: number): void {
    const { store, clock, ledger } = this.parts;
    store.setSuspended(id, clock.now(), clock.now());
    const detail = {
      fingerprint: print,
      added: new Date(created).toISOString(),
      lastUsed: lastUsed === null ? null : new Date(lastUsed).toISOString(),
    };
    const what = { action: 'key.suspend', session: null, account, credential: id } as const;
    const reason = `not used for ${days} days`;
    ledger?.append(store.account(account)?.tenant ?? null, { kind: 'containment', ...what, reason, detail });
  }

  private keyOf(id: string): { key: KeyCredential; account: Account } {
    const key = this.parts.store.credential(id);
    const account = key === null ? null : this.parts.store.account(key.account);
    if (key?.kind !== 'key' || account === null) throw new WaybillError('not-found', 'no account has this key');
    return { key, account };
  }
}

function inherited(old: KeyCredential, { key, restrictions }: AuthorizedKey, now: number): KeyRestrictions {
  const { from, expires, verifyRequired } = old.restrictions;
  const verify = verifyRequired || restrictions.verifyRequired;
  if (verify && !keyTypeRow(key.type).securityKey)
    throw new WaybillError('option-invalid', 'the old key demands verification, which a key of this kind cannot show');
  return {
    from: restrictions.from ?? from,
    expires: restrictions.expires ?? (expires === null ? null : now + (expires - old.created)),
    verifyRequired: verify,
    touchRequired: restrictions.touchRequired,
  };
}
