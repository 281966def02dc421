/** Which run of which node with which software an entry comes from; its start and stop in the ledger. */
import type { EntryStore } from './entry-store.ts';
import type { Ledger } from './ledger.ts';

export interface LedgerNode {
  /** New at each start: 32 hexadecimal digits. */
  readonly run: string;
  readonly name: string;
  /** "waybill 1.2.3". */
  readonly software: string;
}

const LAST_RUN = 'last-run';

/**
 * Before anybody can sign in. Sessions that the run before left open have an end that nobody saw: it died. What they
 * did last is known by their releases alone, and the ledger says so.
 */
export async function recordStart(
  store: EntryStore,
  ledger: Ledger,
  node: LedgerNode,
  build: { readonly runtime: string; readonly dependencies: string },
): Promise<number> {
  return store.write(() => {
    const left = store.openSessions();
    for (const { session, tenant } of left)
      ledger.append(tenant, { kind: 'session-end', session, reason: 'its node stopped without ending it', gap: true });
    const { run, name, software } = node;
    const previous = store.value(LAST_RUN);
    ledger.append(null, { kind: 'node-start', run, node: name, software, ...build, previous });
    store.saveValue(LAST_RUN, run);
    return left.length;
  });
}

export async function recordStop(store: EntryStore, ledger: Ledger, { run }: LedgerNode): Promise<void> {
  await store.write(() => {
    ledger.append(null, { kind: 'node-stop', run, reason: 'stopped by the operator' });
  });
}
