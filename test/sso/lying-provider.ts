/** A provider that lies as it is told: real HTTP, real signatures, and nobody who is asked for a password. */
import { createHmac, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CLIENT } from './real-provider.ts';

export interface SigningKey {
  readonly kid: string;
  readonly alg: string;
  readonly private: KeyObject;
  readonly jwk: Record<string, unknown>;
}

export function newKey(kid = randomBytes(4).toString('hex'), alg: 'ES256' | 'RS256' | 'EdDSA' = 'ES256'): SigningKey {
  const pair =
    alg === 'RS256'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : alg === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid, alg, use: 'sig' };
  return { kid, alg, private: pair.privateKey, jwk };
}

export type Claims = Record<string, unknown>;

const encoded = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** `header` may say something else than what is done. */
export function signed(claims: Claims, key: SigningKey, header: Claims = {}): string {
  const text = `${encoded({ alg: key.alg, kid: key.kid, typ: 'JWT', ...header })}.${encoded(claims)}`;
  const hash = key.alg === 'EdDSA' ? null : 'sha256';
  const signature = sign(hash, Buffer.from(text), { key: key.private, dsaEncoding: 'ieee-p1363' });
  return `${text}.${signature.toString('base64url')}`;
}

export function unsigned(claims: Claims): string {
  return `${encoded({ alg: 'none' })}.${encoded(claims)}.`;
}

/** With a secret that is none: what everybody knows of the key, or what we and the provider share. */
export function signedWithSecret(claims: Claims, kid: string, secret: string | Buffer): string {
  const text = `${encoded({ alg: 'HS256', kid, typ: 'JWT' })}.${encoded(claims)}`;
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
}

export function publicPem({ jwk }: SigningKey): Buffer {
  return Buffer.from(createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' }));
}

type Answer = (response: ServerResponse, body: URLSearchParams) => void;

export class LyingProvider {
  readonly issuer: string;
  key = newKey();
  keys: Record<string, unknown>[] = [this.key.jwk];
  /** What discovery says; changed by the tests. */
  metadata: Record<string, unknown>;
  /** Instead of what is usual at a path. */
  readonly answers = new Map<string, Answer>();
  /** Makes the token of what is right. */
  token: (claims: Claims) => string = (claims) => signed(claims, this.key);
  /** The right claims, once a browser is on its way. */
  claims: Claims = {};
  readonly asked: string[] = [];
  private readonly server: Server;

  private constructor(server: Server, port: number) {
    this.server = server;
    this.issuer = `http://127.0.0.1:${port}`;
    this.metadata = {
      issuer: this.issuer,
      authorization_endpoint: `${this.issuer}/auth`,
      token_endpoint: `${this.issuer}/token`,
      jwks_uri: `${this.issuer}/jwks`,
      response_types_supported: ['code'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256', 'RS256', 'HS256', 'none', 'EdDSA'],
      authorization_response_iss_parameter_supported: true,
    };
    server.on('request', (request, response) => {
      this.serve(request, response).catch(() => response.destroy());
    });
  }

  static async open(): Promise<LyingProvider> {
    const server = createServer().listen(0, '127.0.0.1');
    // A test that fails leaves it behind, and must end all the same.
    server.unref();
    await once(server, 'listening');
    return new LyingProvider(server, (server.address() as AddressInfo).port);
  }

  /** What a browser that was sent to `address` comes back with, as `person`. */
  visit(address: string, person = 'anna', more: Claims = {}): URL {
    const asked = new URL(address).searchParams;
    const now = Math.floor(Date.now() / 1000);
    const times = { iat: now, exp: now + 300, auth_time: now };
    this.claims = { iss: this.issuer, aud: CLIENT, sub: person, nonce: asked.get('nonce'), ...times, ...more };
    const back = new URL(asked.get('redirect_uri') ?? '');
    back.searchParams.set('code', randomBytes(16).toString('hex'));
    back.searchParams.set('state', asked.get('state') ?? '');
    back.searchParams.set('iss', this.issuer);
    return back;
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const [path = ''] = (request.url ?? '').split('?');
    this.asked.push(path);
    const other = this.answers.get(path);
    if (other !== undefined) {
      other(response, new URLSearchParams(Buffer.concat(chunks).toString()));
      return;
    }
    const body = this.bodyOf(path);
    response.writeHead(body === null ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(body ?? {}));
  }

  private bodyOf(path: string): object | null {
    if (path === '/.well-known/openid-configuration') return this.metadata;
    if (path === '/jwks') return { keys: this.keys };
    if (path !== '/token') return null;
    return { access_token: 'opaque', token_type: 'Bearer', expires_in: 60, id_token: this.token(this.claims) };
  }
}
