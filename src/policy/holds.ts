/**
 * Holds: what is over a hard limit waits for a person. A hold has a short reference that the client is told; asked again
 * it gives the same one, so that a client that tries on for hours makes one row and one entry. An approval gives the
 * scope an allowance, and the client's next try goes on; a denial refuses the account for a day whatever the windows say.
 */
import { WaybillError } from '../base/errors.ts';
import { newReference, parseReference } from '../base/references.ts';
import type { Acting } from '../base/acting.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Allowance } from './budgets/limits.ts';
import { scopeOf } from './budgets/scopes.ts';
import type { ScopeKind, Who } from './budgets/scopes.ts';
import { DAY_MS, DIMENSIONS, WINDOWS, windowIndex } from './budgets/windows.ts';
import type { Hold, HoldState, HoldStore } from './holds-store.ts';

/** The first limit that stood in the way. */
export interface Over {
  readonly scope: string;
  readonly dimension: number;
  readonly window: number;
  readonly used: number;
  readonly limit: number;
  readonly asked: number;
}

export interface HeldPlace {
  readonly folder: string | null;
  readonly version: string | null;
  readonly path: string;
}

export interface HoldsParts {
  readonly store: HoldStore;
  readonly ledger: Ledger;
  /** Inside the write of an approval; when it is durable, `allow` makes it count. */
  readonly insertAllowance: (allowance: Allowance) => void;
  readonly allow: (allowance: Allowance) => void;
  /** The clock of budgets. */
  readonly now: () => number;
  /** Milliseconds since 1970, for people. */
  readonly wall: () => number;
}

export interface Approval {
  /** How much more; as much again as the limit when left out. */
  readonly extra?: number;
  readonly seconds?: number;
  /** The account of the person who approves, if it is one. */
  readonly account?: string | null;
}

const HOLD = 'H';
const APPROVED_SECONDS = 86_400;
const SECONDS_MAX = 30 * 86_400;
const DENIED_MS = DAY_MS;
/** Nobody answered: a later try opens a new one. */
const EXPIRE_MS = 7 * DAY_MS;
const KEPT_MS = 400 * DAY_MS;
const LISTED = 1000;
const LISTINGS = DIMENSIONS.indexOf('listings');

export class Holds {
  private readonly parts: HoldsParts;
  /** Open ones, by what is asked; a promise until it is durable. */
  private readonly open = new Map<string, Promise<Hold>>();
  /** Denied ones, by account. */
  private readonly denied = new Map<string, Hold[]>();
  private cleaned = 0;

  constructor(parts: HoldsParts) {
    this.parts = parts;
    for (const hold of parts.store.holds(['open'], Infinity)) this.open.set(questionOf(hold), Promise.resolve(hold));
    for (const hold of parts.store.holds(['denied'], Infinity)) this.rememberDenial(hold);
  }

  /** Throws `release-refused` while a denial lasts that is about what is asked: listings, or releases. */
  refuseDenied(account: string, listing: boolean): void {
    const now = this.parts.now();
    for (const hold of this.denied.get(account) ?? [])
      if ((hold.until ?? 0) > now && (hold.dimension === LISTINGS) === listing)
        throw new WaybillError('release-refused', `denied under the reference ${hold.reference}`);
  }

  /** The failure to answer with; its reference is durable. `within` runs inside the write of a new hold. */
  async hold(who: Who, over: Over, place: HeldPlace, within: () => void): Promise<WaybillError> {
    const question = questionOf({ ...over, account: who.account });
    let asked = this.open.get(question);
    if (asked === undefined) {
      asked = this.insert(who, over, place, within);
      this.open.set(question, asked);
      asked.catch(() => this.open.delete(question));
    }
    const { reference } = await asked;
    return new WaybillError('held', `${textOf(over)}; reference ${reference}`);
  }

  /** The youngest first. */
  list(states: readonly HoldState[] = ['open'], limit = LISTED): Hold[] {
    return this.parts.store.holds(states, limit);
  }

  /** Throws `not-found`. In the one form or as somebody typed it. */
  find(reference: string): Hold {
    const parsed = parseReference(HOLD, reference);
    const hold = parsed === null ? null : this.parts.store.hold(parsed);
    if (hold === null) throw new WaybillError('not-found', `there is no hold ${reference}`);
    return hold;
  }

