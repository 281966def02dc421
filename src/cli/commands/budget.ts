import { DIMENSIONS } from '../../policy/budgets/windows.ts';
import type { Dimension } from '../../policy/budgets/windows.ts';
import { command } from '../command.ts';
import { formatDuration, parseDuration } from '../durations.ts';
import { formatSize, parseSize } from '../sizes.ts';

const scope = {
  doc: 'Whose: installation, tenant/NAME, account/LOGIN or credential/LOGIN/FINGERPRINT.',
} as const;

export function formatAmount(dimension: Dimension, amount: number | null): string {
  if (amount === null) return 'none';
  return dimension === 'bytes' ? formatSize(amount) : String(amount);
}

export const BUDGET_COMMANDS = [
  command({
    name: 'budget set',
    doc: 'Set how much may leave within a time. With two administrators, more than before takes both.',
    details: [
      'Without it the server goes by what an account usually does. waybill budget show tells what holds.',
      'Examples: waybill budget set account/anna 2G, waybill budget set tenant/acme 500 --of files --in 1h',
    ],
    arguments: { scope, limit: { doc: 'A size or a number, or "none" for no limit at all.' } },
    options: {
      of: { value: 'WHAT', doc: 'What is counted.', choices: DIMENSIONS, fallback: 'bytes' },
      in: { value: 'TIME', doc: 'Within which time: 10m, 1h, 24h or 30d.', fallback: '24h' },
    },
    async run(input, { server, output }) {
      const dimension = (input.of ?? 'bytes') as Dimension;
      const window = parseDuration('--in', input.in ?? '24h');
      const limit = parseSize('LIMIT', input.limit);
      await server.call('budget.set', { scope: input.scope, dimension, window, limit });
      const words = `${formatAmount(dimension, limit)} ${dimension} in ${formatDuration(window)}`;
      output.answer({ scope: input.scope, dimension, window, limit }, `The budget of ${input.scope} is ${words}.`);
    },
  }),
  command({
    name: 'budget clear',
    doc: 'Go back to what is learned. With two administrators, more than before takes both.',
    arguments: { scope },
    options: {},
    async run(input, { server, output }) {
      await server.call('budget.clear', { scope: input.scope });
      output.answer({ cleared: input.scope }, `The budget of ${input.scope} is what is learned.`);
    },
  }),
  command({
    name: 'budget list',
    doc: 'List the budgets that administrators have set.',
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const answer = await server.call('budget.list', {});
      const rows = answer.limits.map((row) => [
        row.scope,
        row.dimension,
        formatDuration(row.window),
        formatAmount(row.dimension, row.limit),
      ]);
      output.table(answer, ['SCOPE', 'OF', 'IN', 'LIMIT'], rows, 'None: all budgets are what is learned.');
    },
  }),
  command({
    name: 'budget show',
    doc: 'Show what a budget allows and how much of it is used; also of unconfirmed/LOGIN.',
    arguments: { scope },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('budget.show', { scope: input.scope });
      const rows = answer.usage.map((row) => [
        row.dimension,
        formatDuration(row.window),
        formatAmount(row.dimension, row.used),
        formatAmount(row.dimension, row.limit),
      ]);
      output.table(answer, ['OF', 'IN', 'USED', 'LIMIT'], rows, '');
    },
  }),
];
