/** API tokens of the own account. */
import { OWN_TOKEN_OPERATIONS } from '../../api/own-token-operations.ts';
import { WaybillError } from '../../base/errors.ts';
import type { Response } from '../../broker/calls.ts';
import type { Exchange } from './exchange.ts';

export const ownTokenHandlers = {
  'account.tokens': async (exchange: Exchange): Promise<void> => {
    const { session } = exchange.member.session;
    const { tokens } = await exchange.broker.call('own.tokens', { session });
    exchange.send(200, { tokens: tokens.map(shown) });
  },
  'account.add-token': async (exchange: Exchange): Promise<void> => {
    const { session } = exchange.member.session;
    const { expires, ...wish } = await exchange.json(OWN_TOKEN_OPERATIONS['account.add-token'].body);
    const made = await exchange.broker.call('own.add-token', { session, ...wish, expires: Date.parse(expires) });
    exchange.send(201, shown(made));
  },
  'account.remove-token': async (exchange: Exchange): Promise<void> => {
    const { session } = exchange.member.session;
    if (!/^[0-9a-f]{32}$/.test(exchange.rest)) throw new WaybillError('not-found', 'no token has this id');
    await exchange.broker.call('own.remove-token', { session, token: exchange.rest });
    exchange.sendEmpty(204);
  },
};

function shown({ created, expires, lastUsed, suspended, ...token }: Response<'own.add-token'>) {
  const time = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());
  const times = { created: time(created), expires: time(expires), lastUsed: time(lastUsed) };
  return { ...token, ...times, suspended: time(suspended) };
}
