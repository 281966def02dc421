/** What an administrator asks of the ledger's key and of its witnesses; everything else about a ledger is in its files. */
import { changed } from '../ledger/changed.ts';
import { moment } from './administration-parts.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';

type LedgerCalls = Pick<AdminHandlers, Extract<keyof AdminHandlers, `ledger.${string}`>>;

export function ledgerHandlers({ ledger, ledgerKey, write }: AdministrationParts): LedgerCalls {
  return {
    'ledger.status': () => ({
      key: ledgerKey.vkey,
      waiting: ledgerKey.waiting(),
      witnesses: ledgerKey.witnesses().map(({ time, ...rest }) => ({
        ...rest,
        time: time === null ? null : moment(time),
      })),
    }),
    // Recorded first: no pack is signed that the ledger does not know of.
    'ledger.sign-pack': async ({ digest }, { actor, approvedBy, within }) => {
      await write(() => {
        within?.();
        ledger.append(null, changed('ledger.sign-pack', { actor, approvedBy, detail: { digest } }));
      });
      return { signature: ledgerKey.signPack(digest) };
    },
  };
}
