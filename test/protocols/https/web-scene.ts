/** The door in this process over the real calls of sign-in: the same handlers, store and rules as in a server. */
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:https';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import type { BrokerCaller } from '../../../src/broker/calls.ts';
import { createLog } from '../../../src/base/log.ts';
import { makeCertificate } from '../../../src/first-start/self-signed.ts';
import { DOOR_LIMITS, HttpsDoor } from '../../../src/protocols/https/door.ts';
import type { DoorLimits } from '../../../src/protocols/https/door.ts';
import { httpsHandlers } from '../../../src/protocols/https/handlers.ts';
import type { Authenticator } from '../../accounts/web/authenticator.ts';
import { ORIGIN, WebScene } from '../../accounts/web/scene.ts';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the test says what it expects
  json<T = Record<string, unknown>>(): T;
}

export interface Asked {
  readonly headers?: OutgoingHttpHeaders;
  readonly json?: unknown;
  readonly cookie?: string;
}

/** What a browser at one of our pages sends beside the request itself. */
const FROM_PAGE = { 'sec-fetch-site': 'same-origin', origin: ORIGIN };

/** A browser: keeps its connection, and no cookie but those that it is given. */
export class Browser {
  private readonly scene: DoorScene;
  private readonly agent: Agent;
  /** What it sends with everything. */
  private readonly always: OutgoingHttpHeaders;

  constructor(scene: DoorScene, always: OutgoingHttpHeaders) {
    this.scene = scene;
    this.always = always;
    this.agent = new Agent({ keepAlive: true, maxSockets: 1 });
  }

  ask(method: string, path: string, { headers = {}, json, cookie }: Asked = {}): Promise<Answer> {
    const body = json === undefined ? undefined : Buffer.from(JSON.stringify(json));
    const { port, certificate } = this.scene;
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          ...{ host: '127.0.0.1', servername: 'localhost', port, method, path, ca: certificate, agent: this.agent },
          headers: {
            host: new URL(ORIGIN).host,
            ...this.always,
            ...(cookie === undefined ? {} : { cookie: `__Host-waybill=${cookie}` }),
            ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': body.length }),
            ...headers,
          },
        },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
          response.on('error', reject).on('end', () => {
            // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- as above
            const parsed = <T>(): T => JSON.parse(text) as T;
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: parsed });
          });
        },
      );
      sent.on('error', reject).end(body);
    });
  }

  post(path: string, json?: unknown, asked: Omit<Asked, 'json'> = {}): Promise<Answer> {
    return this.ask('POST', `/api/v1/${path}`, { ...asked, json });
  }

  async start(): Promise<string> {
    return (await this.post('sign-in/start')).json<{ flow: string }>().flow;
  }

  async passkey(authenticator: Authenticator): Promise<Answer> {
    const flow = await this.start();
    const options = (await this.post('sign-in/passkey-options', { flow })).json<{ challenge: string; rpId: string }>();
    return this.post('sign-in/passkey', { flow, response: authenticator.get(options, ORIGIN) });
  }

  /** The cookie of a new session. */
  async signedIn(authenticator: Authenticator): Promise<string> {
    const cookie = cookieIn(await this.passkey(authenticator));
    if (cookie === null) throw new Error('not signed in');
    return cookie;
  }

  leave(): void {
    this.agent.destroy();
  }
}

export function cookieIn({ headers }: Answer): string | null {
  return /^__Host-waybill=([^;]+);/.exec(headers['set-cookie']?.[0] ?? '')?.[1] ?? null;
}

export class DoorScene {
  readonly web = new WebScene();
  readonly log: string[] = [];
  readonly certificate: string;
  /** The address that connections come from, from now on. */
  from = '192.0.2.7';
  port = 0;
  private readonly door: HttpsDoor;
  private readonly server: Server;
  private readonly browsers: Browser[] = [];

  private constructor(limits: Partial<DoorLimits>) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
    this.certificate = makeCertificate(['localhost'], createPrivateKey(key), Date.now());
    const broker: BrokerCaller = { call: (call, body) => this.web.call(call as never, body as never) };
    this.door = new HttpsDoor({
      tls: { certificate: this.certificate, key, trusted: false },
      limits: { ...DOOR_LIMITS, ...limits },
      handlers: httpsHandlers('test'),
      log: createLog('debug', (line) => this.log.push(line)),
      broker,
      authenticate: async (connection, credential, client) => {
        const { kind, text } = credential;
        const shown = kind === 'bearer' ? { bearer: text } : { cookie: text, origin: credential.origin };
        const { session, login, tenant, account, home, scopes } = await broker.call('web.session', {
          ...{ connection, client, ...shown },
        });
        return { session: { session, login, tenant, account, home }, scopes };
      },
      files: () => ({ abandon: () => Promise.resolve() }) as never,
      closed: (connection) => {
        const { connections, front } = this.web;
        connections.close(connections.connectionOf(front, connection), 'left');
      },
    });
    Object.assign(this.web.front, {
      sessionEnded: (connection: string, _reason: string, session?: string) => {
        this.door.end(connection, session ?? null);
      },
    });
    this.server = createServer({ pauseOnConnect: true }, (socket) => {
      this.door.take(this.web.connect(this.from).id, socket);
    });
  }

  static async open(limits: Partial<DoorLimits> = {}): Promise<DoorScene> {
    const scene = new DoorScene(limits);
    scene.server.listen(0, '127.0.0.1');
    await once(scene.server, 'listening');
    scene.port = (scene.server.address() as AddressInfo).port;
    return scene;
  }

  browser(always: OutgoingHttpHeaders = FROM_PAGE): Browser {
    const browser = new Browser(this, always);
    this.browsers.push(browser);
    return browser;
  }

  async close(): Promise<void> {
    for (const browser of this.browsers) browser.leave();
    this.server.close();
    await this.door.shutdown(2000);
    this.web.close();
  }
}
