import { command } from '../command.ts';
import type { Context } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { printable } from '../output.ts';
import { formatSize } from '../sizes.ts';
import { WaybillError } from '../../base/errors.ts';
import type { AdminResponse, FindingRow } from '../../broker/admin-calls.ts';
import type { StoreWalk } from '../store-at-rest.ts';

export const CHECK_COMMAND = command({
  name: 'check',
  doc: 'Walk the whole store, decrypt every frame of every version, and name each one that is damaged or missing.',
  details: [
    `Runs beside transfers on the running server. Without one it opens the data folder by itself, for reading only, and no server can start on it meanwhile; a root key that is not in the data folder is found by the options of serve in the environment or the file that WAYBILL_CONFIG names. Exit code ${EXIT.damaged.code} when something is damaged; the other files are not affected by it.`,
  ],
  arguments: {},
  options: {},
  async run(_input, context) {
    const { output } = context;
    const { store, first } = await begin(context);
    const total = { versions: 0, bytes: 0, skipped: 0, findings: [] as FindingRow[] };
    try {
      for (let part = first; ; part = await store.next(part.next)) {
        total.versions += part.versions;
        total.bytes += part.bytes;
        total.skipped += part.skipped;
        total.findings.push(...part.findings);
        for (const row of part.findings) output.note(describe(row));
        if (part.next === null) break;
      }
    } finally {
      store.close();
    }
    if (total.skipped > 0)
      output.note(`note: ${total.skipped} versions of locked or shredded tenants were not looked at`);
    const damaged = total.findings.filter(({ problem }) => problem !== 'orphan').length;
    const verdict = damaged === 0 ? 'all are whole' : `${damaged} ${damaged === 1 ? 'is' : 'are'} damaged`;
    output.answer(total, `${total.versions} versions, ${formatSize(total.bytes)} checked; ${verdict}.`);
    return damaged === 0 ? EXIT.success.code : EXIT.damaged.code;
  },
});

type Part = AdminResponse<'check.next'>;

/** The running server walks its store; one that no server runs on is walked here. */
async function begin({ server, dataFolder }: Context): Promise<{ store: StoreWalk; first: Part }> {
  let store: StoreWalk = { next: (after) => server.call('check.next', { after }), close: () => undefined };
  try {
    return { store, first: await store.next('') };
  } catch (error) {
    if (!(error instanceof WaybillError) || error.code !== 'not-running') throw error;
  }
  // Only here: every other command starts in half the time without the rooms of the server.
  const { openStoreAtRest } = await import('../store-at-rest.ts');
  store = await openStoreAtRest(dataFolder);
  return { store, first: await store.next('') };
}

function describe({ problem, tenant, path, version, message }: FindingRow): string {
  if (problem === 'orphan') return printable(`note: ${message}`);
  const where = `${tenant}:${path ?? '(no name any more)'}`;
  return printable(`${where} version ${version ?? '-'}: ${problem}: ${message}`);
}
