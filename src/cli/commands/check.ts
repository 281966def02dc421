import { command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { printable } from '../output.ts';
import { formatSize } from '../sizes.ts';
import type { AdminResponse, FindingRow } from '../../broker/admin-calls.ts';

export const CHECK_COMMAND = command({
  name: 'check',
  doc: 'Walk the whole store, decrypt every frame of every version, and name each one that is damaged or missing.',
  details: [
    `Runs beside transfers on the running server. Exit code ${EXIT.damaged.code} when something is damaged; the other files are not affected by it.`,
  ],
  arguments: {},
  options: {},
  async run(_input, { server, output }) {
    const total = { versions: 0, bytes: 0, skipped: 0, findings: [] as FindingRow[] };
    for (let after: string | null = ''; after !== null;) {
      const part: AdminResponse<'check.next'> = await server.call('check.next', { after });
      total.versions += part.versions;
      total.bytes += part.bytes;
      total.skipped += part.skipped;
      total.findings.push(...part.findings);
      for (const row of part.findings) output.note(describe(row));
      after = part.next;
    }
    if (total.skipped > 0)
      output.note(`note: ${total.skipped} versions of locked or shredded tenants were not looked at`);
    const damaged = total.findings.filter(({ problem }) => problem !== 'orphan').length;
    const verdict = damaged === 0 ? 'all are whole' : `${damaged} ${damaged === 1 ? 'is' : 'are'} damaged`;
    output.answer(total, `${total.versions} versions, ${formatSize(total.bytes)} checked; ${verdict}.`);
    return damaged === 0 ? EXIT.success.code : EXIT.damaged.code;
  },
});

function describe({ problem, tenant, path, version, message }: FindingRow): string {
  if (problem === 'orphan') return printable(`note: ${message}`);
  const where = `${tenant}:${path ?? '(no name any more)'}`;
  return printable(`${where} version ${version ?? '-'}: ${problem}: ${message}`);
}
