/**
 * A stand-in for HashiCorp Vault, because its server was not to be had where these tests are run. It speaks what Vault's
 * API documentation says of the Transit engine, AppRole and tokens (paths, fields, status codes, batches whose parts fail,
 * the "vault:v1:" form), with real AES-GCM under versioned keys. What Vault does otherwise than its documentation says, it
 * cannot show.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';

interface TransitKey {
  /** By version, from 1. */
  readonly versions: Map<number, Buffer>;
  latest: number;
  minDecryption: number;
  minEncryption: number;
}

interface Token {
  readonly renewable: boolean;
  expires: number;
}

type Json = Record<string, unknown>;
interface Reply {
  readonly status: number;
  readonly body?: Json;
}
type Handler = (body: Json) => Reply;

/** Sees every request first; what it returns is answered instead. */
export type Fault = (path: string, body: Json) => Reply | 'drop' | 'hang' | { raw: string; status?: number } | null;

export class VaultStub {
  readonly keys = new Map<string, TransitKey>();
  readonly tokens = new Map<string, Token>();
  readonly requests: { method: string; path: string; token: string | null; namespace: string | null }[] = [];
  readonly roleId = 'role-0000';
  secretId = 'secret-0000';
  leaseSeconds = 0;
  sealed = false;
  /** Paths (after /v1/) that the policy does not allow. */
  readonly forbidden = new Set<string>();
  fault: Fault = () => null;
  private server: Server | null = null;
  private readonly tls: { key: string; cert: string } | null;

  constructor(tls: { key: string; cert: string } | null = null) {
    this.tls = tls;
    this.makeKey('waybill');
  }

  makeKey(name: string): void {
    this.keys.set(name, { versions: new Map([[1, randomBytes(32)]]), latest: 1, minDecryption: 1, minEncryption: 0 });
  }

  token(seconds = 0, renewable = true): string {
    const token = `hvs.${randomBytes(12).toString('hex')}`;
    this.tokens.set(token, { renewable, expires: seconds === 0 ? Infinity : Date.now() + seconds * 1000 });
    return token;
  }

