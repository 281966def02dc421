/** Single sign-on: identity providers of tenants, and who is linked with them. */
import { WaybillError } from '../../base/errors.ts';
import type { AdminResponse } from '../../broker/admin-calls.ts';
import { LINK_CLAIMS } from '../../sso/provider.ts';
import type { LinkClaim } from '../../sso/provider.ts';
import { command } from '../command.ts';
import type { Context } from '../command.ts';

type Row = AdminResponse<'sso.list'>['providers'][number];

const name = { doc: 'Name of the identity provider.' } as const;
const login = { doc: 'The account.' } as const;
const TWO = 'With two administrators this takes both.';
const SECRET = { value: 'FILE', doc: 'The client secret: the first line of this file.' } as const;
const TITLE = { value: 'TEXT', doc: 'What people see on the button.' } as const;
const ACR = { value: 'ACR', many: true, doc: 'The token has to hold one of these as acr.' } as const;
const AMR = { value: 'AMR', many: true, doc: 'The token has to hold all of these as amr: mfa, hwk ...' } as const;

async function secretOf(file: string | null, { readTextFile, readSecret }: Context): Promise<string> {
  if (file === null) return await readSecret('Client secret');
  const [line = ''] = (await readTextFile(file)).split(/\r?\n/, 1);
  if (line === '') throw new WaybillError('option-invalid', `the first line of ${file} is empty`);
  return line;
}

/** Two switches of which neither leaves it as it is. */
function either(on: boolean, off: boolean, words: string): boolean | null {
  if (on && off) throw new WaybillError('option-invalid', `${words} exclude each other`);
  return on ? true : off ? false : null;
}

function counts({ multiFactor, requireAcr, requireAmr }: Row): string {
  const asked = [...requireAcr.map((one) => `acr ${one}`), ...requireAmr.map((one) => `amr ${one}`)];
  return [multiFactor ? 'two factors' : 'one factor', ...asked].join(', ');
}

