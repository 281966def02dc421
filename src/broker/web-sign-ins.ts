/**
 * Sign-ins over HTTPS. A browser may bring the steps of one sign-in by several connections, so it lives here under its
 * flow, among those of the source that began it; nobody else's connection finds it. Success makes the web session, and
 * the session of the connection, here and nowhere else.
 */
import type { Account } from '../accounts/account.ts';
import { ACCESS_TOKEN } from '../accounts/access-token.ts';
import type { Administrators } from '../accounts/administrators.ts';
import type { ApiTokens } from '../accounts/web/api-tokens.ts';
import type { Enrolling, Enrolments } from '../accounts/web/enrolments.ts';
import type { Origin, Origins } from '../accounts/web/origins.ts';
import type { Scope, WebSession } from '../accounts/web/store.ts';
import { WEB_IDLE_MILLISECONDS, WEB_LIFE_MILLISECONDS } from '../accounts/web/web-sessions.ts';
import type { WebProof, WebSessions } from '../accounts/web/web-sessions.ts';
import { WebSignIn } from '../accounts/web/web-sign-in.ts';
import type { WebOutcome, WebSignInParts } from '../accounts/web/web-sign-in.ts';
import { isFull, WaybillError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { LedgerNode } from '../ledger/node.ts';
import { marksOf } from '../policy/budgets/acquaintances.ts';
import type { Seen } from '../policy/budgets/acquaintances.ts';
import { administratorIdentity, administratorSignIn } from './administrator-sign-in.ts';
import type { Connection, Connections, LiveSession, WebIdentity } from './connections.ts';
import { RefusedTokens } from './refused-tokens.ts';
import { clientName } from './web-client.ts';
import type { WebAnswer, WebSessionAnswer } from './web-calls.ts';
import { WebFlows } from './web-flows.ts';

export interface WebSignInsParts {
  readonly signIn: WebSignInParts;
  readonly origins: Origins;
  readonly sessions: WebSessions;
  readonly tokens: ApiTokens;
  readonly administrators: Pick<Administrators, 'findByToken'>;
  readonly enrolments: Enrolments;
  readonly ledger: Ledger;
  readonly connections: Connections;
  readonly node: LedgerNode;
  meet(account: string, seen: Seen): string[];
  inBackground(action: () => void): void;
  tenantName(tenant: string): string | null;
  home(account: string): string;
  /** A sign-in of this source ended in refusals. */
  penalize(source: string): void;
}

interface Course {
  readonly signIn: WebSignIn;
  readonly client: string;
  readonly origin: Origin;
  readonly session: string;
  /** The connection of its last step. */
  at: Connection;
  made: { readonly session: WebSession; readonly cookie: string } | null;
  /** Failures that the ledger has. */
  recorded: number;
}

interface Flow {
  readonly course: Course | null;
  readonly enrolling: Enrolling | null;
}

interface Opening {
  readonly account: Account;
  readonly session: string;
  readonly client: string;
  readonly factors: readonly string[];
  readonly proofs: readonly WebProof[];
}

/** On one connection: then it has to come again, and the limits of new connections look at it. */
const REFUSALS_MAX = 30;
const FILES: readonly Scope[] = ['files:list', 'files:read', 'files:write'];

export class WebSignIns {
  private readonly parts: WebSignInsParts;
  private readonly flows: WebFlows<Flow>;
  private readonly refused = new RefusedTokens();

  constructor(parts: WebSignInsParts) {
    this.parts = parts;
    this.flows = new WebFlows(
      ({ course }) => {
        if (course !== null) this.recordFailures(course);
      },
      () => this.now(),
    );
  }

  start(connection: Connection, named: string, client: string): { flow: string; methods: WebSignIn['methods'] } {
    const origin = this.originOf(named);
    const course: Course = {
      signIn: new WebSignIn(this.parts.signIn, connection.address, origin, ({ account, factors, proofs }) => {
        const { address } = course.at;
        course.made = this.parts.sessions.begin({ account, proofs, address, client: course.client });
        const { session } = course;
        this.record(course.at, { account, session, client: course.client, factors, proofs });
      }),
      client: clientName(client),
      origin,
      session: newId(),
      at: connection,
      made: null,
      recorded: 0,
    };
    return { flow: this.flows.keep(connection.source, { course, enrolling: null }), methods: course.signIn.methods };
  }

  /** Wrong secrets count as refused steps: there are 2^256 of them. */
  startEnrolment(connection: Connection, named: string, secret: string): { flow: string; enrolling: Enrolling } {
    this.requirePatience(connection);
    const enrolling = this.parts.enrolments.begin(secret, this.originOf(named));
    if (enrolling === null) {
      connection.refusals++;
      this.recordRefusal(connection, '', null, { factors: ['enrolment'], tries: 1, reason: 'enrolment-unknown' });
      throw new WaybillError('sign-in-refused', 'this link was used already, or is too old');
    }
    return { flow: this.flows.keep(connection.source, { course: null, enrolling }), enrolling };
  }

  enrolling(connection: Connection, flow: string): Enrolling {
    const found = this.flows.find(connection.source, flow)?.enrolling ?? null;
    if (found === null) throw over();
    return found;
  }

  ask<T>(connection: Connection, flow: string, run: (signIn: WebSignIn) => T | null): T {
    const course = this.flows.find(connection.source, flow)?.course ?? null;
    const answer = course === null ? null : run(course.signIn);
    if (answer === null) throw over();
    return answer;
  }

  async step(
    connection: Connection,
    flow: string,
    run: (signIn: WebSignIn) => Promise<WebOutcome>,
  ): Promise<WebAnswer> {
    const course = this.flows.find(connection.source, flow)?.course ?? null;
    if (course === null) return { result: 'disconnect', reason: 'this sign-in is over; begin again' };
    if (connection.refusals >= REFUSALS_MAX) return { result: 'disconnect', reason: 'too many sign-in tries' };
    course.at = connection;
    const before = course.signIn.failures;
    try {
      const outcome = await run(course.signIn);
      connection.refusals += course.signIn.failures - before;
      if (outcome.result === 'failure') return outcome;
      this.flows.drop(connection.source, flow);
      if (outcome.result === 'disconnect') {
        if (course.signIn.failures > 0) this.parts.penalize(connection.source);
        this.recordFailures(course);
        return outcome;
      }
      return this.succeed(connection, course, outcome);
    } catch (error) {
      // Nobody comes in without a durable record of it.
      if (!isFull(error)) throw error;
      return { result: 'disconnect', reason: 'the server has no space left to record a sign-in; try again later' };
    }
  }

  private succeed(connection: Connection, course: Course, outcome: WebOutcome & { result: 'success' }): WebAnswer {
    const { made, session, client, origin } = course;
    course.recorded = course.signIn.failures;
    if (made === null) throw new WaybillError('internal', 'a sign-in without its web session');
    const { account, factors, proofs } = outcome;
    const live = this.enter(
      connection,
      { account, session, client, factors, proofs },
      webIdentity(made.session, account, origin),
    );
    return { result: 'success', cookie: made.cookie, session: live };
  }

  /** A token or a cookie that a request brought. */
  async open(
    connection: Connection,
    {
      bearer,
      cookie,
      client,
      origin,
    }: {
      bearer?: string | undefined;
      cookie?: string | undefined;
      client?: string | undefined;
      origin?: string | undefined;
    },
  ): Promise<WebSessionAnswer> {
    const name = clientName(client ?? '');
    if (bearer?.startsWith(ACCESS_TOKEN) === true) return this.openByAdministrator(connection, bearer, name);
    if (bearer !== undefined) return this.openByToken(connection, bearer, name);
    return this.openByCookie(connection, cookie ?? '', name, origin === undefined ? null : this.originOf(origin));
  }

  private async openByToken(connection: Connection, text: string, client: string): Promise<WebSessionAnswer> {
    const { tokens, signIn } = this.parts;
    this.requirePatience(connection);
    const verdict = tokens.judge(text, connection.address);
    if (!verdict.good) throw this.refuseToken(connection, text, client, verdict.account, verdict.fault);
    const { token, account, scopes } = verdict;
    const proofs = [{ factor: 'token', id: token.id, description: `token ${JSON.stringify(token.label)}` }];
    const opening = { account, session: newId(), client, factors: ['token'], proofs };
    const used = await signIn.store.write(() => {
      const good = tokens.use(token, connection.address, text);
      if (good) this.record(connection, opening);
      return good;
    });
    // Also what became durable between that write and this line.
    if (!used || !tokens.judge(text, connection.address).good)
      throw this.refuseToken(connection, text, client, account, 'changed-meanwhile');
    const web = {
      scopes,
      factors: ['token'],
      webSession: null,
      origin: null,
      strong: null,
      ends: token.expires,
      idle: null,
    };
    return this.enter(connection, opening, { ...web, refusals: 0 });
  }

  /** His session has no account and no files: all that it may call is administration. */
  private async openByAdministrator(connection: Connection, text: string, client: string): Promise<WebSessionAnswer> {
    const { administrators, signIn, connections, ledger, node } = this.parts;
    this.requirePatience(connection);
    const known = administrators.findByToken(text);
    if (known === null) throw this.refuseToken(connection, text, client, null, 'token-unknown');
    const identity = administratorIdentity(known);
    const stands = (): boolean => administrators.findByToken(text)?.id === known.id;
    const good = await signIn.store.write(() => {
      if (stands()) ledger.append(null, administratorSignIn(connection, identity, known, client, node));
      return stands();
    });
    // Also what became durable between that write and this line.
    if (!good || !stands()) throw this.refuseToken(connection, text, client, null, 'changed-meanwhile');
    return this.account(connections.signIn(connection, identity));
  }

  private async openByCookie(
    connection: Connection,
    cookie: string,
    client: string,
    origin: Origin | null,
  ): Promise<WebSessionAnswer> {
    const { sessions, signIn } = this.parts;
    const verdict = sessions.judge(cookie);
    if (!verdict.good) throw new WaybillError('not-signed-in', 'the session is over; sign in again');
    const { session: web, account } = verdict;
    const proofs = web.factors.map((factor, at) => ({
      factor,
      id: web.credentials[at] ?? '',
      description: web.descriptions[at] ?? factor,
    }));
    const opening = { account, session: newId(), client, factors: web.factors, proofs };
    const stands = await signIn.store.write(() => {
      const now = sessions.judge(cookie);
      if (now.good) this.record(connection, opening);
      return now.good;
    });
    if (!stands || !sessions.judge(cookie).good)
      throw new WaybillError('not-signed-in', 'the session is over; sign in again');
    sessions.touch(web.id, this.now());
    return this.enter(connection, opening, webIdentity(web, account, origin));
  }

  /** A refused token is told once for each connection and account: whoever holds it tries it on every request. */
  private refuseToken(
    connection: Connection,
    text: string,
    client: string,
    account: Account | null,
    fault: string,
  ): WaybillError {
    connection.refusals++;
    if (connection.refusals === 1 || account !== null)
      this.recordRefusal(connection, client, account, { factors: ['token'], tries: 1, reason: fault });
    if (this.refused.isGuess(connection.source, text, this.now())) this.parts.penalize(connection.source);
    return new WaybillError('sign-in-refused', 'the token is not one that signs in here and now');
  }

  private requirePatience({ refusals }: Connection): void {
    if (refusals >= REFUSALS_MAX)
      throw new WaybillError('sign-in-refused', 'too many sign-in tries on this connection');
  }

  private enter(connection: Connection, opening: Opening, web: WebIdentity): WebSessionAnswer {
    const { account, session, proofs } = opening;
    const tenantName = this.parts.tenantName(account.tenant);
    if (tenantName === null || this.parts.signIn.store.account(account.id)?.status !== 'active')
      throw new WaybillError('sign-in-refused', 'the account was withdrawn');
    const credentials = proofs.map(({ id }) => id);
    const live = this.parts.connections.signIn(connection, {
      session,
      account: account.id,
      tenant: account.tenant,
      login: account.login,
      tenantName,
      credential: proofs.map(({ description }) => description).join(' + '),
      proofs: web.webSession === null ? credentials : [...credentials, web.webSession],
      lasting: credentials,
      marks: marksOf(shown(connection, opening)),
      web,
    });
    return this.account(live);
  }

  /** What a session is now. */
  account({ session, account, login, tenantName, web }: LiveSession): WebSessionAnswer {
    if (web === undefined) throw new WaybillError('call-forbidden', 'this is no session over HTTPS');
    const { scopes, factors, strong, ends } = web;
    const home = this.parts.home(account);
    const answer = { session, login, tenant: tenantName, account, home };
    return { ...answer, scopes: [...scopes], factors: [...factors], strong, ends };
  }

  /** The connection is gone; the sign-ins that it took part in may go on by another. */
  gone(connection: Connection): void {
    for (const { course } of this.flows.of(connection.source))
      if (course?.at === connection) this.recordFailures(course);
  }

  /** Again and again: what is too old is forgotten, and what sessions did last is noted. */
  sweep(): void {
    const { connections, sessions } = this.parts;
    for (const { web, lastActive } of connections.list())
      if (web?.webSession != null) sessions.touch(web.webSession, lastActive);
    connections.endOverdue();
    this.flows.sweep();
  }

  private record(connection: Connection, opening: Opening): void {
    const { account, session, client, factors, proofs } = opening;
    const { run, name: node, software } = this.parts.node;
    this.parts.ledger.append(account.tenant, {
      kind: 'sign-in',
      session,
      account: account.id,
      login: account.login,
      protocol: 'https',
      address: connection.address,
      client,
      run,
      node,
      software,
      factors: [...factors],
      credentials: proofs.map(({ id }) => id),
      descriptions: proofs.map(({ description }) => description),
      firsts: this.parts.meet(account.id, shown(connection, opening)),
    });
  }

  /** What has been refused since it was last told. */
  private recordFailures(course: Course): void {
    const { signIn, at, client } = course;
    const tries = signIn.failures - course.recorded;
    if (tries <= 0 || course.made !== null) return;
    course.recorded = signIn.failures;
    const { account, factors, reason } = signIn.refused;
    this.recordRefusal(at, client, account, { factors, tries, reason });
  }

  private recordRefusal(
    { address }: Connection,
    client: string,
    account: Account | null,
    {
      factors,
      tries,
      reason,
    }: { readonly factors: readonly string[]; readonly tries: number; readonly reason: string },
  ): void {
    const { ledger, node } = this.parts;
    this.parts.inBackground(() => {
      ledger.append(account?.tenant ?? null, {
        kind: 'sign-in-failed',
        account: account?.id ?? null,
        login: account?.login ?? '',
        protocol: 'https',
        address,
        client,
        run: node.run,
        factors: [...factors],
        tries,
        reason,
      });
    });
  }

  private originOf(named: string): Origin {
    const origin = this.parts.origins.find(named);
    if (origin === null)
      throw new WaybillError(
        'origin-refused',
        'nobody signs in at this address: the operator names it with --https-origin',
      );
    return origin;
  }

  private now(): number {
    return this.parts.signIn.clock.now();
  }
}

function webIdentity({ id, factors, strong, begun }: WebSession, account: Account, origin: Origin | null): WebIdentity {
  const scopes: readonly Scope[] = account.administrator ? [...FILES, 'admin'] : FILES;
  const times = { strong, ends: begun + WEB_LIFE_MILLISECONDS, idle: WEB_IDLE_MILLISECONDS };
  return { scopes, factors, webSession: id, origin, ...times, refusals: 0 };
}

function shown({ address }: Connection, { client, proofs }: Opening): Seen {
  return { address, client, credentials: proofs.map(({ id }) => id) };
}

function over(): WaybillError {
  return new WaybillError('sign-in-refused', 'this sign-in is over; begin again');
}