  async listen(port = 0): Promise<string> {
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      void this.serve(request, response);
    };
    const server = this.tls === null ? createServer(answer) : createTlsServer(this.tls, answer);
    this.server = server;
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const { port: bound } = server.address() as AddressInfo;
    return this.tls === null ? `http://127.0.0.1:${bound}` : `https://localhost:${bound}`;
  }

  async close(): Promise<void> {
    const { server } = this;
    this.server = null;
    server?.closeAllConnections();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    const body = (text === '' ? {} : JSON.parse(text)) as Json;
    const path = (request.url ?? '').replace(/^\/v1\//, '');
    const header = (name: string): string | null => (request.headers[name] as string | undefined) ?? null;
    const token = header('x-vault-token');
    this.requests.push({ method: request.method ?? '', path, token, namespace: header('x-vault-namespace') });
    const fault = this.fault(path, body);
    if (fault === 'hang') return;
    if (fault === 'drop') {
      request.socket.destroy();
      return;
    }
    const reply = fault ?? this.answer(request.method ?? '', path, token, body);
    response.statusCode = reply.status ?? 200;
    if ('raw' in reply) response.end(reply.raw);
    else response.end(reply.body === undefined ? undefined : JSON.stringify(reply.body));
  }

  private answer(method: string, path: string, token: string | null, body: Json): Reply {
    if (this.sealed) return errors(503, 'Vault is sealed');
    if (path === 'auth/approle/login' && method === 'POST') return this.login(body);
    const found = token === null ? undefined : this.tokens.get(token);
    if (found === undefined || found.expires < Date.now() || this.forbidden.has(path))
      return errors(403, 'permission denied');
    if (path === 'auth/token/lookup-self' && method === 'GET') {
      const ttl = found.expires === Infinity ? 0 : Math.ceil((found.expires - Date.now()) / 1000);
      return ok({ data: { ttl, renewable: found.renewable } });
    }
    if (path === 'auth/token/renew-self' && method === 'POST') {
      if (!found.renewable) return errors(400, 'lease is not renewable');
      found.expires = Date.now() + this.leaseSeconds * 1000;
      return ok({ auth: { client_token: token, lease_duration: this.leaseSeconds, renewable: true } });
    }
    const [, engine, action, name = '', more = ''] = /^(transit)\/(\w+)\/([\w.-]+)(?:\/(\w+))?$/.exec(path) ?? [];
    if (engine === undefined || action === undefined) return errors(404, `no handler for route "${path}"`);
    return this.transit(method, action, name, more, body);
  }

  private login({ role_id: role, secret_id: secret }: Json): Reply {
    if (role !== this.roleId || secret !== this.secretId) return errors(400, 'invalid role or secret ID');
    const client_token = this.token(this.leaseSeconds);
    return ok({
      auth: { client_token, lease_duration: this.leaseSeconds, renewable: true, token_policies: ['default'] },
    });
  }

  private transit(method: string, action: string, name: string, more: string, body: Json): Reply {
    const key = this.keys.get(name);
    if (action === 'keys' && method === 'GET' && more === '')
      return key === undefined ? { status: 404, body: { errors: [] } } : ok({ data: shown(name, key) });
    if (key === undefined) return errors(400, 'encryption key not found');
    if (method !== 'POST') return errors(405, 'unsupported operation');
    const handlers: Record<string, Handler> = {
      'keys/rotate': () => {
        key.versions.set(++key.latest, randomBytes(32));
        return ok({ data: shown(name, key) });
      },
      'keys/config': ({ min_decryption_version: decryption, min_encryption_version: encryption }) => {
        if (Number(decryption) > key.latest || Number(encryption) > key.latest) return errors(400, 'too high');
        key.minDecryption = Number(decryption);
        key.minEncryption = Number(encryption);
        return { status: 204 };
      },
      'keys/trim': ({ min_available_version: least }) => {
        if (key.minEncryption === 0 || Number(least) > Math.min(key.minEncryption, key.minDecryption))
          return errors(400, 'minimum available version cannot be set');
        for (const version of key.versions.keys()) if (version < Number(least)) key.versions.delete(version);
        return { status: 204 };
      },
      encrypt: (asked) => batch(asked, ({ plaintext }) => encrypt(key, Buffer.from(String(plaintext), 'base64'))),
      decrypt: (asked) =>
        batch(asked, ({ ciphertext }) => ({ plaintext: decrypt(key, String(ciphertext)).toString('base64') })),
      rewrap: (asked) => batch(asked, ({ ciphertext }) => encrypt(key, decrypt(key, String(ciphertext)))),
    };
    const handler = handlers[more === '' ? action : `${action}/${more}`];
    return handler === undefined ? errors(404, 'unsupported path') : handler(body);
  }
}

function shown(name: string, { versions, latest, minDecryption, minEncryption }: TransitKey): Json {
  return {
    name,
    type: 'aes256-gcm96',
    keys: Object.fromEntries([...versions.keys()].map((version) => [version, 1_700_000_000 + version])),
    latest_version: latest,
    min_decryption_version: minDecryption,
    min_encryption_version: minEncryption,
    supports_encryption: true,
    supports_decryption: true,
    derived: false,
  };
}

/** A batch with a part that fails is answered 400, with the results of all parts. */
function batch({ batch_input: input }: Json, one: (item: Json) => Json): Reply {
  const batch_results = (input as Json[]).map((item) => {
    try {
      return one(item);
    } catch (error) {
      return { error: error instanceof Error ? error.message : 'failed' };
    }
  });
  const failed = batch_results.some((result) => 'error' in result);
  return { status: failed ? 400 : 200, body: { data: { batch_results } } };
}

function encrypt({ versions, latest }: TransitKey, plaintext: Buffer): Json {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', versions.get(latest) ?? Buffer.alloc(0), nonce);
  const bytes = Buffer.concat([nonce, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
  return { ciphertext: `vault:v${latest}:${bytes.toString('base64')}`, key_version: latest };
}

function decrypt({ versions, minDecryption }: TransitKey, ciphertext: string): Buffer {
  const [, version, text = ''] = /^vault:v(\d+):(.+)$/.exec(ciphertext) ?? [];
  const key = versions.get(Number(version));
  if (key === undefined) throw new Error('invalid ciphertext: no such key version');
  if (Number(version) < minDecryption) throw new Error('ciphertext version is disallowed by policy (too old)');
  const bytes = Buffer.from(text, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
  decipher.setAuthTag(bytes.subarray(-16));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]);
  } catch {
    throw new Error('invalid ciphertext: unable to decrypt');
  }
}

function ok(body: Json): Reply {
  return { status: 200, body };
}

function errors(status: number, text: string): Reply {
  return { status, body: { errors: [text] } };
}
