/**
 * `waybill login` in the broker: a machine asks with its public key, a person who has signed in confirms, the machine gets
 * a certificate that is bound to the address it asked from. A code that is stolen, guessed or sent to somebody gets
 * nobody in: the certificate is for the key that was shown with the first call, and of whoever confirms it.
 */
import type { Account } from '../accounts/account.ts';
import { change, oneself } from '../accounts/web/parts.ts';
import type { WebParts } from '../accounts/web/parts.ts';
import type { Origins } from '../accounts/web/origins.ts';
import { plainAddress } from '../base/addresses.ts';
import type { Networks } from '../base/addresses.ts';
import { WaybillError } from '../base/errors.ts';
import type { Json } from '../ledger/core/fields.ts';
import { fingerprint } from '../sshkeys/public-key.ts';
import type { PublicKey } from '../sshkeys/public-key.ts';
import type { FrontCalls, Request, Response } from './calls.ts';
import { plainKey } from './certificates.ts';
import type { Certificates } from './certificates.ts';
import type { Connection, LiveSession } from './connections.ts';
import type { Handlers } from './dispatch.ts';
import type { FrontCallers } from './front-handlers.ts';
import { LoginTable, shownCode, tooEarly } from './login-table.ts';
import type { LoginLimits, LoginRequest } from './login-table.ts';
import { clientName } from './web-client.ts';

export interface LoginsParts {
  readonly web: WebParts;
  readonly origins: Origins;
  readonly certificates: Pick<Certificates, 'issueFor' | 'requireGrantable'>;
  /** Machines in these may be confirmed from a browser that is elsewhere. */
  readonly elsewhere: Networks;
  /** Where SFTP is served; null where it is not. */
  readonly sftpPort: () => number | null;
  readonly limits?: LoginLimits;
}

interface Asked {
  readonly key: PublicKey;
  readonly fingerprint: string;
  readonly hours: number | null;
  readonly login: string | null;
  readonly address: string;
  readonly client: string;
}
type Granted = Response<'login.token'>;
type Waiting = LoginRequest<Asked, Granted>;
type LoginHandlers = Pick<Handlers<FrontCalls, FrontCallers>, Extract<keyof FrontCalls, `login.${string}`>>;

/** Of one account within ten minutes; each is one chance in millions. */
const WRONG_MAX = 10;
const WRONG_MILLISECONDS = 10 * 60_000;

export class Logins {
  readonly handlers: LoginHandlers = {
    'login.start': (request, connection) => this.start(request, connection),
    'login.token': ({ deviceCode }, connection) => this.token(deviceCode, connection),
    'login.show': (request, session) => this.show(request, session),
    'login.confirm': (request, session) => this.confirm(request, session),
    'login.refuse': (request, session) => this.refuse(request, session),
  };
  private readonly parts: LoginsParts;
  private readonly table: LoginTable<Asked, Granted>;
  private readonly wrong = new Map<string, { from: number; count: number }>();

  constructor(parts: LoginsParts) {
    this.parts = parts;
    this.table = new LoginTable(parts.limits);
  }

  /** Again and again: what is too old is forgotten. */
  sweep(): void {
    const now = this.now();
    this.table.sweep(now);
    for (const [account, { from }] of this.wrong) if (now - from >= WRONG_MILLISECONDS) this.wrong.delete(account);
  }

  private start(request: Request<'login.start'>, connection: Connection): Response<'login.start'> {
    const { first } = this.parts.origins;
    if (first === null)
      throw new WaybillError('unsupported', 'nobody signs in here: the operator names the server with --https-origin');
    const key = plainKey(request.publicKey);
    const { login = null, hours = null } = request;
    this.parts.certificates.requireGrantable(hours);
    const address = plainAddress(connection.address);
    const asked = {
      key,
      fingerprint: fingerprint(key.blob),
      hours,
      login,
      address,
      client: clientName(request.client),
    };
    const { deviceCode, request: made } = this.table.add(connection.source, asked, this.now());
    const { userCode, expires, interval } = made;
    const told = { deviceCode, userCode: shownCode(userCode), expires, interval: interval / 1000 };
    return { ...told, fingerprint: asked.fingerprint, origin: first.origin };
  }

  private token(deviceCode: string, connection: Connection): Granted {
    const now = this.now();
    const request = this.table.byDeviceCode(deviceCode, now);
    // From another address the certificate would be good for nothing, and whoever asks there has stolen the code.
    if (request === null || request.asked.address !== plainAddress(connection.address)) throw over();
    if (tooEarly(request, now))
      throw new WaybillError('login-too-fast', `ask every ${request.interval / 1000} seconds`);
    const { state } = request;
    if (state.kind === 'waiting' || state.kind === 'deciding')
      throw new WaybillError('login-pending', 'nobody has confirmed this request yet');
    this.table.remove(request);
    if (state.kind === 'granted') return state.answer;
    const elsewhere = state.code === 'login-elsewhere';
    throw new WaybillError(state.code, elsewhere ? ELSEWHERE : 'somebody has refused this request');
  }

