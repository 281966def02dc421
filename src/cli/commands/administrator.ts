import { asWaybillError } from '../../base/errors.ts';
import type { AdministratorRow } from '../../broker/admin-calls.ts';
import { command } from '../command.ts';
import type { Context } from '../command.ts';
import { makeToken, TOKEN_OPTIONS } from '../token-output.ts';

const name = { doc: 'Name of the administrator.' } as const;
const fingerprint = {
  value: 'SHA256:...',
  doc: 'Of a token that the person has made with waybill administrator token. Without it a token is made here.',
} as const;

interface Given {
  readonly name: string;
  readonly fingerprint: string | null;
  readonly 'token-out': string | null;
}

/** The token is made here or by its owner; the server gets the fingerprint alone. */
async function withToken(
  call: 'administrator.add' | 'administrator.renew',
  input: Given,
  { server, output }: Context,
  done: (row: AdministratorRow) => string,
): Promise<void> {
  if (input.fingerprint !== null) {
    const row = await server.call(call, { name: input.name, fingerprint: input.fingerprint });
    output.answer(row, done(row));
    return;
  }
  const token = await makeToken(input['token-out']);
  try {
    const row = await server.call(call, { name: input.name, fingerprint: token.fingerprint });
    const shown = token.shown === null ? '' : `\n${token.shown}`;
    output.answer(token.shown === null ? row : { ...row, token: token.shown }, `${done(row)}${shown}`);
    if (token.shown !== null) output.note('This is shown once. Whoever has it acts by this name.');
  } catch (error) {
    if (asWaybillError(error).code !== 'approval-needed') await token.discard();
    // It will be good once the second person has agreed.
    else if (token.shown !== null) output.note(`The token, shown once: ${token.shown}`);
    throw error;
  }
}

export const ADMINISTRATOR_COMMANDS = [
  command({
    name: 'administrator add',
    doc: 'Add an administrator: a person of the operator, by name, with an access token.',
    details: [
      'With two administrators, whatever weakens a control takes both; so does a third administrator.',
      'Best is that nobody but the person ever has the token: he runs waybill administrator token on his own machine and tells its fingerprint, which both of you compare.',
    ],
    arguments: { name },
    options: { fingerprint, ...TOKEN_OPTIONS },
    run: (input, context) =>
      withToken(
        'administrator.add',
        input,
        context,
        (row) => `${row.name} is an administrator, by the token ${row.fingerprint ?? ''}.`,
      ),
  }),
  command({
    name: 'administrator list',
    doc: 'List the administrators.',
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const answer = await server.call('administrator.list', {});
      const rows = answer.administrators.map((row) => [
        row.name,
        row.fingerprint ?? '-',
        row.account ? 'yes' : '-',
        row.added,
        row.renewed,
      ]);
      const empty = 'No administrators: whoever can use this data folder is the operator, and nobody by name.';
      output.table(answer, ['NAME', 'TOKEN', 'ACCOUNT', 'ADDED', 'RENEWED'], rows, empty);
    },
  }),
  command({
    name: 'administrator renew',
    doc: 'Replace the token of an administrator; the old one ends at once, and with it what was proposed by it.',
    details: ['Your own you renew alone. That of somebody else takes two when there are two.'],
    arguments: { name },
    options: { fingerprint, ...TOKEN_OPTIONS },
    run: (input, context) =>
      withToken(
        'administrator.renew',
        input,
        context,
        (row) => `${row.name} has a new token, ${row.fingerprint ?? ''}.`,
      ),
  }),
  command({
    name: 'administrator remove',
    doc: 'Remove an administrator; the token ends at once.',
    details: ['When fewer than two would be left, this takes both.'],
    arguments: { name },
    options: {},
    async run(input, { server, output }) {
      await server.call('administrator.remove', { name: input.name });
      output.answer({ removed: input.name }, `${input.name} is no administrator any more.`);
    },
  }),
  command({
    name: 'administrator token',
    doc: 'Make an access token on this machine, and print its fingerprint. Nothing is sent anywhere.',
    arguments: {},
    options: TOKEN_OPTIONS,
    local: 'nothing is sent anywhere.',
    async run(input, { output }) {
      const { fingerprint: print, shown } = await makeToken(input['token-out']);
      output.answer(
        { fingerprint: print, ...(shown === null ? {} : { token: shown }) },
        `${shown === null ? '' : `${shown}\n`}Fingerprint: ${print}`,
      );
    },
  }),
];
