/** The broker put together: connections, fronts, listeners and administration over the rooms that do the work. */
import type { SignInParts } from '../accounts/sign-in.ts';
import type { Certificate } from '../sshkeys/certificate.ts';
import type { Retries } from '../base/retries.ts';
import type { Log } from '../base/log.ts';
import type { Networks } from '../base/addresses.ts';
import { keyPin } from '../base/key-pin.ts';
import type { Address } from '../config/values.ts';
import type { Files } from '../files/files.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { LedgerNode } from '../ledger/node.ts';
import type { Acquaintances, Seen } from '../policy/budgets/acquaintances.ts';
import type { Grants } from '../policy/grants.ts';
import type { SingleSignOn } from '../sso/single-sign-on.ts';
import { callsOf } from './calls.ts';
import type { Door, Response, TlsChallenge, TlsIdentity } from './calls.ts';
import { Connections, logOf } from './connections.ts';
import type { Connection, LiveSession, Profile } from './connections.ts';
import { createDispatch } from './dispatch.ts';
import { FrontPool } from './front-pool.ts';
import type { FrontProcess } from './front-process.ts';
import { frontHandlers, identifyFront } from './front-handlers.ts';
import type { Certificates } from './certificates.ts';
import { FastTransfers } from './fast-transfers.ts';
import type { HostKeys } from './host-keys.ts';
import { Listener } from './listener.ts';
import type { FrontTraces } from './traces.ts';
import { Logins } from './logins.ts';
import { Penalties, Startups } from './penalties.ts';
import { ownTokens } from './own-tokens.ts';
import type { RemoteAdministration } from './remote-administration.ts';
import { SignIns } from './sign-ins.ts';
import { ssoHandlers } from './sso-handlers.ts';
import { webHandlers } from './web-handlers.ts';
import type { WebRooms } from './web-rooms.ts';
import { WebSignIns } from './web-sign-ins.ts';

export interface BrokerParts {
  readonly log: Log;
  readonly hello: Omit<Response<'hello'>, 'hostKeys'>;
  readonly hostKeys: HostKeys;
  readonly certificates: Certificates;
  readonly web: WebRooms;
  readonly sso: SingleSignOn;
  /** Machines in these may ask for a certificate that is confirmed in a browser elsewhere. */
  readonly loginElsewhere: Networks;
  /** Load balancers whose PROXY header is believed; nobody's when left out. */
  readonly proxies?: Networks;
  readonly administration: RemoteAdministration;
  readonly signIn: Omit<SignInParts, 'signedIn'>;
  readonly files: Files;
  readonly grants: Grants;
  readonly ledger: Ledger;
  readonly acquaintances: Pick<Acquaintances, 'meet'>;
  readonly node: LedgerNode;
  /** What is told of calls, for traces; null where there are none. */
  readonly traces?: FrontTraces | null;
  /** One durable write of the metadata store. */
  readonly write: (action: () => void) => Promise<void>;
  /** For what nobody waits for: it joins the next commit. */
  readonly writePatiently: (action: () => void) => Promise<void>;
  /** For what has happened and must be written down although the disk is full just now. */
  readonly retries: Retries;
  readonly tenantName: (tenant: string) => string | null;
  readonly fronts: { readonly size: number; readonly args: readonly string[] };
  /** Told of each socket that connections are accepted from; null: nothing is set on them. */
  readonly listening?: { readonly control: string | null; opened(descriptor: number): void } | null;
  /** Null where HTTPS is not served. */
  readonly https: { readonly size: number; readonly args: readonly string[]; readonly tls: TlsIdentity } | null;
  /** Null where there are no fast transfers. Without an address of their own they take the first of HTTPS, once somebody asks. */
  readonly fast:
    | (Omit<Response<'fast.hello'>, 'address' | 'port'> & {
        readonly address: Address | null;
        readonly host: string | null;
        readonly args: readonly string[];
      })
    | null;
  readonly limits: {
    readonly startups: number;
    readonly startupsPerSource: number;
    readonly connections: number;
    readonly penalties: boolean;
  };
}

/** A front watches the grace time itself; one that lets it pass by this much is stuck. */
const GRACE_MARGIN_SECONDS = 30;
/** An ended session's calls are refused at once; its front has this long to put uploads away and close the connection. */
const END_SECONDS = 45;
const WATCH_MILLISECONDS = 5000;
/** Numbers of fronts of the HTTPS door come after this one. */
const HTTPS_NUMBERS = 1000;
const FAST_NUMBERS = 2000;

export class Broker {
  readonly connections: Connections;
  private readonly parts: BrokerParts;
  private readonly ssh: FrontPool;
  private readonly https: FrontPool | null;
  private readonly fastPool: FrontPool | null;
  private readonly fast: FastTransfers;
  private tls: TlsIdentity | null;
  private readonly signIns: SignIns;
  private readonly webSignIns: WebSignIns;
  private readonly logins: Logins;
  private readonly startups: Startups;
  private readonly penalties: Penalties | null;
  private readonly listeners: Listener[] = [];
  private sftpPort: number | null = null;
  private httpsBound: Address | null = null;
  /** What ended sessions leave to be made durable. */
  private readonly endings = new Map<LiveSession, Promise<void>>();
  private readonly watch: NodeJS.Timeout;

