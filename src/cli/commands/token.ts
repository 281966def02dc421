import { SCOPES } from '../../accounts/web/store.ts';
import { newApiToken, hashApiToken } from '../../accounts/web/api-token.ts';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import type { TokenRow } from '../../broker/admin-calls.ts';
import { command } from '../command.ts';
import type { Context } from '../command.ts';
import { parseDuration } from '../durations.ts';
import { makeToken, TOKEN_OPTIONS } from '../token-output.ts';

const token = { doc: 'Id of the token, as waybill token list prints it.' } as const;
const fingerprint = {
  value: 'SHA256:...',
  doc: 'Of a token that its user has made himself. Without it a token is made here.',
} as const;

/** The token is made here or by its user; the server gets the fingerprint alone. */
async function withToken(
  input: { readonly fingerprint: string | null; readonly 'token-out': string | null },
  { output }: Context,
  call: (fingerprint: string) => Promise<TokenRow>,
): Promise<void> {
  const done = ({ id, login, expires }: TokenRow): string =>
    `Token ${id} signs in ${login}${expires === null ? '' : ` until ${expires}`}.`;
  if (input.fingerprint !== null) {
    const row = await call(input.fingerprint);
    output.answer(row, done(row));
    return;
  }
  const made = await makeToken(input['token-out'], { make: newApiToken, hash: hashApiToken });
  try {
    const row = await call(made.fingerprint);
    const shown = made.shown === null ? '' : `\n${made.shown}`;
    output.answer(made.shown === null ? row : { ...row, token: made.shown }, `${done(row)}${shown}`);
    if (made.shown !== null) output.note('This is shown once. Whoever has it acts as this account, within its scopes.');
  } catch (error) {
    if (asWaybillError(error).code !== 'approval-needed') await made.discard();
    else if (made.shown !== null) output.note(`The token, shown once: ${made.shown}`);
    throw error;
  }
}

export const TOKEN_COMMANDS = [
  command({
    name: 'token add',
    doc: 'Add an API token to an account, with scopes, and bound to addresses and an end.',
    details: [`Scopes: ${SCOPES.join(', ')}; admin is for accounts of administrators.`],
    arguments: { login: { doc: 'The account.' } },
    options: {
      scopes: { value: 'SCOPE,...', doc: 'What it may do.', fallback: 'files:list,files:read' },
      label: { value: 'TEXT', doc: 'What it is for.', fallback: '' },
      from: { value: 'NETWORK,...', doc: 'From where it is taken; from everywhere when left out.' },
      expires: { value: 'TIME', doc: 'How long it is good for, as 30d; for ever when left out.' },
      fingerprint,
      ...TOKEN_OPTIONS,
    },
    async run(input, context) {
      const life = input.expires === null ? null : parseDuration('--expires', input.expires) * 1000;
      const wish = {
        login: input.login,
        label: input.label ?? '',
        scopes: scopesOf(input.scopes ?? 'files:list,files:read'),
        addresses: input.from,
        expires: life === null ? null : new Date(Date.now() + life).toISOString(),
      };
      await withToken(input, context, (print) => context.server.call('token.add', { ...wish, fingerprint: print }));
    },
  }),
  command({
    name: 'token list',
    doc: 'List API tokens, with when each was used last.',
    arguments: {},
    options: { login: { value: 'LOGIN', doc: 'Only those of this account.' } },
    async run(input, { server, output }) {
      const answer = await server.call('token.list', { login: input.login });
      const rows = answer.tokens.map((row) => [
        row.id,
        row.login,
        row.label,
        row.scopes.join(','),
        row.addresses ?? '-',
        row.expires ?? '-',
        row.lastUsed ?? 'never',
        row.suspended === null ? (row.successor === null ? 'good' : 'renewed') : 'suspended',
      ]);
      const heads = ['TOKEN', 'ACCOUNT', 'LABEL', 'SCOPES', 'FROM', 'EXPIRES', 'LAST USED', 'STATE'];
      output.table(answer, heads, rows, 'No tokens.');
    },
  }),
  command({
    name: 'token remove',
    doc: 'Remove an API token; the sessions that it opened end.',
    arguments: { token },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('token.remove', { token: input.token });
      output.answer({ removed: input.token, ...answer }, `The token is removed; ${answer.ended} sessions are ended.`);
    },
  }),
  command({
    name: 'token renew',
    doc: 'Give the user of a token another one; the old one ends after an overlap.',
    arguments: { token },
    options: {
      overlap: { value: 'TIME', doc: 'How long both are good, as 12h or 7d; 0 is not at all.', fallback: '24h' },
      fingerprint,
      ...TOKEN_OPTIONS,
    },
    async run(input, context) {
      const overlap = input.overlap === '0' ? 0 : parseDuration('--overlap', input.overlap ?? '24h');
      const wish = { token: input.token, overlap };
      await withToken(input, context, (print) => context.server.call('token.renew', { ...wish, fingerprint: print }));
    },
  }),
  command({
    name: 'token make',
    doc: 'Make an API token on this machine, and print its fingerprint. Nothing is sent anywhere.',
    details: [
      'Give the fingerprint where you are signed in as a person (POST /api/v1/account/tokens), or to an administrator for waybill token add.',
    ],
    arguments: {},
    options: TOKEN_OPTIONS,
    local: 'nothing is sent anywhere.',
    async run(input, { output }) {
      const made = await makeToken(input['token-out'], { make: newApiToken, hash: hashApiToken });
      const { fingerprint: print, shown } = made;
      output.answer(
        { fingerprint: print, ...(shown === null ? {} : { token: shown }) },
        `${shown === null ? '' : `${shown}\n`}Fingerprint: ${print}`,
      );
    },
  }),
];

function scopesOf(text: string): (typeof SCOPES)[number][] {
  const asked = text.split(',').map((scope) => scope.trim());
  const known = SCOPES.filter((scope) => asked.includes(scope));
  if (known.length !== asked.length) throw new WaybillError('option-invalid', `--scopes takes: ${SCOPES.join(', ')}`);
  return known;
}