  /** Of an open hold, or one that was denied. Returns what it allows. */
  async approve(reference: string, approval: Approval, by: Acting): Promise<Allowance> {
    const hold = this.find(reference);
    const { scope, dimension, limit, asked } = hold;
    const { extra = Math.max(limit, asked), seconds = APPROVED_SECONDS, account = null } = approval;
    if (!Number.isSafeInteger(extra) || extra <= 0)
      throw new WaybillError('request-invalid', 'what is allowed in addition is a whole number above 0');
    if (!Number.isSafeInteger(seconds) || seconds <= 0 || seconds > SECONDS_MAX)
      throw new WaybillError('request-invalid', 'an approval lasts at least a second, and 30 days at the most');
    if (account === hold.account)
      throw new WaybillError('permission-denied', 'nobody approves what his own account asked');
    const allowance = { scope, dimension, extra, until: this.parts.now() + seconds * 1000 };
    await this.decide(hold, ['open', 'denied'], 'approved', null, by, { extra, seconds }, () => {
      this.parts.insertAllowance(allowance);
    });
    this.parts.allow(allowance);
    return allowance;
  }

  async deny(reference: string, by: Acting): Promise<Hold> {
    const until = this.parts.now() + DENIED_MS;
    return this.decide(this.find(reference), ['open'], 'denied', until, by, { seconds: DENIED_MS / 1000 });
  }

  /** Now and then. */
  async sweep(): Promise<void> {
    const { store, wall, now } = this.parts;
    for (const hold of store.holds(['open'], Infinity))
      if (hold.opened < wall() - EXPIRE_MS)
        await this.decide(hold, ['open'], 'expired', null, { actor: '', approvedBy: '' }, {});
    for (const [account, all] of this.denied) {
      const left = all.filter(({ until }) => (until ?? 0) > now());
      if (left.length > 0) this.denied.set(account, left);
      else this.denied.delete(account);
    }
    if (wall() < this.cleaned + DAY_MS) return;
    this.cleaned = wall();
    await store.write(() => {
      store.removeHolds(wall() - KEPT_MS);
    });
  }

  private async insert(who: Who, over: Over, place: HeldPlace, within: () => void): Promise<Hold> {
    const { store, ledger, wall } = this.parts;
    const { session, account, tenant } = who;
    const reference = newReference(HOLD);
    const made = { state: 'open', until: null, actor: '' } as const;
    const hold: Hold = { reference, account, tenant, session, ...place, ...over, opened: wall(), ...made };
    const { folder, version, path, scope, window, used, limit, asked } = hold;
    const dimension = DIMENSIONS[over.dimension] ?? '';
    const named = { reference, session, account, folder, version, scope, dimension, window, used, limit, asked, path };
    await store.write(() => {
      store.insertHold(hold);
      ledger.append(logOf(hold), { kind: 'hold', ...named });
      within();
    });
    return hold;
  }

  private async decide(
    { reference }: Hold,
    from: readonly HoldState[],
    outcome: HoldState,
    until: number | null,
    by: Acting,
    detail: { readonly [name: string]: number },
    within: () => void = () => undefined,
  ): Promise<Hold> {
    const { store, ledger } = this.parts;
    const decided = await store.write(() => {
      by.within?.();
      const hold = store.hold(reference);
      if (hold === null || !from.includes(hold.state))
        throw new WaybillError('request-invalid', `the hold ${reference} is ${hold?.state ?? 'gone'} already`);
      const { actor, approvedBy } = by;
      store.saveDecision(reference, outcome, until, actor);
      within();
      const more = approvedBy === '' ? detail : { ...detail, approvedBy };
      ledger.append(logOf(hold), { kind: 'decision', reference, outcome, actor, detail: more });
      return { ...hold, state: outcome, until, actor };
    });
    this.open.delete(questionOf(decided));
    const others = (this.denied.get(decided.account) ?? []).filter((one) => one.reference !== reference);
    this.denied.set(decided.account, others);
    if (outcome === 'denied') this.rememberDenial(decided);
    return decided;
  }

  private rememberDenial(hold: Hold): void {
    if ((hold.until ?? 0) > this.parts.now())
      this.denied.set(hold.account, [...(this.denied.get(hold.account) ?? []), hold]);
  }
}

/** What all tenants use together is not for the log of one of them. */
export function logOf({ scope, tenant }: { readonly scope: string; readonly tenant: string }): string | null {
  return scopeOf(scope)?.kind === 'installation' ? null : tenant;
}

function questionOf({
  account,
  scope,
  dimension,
  window,
}: Pick<Hold, 'account' | 'scope' | 'dimension' | 'window'>): string {
  return [account, scope, dimension, window].join(' ');
}

const WHOSE: Readonly<Record<ScopeKind, string>> = {
  unconfirmed: 'what this account may read from a place or with a key or client that is new for it',
  credential: 'the budget of this credential',
  account: 'the budget of this account',
  tenant: 'the budget of this tenant',
  installation: 'the budget of this server',
};

/** For the client: neither how much is allowed nor how much was used, which a thief would plan with. */
function textOf({ scope, dimension, window }: Over): string {
  const kind = scopeOf(scope)?.kind ?? 'account';
  return `${WHOSE[kind]} is used up (${DIMENSIONS[dimension] ?? ''} in ${WINDOWS[windowIndex(window)]?.text ?? ''})`;
}