  constructor(parts: BrokerParts) {
    this.parts = parts;
    const { limits, log } = parts;
    this.startups = new Startups({ all: limits.startups, perSource: limits.startupsPerSource });
    this.penalties = limits.penalties ? new Penalties() : null;
    this.connections = new Connections(
      {
        startupOver: ({ source }) => {
          this.startups.leave(source);
        },
        sessionOver: (session, reason) => {
          this.sessionOver(session, reason);
        },
        gone: (connection) => {
          this.gone(connection);
        },
      },
      log,
    );
    const shared = {
      ledger: parts.ledger,
      node: parts.node,
      inBackground: (action: () => void) => {
        parts.writePatiently(action).catch((err: unknown) => {
          log.error({ err }, 'a refused sign-in could not be recorded');
        });
      },
      connections: this.connections,
      meet: (account: string, seen: Seen) => parts.acquaintances.meet(account, seen),
      tenantName: parts.tenantName,
      home: (account: string) => homeOf(parts.grants, account),
    };
    this.signIns = new SignIns({ ...shared, signIn: parts.signIn });
    const { parts: web, passkeys, ...rooms } = parts.web;
    this.webSignIns = new WebSignIns({
      ...shared,
      ...rooms,
      administrators: parts.administration.administrators,
      signIn: { ...parts.signIn, web: web.store, passkeys, sso: parts.sso.providers },
      penalize: (source) => {
        this.penalties?.add(source, 'sign-in', Date.now());
      },
    });
    this.logins = new Logins({
      web,
      origins: rooms.origins,
      certificates: parts.certificates,
      elsewhere: parts.loginElsewhere,
      sftpPort: () => this.sftpPort,
    });
    this.fast = new FastTransfers({
      hello: () => this.fastHello(),
      start: async () => {
        await this.fastPool?.start();
      },
      host: parts.fast?.host ?? null,
      connections: this.connections,
      ledger: parts.ledger,
      node: parts.node,
      write: parts.write,
      home: shared.home,
    });
    this.tls = parts.https?.tls ?? null;
    this.ssh = this.makePool('ssh', parts.fronts, 0);
    this.https = parts.https === null ? null : this.makePool('https', parts.https, HTTPS_NUMBERS);
    this.fastPool =
      parts.fast === null ? null : this.makePool('fast', { size: 1, args: parts.fast.args }, FAST_NUMBERS);
    this.watch = setInterval(() => {
      this.endStuckFronts();
      this.webSignIns.sweep();
      this.logins.sweep();
      this.fast.sweep();
    }, WATCH_MILLISECONDS);
    this.watch.unref();
  }

  get frontCount(): number {
    return this.processes.length;
  }

  /** What pins the key of the HTTPS door; null where there is none. */
  get tlsKey(): string | null {
    return this.tls === null ? null : keyPin(this.tls.certificate);
  }

  /** Congestion control of connections; null: left to the system. */
  get tcpCongestion(): string | null {
    return this.parts.listening?.control ?? null;
  }

  /** Of fast transfers; 0: not opened yet. Null where there are none. */
  get fastPort(): number | null {
    return this.fastPool === null ? null : this.fast.listening;
  }

  private fastHello(): Response<'fast.hello'> | null {
    const { fast } = this.parts;
    const at = fast?.address ?? this.httpsBound;
    if (fast === null || at === null) return null;
    const { blobs, incoming, backend } = fast;
    return { blobs, incoming, backend, address: at.host, port: at.port };
  }

