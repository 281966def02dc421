import { command } from '../command.ts';
import { askedChains } from '../../accounts/demands.ts';
import { parseChain } from '../chains.ts';
import { addKeyLines } from '../key-lines.ts';
import type { AccountRow, AdminCallName } from '../../broker/admin-calls.ts';

const login = { doc: 'Login of the account.' } as const;

/** As it is asked for; a certificate by login and a security key that verifies its owner stand for these. */
function signIn({ require, demand }: AccountRow): string {
  if (demand === 'passkey') return 'a certificate by passkey or a security key that verifies';
  return askedChains(require, demand)
    .map((chain) => chain.join('+'))
    .join(' or ');
}

function sentence(row: AccountRow): string {
  return `Account ${row.login} of ${row.tenant} is ${row.state}; it signs in with ${signIn(row)}.`;
}

/** A chain with a step that the account cannot do signs nobody in; better said now than found out by the customer. */
function missingFor({ login, require, demand, keys, password, totp }: AccountRow): string[] {
  const has = { publickey: keys > 0, password, totp };
  const how = {
    publickey: `key add ${login} FILE`,
    password: `account password ${login}`,
    totp: `account totp ${login}`,
  };
  if (demand === 'passkey') return [];
  const missing = [...new Set(askedChains(require, demand).flat())].filter((step) => !has[step]);
  return missing.map((step) => `${login} has no ${step} yet: waybill ${how[step]}`);
}

/** A verb that changes one account and needs nothing but its login. */
function verb(name: string, call: AdminCallName & ('account.suspend' | 'account.activate'), doc: string) {
  return command({
    name: `account ${name}`,
    doc,
    arguments: { login },
    options: {},
    async run(input, { server, output }) {
      const row = await server.call(call, { login: input.login });
      output.answer(row, sentence(row));
    },
  });
}

export const ACCOUNT_COMMANDS = [
  command({
    name: 'account add',
    doc: 'Add an account: a person or a service of one tenant.',
    details: [
      'It can sign in once it has a credential (waybill key add, waybill account password) and sees nothing before it has a grant (waybill grant add).',
    ],
    arguments: { login },
    options: {
      tenant: { value: 'TENANT', doc: 'The tenant it belongs to.', required: true },
      'display-name': { value: 'TEXT', doc: 'The name that people see.', fallback: 'LOGIN' },
      administrator: { doc: 'An administrator of its tenant.' },
      service: { doc: 'A machine, not a person: over SFTP one step signs in, over HTTPS tokens alone.' },
      key: { value: 'FILE', doc: 'Add the SSH public keys in this file (.pub or authorized_keys).', many: true },
      require: {
        value: 'CHAIN',
        doc: 'What a sign-in needs, as in waybill account require.',
        many: true,
        fallback: 'publickey',
      },
    },
    async run(input, context) {
      // Read before anything is made: a wrong file name leaves no half account.
      const chains = input.require.map(parseChain);
      const texts = await Promise.all(input.key.map((file) => context.readTextFile(file)));
      const made = await context.server.call('account.add', {
        tenant: input.tenant,
        login: input.login,
        displayName: input['display-name'] ?? input.login,
        administrator: input.administrator,
        kind: input.service ? 'service' : 'person',
      });
      for (const text of texts) await addKeyLines(context.server, { login: input.login }, text);
      if (chains.length > 0) await context.server.call('account.require', { login: input.login, chains });
      const { accounts } = await context.server.call('account.list', { tenant: input.tenant });
      const row = accounts.find((account) => account.login === made.login) ?? made;
      context.output.answer(row, sentence(row));
      if (!input.service) for (const missing of missingFor(row)) context.output.note(missing);
    },
  }),
  command({
    name: 'account list',
    doc: 'List accounts with what they can sign in with.',
    arguments: { tenant: { doc: 'Only the accounts of this tenant.', optional: true } },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('account.list', { tenant: input.tenant });
      const rows = answer.accounts.map((row) => [
        row.login,
        row.tenant,
        row.displayName,
        row.kind,
        row.state,
        row.administrator,
        row.keys,
        row.password,
        row.totp,
        signIn(row),
      ]);
      const headings = [
        'LOGIN',
        'TENANT',
        'NAME',
        'KIND',
        'STATE',
        'ADMIN',
        'KEYS',
        'PASSWORD',
        'TOTP',
        'SIGNS IN WITH',
      ];
      output.table(answer, headings, rows, 'No accounts.');
    },
  }),
  verb('suspend', 'account.suspend', 'Refuse further sign-ins of an account and end its sessions, at once.'),
  verb('activate', 'account.activate', 'Let a suspended account sign in again.'),
  command({
    name: 'account remove',
    doc: 'Remove an account with its credentials and grants, and end its sessions. Its files stay.',
    arguments: { login },
    options: {},
    async run(input, { server, output }) {
      await server.call('account.remove', { login: input.login });
      output.answer({ removed: input.login }, `Account ${input.login} is removed.`);
    },
  }),
  command({
    name: 'account password',
    doc: 'Set the password of an account, or take it away.',
    details: [
      'Asks on the terminal without echo; without a terminal it takes the first line of standard input. Never an argument: others can read those.',
    ],
    arguments: { login },
    options: { remove: { doc: 'Take the password away.' } },
    async run(input, { server, output, readSecret }) {
      const password = input.remove ? null : await readSecret(`New password of ${input.login}`);
      const row = await server.call('account.password', { login: input.login, password });
      output.answer(row, password === null ? `${row.login} has no password now.` : `${row.login} has a new password.`);
    },
  }),
  command({
    name: 'account totp',
    doc: 'Enrol one-time codes (TOTP, RFC 6238) for an account, or take them away.',
    details: [
      'Prints the secret once, as an otpauth: link for an authenticator app. A new enrolment replaces the old one.',
      'Codes are asked for when a chain of the account has the step totp (waybill account require).',
    ],
    arguments: { login },
    options: { remove: { doc: 'Take the one-time codes away.' } },
    async run(input, { server, output }) {
      if (input.remove) {
        const row = await server.call('account.totp-remove', { login: input.login });
        output.answer(row, `${row.login} has no one-time codes now.`);
        return;
      }
      const answer = await server.call('account.totp-enrol', { login: input.login });
      output.answer(answer, `${answer.uri}\nSecret for typing in: ${answer.secret}`);
      output.note('This is shown once. Whoever has it can make the codes.');
    },
  }),
  command({
    name: 'account require',
    doc: 'Set what an account must do to sign in: one or more chains of steps.',
    details: [
      'A chain is steps joined by "+", all needed, in that order; any one of several chains will do. Steps: publickey, password, totp.',
      'Example: waybill account require anna publickey+totp password+totp',
    ],
    arguments: {
      login,
      chain: { doc: 'A chain: publickey, publickey+totp, password+totp, ...' },
      second: { doc: 'Another chain that will do.', optional: true },
      third: { doc: 'Another chain that will do.', optional: true },
    },
    options: {},
    async run(input, { server, output }) {
      const chains = [input.chain, input.second, input.third].filter((text) => text !== null).map(parseChain);
      const row = await server.call('account.require', { login: input.login, chains });
      output.answer(row, sentence(row));
      for (const missing of missingFor(row)) output.note(missing);
    },
  }),
];
