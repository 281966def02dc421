/** The calls of browsers at a broker with single sign-on, over a real store; the processes of providers are real, too. */
import { SIGN_IN_LIMITS } from '../../src/accounts/sign-in.ts';
import type { SsoStanding } from '../../src/accounts/web/sso.ts';
import { totpCode, totpStep } from '../../src/accounts/totp.ts';
import { parseOrigin } from '../../src/base/web-origin.ts';
import type { Request, Response } from '../../src/broker/calls.ts';
import { Connections } from '../../src/broker/connections.ts';
import type { Connection } from '../../src/broker/connections.ts';
import { createDispatch } from '../../src/broker/dispatch.ts';
import { identifyFront } from '../../src/broker/front-handlers.ts';
import { IdentityProcesses } from '../../src/broker/identity-process.ts';
import { SSO_CALLS } from '../../src/broker/sso-calls.ts';
import { ssoHandlers } from '../../src/broker/sso-handlers.ts';
import { WEB_CALLS } from '../../src/broker/web-calls.ts';
import { webHandlers } from '../../src/broker/web-handlers.ts';
import { openWebRooms } from '../../src/broker/web-rooms.ts';
import { WebSignIns } from '../../src/broker/web-sign-ins.ts';
import type { Event } from '../../src/ledger/core/kinds.ts';
import type { IdentityClient } from '../../src/sso/calls.ts';
import type { Provider } from '../../src/sso/provider.ts';
import { Providers } from '../../src/sso/providers.ts';
import type { ProviderSpec } from '../../src/sso/providers.ts';
import { SingleSignOn } from '../../src/sso/single-sign-on.ts';
import { SqliteSso } from '../../src/store/sqlite/sso.ts';
import { SqliteWeb } from '../../src/store/sqlite/web.ts';
import { fromBase32 } from '../accounts/base32.ts';
import { Scene, TENANT } from '../accounts/scene.ts';
import { CLIENT, CLIENT_SECRET } from './real-provider.ts';

export const ORIGIN = 'https://files.example.com';
export const BY = { actor: 'root', approvedBy: '' };

export type Finished = Response<'sso.finish'>;
type Calls = typeof WEB_CALLS & typeof SSO_CALLS;

export class SsoScene {
  readonly base = new Scene(SIGN_IN_LIMITS);
  readonly entries: (Event & { tenant: string | null })[] = [];
  readonly penalties: string[] = [];
  readonly web = new SqliteWeb(this.base.database);
  readonly store = new SqliteSso(this.base.database);
  readonly providers: Providers;
  readonly processes: IdentityProcesses;
  readonly connections: Connections;
  readonly front = { number: 1, connections: new Set<string>(), sessionEnded: () => undefined };
  private readonly handlers: object;

