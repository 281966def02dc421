/** The rooms of sign-in over HTTPS, built once, and what they do by themselves. */
import type { Accounts } from '../accounts/accounts.ts';
import type { AccountStore } from '../accounts/store.ts';
import { ApiTokens } from '../accounts/web/api-tokens.ts';
import { Enrolments } from '../accounts/web/enrolments.ts';
import { Origins } from '../accounts/web/origins.ts';
import type { Origin } from '../accounts/web/origins.ts';
import type { WebParts } from '../accounts/web/parts.ts';
import { Passkeys } from '../accounts/web/passkeys.ts';
import type { SsoStanding } from '../accounts/web/sso.ts';
import type { WebStore } from '../accounts/web/store.ts';
import { WebSessions } from '../accounts/web/web-sessions.ts';
import type { Clock } from '../base/clock.ts';
import type { Sealer } from '../keys/sealer.ts';
import type { Ledger } from '../ledger/ledger.ts';

export interface WebRoomsParts {
  readonly store: WebStore;
  readonly accountStore: AccountStore;
  readonly accounts: Accounts;
  readonly sealer: Sealer;
  readonly ledger: Ledger;
  readonly clock: Clock;
  readonly issuer: string;
  readonly origins: readonly Origin[];
  readonly tokenIdleDays: number | null;
  /** Left out where there is no single sign-on. */
  readonly sso?: SsoStanding;
  readonly report: (error: unknown) => void;
}

export interface WebRooms {
  readonly parts: WebParts;
  readonly origins: Origins;
  readonly passkeys: Passkeys;
  readonly sessions: WebSessions;
  readonly tokens: ApiTokens;
  readonly enrolments: Enrolments;
  /** Starts what is done again and again; answers how to stop it. */
  start(): () => Promise<void>;
}

const NOTE_MILLISECONDS = 60_000;

export function openWebRooms(from: WebRoomsParts): WebRooms {
  const { store, accountStore, accounts, sealer, ledger, clock, issuer, report } = from;
  const sso = from.sso === undefined ? {} : { sso: from.sso };
  const parts: WebParts = { store, accounts: accountStore, ledger, clock, ...sso };
  const origins = new Origins(from.origins);
  const passkeys = new Passkeys(parts, origins);
  const sessions = new WebSessions(parts);
  const tokens = new ApiTokens({ ...parts, idleDays: from.tokenIdleDays });
  const own = { accounts: accountStore, administration: accounts, passkeys, sealer, issuer };
  const enrolments = new Enrolments({ ...parts, ...own });
  const start = (): (() => Promise<void>) => {
    const timer = setInterval(() => {
      Promise.all([sessions.noted(), tokens.suspendIdle()]).catch(report);
    }, NOTE_MILLISECONDS);
    timer.unref();
    return async () => {
      clearInterval(timer);
      await sessions.noted().catch(report);
    };
  };
  return { parts, origins, passkeys, sessions, tokens, enrolments, start };
}
