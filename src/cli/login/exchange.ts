/**
 * The machine's side of `waybill login` (RFC 8628 in shape): it asks with its public key, waits until a person has confirmed,
 * and takes a certificate only if it is for that key, and of the person that was meant. What the server says ends up in
 * command lines and files of this machine, so nothing of it is taken as it came.
 */
import type { KeyObject } from 'node:crypto';
import type { z } from 'zod';
import { isLogin } from '../../accounts/login.ts';
import { loginCertificate, loginStart } from '../../api/login.ts';
import type { Clock } from '../../base/clock.ts';
import { WaybillError } from '../../base/errors.ts';
import { parseCertificate } from '../../sshkeys/certificate.ts';
import type { Certificate } from '../../sshkeys/certificate.ts';
import { publicKeyFrom, publicKeyLine } from '../../sshkeys/public-key.ts';
import { KeyRefused } from '../../sshkeys/refusal.ts';
import type { HttpsClient } from '../https-client.ts';

export type Started = z.infer<typeof loginStart>;
export type Answered = z.infer<typeof loginCertificate>;

export interface Wish {
  readonly publicKey: KeyObject;
  readonly login: string | null;
  readonly hours: number | null;
}

export interface Granted extends Answered {
  readonly parsed: Certificate;
}

const SLOWER_SECONDS = 5;
const INTERVAL_MOST = 60;
/** A server that restarts, a network that comes and goes. */
const UNREACHED_MOST = 5;

export async function startLogin(client: Pick<HttpsClient, 'ask'>, wish: Wish): Promise<Started> {
  const { publicKey, login, hours } = wish;
  const body = {
    publicKey: publicKeyLine(publicKeyFrom(publicKey)),
    ...(login === null ? {} : { login }),
    ...(hours === null ? {} : { hours }),
  };
  const started = await client.ask({ method: 'POST', path: '/api/v1/login', body, answer: loginStart });
  for (const page of [started.page, started.pageWithCode]) requirePage(page);
  return started;
}

/** It is opened, and shown to be clicked. */
function requirePage(text: string): void {
  const { protocol, username, password } = new URL(text);
  if (protocol !== 'https:' || username !== '' || password !== '')
    throw new WaybillError('internal', 'the server names a page that is not its own kind of page');
}

/** Asks until there is an answer. `ends`: of the local clock; the server's own end is what counts. */
export async function awaitCertificate(
  client: Pick<HttpsClient, 'ask'>,
  started: Started,
  clock: Clock,
): Promise<Answered> {
  const { deviceCode } = started;
  let interval = Math.min(Math.max(started.interval, 1), INTERVAL_MOST);
  for (let unreached = 0; ;) {
    await clock.wait(interval * 1000);
    try {
      const body = { deviceCode };
      const asked = {
        method: 'POST',
        path: '/api/v1/login/token',
        body,
        answer: loginCertificate,
        again: true,
      } as const;
      return await client.ask(asked);
    } catch (error) {
      const code = error instanceof WaybillError ? error.code : null;
      if (code === 'login-too-fast') interval = Math.min(interval + SLOWER_SECONDS, INTERVAL_MOST);
      unreached = code === 'server-unreachable' ? unreached + 1 : 0;
      const patient =
        code === 'login-pending' || code === 'login-too-fast' || (unreached > 0 && unreached < UNREACHED_MOST);
      if (!patient) throw error;
    }
  }
}

/** Throws when it is not what was asked for. */
export function checkAnswer(answer: Answered, { publicKey, login }: Wish): Granted {
  const parsed = certificateOf(answer.certificate);
  const asked = publicKeyFrom(publicKey);
  const [principal, ...more] = parsed.principals;
  if (parsed.role !== 'user' || !parsed.key.blob.equals(asked.blob)) throw strange('for another key');
  if (principal !== answer.login || more.length > 0 || !isLogin(answer.login)) throw strange('for another name');
  if (login !== null && answer.login !== login)
    throw new WaybillError('permission-denied', `somebody else has confirmed it: ${answer.login}, not ${login}`);
  return { ...answer, parsed };
}

function certificateOf(line: string): Certificate {
  try {
    return parseCertificate(Buffer.from(line.split(' ')[1] ?? '', 'base64'));
  } catch (error) {
    if (error instanceof KeyRefused) throw strange('that cannot be read');
    throw error;
  }
}

function strange(what: string): WaybillError {
  return new WaybillError('internal', `the server answered with a certificate ${what}`);
}

/** For the agent. A clock of this machine that is wrong must not make it forget at once, or never. */
export function lifetimeSeconds({ validAfter, validBefore }: Certificate, now: number): number {
  const whole = Number(validBefore - validAfter);
  const left = Number(validBefore) - Math.floor(now / 1000);
  return left > 0 ? Math.min(left, whole) : whole;
}
