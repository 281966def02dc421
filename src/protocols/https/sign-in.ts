/** Signing in: each request is one step, which the broker takes; the last one sets the cookie. */
import type { z } from 'zod';
import { flowOnly, signInCode, signInPasskey, signInPassword } from '../../api/sign-in.ts';
import type { signInStep } from '../../api/sign-in.ts';
import type { Response } from '../../broker/calls.ts';
import { clientOf } from './client.ts';
import { cookieOf } from './credentials.ts';
import type { Exchange } from './exchange.ts';
import { originOf } from './origin.ts';
import { accountOf } from './own-account.ts';

type Step = z.infer<typeof signInStep>;

async function start(exchange: Exchange): Promise<void> {
  const { broker, connection, request } = exchange;
  const client = clientOf(request.headers);
  exchange.send(200, await broker.call('web.start', { connection, origin: originOf(request.headers), client }));
}

async function passkeyOptions(exchange: Exchange): Promise<void> {
  const { flow } = await exchange.json(flowOnly);
  const { broker, connection } = exchange;
  exchange.send(200, await broker.call('web.passkey-options', { connection, flow }));
}

async function passkey(exchange: Exchange): Promise<void> {
  const { flow, response } = await exchange.json(signInPasskey);
  const { broker, connection } = exchange;
  answerStep(exchange, await broker.call('web.passkey', { connection, flow, response }));
}

async function password(exchange: Exchange): Promise<void> {
  const { flow, login, password: text } = await exchange.json(signInPassword);
  const { broker, connection } = exchange;
  answerStep(
    exchange,
    await broker.call('web.password', { connection, flow, user: login, password: Buffer.from(text) }),
  );
}

function code(call: 'web.totp' | 'web.recovery') {
  return async (exchange: Exchange): Promise<void> => {
    const { flow, code: text } = await exchange.json(signInCode);
    const { broker, connection } = exchange;
    answerStep(exchange, await broker.call(call, { connection, flow, code: Buffer.from(text) }));
  };
}

/** The cookie is a new one whatever the request brought: one that somebody planted is never the one that counts. */
export function answerStep(exchange: Exchange, outcome: Response<'web.passkey'>): void {
  if (outcome.result === 'success') {
    const { cookie, session } = outcome;
    exchange.entered(cookie, session);
    send(exchange, { result: 'success', account: accountOf(session) }, { 'Set-Cookie': cookieOf(cookie) });
  } else if (outcome.result === 'failure') {
    send(exchange, { result: 'failure', methods: outcome.methods, partial: outcome.partial });
  } else send(exchange, { result: 'over', reason: outcome.reason });
}

function send(exchange: Exchange, step: Step, headers: Readonly<Record<string, string>> = {}): void {
  exchange.send(200, step, headers);
}

export const signInHandlers = {
  'sign-in.start': start,
  'sign-in.passkey-options': passkeyOptions,
  'sign-in.passkey': passkey,
  'sign-in.password': password,
  'sign-in.totp': code('web.totp'),
  'sign-in.recovery': code('web.recovery'),
};