  private async show(asked: Request<'login.show'>, session: LiveSession): Promise<Response<'login.show'>> {
    const account = this.person(session);
    const request = this.find(asked.userCode, account) ?? (await this.miss(account, session));
    const { fingerprint: print, address, client, login, hours } = request.asked;
    const { begun, expires, userCode } = request;
    const what = { userCode: shownCode(userCode), fingerprint: print, address, client, asked: begun, expires };
    const elsewhere = isElsewhere(request, session);
    return { ...what, login, hours, browser: session.address, elsewhere, allowed: this.allows(request, session) };
  }

  private async confirm(asked: Request<'login.confirm'>, session: LiveSession): Promise<Response<'login.confirm'>> {
    const account = this.person(session);
    const request = this.find(asked.userCode, account) ?? (await this.miss(account, session));
    const { key, hours, address, client, fingerprint: print } = request.asked;
    if (print !== asked.fingerprint)
      throw new WaybillError('request-invalid', 'the request is for another key than the one that was shown');
    if (!this.allows(request, session)) {
      request.state = { kind: 'refused', code: 'login-elsewhere' };
      await this.record(account, request, session, 'elsewhere');
      throw new WaybillError('login-elsewhere', ELSEWHERE);
    }
    // Shown for this: what was shown before the request is not a word about it.
    if ((session.web?.strong ?? 0) < request.begun)
      throw new WaybillError('step-up-needed', 'show a passkey or a code again to confirm this');
    request.state = { kind: 'deciding' };
    try {
      const about = { browser: session.address, client };
      const within = (): void => {
        if (this.now() >= request.expires) throw over();
      };
      const issued = await this.parts.certificates.issueFor(session, { key, hours, address, about, within });
      const answer = { ...issued, tenant: session.tenantName, address, sftpPort: this.parts.sftpPort() };
      request.state = { kind: 'granted', answer };
      return { until: issued.until, serial: issued.serial };
    } catch (error) {
      request.state = { kind: 'waiting' };
      throw error;
    }
  }

  private async refuse({ userCode }: Request<'login.refuse'>, session: LiveSession): Promise<Response<'login.refuse'>> {
    const account = this.person(session);
    const request = this.find(userCode, account) ?? (await this.miss(account, session));
    request.state = { kind: 'refused', code: 'login-denied' };
    await this.record(account, request, session, 'refused');
    return {};
  }

  /** A token confirms nothing: whoever holds it would have a way in that outlives it. */
  private person({ account: id, web }: LiveSession): Account {
    if (web === undefined || web.webSession === null)
      throw new WaybillError('call-forbidden', 'only who has signed in as a person can do this');
    const account = this.parts.web.accounts.account(id);
    if (account === null) throw new WaybillError('session-ended', 'the account is gone');
    return account;
  }

  /**
   * One that is for somebody else is none: who it is for, and from where, is not everybody's to read. Not async: between
   * finding a request that waits and taking it nothing may happen.
   */
  private find(typed: string, { id, login }: Account): Waiting | null {
    if (this.wrongOf(id).count >= WRONG_MAX)
      throw new WaybillError('login-too-fast', 'too many wrong codes; try again later');
    const request = this.table.byTypedCode(typed, this.now());
    if (request?.state.kind !== 'waiting') return null;
    return request.asked.login === null || request.asked.login === login ? request : null;
  }

  private wrongOf(account: string): { from: number; count: number } {
    const now = this.now();
    const known = this.wrong.get(account);
    return known !== undefined && now - known.from < WRONG_MILLISECONDS ? known : { from: now, count: 0 };
  }

  private async miss(account: Account, { address: browser }: LiveSession): Promise<never> {
    const wrong = this.wrongOf(account.id);
    wrong.count++;
    this.wrong.set(account.id, wrong);
    const detail = { codes: wrong.count, browser };
    if (wrong.count === WRONG_MAX)
      await change(this.parts.web, account, oneself(account), 'login.guessed', { detail }, () => undefined);
    throw new WaybillError('login-expired', 'no request that waits for you has this code');
  }

  private allows(request: Waiting, session: LiveSession): boolean {
    return !isElsewhere(request, session) || this.parts.elsewhere.contains(request.asked.address);
  }

  /** That somebody asked in another's name is what an operator wants to know. */
  private record(account: Account, { asked }: Waiting, session: LiveSession, why: string): Promise<unknown> {
    const { address, client, fingerprint: key } = asked;
    const detail: Readonly<Record<string, Json>> = { why, key, address, client, browser: session.address };
    return change(this.parts.web, account, oneself(account), 'login.refuse', { detail }, () => undefined);
  }

  private now(): number {
    return this.parts.web.clock.now();
  }
}

const ELSEWHERE = 'the machine that asks is at another address than the browser, which is not allowed for it here';

/** One IPv6 /64 is one place: machines change their addresses within it. */
function isElsewhere({ source }: Waiting, { connection }: LiveSession): boolean {
  return source !== connection.source;
}

function over(): WaybillError {
  return new WaybillError('login-expired', 'this request is over');
}
