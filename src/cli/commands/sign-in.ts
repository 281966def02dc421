/** How people and services sign in over HTTPS. */
import { SIGN_IN_POLICIES } from '../../accounts/web/store.ts';
import { WaybillError } from '../../base/errors.ts';
import { command } from '../command.ts';

const login = { doc: 'The account.' } as const;

function oneOf<T extends string>(name: string, text: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === text);
  if (found === undefined) throw new WaybillError('option-invalid', `${name} is one of: ${allowed.join(', ')}`);
  return found;
}

export const SIGN_IN_COMMANDS = [
  command({
    name: 'account enrol',
    doc: 'Make a link by which a person sets up what the account signs in with over HTTPS; for one day, and once.',
    details: ['Whoever has it takes the account over: hand it to the person alone.'],
    arguments: { login },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('sign-in.enrol', { login: input.login });
      output.answer(
        answer,
        `${answer.link ?? answer.secret}\nGood until ${answer.expires}, for ${answer.login}, once.`,
      );
    },
  }),
  command({
    name: 'account kind',
    doc: 'Say whether an account is a person or a service: a service never signs in by password or passkey over HTTPS, and over SFTP needs no second step.',
    arguments: { login, kind: { doc: 'Either person or service.' } },
    options: {},
    async run(input, { server, output }) {
      const kind = oneOf('KIND', input.kind, ['person', 'service'] as const);
      output.answer(
        await server.call('sign-in.set-kind', { login: input.login, kind }),
        `${input.login} is a ${kind}.`,
      );
    },
  }),
  command({
    name: 'tenant set-policy',
    doc: 'Say how people of a tenant sign in: mfa (what a new tenant has), passkey, or one-step.',
    details: [
      'mfa: over HTTPS a passkey, or password and code; over SFTP two steps, a security key that asks for PIN or finger, or a certificate by login.',
      'passkey: over HTTPS a passkey alone; over SFTP a certificate by login with one, or such a security key.',
      'one-step: as mfa over HTTPS; over SFTP what waybill account require says is enough. Services are never asked for more than that.',
    ],
    arguments: { name: { doc: 'Name of the tenant.' }, policy: { doc: 'One of mfa, passkey, one-step.' } },
    options: {},
    async run(input, { server, output }) {
      const policy = oneOf('POLICY', input.policy, SIGN_IN_POLICIES);
      const answer = await server.call('sign-in.set-policy', { tenant: input.name, policy });
      output.answer(answer, `People of ${input.name} sign in with ${policy}.`);
    },
  }),
];
