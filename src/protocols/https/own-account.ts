/** What whoever is signed in asks about the own account. Who may change what, the broker says. */
import type { AccountInfo } from '../../api/sign-in.ts';
import { certificateWish, newPasskey, stepUp } from '../../api/sign-in.ts';
import { WaybillError } from '../../base/errors.ts';
import type { Response } from '../../broker/calls.ts';
import { NO_COOKIE } from './credentials.ts';
import type { Exchange } from './exchange.ts';

const ID = /^[0-9a-f]{32}$/;

const iso = (at: number): string => new Date(at).toISOString();
const isoOrNull = (at: number | null): string | null => (at === null ? null : iso(at));

export function accountOf(from: Response<'web.account'>): AccountInfo {
  const { account: id, login, tenant, home, scopes, factors, strong, ends } = from;
  return { id, login, tenant, home, scopes, factors, strong: isoOrNull(strong), ends: isoOrNull(ends) };
}

const sessionOf = ({ member }: Exchange): { session: string } => ({ session: member.session.session });

async function get(exchange: Exchange): Promise<void> {
  exchange.send(200, accountOf(await exchange.broker.call('web.account', sessionOf(exchange))));
}

async function signOut(exchange: Exchange): Promise<void> {
  await exchange.broker.call('web.sign-out', sessionOf(exchange));
  exchange.sendEmpty(204, { 'Set-Cookie': NO_COOKIE });
}

async function sessions(exchange: Exchange): Promise<void> {
  const found = await exchange.broker.call('web.sessions', sessionOf(exchange));
  exchange.send(200, {
    sessions: found.sessions.map((one) => {
      const { begun, lastUsed, ends } = one;
      return { ...one, begun: iso(begun), lastUsed: iso(lastUsed), ends: iso(ends) };
    }),
  });
}

async function endSession(exchange: Exchange): Promise<void> {
  await exchange.broker.call('web.end-session', { ...sessionOf(exchange), id: idOf(exchange) });
  exchange.sendEmpty(204);
}

async function stepUpOptions(exchange: Exchange): Promise<void> {
  exchange.send(200, await exchange.broker.call('web.step-up-options', sessionOf(exchange)));
}

async function showAgain(exchange: Exchange): Promise<void> {
  const shown = await exchange.json(stepUp);
  const factor = 'passkey' in shown ? { passkey: shown.passkey } : { totp: Buffer.from(shown.totp) };
  const answer = await exchange.broker.call('web.step-up', { ...sessionOf(exchange), ...factor });
  exchange.send(200, answer.result === 'success' ? { ...answer, strong: iso(answer.strong) } : answer);
}

async function credentials(exchange: Exchange): Promise<void> {
  const found = await exchange.broker.call('web.credentials', sessionOf(exchange));
  const passkeys = found.passkeys.map((one) => {
    const { created, lastUsed } = one;
    return { ...one, created: iso(created), lastUsed: isoOrNull(lastUsed) };
  });
  exchange.send(200, { ...found, passkeys });
}

async function passkeyOptions(exchange: Exchange): Promise<void> {
  exchange.send(200, await exchange.broker.call('web.register-options', sessionOf(exchange)));
}

async function addPasskey(exchange: Exchange): Promise<void> {
  const { label, response } = await exchange.json(newPasskey);
  exchange.send(200, await exchange.broker.call('web.register', { ...sessionOf(exchange), label, response }));
}

async function removePasskey(exchange: Exchange): Promise<void> {
  await exchange.broker.call('web.remove-passkey', { ...sessionOf(exchange), passkey: idOf(exchange) });
  exchange.sendEmpty(204);
}

async function recoveryCodes(exchange: Exchange): Promise<void> {
  exchange.send(200, await exchange.broker.call('web.recovery-codes', sessionOf(exchange)));
}

async function certificate(exchange: Exchange): Promise<void> {
  const { publicKey, hours } = await exchange.json(certificateWish);
  const wish = { ...sessionOf(exchange), publicKey, ...(hours === undefined ? {} : { hours }) };
  exchange.send(200, await exchange.broker.call('certificate.issue', wish));
}

function idOf({ rest }: Exchange): string {
  if (!ID.test(rest)) throw new WaybillError('not-found', 'nothing of this account has this id');
  return rest;
}

export const accountHandlers = {
  'account.get': get,
  'account.sign-out': signOut,
  'account.sessions': sessions,
  'account.end-session': endSession,
  'account.step-up-options': stepUpOptions,
  'account.step-up': showAgain,
  'account.credentials': credentials,
  'account.passkey-options': passkeyOptions,
  'account.add-passkey': addPasskey,
  'account.remove-passkey': removePasskey,
  'account.recovery-codes': recoveryCodes,
  'account.certificate': certificate,
};
