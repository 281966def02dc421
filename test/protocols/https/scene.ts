/** The door in this process, over the real store and the real handlers of files: only sign-in is made up. */
import { once } from 'node:events';
import { request } from 'node:https';
import type { IncomingHttpHeaders } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { WaybillError } from '../../../src/base/errors.ts';
import { newId } from '../../../src/base/ids.ts';
import { createLog } from '../../../src/base/log.ts';
import { SCOPES } from '../../../src/api/operation.ts';
import type { Scope } from '../../../src/api/operation.ts';
import { FRONT_CALLS } from '../../../src/broker/calls.ts';
import type { BrokerCaller } from '../../../src/broker/calls.ts';
import type { FileHandlers } from '../../../src/files/files.ts';
import type { Folder, Tenant } from '../../../src/files/store.ts';
import { makeCertificate } from '../../../src/first-start/self-signed.ts';
import type { SignedIn } from '../../../src/protocols/https/connection.ts';
import type { Credential } from '../../../src/protocols/https/credentials.ts';
import { DOOR_LIMITS, HttpsDoor } from '../../../src/protocols/https/door.ts';
import type { DoorLimits } from '../../../src/protocols/https/door.ts';
import { httpsHandlers } from '../../../src/protocols/https/handlers.ts';
import { createSessionFiles } from '../../../src/transfer/session-files.ts';
import { World } from '../../files/world.ts';
import type { Client, WorldOptions } from '../../files/world.ts';

export interface Person {
  readonly token: string;
  readonly client: Client;
  readonly scopes: readonly Scope[];
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the test says what it expects
  json<T = Record<string, unknown>>(): T;
}

export interface Asked {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
  readonly by?: Person | null;
}

export class Scene {
  readonly world: World;
  readonly tenant: Tenant;
  readonly folder: Folder;
  readonly door: HttpsDoor;
  readonly certificate: string;
  readonly log: string[] = [];
  readonly calls: { call: string; request: Record<string, unknown> }[] = [];
  readonly closed: string[] = [];
  asked = 0;
  port = 0;
  private readonly people: Person[] = [];
  private readonly sessions = new Map<string, Client>();
  private readonly server: Server;

  private constructor(world: World, tenant: Tenant, folder: Folder, limits: Partial<DoorLimits>) {
    this.world = world;
    this.tenant = tenant;
    this.folder = folder;
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
    this.certificate = makeCertificate(['localhost', '127.0.0.1'], createPrivateKey(key), Date.now());
    const log = createLog('debug', (line) => this.log.push(line));
    const { blobs, incomingFolder: incoming } = world.blobFolder;
    this.door = new HttpsDoor({
      tls: { certificate: this.certificate, key, trusted: false },
      limits: { ...DOOR_LIMITS, ...limits },
      handlers: httpsHandlers('test'),
      log,
      broker: { call: (call, body) => this.broker.call(call, body) },
      authenticate: (_connection, credential) => this.authenticate(credential),
      files: ({ session }) => createSessionFiles({ broker: this.broker, session, blobs, incoming, log }),
      closed: (connection) => this.closed.push(connection),
    });
    this.server = createServer({ pauseOnConnect: true }, (socket) => {
      this.door.take(newId(), socket);
    });
  }

  static async open(limits: Partial<DoorLimits> = {}, options: WorldOptions = {}): Promise<Scene> {
    const world = await World.open(options);
    const tenant = await world.tenants.create({ name: 'acme', quota: null });
    const folder = await world.folders.create(tenant.id, 'in');
    const scene = new Scene(world, tenant, folder, limits);
    scene.server.listen(0, '127.0.0.1');
    await once(scene.server, 'listening');
    scene.port = (scene.server.address() as AddressInfo).port;
    return scene;
  }

  async close(): Promise<void> {
    this.server.close();
    await this.door.shutdown(2000);
    await this.world.destroy();
  }

  async person(
    rights?: Parameters<World['account']>[2],
    scopes: readonly Scope[] = ['files:list', 'files:read', 'files:write'],
  ): Promise<Person> {
    const client = await this.world.account(this.tenant, this.folder, rights);
    const person = { token: `wbt_${newId()}`, client, scopes };
    this.people.push(person);
    return person;
  }

  /** The same account as another credential would have it. */
  again({ client, scopes }: Person): Person {
    const person = { token: `wbt_${newId()}`, client, scopes };
    this.people.push(person);
    return person;
  }

  ask(method: string, path: string, { headers = {}, body, by = this.people[0] ?? null }: Asked = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const given = by === null ? {} : { authorization: `Bearer ${by.token}` };
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path,
          ca: this.certificate,
          agent: false,
          headers: {
            ...given,
            ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
            ...headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const all = Buffer.concat(chunks);
            // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as above
            const json = <T>(): T => JSON.parse(all.toString()) as T;
            resolve({ status: response.statusCode ?? 0, headers: response.headers, body: all, json });
          });
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** A connection that sends bytes as they are. */
  async raw(): Promise<TLSSocket> {
    const socket = connect({ host: '127.0.0.1', port: this.port, ca: this.certificate, servername: 'localhost' });
    await once(socket, 'secureConnect');
    socket.on('error', () => undefined);
    return socket;
  }

  private async authenticate({ kind, text }: Credential): Promise<SignedIn> {
    this.asked++;
    const person = this.people.find(({ token }) => token === text || (kind === 'cookie' && token === `wbt_${text}`));
    if (person === undefined) throw new WaybillError('sign-in-refused', 'no');
    const client = person.client.again();
    const { session, account } = client.who;
    this.sessions.set(session, client);
    const { scopes } = person;
    return Promise.resolve({
      session: { session, login: 'anna', tenant: 'acme', account, home: '/' },
      scopes: scopes.filter((scope) => SCOPES.includes(scope)),
    });
  }

  private readonly broker: BrokerCaller = {
    call: async (call, body) => {
      const row = FRONT_CALLS[call];
      const checked = row.request.parse(body) as Record<string, unknown>;
      this.calls.push({ call, request: checked });
      const client = this.sessions.get(String(checked['session']));
      if (client === undefined) throw new WaybillError('session-ended', 'the session is over');
      const answer = await client.call(call as keyof FileHandlers, checked);
      return row.response.parse(answer) as never;
    },
  };
}

export async function untilClosed(socket: TLSSocket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  // A client that still writes when the server closes is told by a reset.
  socket.on('error', () => undefined);
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
  return text;
}
