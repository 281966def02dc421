/** Signing in at an identity provider: the front passes on, and knows neither secrets nor nonces. */
import { ssoFinish, ssoStart } from '../../api/sso-operations.ts';
import { WaybillError } from '../../base/errors.ts';
import type { Exchange } from './exchange.ts';
import { answerStep } from './sign-in.ts';

const NAME = /^[a-z0-9-]{1,40}$/;

export const ssoHandlers = {
  'sso.listed': async (exchange: Exchange): Promise<void> => {
    const { broker, connection } = exchange;
    exchange.send(200, await broker.call('sso.listed', { connection }));
  },
  'sso.show': async (exchange: Exchange): Promise<void> => {
    const { broker, connection, rest: provider } = exchange;
    if (!NAME.test(provider)) throw new WaybillError('not-found', 'no identity provider has this name');
    exchange.send(200, await broker.call('sso.show', { connection, provider }));
  },
  'sso.start': async (exchange: Exchange): Promise<void> => {
    const { flow, provider } = await exchange.json(ssoStart);
    const { broker, connection } = exchange;
    exchange.send(200, await broker.call('sso.start', { connection, flow, provider }));
  },
  'sso.finish': async (exchange: Exchange): Promise<void> => {
    const asked = await exchange.json(ssoFinish);
    const { broker, connection } = exchange;
    const outcome = await broker.call('sso.finish', { connection, ...asked });
    if (outcome.result === 'stepped-up') exchange.send(200, outcome);
    else answerStep(exchange, outcome);
  },
  'sso.step-up': async (exchange: Exchange): Promise<void> => {
    const { session } = exchange.member.session;
    exchange.send(200, await exchange.broker.call('sso.step-up', { session }));
  },
};
