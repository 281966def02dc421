/** `waybill login`: what machines ask, and what the page asks for the person. The broker decides all of it. */
import { loginCode, loginConfirm, loginToken, loginWish } from '../../api/login.ts';
import { WaybillError } from '../../base/errors.ts';
import { clientOf } from './client.ts';
import type { Exchange } from './exchange.ts';

const PAGE = '/device';

const iso = (at: number): string => new Date(at).toISOString();

/** A page somewhere that made a visitor's browser ask would ask from the visitor's address. No browser has to. */
function refuseBrowsers(exchange: Exchange): void {
  if (exchange.header('origin') !== undefined || exchange.header('sec-fetch-site') !== undefined)
    throw new WaybillError('origin-refused', 'a browser asks for no certificate; waybill login does');
}

async function start(exchange: Exchange): Promise<void> {
  refuseBrowsers(exchange);
  const { publicKey, login, hours } = await exchange.json(loginWish);
  const wish = { publicKey, ...(login === undefined ? {} : { login }), ...(hours === undefined ? {} : { hours }) };
  const { connection, request, broker } = exchange;
  const made = await broker.call('login.start', { connection, client: clientOf(request.headers), ...wish });
  const { origin, expires, userCode, ...told } = made;
  const page = `${origin}${PAGE}`;
  exchange.send(200, { ...told, userCode, page, pageWithCode: `${page}#${userCode}`, expires: iso(expires) });
}

async function token(exchange: Exchange): Promise<void> {
  refuseBrowsers(exchange);
  const { deviceCode } = await exchange.json(loginToken);
  exchange.send(200, await exchange.broker.call('login.token', { connection: exchange.connection, deviceCode }));
}

const sessionOf = ({ member }: Exchange): { session: string } => ({ session: member.session.session });

async function show(exchange: Exchange): Promise<void> {
  const { userCode } = await exchange.json(loginCode);
  const found = await exchange.broker.call('login.show', { ...sessionOf(exchange), userCode });
  exchange.send(200, { ...found, asked: iso(found.asked), expires: iso(found.expires) });
}

async function confirm(exchange: Exchange): Promise<void> {
  const wish = await exchange.json(loginConfirm);
  exchange.send(200, await exchange.broker.call('login.confirm', { ...sessionOf(exchange), ...wish }));
}

async function refuse(exchange: Exchange): Promise<void> {
  const { userCode } = await exchange.json(loginCode);
  await exchange.broker.call('login.refuse', { ...sessionOf(exchange), userCode });
  exchange.sendEmpty(204);
}

export const loginHandlers = {
  'login.start': start,
  'login.token': token,
  'login.show': show,
  'login.confirm': confirm,
  'login.refuse': refuse,
};
