/** Opens the egress budgets, and saves now and then what they have used. */
import type { Log } from '../base/log.ts';
import type { ServerOptions } from '../config/options.ts';
import type { Recorder } from '../ledger/recorder.ts';
import { Acquaintances } from '../policy/budgets/acquaintances.ts';
import { Budgets } from '../policy/budgets/budgets.ts';
import { SqliteAcquaintances } from '../store/sqlite/acquaintances.ts';
import { SqliteBudgets } from '../store/sqlite/budgets.ts';
import { Database } from '../store/sqlite/database.ts';
import { SqliteHolds } from '../store/sqlite/holds.ts';
import type { Undo } from './undo.ts';

const BUDGETS_SWEEP_MILLISECONDS = 60_000;

/** Opened also when nothing is counted, so that what was held before can be seen and answered. */
export async function startBudgets(
  options: ServerOptions,
  database: Database,
  ledger: Recorder,
  log: Log,
  undo: Undo[],
): Promise<{ budgets: Budgets; acquaintances: Acquaintances }> {
  const acquaintances = new Acquaintances(new SqliteAcquaintances(database), ledger);
  const [store, holdStore] = [new SqliteBudgets(database), new SqliteHolds(database)];
  const { 'budget-initial': initial, 'budget-floor': floor, 'budget-cap': cap } = options;
  const budgets = await Budgets.open({ store, holdStore, ledger, acquaintances, figures: { initial, floor, cap } });
  const timer = setInterval(() => {
    budgets.sweep().catch((err: unknown) => {
      log.error({ err }, 'what budgets have used could not be saved; it is tried again');
    });
  }, BUDGETS_SWEEP_MILLISECONDS);
  undo.push(async () => {
    clearInterval(timer);
    await budgets.stop().catch((err: unknown) => {
      log.error({ err }, 'what budgets have used could not be saved; the next start takes it as higher than it is');
    });
  });
  return { budgets, acquaintances };
}
