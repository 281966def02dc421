/** Enrolling: the secret of an enrolment becomes a passkey, or a password with codes. It opens no session. */
import { enrolmentSecret, enrolPasskey, enrolPassword, flowOnly, signInCode } from '../../api/sign-in.ts';
import type { Exchange } from './exchange.ts';
import { originOf } from './origin.ts';

async function start(exchange: Exchange): Promise<void> {
  const { secret } = await exchange.json(enrolmentSecret);
  const { broker, connection, request } = exchange;
  exchange.send(200, await broker.call('web.enrol-start', { connection, origin: originOf(request.headers), secret }));
}

async function passkeyOptions(exchange: Exchange): Promise<void> {
  const { flow } = await exchange.json(flowOnly);
  const { broker, connection } = exchange;
  exchange.send(200, await broker.call('web.enrol-passkey-options', { connection, flow }));
}

async function passkey(exchange: Exchange): Promise<void> {
  const { flow, label, response } = await exchange.json(enrolPasskey);
  const { broker, connection } = exchange;
  exchange.send(200, await broker.call('web.enrol-passkey', { connection, flow, label, response }));
}

async function password(exchange: Exchange): Promise<void> {
  const { flow, password: text } = await exchange.json(enrolPassword);
  const { broker, connection } = exchange;
  exchange.send(200, await broker.call('web.enrol-password', { connection, flow, password: text }));
}

async function totp(exchange: Exchange): Promise<void> {
  const { flow, code } = await exchange.json(signInCode);
  const { broker, connection } = exchange;
  exchange.send(200, await broker.call('web.enrol-totp', { connection, flow, code: Buffer.from(code) }));
}

export const enrolmentHandlers = {
  'enrolment.start': start,
  'enrolment.passkey-options': passkeyOptions,
  'enrolment.passkey': passkey,
  'enrolment.password': password,
  'enrolment.totp': totp,
};
