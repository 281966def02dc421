import { command } from '../command.ts';
import type { Context } from '../command.ts';
import { addKeyLines, keyText, restricted } from '../key-lines.ts';
import type { KeyLimits, KeyOwner } from '../key-lines.ts';
import { printable } from '../output.ts';
import type { AdminRequest, AdminResponse, KeyRow } from '../../broker/admin-calls.ts';
import { WaybillError } from '../../base/errors.ts';

const KEY_FORMATS =
  'a file (.pub or authorized_keys), a line in quotes ("ssh-ed25519 AAAA... comment"), or - for standard input';

const NO_LIMITS = { expires: null, address: null };

async function add(given: string, owner: KeyOwner, context: Context, limits: KeyLimits = NO_LIMITS): Promise<void> {
  const text = restricted(await keyText(given, context), limits, Date.now());
  const keys = await addKeyLines(context.server, owner, text);
  context.output.answer({ keys }, keys.map((row) => `${row.fingerprint} is added (${row.algorithm}).`).join('\n'));
}

function revocation(key: string, serial: string | null, keyId: string | null): AdminRequest<'key.revoke'>['what'] {
  if (serial !== null) {
    if (!/^\d{1,20}$/.test(serial)) throw invalid(`--serial is ${JSON.stringify(serial)}; allowed: a whole number`);
    return { kind: 'serial', authority: key, serial };
  }
  return keyId === null ? { kind: 'key', key } : { kind: 'key-id', authority: key, keyId };
}

function named({ kind, value, authority }: AdminResponse<'key.revoke'>['revoked']): string {
  return kind === 'key' ? value : `${kind} ${printable(value)} of ${authority ?? '-'}`;
}

function invalid(what: string): WaybillError {
  return new WaybillError('option-invalid', `waybill key revoke: ${what}`);
}

function owner(row: KeyRow): string {
  return row.login ?? `authority of ${row.tenant ?? '-'}`;
}

export const KEY_COMMANDS = [
  command({
    name: 'key add',
    doc: 'Add SSH public keys to an account.',
    details: [
      'Ed25519, ECDSA, RSA (2048 bits and more) and FIDO keys (sk-ssh-ed25519, sk-ecdsa). Options that may stand before a key, as in authorized_keys: from="...", expiry-time="...", no-touch-required, verify-required, restrict; those that would not be obeyed are refused.',
    ],
    arguments: { login: { doc: 'Login of the account.' }, key: { doc: `The key: ${KEY_FORMATS}.` } },
    options: {
      expires: { value: 'TIME', doc: 'When the keys end: 90d from now, or a day in UTC as 2027-01-31.' },
      address: { value: 'LIST', doc: 'Addresses and networks from which they sign in, with commas.' },
    },
    async run(input, context) {
      await add(input.key, { login: input.login }, context, input);
    },
  }),
  command({
    name: 'key add-authority',
    doc: 'Trust a certificate authority: its user certificates sign in the accounts of one tenant that they name.',
    arguments: { tenant: { doc: 'The tenant.' }, key: { doc: `The public key of the authority: ${KEY_FORMATS}.` } },
    options: {},
    async run(input, context) {
      await add(input.key, { authorityOf: input.tenant }, context);
    },
  }),
  command({
    name: 'key list',
    doc: 'List keys and certificate authorities.',
    arguments: { login: { doc: 'Only the keys of this account.', optional: true } },
    options: { tenant: { value: 'TENANT', doc: 'Only keys of this tenant.' } },
    async run(input, { server, output }) {
      const answer = await server.call('key.list', { login: input.login, tenant: input.tenant });
      const rows = answer.keys.map((row) => [
        owner(row),
        row.algorithm,
        row.fingerprint,
        row.options.join(','),
        row.comment,
        row.added,
        row.lastUsed ?? 'never',
        row.suspended === null ? '' : `suspended ${row.suspended}`,
      ]);
      const columns = ['OWNER', 'KIND', 'FINGERPRINT', 'OPTIONS', 'COMMENT', 'ADDED', 'LAST USED', 'STATE'];
      output.table(answer, columns, rows, 'No keys.');
    },
  }),
  command({
    name: 'key remove',
    doc: 'Remove a key or a certificate authority. It may be added again; to forbid that, revoke it.',
    arguments: { key: { doc: 'Fingerprint (SHA256:...) or id, as waybill key list prints it.' } },
    options: {},
    async run(input, { server, output }) {
      await server.call('key.remove', { key: input.key });
      output.answer({ removed: input.key }, `${input.key} is removed.`);
    },
  }),
  command({
    name: 'key revoke',
    doc: 'Forbid a key or certificate for ever, for every account, and end the sessions that it opened.',
    details: [
      'One certificate of an authority: give the authority as KEY, and --serial or --key-id of the certificate.',
    ],
    arguments: { key: { doc: `Fingerprint (SHA256:...), or the key: ${KEY_FORMATS}.` } },
    options: {
      serial: { value: 'NUMBER', doc: 'Revoke the certificate of the authority KEY with this serial number.' },
      'key-id': { value: 'TEXT', doc: 'Revoke the certificates of the authority KEY with this key id.' },
    },
    async run(input, context) {
      const { serial, 'key-id': keyId } = input;
      if (serial !== null && keyId !== null) throw invalid('give --serial or --key-id, not both');
      const key = input.key.startsWith('SHA256:') ? input.key : (await keyText(input.key, context)).trim();
      if (key.includes('\n')) throw invalid('KEY holds more than one line; revoke one key at a time');
      const answer = await context.server.call('key.revoke', { what: revocation(key, serial, keyId) });
      const { ended, revoked } = answer;
      context.output.answer(answer, `${named(revoked)} is revoked; ${ended} sessions are ended.`);
    },
  }),
  command({
    name: 'key revoked',
    doc: 'List what is revoked.',
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const answer = await server.call('key.revoked', {});
      const rows = answer.revoked.map((row) => [row.kind, row.value, row.authority, row.revoked]);
      output.table(answer, ['KIND', 'VALUE', 'AUTHORITY', 'REVOKED'], rows, 'Nothing is revoked.');
    },
  }),
  command({
    name: 'key host',
    doc: "Print the server's own host keys: fingerprints, and lines for a known_hosts file.",
    arguments: {},
    options: { 'known-hosts': { value: 'HOST', doc: 'Print known_hosts lines for this host name instead.' } },
    async run(input, { server, output }) {
      const answer = await server.call('key.host', {});
      const host = input['known-hosts'];
      if (host !== null) output.answer(answer, answer.keys.map((row) => `${host} ${row.line}`).join('\n'));
      else
        output.table(
          answer,
          ['KIND', 'FINGERPRINT'],
          answer.keys.map((row) => [row.algorithm, row.fingerprint]),
          '',
        );
    },
  }),
];
