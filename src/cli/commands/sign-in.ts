/** How people and services sign in over HTTPS. */
import { WEB_POLICIES } from '../../accounts/web/store.ts';
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
    doc: 'Make a secret by which a person sets up what the account signs in with over HTTPS; for one day, and once.',
    details: ['Whoever has it takes the account over: hand it to the person alone.'],
    arguments: { login },
    options: {},
    async run(input, { server, output }) {
      const answer = await server.call('sign-in.enrol', { login: input.login });
      output.answer(answer, `${answer.secret}\nGood until ${answer.expires}, for ${answer.login}, once.`);
    },
  }),
  command({
    name: 'account kind',
    doc: 'Say whether an account is a person or a service: a service never signs in by password or passkey over HTTPS.',
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
    doc: 'Say how people of a tenant sign in over HTTPS: mfa (passkey, or password and code) or passkey alone.',
    arguments: { name: { doc: 'Name of the tenant.' }, policy: { doc: 'Either mfa or passkey.' } },
    options: {},
    async run(input, { server, output }) {
      const policy = oneOf('POLICY', input.policy, WEB_POLICIES);
      const answer = await server.call('sign-in.set-policy', { tenant: input.name, policy });
      output.answer(answer, `People of ${input.name} sign in with ${policy}.`);
    },
  }),
];