export const SSO_COMMANDS = [
  command({
    name: 'sso add',
    doc: 'Let people of a tenant sign in at an OpenID Connect provider.',
    details: [
      'It signs nobody in before accounts are linked with it: waybill sso link. Register at the provider: https://YOUR-ADDRESS/sign-in/sso-callback/NAME as redirect address, code flow, client secret.',
      `--multi-factor says that the provider asks everybody for a second factor; without it Waybill asks for a code after it. ${TWO}`,
      'Providers on private networks have to be allowed by the server: --outbound-allow HOST.',
    ],
    arguments: { tenant: { doc: 'Whose people.' }, name },
    options: {
      issuer: { value: 'URL', doc: 'The issuer, exactly as the provider writes it.', required: true },
      'client-id': { value: 'ID', doc: 'Of Waybill, at the provider.', required: true },
      'client-secret-file': { ...SECRET, fallback: 'asked for' },
      title: { ...TITLE, fallback: 'NAME' },
      claim: {
        value: 'CLAIM',
        doc: 'By what people are found at their first sign-in; from then on by sub.',
        choices: LINK_CLAIMS,
        fallback: 'sub',
      },
      'multi-factor': { doc: 'It asks everybody for a second factor.' },
      'require-acr': ACR,
      'require-amr': AMR,
      listed: { doc: 'Everybody sees it on the sign-in page.' },
      ca: { value: 'FILE', doc: "Certificates (PEM) that the provider's own is checked with." },
    },
    async run(input, context) {
      const answer = await context.server.call('sso.add', {
        ...{ tenant: input.tenant, name: input.name, title: input.title ?? input.name, issuer: input.issuer },
        clientId: input['client-id'],
        clientSecret: await secretOf(input['client-secret-file'], context),
        claim: (input.claim ?? 'sub') as LinkClaim,
        ca: input.ca === null ? null : await context.readTextFile(input.ca),
        ...{ multiFactor: input['multi-factor'], listed: input.listed },
        ...{ requireAcr: [...input['require-acr']], requireAmr: [...input['require-amr']] },
      });
      context.output.answer(
        answer,
        `People of ${answer.tenant} may sign in at ${answer.issuer}, once they are linked.`,
      );
      context.output.note(`Redirect address for the provider: https://YOUR-ADDRESS${answer.callback}`);
    },
  }),
  command({
    name: 'sso list',
    doc: 'List identity providers.',
    arguments: { tenant: { doc: 'Of this tenant alone.', optional: true } },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('sso.list', { tenant: input.tenant });
      const rows = answer.providers.map((row) => [
        ...[row.name, row.tenant, row.issuer, row.claim, counts(row), String(row.links), row.listed ? 'yes' : 'no'],
      ]);
      const headings = ['NAME', 'TENANT', 'ISSUER', 'CLAIM', 'COUNTS AS', 'LINKED', 'LISTED'];
      output.table(answer, headings, rows, 'No identity providers.');
    },
  }),
  command({
    name: 'sso set',
    doc: 'Change what an identity provider counts as, its title, or its client secret.',
    details: ['What is left out stays as it is. With two administrators, what weakens takes both.'],
    arguments: { name },
    options: {
      title: TITLE,
      'client-secret-file': SECRET,
      'multi-factor': { doc: 'It asks everybody for a second factor.' },
      'single-factor': { doc: 'It may ask for one. Sessions that it opened as two end.' },
      'require-acr': ACR,
      'require-amr': AMR,
      'require-nothing': { doc: 'No acr and no amr is asked for any more.' },
      listed: { doc: 'Everybody sees it on the sign-in page.' },
      unlisted: { doc: 'Nobody does.' },
    },
    async run(input, context) {
      const file = input['client-secret-file'];
      const nothing = input['require-nothing'];
      const values = (given: readonly string[]): string[] | null => (given.length > 0 || nothing ? [...given] : null);
      const answer = await context.server.call('sso.set', {
        ...{ name: input.name, title: input.title },
        clientSecret: file === null ? null : await secretOf(file, context),
        multiFactor: either(input['multi-factor'], input['single-factor'], '--multi-factor and --single-factor'),
        listed: either(input.listed, input.unlisted, '--listed and --unlisted'),
        ...{ requireAcr: values(input['require-acr']), requireAmr: values(input['require-amr']) },
      });
      context.output.answer(answer, `${answer.name} counts as ${counts(answer)}.`);
    },
  }),
  command({
    name: 'sso test',
    doc: 'Ask an identity provider about itself, as a sign-in would.',
    arguments: { name },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('sso.test', { name: input.name });
      const { issuer, authorizationEndpoint, tokenEndpoint, keysEndpoint, algorithms } = answer;
      const lines = [
        `browsers go to ${authorizationEndpoint}`,
        `codes to ${tokenEndpoint}`,
        `keys are ${keysEndpoint}`,
      ];
      const signed = algorithms.length === 0 ? 'it signs with nothing that is taken here' : algorithms.join(', ');
      output.answer(answer, `${issuer} answers: ${lines.join('; ')}; signatures: ${signed}.`);
      return algorithms.length === 0 ? 1 : 0;
    },
  }),
  command({
    name: 'sso remove',
    doc: 'Take an identity provider away, with its links and the sessions that it opened.',
    arguments: { name },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('sso.remove', { name: input.name });
      output.answer(answer, `${input.name} signs nobody in any more: ${answer.links} unlinked, ${answer.ended} ended.`);
    },
  }),
  command({
    name: 'sso link',
    doc: 'Say which person of an identity provider an account is.',
    details: [
      "PERSON is what the provider's claim says of him: its sub, or what sso add --claim named. By another claim than sub he is found once, at his first sign-in; from then on his sub counts.",
      TWO,
    ],
    arguments: { login, name, person: { doc: 'The sub, address, name or object id at the provider.' } },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('sso.link', { login: input.login, provider: input.name, person: input.person });
      output.answer(answer, `${answer.login} is ${input.person} at ${answer.provider}.`);
    },
  }),
  command({
    name: 'sso unlink',
    doc: 'An account signs in by this identity provider no more; the sessions that it opened end.',
    arguments: { login, name },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('sso.unlink', { login: input.login, provider: input.name });
      output.answer(answer, `${input.login} no longer signs in by ${input.name}; ${answer.ended} sessions ended.`);
    },
  }),
  command({
    name: 'sso links',
    doc: 'List who is linked with which identity provider.',
    arguments: {},
    options: {
      login: { value: 'LOGIN', doc: 'Of this account alone.' },
      provider: { value: 'NAME', doc: 'Of this provider alone.' },
    },
    async run(input, { server, output }) {
      const answer = await server.call('sso.links', { login: input.login, provider: input.provider });
      const rows = answer.links.map((row) => [
        ...[row.login, row.tenant, row.provider, row.subject ?? `(${row.expected ?? ''})`, row.lastUsed ?? 'never'],
      ]);
      output.table(answer, ['LOGIN', 'TENANT', 'PROVIDER', 'SUBJECT', 'LAST USED'], rows, 'Nobody is linked.');
    },
  }),
];
