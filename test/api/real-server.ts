/**
 * A real server with its HTTPS door, and people of several tenants who ask it. Tokens come by the calls that the command
 * line makes; web sessions are written beside the server, as if somebody had signed in, so that nothing here depends on
 * how one signs in.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import path from 'node:path';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { once } from 'node:events';
import { hashApiToken, newApiToken } from '../../src/accounts/web/api-token.ts';
import { newSecret } from '../../src/accounts/web/secret.ts';
import { newId } from '../../src/base/ids.ts';
import { RunningServer } from '../../src/cli/connect.ts';
import type { Scope } from '../../src/api/operation.ts';
import { SqliteAccounts } from '../../src/store/sqlite/accounts.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteWeb } from '../../src/store/sqlite/web.ts';
import { portOf, startServer } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';

export const ORIGIN = 'https://localhost';
/** Fewer than an account may have: others make some too. */
const TOKENS_KEPT = 40;
const FILES: readonly Scope[] = ['files:list', 'files:read', 'files:write'];

export interface Credential {
  readonly bearer?: string;
  readonly cookie?: string;
}

export interface Asked {
  readonly by?: Credential | null;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: Buffer | string;
  /** A body of JSON. */
  readonly json?: unknown;
  /** Where the client is; all of 127.0.0.0/8 is here. */
  readonly from?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly text: string;
}

export interface WebSignIn {
  readonly session: string;
  readonly passkey: string;
  readonly cookie: string;
}

export class RealServer {
  readonly server: TestServer;
  readonly admin: RunningServer;
  readonly port: number;
  readonly certificate: string;
  private readonly agents = new Map<string, Agent>();
  /** Ids of what `token` made, by login. */
  private readonly tokens = new Map<string, string[]>();

  private constructor(server: TestServer) {
    this.server = server;
    this.admin = new RunningServer(server.data, () => null);
    this.port = portOf(server, 'https');
    this.certificate = readFileSync(path.join(server.data, 'keys', 'tls.crt'), 'utf8');
  }

  /** `origin` null: what the server takes by itself, which browsers on this machine come to. */
  static async open(
    options: { args?: readonly string[]; temporary?: string; project?: string; origin?: null } = {},
  ): Promise<RealServer> {
    const { args = [], origin = ORIGIN, ...more } = options;
    const named = origin === null ? [] : ['--https-origin', origin];
    const https = ['--https', '127.0.0.1:0', ...named, '--fronts', '1', '--penalties', 'false'];
    return new RealServer(await startServer({ ...more, args: [...https, ...args] }));
  }

  async close(): Promise<void> {
    this.disconnect();
    this.admin.close();
    await this.server.remove();
  }

  /** Every connection is a new one from here on. */
  disconnect(): void {
    for (const agent of this.agents.values()) agent.destroy();
    this.agents.clear();
  }

  ask(method: string, target: string, asked: Asked = {}): Promise<Answer> {
    const { by = null, headers = {}, json, from = '127.0.0.1' } = asked;
    const body = json === undefined ? asked.body : JSON.stringify(json);
    const all = {
      host: 'localhost',
      ...credentialHeaders(by),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const where = { host: '127.0.0.1', port: this.port, servername: 'localhost', agent: this.agent(from) };
      const sent = request({ ...where, method, path: target, headers: all }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
        response.on('end', () => {
          const bytes = Buffer.concat(chunks);
          const { statusCode = 0, headers: told } = response;
          resolve({ status: statusCode, headers: told, body: bytes, text: bytes.toString() });
        });
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  /** Bytes as they are, until the server ends the connection. */
  async raw(bytes: string | Buffer): Promise<string> {
    const socket = await this.connect();
    socket.write(bytes);
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
    await once(socket, 'close');
    return text;
  }

  async connect(from = '127.0.0.1'): Promise<TLSSocket> {
    const place = { host: '127.0.0.1', port: this.port, localAddress: from };
    const socket = connect({ ...place, ca: this.certificate, servername: 'localhost' });
    await once(socket, 'secureConnect');
    socket.on('error', () => undefined);
    return socket;
  }

  async token(login: string, scopes: readonly Scope[] = FILES): Promise<{ bearer: string; id: string }> {
    const bearer = newApiToken();
    const fingerprint = fingerprintOf(bearer);
    const made = { login, label: 'test', fingerprint, scopes: [...scopes], addresses: null, expires: null };
    const { id } = await this.admin.call('token.add', made);
    // An account has a hundred at most; a long run uses up more, so the oldest makes room.
    const own = this.tokens.get(login) ?? [];
    this.tokens.set(login, own);
    own.push(id);
    const oldest = own.length > TOKENS_KEPT ? own.shift() : undefined;
    // It may be gone already: nobody knows what a fuzz run has removed.
    if (oldest !== undefined) await this.admin.call('token.remove', { token: oldest }).catch(() => undefined);
    return { bearer, id };
  }

  /** Somebody who has just signed in with a passkey. */
  async signIn(login: string): Promise<WebSignIn> {
    const database = new Database(path.join(this.server.data, 'meta', 'waybill.db'));
    try {
      const account = new SqliteAccounts(database).accountByLogin(login)?.id ?? '';
      const store = new SqliteWeb(database);
      const { text: cookie, hash } = newSecret('wbs_');
      const [session, passkey, now] = [newId(), newId(), Date.now()];
      await database.write(() => {
        store.addPasskey({
          id: passkey,
          account,
          label: `passkey of ${login}`,
          credential: randomBytes(32),
          publicKey: randomBytes(64),
          counter: 0,
          rpId: 'localhost',
          transports: [],
          created: now,
          lastUsed: null,
        });
        store.addSession({
          id: session,
          hash,
          account,
          factors: ['passkey'],
          credentials: [passkey],
          descriptions: ['passkey'],
          address: '127.0.0.1',
          client: 'test',
          begun: now,
          lastUsed: now,
          strong: now,
        });
      });
      return { session, passkey, cookie };
    } finally {
      database.close();
    }
  }

  private agent(from: string): Agent {
    let agent = this.agents.get(from);
    if (agent === undefined) {
      agent = new Agent({ keepAlive: true, maxSockets: 8, ca: this.certificate, localAddress: from });
      this.agents.set(from, agent);
    }
    return agent;
  }
}

export function fingerprintOf(token: string): string {
  const hash = hashApiToken(token);
  if (hash === null) throw new Error('no token');
  return `SHA256:${hash.toString('base64').replace(/=+$/, '')}`;
}

function credentialHeaders(by: Credential | null): OutgoingHttpHeaders {
  if (by === null) return {};
  if (by.bearer !== undefined) return { authorization: `Bearer ${by.bearer}` };
  return { cookie: `__Host-waybill=${by.cookie ?? ''}`, 'sec-fetch-site': 'same-origin' };
}
