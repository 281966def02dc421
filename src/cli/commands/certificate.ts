/** Certificates of the server's own authority, for operators: issue, list, fetch, withdraw; and its host authority. */
import { writeFile } from 'node:fs/promises';
import { command } from '../command.ts';
import type { Context, Options } from '../command.ts';
import { keyLines } from '../key-lines.ts';
import type { AdminResponse, IssuedRow } from '../../broker/admin-calls.ts';
import { WaybillError } from '../../base/errors.ts';

const OUT = {
  out: {
    value: 'FILE',
    doc: 'Write the certificate to this new file (KEY-cert.pub for OpenSSH) instead of printing it.',
  },
} as const satisfies Options;

async function give(answer: AdminResponse<'key.issue'>, file: string | null, context: Context): Promise<void> {
  const { issued, certificate } = answer;
  if (file === null) {
    context.output.answer(answer, certificate);
    return;
  }
  try {
    await writeFile(file, `${certificate}\n`, { mode: 0o644, flag: 'wx' });
  } catch (cause) {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'error';
    throw new WaybillError('option-invalid', `--out ${file} cannot be written (${why}); it must be a new file`, {
      cause,
    });
  }
  context.output.answer(
    answer,
    `${file}: certificate ${issued.serial} for ${issued.login ?? '-'}, until ${issued.until}`,
  );
}

function hoursOf(text: string | null): number | null {
  if (text === null) return null;
  const hours = /^\d{1,4}(\.\d{1,4})?$/.test(text) ? Number(text) : 0;
  if (hours > 0) return hours;
  throw new WaybillError(
    'option-invalid',
    `--hours is ${JSON.stringify(text)}; allowed: a number of hours, as 8 or 0.5`,
  );
}

async function oneKey(file: string, context: Context): Promise<string> {
  const [line = '', ...more] = keyLines(await context.readTextFile(file));
  if (more.length > 0) throw new WaybillError('option-invalid', '--key holds more than one key');
  return line;
}

function cells({ serial, login, fingerprint, addresses, factors, until, lastUsed, state }: IssuedRow): string[] {
  const by = factors.length === 0 ? 'administrator' : factors.join('+');
  return [serial, login ?? '-', fingerprint, addresses ?? 'anywhere', by, until, lastUsed ?? 'never', state];
}

export const CERTIFICATE_COMMANDS = [
  command({
    name: 'key issue',
    doc: "Issue a certificate of the server's own authority: it signs in one account, for hours, from one place.",
    details: [
      'People get theirs with waybill login, after a passkey or password and code. This is for operators: whoever holds the private key of KEY signs in where the account needs publickey. With two administrators it takes both; the certificate can then be fetched with waybill key certificate.',
    ],
    arguments: { login: { doc: 'Login of the account.' } },
    options: {
      key: { value: 'FILE', doc: 'The public key (.pub).', required: true },
      hours: {
        value: 'HOURS',
        doc: 'How long it is good for.',
        fallback: 'what --certificate-hours of the server says',
      },
      address: {
        value: 'LIST',
        doc: 'Addresses and networks from which it signs in, with commas.',
        fallback: 'anywhere',
      },
      ...OUT,
    },
    async run(input, context) {
      const [line, hours] = [await oneKey(input.key, context), hoursOf(input.hours)];
      const request = { login: input.login, line, hours, addresses: input.address };
      await give(await context.server.call('key.issue', request), input.out, context);
    },
  }),
  command({
    name: 'key issued',
    doc: "List certificates of the server's own authority, the youngest first.",
    arguments: { login: { doc: 'Only those of this account.', optional: true } },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('key.issued', { login: input.login });
      const columns = ['SERIAL', 'LOGIN', 'KEY', 'FROM', 'BY', 'UNTIL', 'LAST USED', 'STATE'];
      output.table(answer, columns, answer.certificates.map(cells), 'No certificates.');
    },
  }),
  command({
    name: 'key certificate',
    doc: 'Print a certificate that was issued. It is no secret: it is of no use without the private key.',
    arguments: { serial: { doc: 'Its serial number, as waybill key issued prints it.' } },
    options: OUT,
    async run(input, context) {
      const serial = serialOf(input.serial);
      await give(await context.server.call('key.certificate', { serial }), input.out, context);
    },
  }),
  command({
    name: 'key withdraw',
    doc: "Revoke a certificate of the server's own authority, and end the sessions that it opened.",
    arguments: { serial: { doc: 'Its serial number, as waybill key issued prints it.' } },
    options: {},
    async run(input, { server, output }) {
      const serial = serialOf(input.serial);
      const { userCa } = await server.call('key.host-ca', {});
      if (userCa === null) throw new WaybillError('not-found', 'no certificate was ever issued here');
      const answer = await server.call('key.revoke', { what: { kind: 'serial', authority: userCa, serial } });
      output.answer(answer, `Certificate ${serial} is revoked; ${answer.ended} sessions are ended.`);
    },
  }),
  command({
    name: 'key host-ca',
    doc: 'Print the @cert-authority line of known_hosts with which clients trust this server under all its names.',
    arguments: {},
    options: {},
    async run(_input, { server, output }) {
      const answer = await server.call('key.host-ca', {});
      if (answer.line === null)
        throw new WaybillError(
          'not-found',
          'the host keys have no certificates: start the server with --host-name NAME',
        );
      output.answer(answer, answer.line);
    },
  }),
];

function serialOf(text: string): string {
  if (/^\d{1,19}$/.test(text)) return text;
  throw new WaybillError('option-invalid', `SERIAL is ${JSON.stringify(text)}; allowed: a whole number`);
}
