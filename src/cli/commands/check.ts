import { command } from '../command.ts';
import { EXIT } from '../exit-codes.ts';
import { printable } from '../output.ts';
import { formatSize } from '../sizes.ts';
import type { DamageRow } from '../../broker/admin-calls.ts';

export const CHECK_COMMAND = command({
  name: 'check',
  doc: 'Walk the whole store, decrypt every frame of every version, and name each one that is damaged or missing.',
  details: [
    `Runs beside transfers on the running server. Exit code ${EXIT.damaged.code} when something is damaged; the other files are not affected by it.`,
  ],
  arguments: {},
  options: {},
  async run(_input, { server, output }) {
    const total = { versions: 0, bytes: 0, damaged: [] as DamageRow[] };
    let after: string | null = null;
    do {
      const part: Awaited<ReturnType<typeof server.call<'check.next'>>> = await server.call('check.next', { after });
      total.versions += part.versions;
      total.bytes += part.bytes;
      total.damaged.push(...part.damaged);
      for (const row of part.damaged) {
        output.note(printable(`${row.tenant}:${row.path} version ${row.version}: ${row.problem}`));
      }
      after = part.next;
    } while (after !== null);
    const what = `${total.versions} versions, ${formatSize(total.bytes)} checked`;
    output.answer(
      total,
      total.damaged.length === 0 ? `${what}; all are whole.` : `${what}; ${total.damaged.length} are damaged.`,
    );
    return total.damaged.length === 0 ? EXIT.success.code : EXIT.damaged.code;
  },
});