  /** The clock is the machine's: providers look at theirs. */
  constructor(identity?: (provider: Provider) => IdentityClient) {
    const allow = ['127.0.0.1'];
    const { parts, accounts, store: accountStore } = this.base;
    this.base.now = Date.now();
    const { sealer, clock, log } = parts;
    const ledger = {
      append: (tenant: string | null, event: Event) => void this.entries.push({ ...event, tenant }),
    };
    this.processes = new IdentityProcesses(log, allow);
    this.providers = new Providers({ store: this.store, sealer, ledger, clock, allow });
    const sso = new SingleSignOn({
      ...{ providers: this.providers, ledger, clock, log, allow },
      identity: identity ?? ((provider) => this.processes.of(provider)),
      account: (id) => accountStore.account(id),
    });
    this.providers.onChanged = (id) => {
      this.processes.forget(id);
      sso.forget(id);
    };
    const standing: SsoStanding = this.providers;
    const { parts: web, ...rooms } = openWebRooms({
      ...{ store: this.web, accountStore, accounts, sealer, ledger, clock, tokenIdleDays: null },
      ...{ issuer: 'Waybill test', origins: [parseOrigin(ORIGIN) ?? { origin: '', rpId: null }], sso: standing },
      report: (error) => {
        throw error;
      },
    });
    const watcher = {
      startupOver: () => undefined,
      sessionOver: () => undefined,
      gone: (connection: Connection) => {
        signIns.gone(connection);
      },
    };
    this.connections = new Connections(watcher, log, () => this.base.now);
    const { connections } = this;
    const signIn = { ...parts, web: this.web, passkeys: rooms.passkeys, sso: standing };
    const signIns = new WebSignIns({
      ...rooms,
      ...{ signIn, ledger, connections },
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
    this.handlers = {
      ...webHandlers({ web, signIn, signIns, sessions: rooms.sessions, connections }),
      ...ssoHandlers({ sso, web, sessions: rooms.sessions, signIns, connections }),
    };
  }

  connect(address = '192.0.2.7'): Connection {
    return this.connections.open(this.front, { address, port: 4000, source: address, profile: 'https' });
  }

  async call<N extends keyof Calls & (`web.${string}` | `sso.${string}`)>(
    name: N,
    request: Request<N>,
  ): Promise<Response<N>> {
    const identify = identifyFront(this.front, this.connections);
    const table = { ...WEB_CALLS, ...SSO_CALLS };
    const dispatch = createDispatch(table, this.handlers as never, identify as never, this.base.parts.log);
    return (await dispatch(name, request)) as Response<N>;
  }

  provider(issuer: string, terms: Partial<ProviderSpec> = {}): Promise<Provider> {
    return this.providers.add(
      {
        ...{ name: 'corp', tenant: TENANT, issuer, clientId: CLIENT, clientSecret: CLIENT_SECRET, claim: 'sub' },
        ...{ ca: null, title: 'Corp', multiFactor: true, listed: false, requireAcr: [], requireAmr: [] },
        ...terms,
      },
      BY,
    );
  }

  /** An account that the provider's person of this name is linked with. */
  async linked(provider: Provider, login: string, person = login): Promise<void> {
    const account = await this.base.account(login, [['publickey']]);
    await this.providers.link(provider, account, person, BY);
  }

  async withTotp(login: string): Promise<() => Buffer> {
    const { secret } = await this.base.accounts.enrolTotp(login);
    return () => Buffer.from(totpCode(fromBase32(secret), totpStep(this.base.now)));
  }

  async start(connection: Connection, provider = 'corp'): Promise<{ flow: string; address: string }> {
    const { id } = connection;
    const { flow } = await this.call('web.start', { connection: id, origin: ORIGIN, client: 'Test/1.2 (Linux)' });
    return { flow, ...(await this.call('sso.start', { connection: id, flow, provider })) };
  }

  /** `back`: the address that the provider has sent the browser to. */
  finish(connection: Connection, flow: string, back: URL): Promise<Finished> {
    const provider = back.pathname.split('/').at(-1) ?? '';
    const given = (name: string) => {
      const value = back.searchParams.get(name);
      return value === null ? {} : { [name]: value };
    };
    const parameters = { ...given('code'), ...given('state'), ...given('iss'), ...given('error') };
    return this.call('sso.finish', { connection: connection.id, flow, provider, ...parameters });
  }

  /** Why the last sign-in was refused, as the ledger of failures has it, with what the log says beside. */
  get fault(): string {
    return this.last('sign-in step failed', 'code');
  }

  get why(): string {
    return this.last('single sign-on failed', 'why');
  }

  private last(text: string, field: string): string {
    const value = this.base.logged.findLast((line) => line['text'] === text)?.[field];
    return typeof value === 'string' ? value : '';
  }

  of<K extends Event['kind']>(kind: K) {
    return this.entries.filter(
      (entry): entry is Extract<Event, { kind: K }> & { tenant: string | null } => entry.kind === kind,
    );
  }

  close(): void {
    this.processes.stop();
    this.base.close();
  }
}
