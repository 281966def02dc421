import { parseReference } from '../../base/references.ts';
import { WaybillError } from '../../base/errors.ts';
import { command } from '../command.ts';

const reference = { doc: 'As the message or waybill approvals names it: A-XXXXX-XXXXX.' } as const;

function proposalOf(text: string): string {
  const found = parseReference('A', text);
  if (found !== null) return found;
  throw new WaybillError('option-invalid', `REFERENCE is ${JSON.stringify(text)}; allowed: A-XXXXX-XXXXX`);
}

export const APPROVAL_COMMANDS = [
  command({
    name: 'approvals',
    doc: 'List what waits for a second person.',
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const answer = await server.call('approval.list', {});
      const rows = answer.proposals.map((row) => [row.reference, row.proposer, row.proposed, row.expires, row.summary]);
      output.table(answer, ['REFERENCE', 'BY', 'SINCE', 'ENDS', 'WHAT'], rows, 'Nothing waits.');
      for (const altered of answer.altered)
        output.note(`${altered} was altered in the database: it is never carried out. Find out who did that.`);
    },
  }),
  command({
    name: 'approve',
    doc: 'Approve what somebody else proposed; it is done at once, if nothing that it rests on has changed.',
    details: ['Never by the one who proposed it, and only by name (--as-token-file).'],
    arguments: { reference },
    options: {},
    async run(input, { server, output }) {
      const done = await server.call('approval.approve', { reference: proposalOf(input.reference) });
      output.answer(done, `Approved and done: ${done.summary}`);
    },
  }),
  command({
    name: 'deny',
    doc: 'Deny what somebody else proposed, or withdraw what you proposed.',
    arguments: { reference },
    options: {},
    async run(input, { server, output }) {
      const done = await server.call('approval.deny', { reference: proposalOf(input.reference) });
      output.answer(done, `${done.reference} is ${done.outcome}.`);
    },
  }),
];
