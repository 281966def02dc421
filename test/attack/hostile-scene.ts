/** A real broker over a real store, whose fronts are wholly in the hands of the test. */
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { Account } from '../../src/accounts/account.ts';
import { Accounts } from '../../src/accounts/accounts.ts';
import { signedBytes } from '../../src/accounts/publickey-step.ts';
import { SIGN_IN_LIMITS } from '../../src/accounts/sign-in.ts';
import { Slowing } from '../../src/accounts/slowing.ts';
import { WorkLine } from '../../src/accounts/work-line.ts';
import { Networks } from '../../src/base/addresses.ts';
import { ByteWriter } from '../../src/base/bytes.ts';
import { SYSTEM_CLOCK } from '../../src/base/clock.ts';
import { createLog } from '../../src/base/log.ts';
import { Retries } from '../../src/base/retries.ts';
import { OwnAuthority } from '../../src/accounts/authority-own.ts';
import { Certificates } from '../../src/broker/certificates.ts';
import { SqliteCertificates } from '../../src/store/sqlite/certificates.ts';
import { Broker } from '../../src/broker/broker.ts';
import type { FrontCallName, Request, Response } from '../../src/broker/calls.ts';
import { readExchange } from '../../src/broker/exchange.ts';
import type { Handover } from '../../src/broker/front-process.ts';
import { HostKeys } from '../../src/broker/host-keys.ts';
import { Link } from '../../src/broker/link.ts';
import type { Folder, Tenant } from '../../src/files/store.ts';
import { generateHostKey, parseHostKey } from '../../src/sshkeys/host-key.ts';
import { formatPrivateKey } from '../../src/sshkeys/private-key.ts';
import { publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { Acquaintances } from '../../src/policy/budgets/acquaintances.ts';
import { openWebRooms } from '../../src/broker/web-rooms.ts';
import { openRemoteAdministration } from '../../src/startup/administrators.ts';
import { openSingleSignOn } from '../../src/startup/single-sign-on.ts';
import { SqliteWeb } from '../../src/store/sqlite/web.ts';
import { SqliteAccounts } from '../../src/store/sqlite/accounts.ts';
import { SqliteAcquaintances } from '../../src/store/sqlite/acquaintances.ts';
import { World } from '../files/world.ts';

const ENTRY = path.join(import.meta.dirname, 'relay-front.ts');

/** One front: its end of the link, and what it was handed. */
export class Hostile {
  readonly wire: Socket;
  readonly link: Link;
  readonly events: { name: string; body: unknown }[] = [];
  readonly closed: Promise<unknown>;

  constructor(wire: Socket) {
    this.wire = wire;
    this.closed = once(wire, 'close');
    this.link = new Link(wire, {
      event: (name, body) => this.events.push({ name, body }),
      closed: () => undefined,
    });
  }

  /** Whatever it likes to say. */
  say(call: string, body: unknown): Promise<unknown> {
    return this.link.call(call, body);
  }

  call<N extends FrontCallName>(call: N, request: Request<N>): Promise<Response<N>> {
    return this.link.call(call, request) as Promise<Response<N>>;
  }
}

export interface Given extends Handover {
  readonly client: Socket;
  readonly front: Hostile;
}

export interface User {
  readonly account: Account;
  readonly key: KeyObject;
  readonly blob: Buffer;
}

export class Scene {
  readonly world: World;
  readonly broker: Broker;
  readonly accounts: Accounts;
  readonly tenant: Tenant;
  readonly folder: Folder;
  readonly log: string[];
  readonly fronts: Hostile[] = [];
  private readonly relay: Server;
  private readonly handovers: ((handover: Handover) => void)[] = [];
  private readonly clients: Socket[] = [];
  private port = 0;

  private constructor(
    parts: Pick<Scene, 'world' | 'broker' | 'accounts' | 'tenant' | 'folder' | 'log'>,
    relay: Server,
  ) {
    this.world = parts.world;
    this.broker = parts.broker;
    this.accounts = parts.accounts;
    this.tenant = parts.tenant;
    this.folder = parts.folder;
    this.log = parts.log;
    this.relay = relay;
  }

  static async open(size = 2, quota: number | null = null): Promise<Scene> {
    const world = await World.open();
    const tenant = await world.tenants.create({ name: 'acme', quota });
    const folder = await world.folders.create(tenant.id, 'inbox');
    const store = new SqliteAccounts(world.database);
    const { ledger, keys, grants, files, database, blobFolder } = world;
    const accounts = new Accounts({ store, sealer: keys, clock: SYSTEM_CLOCK, ledger, issuer: 'Waybill' });
    const lines: string[] = [];
    const log = createLog('debug', (line) => lines.push(line));
    const relay = createServer().listen(0, '127.0.0.1');
    await once(relay, 'listening');
    const hostKey = parseHostKey(formatPrivateKey(await generateHostKey('ed25519'), 'test'));
    const broker = new Broker({
      log,
      files,
      grants,
      ledger,
      acquaintances: new Acquaintances(new SqliteAcquaintances(database), ledger),
      hostKeys: new HostKeys([{ key: hostKey, certificate: null }]),
      // Generous on purpose: what keeps fronts of SSH from certificates must stand before this.
      certificates: new Certificates({
        authority: new OwnAuthority({
          store: new SqliteCertificates(database),
          accounts: store,
          key: { current: hostKey, take: () => Promise.resolve(hostKey) },
          clock: SYSTEM_CLOCK,
          ledger,
          hours: 8,
          credentialStands: () => true,
        }),
        justShown: () => ({ factors: ['passkey'], proofs: [] }),
        hostKeys: [],
        hostCa: () => null,
      }),
      hello: {
        blobs: blobFolder.blobs,
        incoming: blobFolder.incomingFolder,
        banner: null,
        softwareVersion: 'test',
        limits: {
          loginGraceSeconds: 600,
          rekeyBytes: 2 ** 30,
          rekeySeconds: 3600,
          channelsPerConnection: 10,
          handlesPerSession: 100,
          idleSeconds: 0,
        },
      },
      https: null,
      fast: null,
      administration: openRemoteAdministration({
        ...{ database, ledger, accountStore: store, tenants: world.tenants, log },
        web: { parts: { store: new SqliteWeb(database) } },
      }),
      loginElsewhere: new Networks([]),
      sso: openSingleSignOn({ database, accountStore: store, sealer: keys, ledger, log, allow: [] }, []),
      web: openWebRooms({
        ...{ store: new SqliteWeb(database), accountStore: store, accounts, sealer: keys, ledger, clock: SYSTEM_CLOCK },
        ...{ issuer: 'Waybill', origins: [], tokenIdleDays: null, report: () => undefined },
      }),
      retries: new Retries({ again: () => false, report: () => undefined }),
      signIn: {
        store,
        sealer: keys,
        clock: SYSTEM_CLOCK,
        log,
        passwords: new WorkLine(),
        slowing: new Slowing(),
        limits: SIGN_IN_LIMITS,
      },
      node: { run: 'ab'.repeat(16), name: 'test', software: 'waybill test' },
      write: (action) => database.write(action),
      writePatiently: (action) => database.writePatiently(action),
      tenantName: (id) => world.store.tenant(id)?.name ?? null,
      fronts: { size, args: [ENTRY, String((relay.address() as AddressInfo).port)] },
      limits: { startups: 1000, startupsPerSource: 1000, connections: 1000, penalties: false },
    });
    const scene = new Scene({ world, broker, accounts, tenant, folder, log: lines }, relay);
    await scene.start(size);
    return scene;
  }

  private async start(size: number): Promise<void> {
    const all = Promise.withResolvers<undefined>();
    this.relay.on('connection', (socket) => {
      socket.on('error', () => undefined);
      socket.once('readable', () => {
        if (String(socket.read(1)) === 'N')
          createInterface(socket).on('line', (line) => this.handovers.shift()?.(JSON.parse(line) as Handover));
        else {
          const front = new Hostile(socket);
          this.fronts.push(front);
          front.call('hello', {}).then(
            () => {
              if (this.fronts.length === size) all.resolve(undefined);
            },
            () => undefined,
          );
        }
      });
    });
    const [ready] = await Promise.all([this.broker.startFronts(), all.promise]);
    if (!ready) throw new Error('no fronts');
    this.port = (await this.broker.listen({ host: '127.0.0.1', port: 0 }, 'default')).port;
  }

  async user(login: string, rights: Parameters<World['grants']['grant']>[0]['rights'] = ['list', 'read', 'write']) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const own = publicKeyFrom(publicKey);
    const account = await this.accounts.create({
      tenant: this.tenant.id,
      login,
      displayName: login,
      administrator: false,
    });
    await this.accounts.addKey(login, publicKeyLine(own));
    await this.world.grants.grant({ account, folder: this.folder, rights });
    return { account, key: privateKey, blob: own.blob } satisfies User;
  }

  /** A new connection, and the front that the broker gave it to. */
  async connection(): Promise<Given> {
    const arrived = new Promise<Handover>((resolve) => this.handovers.push(resolve));
    const client = connect(this.port, '127.0.0.1').on('error', () => undefined);
    this.clients.push(client);
    const handover = await arrived;
    for (const front of this.fronts) {
      // Whose it is: the owner's word is answered otherwise than another's.
      const code = await front.say('signin.none', { connection: handover.connection, user: 'x' }).catch(codeOf);
      if (code === 'call-forbidden') return { ...handover, client, front };
    }
    throw new Error('nobody holds the connection');
  }

  hostKey(): Promise<Buffer> {
    const front = this.fronts[0] as Hostile;
    return front.call('hello', {}).then(({ hostKeys }) => hostKeys[0]?.blob ?? Buffer.of());
  }

  /** What a front that plays by the rules would show of its first exchange; answers the session identifier. */
  async exchange(given: Given, shown?: Buffer): Promise<Buffer> {
    const exchange = shown ?? exchangeBytes(Buffer.from(given.cookie, 'hex'), await this.hostKey());
    await given.front.call('hostkey.sign', signing(given.connection, exchange));
    return readExchange('sha256', exchange).hash;
  }

  async session(user: User, given?: Given): Promise<Given & { session: string }> {
    const on = given ?? (await this.connection());
    const sessionId = await this.exchange(on);
    const answer = await on.front.call('signin.publickey', proof(user, on.connection, sessionId));
    if (answer.result !== 'success') throw new Error(answer.result);
    return { ...on, session: answer.session.session };
  }

  async close(): Promise<void> {
    this.broker.kill();
    await this.broker.stop(0);
    for (const client of this.clients) client.destroy();
    this.relay.close();
    await this.world.destroy();
  }
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

export function signing(connection: string, exchange: Buffer): Request<'hostkey.sign'> {
  return { connection, algorithm: 'ssh-ed25519', digest: 'sha256', exchange };
}

export function exchangeBytes(cookie: Buffer, hostKey: Buffer): Buffer {
  const init = Buffer.concat([Buffer.of(20), cookie, Buffer.alloc(50)]);
  const writer = new ByteWriter().string('SSH-2.0-client').string('SSH-2.0-Waybill').string(Buffer.alloc(80, 20));
  return writer
    .string(init)
    .string(hostKey)
    .string(Buffer.alloc(32, 1))
    .string(Buffer.alloc(32, 2))
    .string('k')
    .finish();
}

export function proof(user: User, connection: string, sessionId: Buffer, as = user.account.login) {
  const algorithm = 'ssh-ed25519';
  const { blob } = user;
  const signed = signedBytes({ sessionId, user: as, algorithm, blob, hostKey: null });
  const raw = sign(null, signed, createPrivateKey(user.key.export({ format: 'pem', type: 'pkcs8' })));
  const signature = new ByteWriter().string(algorithm).string(raw).finish();
  return { connection, user: as, algorithm, blob, signature };
}
