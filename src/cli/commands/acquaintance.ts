import { WaybillError } from '../../base/errors.ts';
import { command } from '../command.ts';
import type { Context } from '../command.ts';

const login = { doc: 'Login of the account.' } as const;
const options = {
  address: { value: 'ADDRESS', doc: 'An address; of IPv6 its /64.' },
  key: { value: 'FINGERPRINT', doc: 'A key, by fingerprint, or another credential by its id.' },
  client: { value: 'NAME', doc: 'A client software, as waybill account seen names it.' },
} as const;

interface Given {
  readonly login: string;
  readonly address: string | null;
  readonly key: string | null;
  readonly client: string | null;
}

async function change(call: 'account.confirm' | 'account.forget', given: Given, context: Context, words: string) {
  const kinds = [
    ['address', given.address],
    ['credential', given.key],
    ['client', given.client],
  ] as const;
  const [named, ...more] = kinds.flatMap(([kind, value]) => (value === null ? [] : [{ kind, value }]));
  if (named === undefined || more.length > 0)
    throw new WaybillError('option-invalid', 'give exactly one of --address, --key and --client');
  const row = await context.server.call(call, { login: given.login, ...named });
  context.output.answer(row, `The ${row.kind} ${row.value} ${words} ${row.login}.`);
}

export const ACQUAINTANCE_COMMANDS = [
  command({
    name: 'account seen',
    doc: 'List from where, with what and by which software an account came; without LOGIN, all that nobody has confirmed.',
    details: ['Sessions that come with something unconfirmed share a small budget until somebody confirms it.'],
    arguments: { login: { ...login, optional: true } },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('account.seen', { login: input.login });
      const rows = answer.seen.map((row) => [row.login, row.kind, row.value, row.firstSeen, row.confirmed]);
      output.table(answer, ['LOGIN', 'KIND', 'VALUE', 'FIRST SEEN', 'CONFIRMED'], rows, 'Nothing.');
    },
  }),
  command({
    name: 'account confirm',
    doc: 'Confirm a new address, key or client of an account: its sessions have their whole budget from now on.',
    arguments: { login },
    options,
    run: (input, context) => change('account.confirm', input, context, 'is confirmed for'),
  }),
  command({
    name: 'account forget',
    doc: 'Forget an address, key or client of an account: the next sign-in with it is a first again.',
    arguments: { login },
    options,
    run: (input, context) => change('account.forget', input, context, 'is forgotten for'),
  }),
];
