/** Promises of the metadata store to budgets and holds. */
import type { Moment } from './clock.ts';
import type { Allowance, SetLimit } from './limits.ts';
import type { Amounts } from './windows.ts';

export interface SavedScope {
  /** As Usage.save made it. */
  readonly state: Float64Array;
  /** What may have been used beyond `state`. */
  readonly ahead: Amounts;
}

/** Changing methods join the transaction of the `write` they are called in. */
export interface BudgetStore {
  write<T>(action: () => T): Promise<T>;
  /** The same for what nobody waits for. */
  writePatiently<T>(action: () => T): Promise<T>;

  scope(key: string): SavedScope | null;
  saveScope(key: string, saved: SavedScope): void;
  /** The scopes whose key is `prefix`, or begins with it and a slash, with the limits that were set for them. */
  removeScopes(prefix: string): void;
  /** Those that were saved with something ahead: what the last run was using when it ended. */
  scopesAhead(): string[];

  moment(): Moment | null;
  saveMoment(moment: Moment): void;

  limits(): SetLimit[];
  putLimit(limit: SetLimit): void;
  clearLimits(scope: string): void;

  allowances(): Allowance[];
  insertAllowance(allowance: Allowance): void;
  removeAllowances(endedBefore: number): void;
}
