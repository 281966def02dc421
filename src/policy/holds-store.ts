/** Promises of the metadata store to holds. */
export type HoldState = 'open' | 'approved' | 'denied' | 'expired';

/** One question to a person: may this account go on, although a scope of it is over a hard limit? */
export interface Hold {
  /** "H-7K3QD-0M9XZ". */
  readonly reference: string;
  readonly account: string;
  readonly tenant: string;
  /** The first that was held. */
  readonly session: string;
  readonly folder: string | null;
  readonly version: string | null;
  readonly path: string;
  /** As scopes.ts writes it. */
  readonly scope: string;
  readonly dimension: number;
  /** Seconds. */
  readonly window: number;
  readonly used: number;
  readonly limit: number;
  readonly asked: number;
  /** Milliseconds since 1970. */
  readonly opened: number;
  readonly state: HoldState;
  /** By the clock of budgets: when the denial ends; null unless denied. */
  readonly until: number | null;
  /** Who decided; empty while open. */
  readonly actor: string;
}

/** Changing methods join the transaction of the `write` they are called in. */
export interface HoldStore {
  write<T>(action: () => T): Promise<T>;
  hold(reference: string): Hold | null;
  /** The youngest first. */
  holds(states: readonly HoldState[], limit: number): Hold[];
  insertHold(hold: Hold): void;
  saveDecision(reference: string, state: HoldState, until: number | null, actor: string): void;
  /** Of decided ones, those that were opened before. */
  removeHolds(openedBefore: number): void;
}