  get frontPids(): number[] {
    return this.processes.flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  /** False when a front died before it was ready: its permissions or its code are at fault, and the log says which. */
  async startFronts(): Promise<boolean> {
    // A port that an operator names is opened at once, so that he hears of it when it cannot be.
    const eager = this.pools.filter((pool) => pool !== this.fastPool || this.parts.fast?.address != null);
    return (await Promise.all(eager.map((pool) => pool.start()))).every(Boolean);
  }

  /** For connections from now on. */
  changeTls(tls: TlsIdentity): void {
    this.tls = tls;
    for (const front of this.https?.processes ?? []) front.event('tls.changed', tls);
  }

  /** Of names that a certificate authority is about to look at. */
  showChallenges(challenges: readonly TlsChallenge[]): void {
    for (const front of this.https?.processes ?? []) front.event('tls.challenges', { challenges });
  }

  /** For connections from now on. */
  changeHostCertificates(certificates: readonly Certificate[]): void {
    this.parts.hostKeys.renew(certificates);
    const body = { hostKeys: this.parts.hostKeys.offered };
    for (const front of this.ssh.processes) front.event('hostkeys.changed', body);
  }

  async listen({ host, port }: Address, profile: Profile): Promise<Address> {
    const { startups, penalties, connections, parts } = this;
    const pool = profile === 'https' ? this.https : this.ssh;
    const listener = new Listener({
      host,
      port,
      profile,
      startups,
      penalties,
      log: parts.log,
      ...(parts.proxies === undefined ? {} : { proxies: parts.proxies }),
      opened: (descriptor) => {
        parts.listening?.opened(descriptor);
      },
      full: () => connections.count >= parts.limits.connections,
      give: (socket, arrival) => pool?.give(socket, arrival) ?? false,
    });
    const bound = await listener.listen();
    this.listeners.push(listener);
    if (profile === 'default') this.sftpPort ??= bound.port;
    if (profile === 'https') this.httpsBound ??= bound;
    return bound;
  }

  /** Accepts nothing more, lets fronts put uploads away, and resolves when every record is durable. */
  async stop(milliseconds: number): Promise<void> {
    clearInterval(this.watch);
    for (const listener of this.listeners) listener.close();
    await Promise.all(this.pools.map((pool) => pool.stop(milliseconds)));
    await this.parts.retries.stop();
    await Promise.all(this.endings.values());
  }

  /** At once: what was not acknowledged is lost, as in a crash. */
  kill(): void {
    for (const pool of this.pools) pool.kill();
  }

  private get pools(): FrontPool[] {
    return [this.ssh, this.https, this.fastPool].filter((pool) => pool !== null);
  }

  private get processes(): FrontProcess[] {
    return this.pools.flatMap((pool) => [...pool.processes]);
  }

  private makePool(door: Door, fronts: BrokerParts['fronts'], numbersAfter: number): FrontPool {
    const { parts, connections, signIns } = this;
    const handlers = frontHandlers({
      hello: parts.hello,
      hostKeys: parts.hostKeys,
      certificates: parts.certificates,
      tls: () => this.tls,
      signIns,
      files: parts.files.handlers,
      fast: this.fast.handlers,
      connections,
      administration: parts.administration,
      ownTokens: ownTokens({ web: parts.web.parts, tokens: parts.web.tokens, connections }),
      logins: this.logins.handlers,
      sso: ssoHandlers({
        ...{ sso: parts.sso, web: parts.web.parts, sessions: parts.web.sessions },
        ...{ signIns: this.webSignIns, connections },
      }),
      web: webHandlers({
        web: parts.web.parts,
        signIns: this.webSignIns,
        signIn: { ...parts.signIn, web: parts.web.parts.store, passkeys: parts.web.passkeys },
        sessions: parts.web.sessions,
        connections,
      }),
      offence: ({ source }, offence) => {
        this.penalties?.add(source, offence, Date.now());
      },
      ended: (session) => this.endings.get(session) ?? Promise.resolve(),
      joined: parts.traces?.joined ?? null,
    });
    const observe = parts.traces?.called ?? null;
    return new FrontPool({
      size: fronts.size,
      args: fronts.args,
      numbersAfter,
      log: parts.log,
      connections,
      dispatch: (front) =>
        createDispatch(callsOf(door), handlers, identifyFront(front, connections), parts.log, observe),
    });
  }

  private gone(connection: Connection): void {
    const refused = this.signIns.gone(connection);
    this.webSignIns.gone(connection);
    this.fast.gone(connection);
    if (!connection.started && (refused > 0 || connection.refusals > 0))
      this.penalties?.add(connection.source, 'sign-in', Date.now());
  }

  private sessionOver(session: LiveSession, reason: string): void {
    const webSession = session.web?.webSession ?? null;
    if (webSession !== null) this.parts.web.sessions.touch(webSession, session.lastActive);
    const { files, ledger, write, log, retries } = this.parts;
    const ended = new Date().toISOString();
    const { session: id } = session;
    let tried = false;
    const record = (): Promise<void> =>
      write(() => {
        const late = tried ? ` (ended ${ended})` : '';
        tried = true;
        ledger.append(logOf(session), { kind: 'session-end', session: id, reason: reason + late, gap: false });
      });
    const ending = Promise.all([
      files.sessionEnded(id, session.ended === null ? 'by itself' : 'by the operator'),
      retries.run(record),
    ])
      .catch((err: unknown) => {
        log.error({ session: id, err }, 'the end of a session could not be recorded');
      })
      .then(() => {
        this.endings.delete(session);
      });
    this.endings.set(session, ending);
  }

  endStuckFronts(): void {
    const { connections, parts } = this;
    const now = Date.now();
    const late = connections.waitingSince(now - (parts.hello.limits.loginGraceSeconds + GRACE_MARGIN_SECONDS) * 1000);
    const lingering = connections.lingeringSince(now - END_SECONDS * 1000);
    const stuck = new Set([...late, ...lingering].map(({ front }) => front));
    for (const front of this.processes) {
      if (!stuck.has(front)) continue;
      parts.log.error({ front: front.number }, 'a front does not end connections in time and is replaced');
      front.kill();
    }
  }
}

/** An account with one folder starts in it: that is what people expect of "put". */
function homeOf(grants: Grants, account: string): string {
  const [only, ...more] = grants.ofAccount(account);
  return only === undefined || more.length > 0 ? '/' : `/${only.mount}`;
}
