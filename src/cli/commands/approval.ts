import { parseReference } from '../../base/references.ts';
import { WaybillError } from '../../base/errors.ts';
import type { HoldRow } from '../../broker/admin-calls.ts';
import { command } from '../command.ts';
import { formatDuration, parseDuration } from '../durations.ts';
import { parseSize } from '../sizes.ts';
import { formatAmount } from './budget.ts';

const reference = {
  doc: 'As the message or waybill approvals names it: A-XXXXX-XXXXX for an act, H-XXXXX-XXXXX for what is held.',
} as const;

/** Exactly one of the two is not null. */
function referenceOf(text: string): { proposal: string; hold: null } | { proposal: null; hold: string } {
  const proposal = parseReference('A', text);
  if (proposal !== null) return { proposal, hold: null };
  const hold = parseReference('H', text);
  if (hold !== null) return { proposal: null, hold };
  const allowed = 'A-XXXXX-XXXXX or H-XXXXX-XXXXX';
  throw new WaybillError('option-invalid', `REFERENCE is ${JSON.stringify(text)}; allowed: ${allowed}`);
}

function holdSentence({ login, path, scope, dimension, window, used, limit, asked }: HoldRow): string {
  const amount = (value: number): string => formatAmount(dimension, value);
  return `${login} asks ${amount(asked)} of ${dimension} more (${path}); ${scope} used ${amount(used)} of ${amount(limit)} in ${formatDuration(window)}`;
}

export const APPROVAL_COMMANDS = [
  command({
    name: 'approvals',
    doc: 'List what waits for a second person: acts of administrators, and what is held of accounts.',
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const { proposals, altered } = await server.call('approval.list', {});
      const { holds } = await server.call('hold.list', {});
      const rows = [
        ...proposals.map((row) => [row.reference, row.proposer, row.proposed, row.expires, row.summary]),
        ...holds.map((row) => [row.reference, row.login, row.opened, null, holdSentence(row)]),
      ];
      const headings = ['REFERENCE', 'BY', 'SINCE', 'ENDS', 'WHAT'];
      output.table({ proposals, altered, holds }, headings, rows, 'Nothing waits.');
      for (const one of altered)
        output.note(`${one} was altered in the database: it is never carried out. Find out who did that.`);
    },
  }),
  command({
    name: 'approve',
    doc: 'Approve what somebody else proposed, which is then done at once; or let an account have what is held.',
    details: [
      'Never by the one who proposed it. With two administrators only by name (--as-token-file).',
      'What is held goes on with the next try of the client. More than usual, or for longer, takes two administrators.',
    ],
    arguments: { reference },
    options: {
      amount: { value: 'SIZE', doc: 'How much more of what is held.', fallback: 'as much again as the limit' },
      for: { value: 'TIME', doc: 'For how long: 30m, 2h, 1d.', fallback: '24h' },
    },
    async run(input, { server, output }) {
      const named = referenceOf(input.reference);
      if (named.proposal === null) {
        const extra = input.amount === null ? null : parseSize('--amount', input.amount);
        if (input.amount !== null && extra === null)
          throw new WaybillError('option-invalid', '--amount is "none"; allowed: a size or a number');
        const seconds = input.for === null ? null : parseDuration('--for', input.for);
        const done = await server.call('hold.approve', { reference: named.hold, extra, seconds });
        const { login, dimension, scope } = done.hold;
        const time = formatDuration(seconds ?? 86_400);
        const words = `${formatAmount(dimension, done.extra)} of ${dimension} more for ${scope}, for ${time}`;
        output.answer(done, `Approved: ${words}. ${login} tries again, and it goes on.`);
        return;
      }
      if (input.amount !== null || input.for !== null)
        throw new WaybillError('option-invalid', '--amount and --for are for what is held (H-XXXXX-XXXXX)');
      const done = await server.call('approval.approve', { reference: named.proposal });
      output.answer(done, `Approved and done: ${done.summary}`);
    },
  }),
  command({
    name: 'deny',
    doc: 'Deny what somebody else proposed, withdraw what you proposed, or refuse what is held.',
    arguments: { reference },
    options: { suspend: { doc: 'Of what is held: suspend the account as well, and end its sessions.' } },
    async run(input, { server, output }) {
      const named = referenceOf(input.reference);
      if (named.proposal === null) {
        const done = await server.call('hold.deny', { reference: named.hold, suspend: input.suspend });
        const more = done.suspended ? ` ${done.hold.login} is suspended; ${done.ended} sessions are ended.` : '';
        output.answer(done, `${done.hold.reference} is denied.${more}`);
        return;
      }
      if (input.suspend) throw new WaybillError('option-invalid', '--suspend is for what is held (H-XXXXX-XXXXX)');
      const done = await server.call('approval.deny', { reference: named.proposal });
      output.answer(done, `${done.reference} is ${done.outcome}.`);
    },
  }),
];
