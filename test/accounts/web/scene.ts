/** The calls of WEB_CALLS as a front makes them, over a real store: dispatch, schemas, handlers, rooms; a clock of the test's. */
import { SIGN_IN_LIMITS } from '../../../src/accounts/sign-in.ts';
import { WEB_CALLS } from '../../../src/broker/web-calls.ts';
import { Connections } from '../../../src/broker/connections.ts';
import type { Connection, FrontEnd } from '../../../src/broker/connections.ts';
import { createDispatch } from '../../../src/broker/dispatch.ts';
import { identifyFront } from '../../../src/broker/front-handlers.ts';
import { webHandlers } from '../../../src/broker/web-handlers.ts';
import { openWebRooms } from '../../../src/broker/web-rooms.ts';
import type { WebRooms } from '../../../src/broker/web-rooms.ts';
import { WebSignIns } from '../../../src/broker/web-sign-ins.ts';
import type { Request, Response } from '../../../src/broker/calls.ts';
import { parseOrigin } from '../../../src/base/web-origin.ts';
import type { Event } from '../../../src/ledger/core/kinds.ts';
import { SqliteWeb } from '../../../src/store/sqlite/web.ts';
import { PASSWORD, Scene } from '../scene.ts';
import { fromBase32 } from '../base32.ts';
import { totpCode, totpStep } from '../../../src/accounts/totp.ts';
import { Authenticator } from './authenticator.ts';
import type { Lies } from './authenticator.ts';

export const ORIGIN = 'https://files.example.com';
export const OTHER_ORIGIN = 'https://other.example.org:8443';

type WebCall = keyof typeof WEB_CALLS;

export class WebScene {
  readonly base = new Scene(SIGN_IN_LIMITS);
  readonly store = new SqliteWeb(this.base.database);
  readonly entries: (Event & { tenant: string | null })[] = [];
  readonly penalties: string[] = [];
  readonly told: { connection: string; reason: string; session: string | undefined }[] = [];
  readonly rooms: WebRooms;
  readonly connections: Connections;
  readonly signIns: WebSignIns;
  readonly front = this.newFront(1);
  private readonly handlers: ReturnType<typeof webHandlers>;

  constructor(tokenIdleDays: number | null = 90) {
    const { parts, accounts, store: accountStore } = this.base;
    const ledger = {
      append: (tenant: string | null, event: Event) => void this.entries.push({ ...event, tenant }),
    };
    this.rooms = openWebRooms({
      ...{ store: this.store, accountStore, accounts, sealer: parts.sealer, ledger, clock: parts.clock, tokenIdleDays },
      issuer: 'Waybill test',
      origins: [ORIGIN, OTHER_ORIGIN].map((text) => parseOrigin(text) ?? { origin: '', rpId: null }),
      report: (error) => {
        throw error;
      },
    });
    const watcher = {
      startupOver: () => undefined,
      sessionOver: () => undefined,
      gone: (connection: Connection) => {
        this.signIns.gone(connection);
      },
    };
    this.connections = new Connections(watcher, parts.log, () => this.base.now);
    const { parts: web, passkeys, ...rooms } = this.rooms;
    const signIn = { ...parts, web: this.store, passkeys };
    this.signIns = new WebSignIns({
      ...rooms,
      signIn,
      ledger,
      connections: this.connections,
      node: { run: 'f'.repeat(32), name: 'node', software: 'waybill test' },
      meet: () => [],
      inBackground: (action) => {
        action();
      },
      tenantName: () => 'acme',
      home: () => '/',
      administrators: { findByToken: () => null },
      penalize: (source) => void this.penalties.push(source),
    });
    this.handlers = webHandlers({
      web,
      signIn,
      signIns: this.signIns,
      sessions: rooms.sessions,
      connections: this.connections,
    });
  }

  newFront(number: number): FrontEnd {
    const told = (connection: string, reason: string, session?: string) =>
      void this.told.push({ connection, reason, session });
    return { number, connections: new Set(), sessionEnded: told };
  }

  connect(address = '192.0.2.7', front = this.front): Connection {
    return this.connections.open(front, { address, port: 4000, source: address, profile: 'https' });
  }

  async call<N extends WebCall>(name: N, request: Request<N>, front = this.front): Promise<Response<N>> {
    const identify = identifyFront(front, this.connections);
    const dispatch = createDispatch(WEB_CALLS, this.handlers as never, identify as never, this.base.parts.log);
    return (await dispatch(name, request)) as Response<N>;
  }

  /** An account with a passkey, recovery codes and nothing else. */
  async enrolled(
    login: string,
    authenticator = new Authenticator(),
  ): Promise<{ authenticator: Authenticator; recovery: string[] }> {
    const account = await this.base.account(login, [['password', 'totp']]);
    const { secret } = await this.rooms.enrolments.issue(account, { actor: '', approvedBy: '' });
    const connection = this.connect('198.51.100.1').id;
    const { flow } = await this.call('web.enrol-start', { connection, origin: ORIGIN, secret });
    const options = await this.call('web.enrol-passkey-options', { connection, flow });
    const response = authenticator.create(options, ORIGIN);
    const answer = await this.call('web.enrol-passkey', { connection, flow, label: 'key', response: asSent(response) });
    if (answer.result !== 'enrolled') throw new Error('not enrolled');
    return { authenticator, recovery: answer.recovery };
  }

  /** An account with password, codes and no passkey; answers what makes codes. */
  async withPassword(login: string): Promise<() => Buffer> {
    await this.base.account(login, [['password', 'totp']]);
    await this.base.accounts.setPassword(login, PASSWORD);
    const { secret } = await this.base.accounts.enrolTotp(login);
    return () => Buffer.from(totpCode(fromBase32(secret), totpStep(this.base.now)));
  }

  async start(connection: Connection, origin = ORIGIN): Promise<string> {
    return (await this.call('web.start', { connection: connection.id, origin, client: 'Test/1.2 (Linux)' })).flow;
  }

  async passkey(
    authenticator: Authenticator,
    lies: Lies = {},
    connection = this.connect(),
  ): Promise<Response<'web.passkey'>> {
    const flow = await this.start(connection);
    const options = await this.call('web.passkey-options', { connection: connection.id, flow });
    const response = asSent(authenticator.get(options, ORIGIN, lies));
    return this.call('web.passkey', { connection: connection.id, flow, response });
  }

  async signedIn(authenticator: Authenticator, connection = this.connect()) {
    const answer = await this.passkey(authenticator, {}, connection);
    if (answer.result !== 'success') throw new Error(`not signed in: ${JSON.stringify(answer)}`);
    return answer;
  }

  async password(connection: Connection, flow: string, user: string, password = PASSWORD) {
    return this.call('web.password', { connection: connection.id, flow, user, password: Buffer.from(password) });
  }

  of<K extends Event['kind']>(kind: K) {
    return this.entries.filter(
      (entry): entry is Extract<Event, { kind: K }> & { tenant: string | null } => entry.kind === kind,
    );
  }

  close(): void {
    this.base.close();
  }
}

/** The types of the room are readonly, those of the schema are not. */
export function asSent(value: object): never {
  return structuredClone(value) as never;
}
