/** A software authenticator: makes passkeys and answers as a browser would, and can be told to lie about each part. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { PasskeyAssertion, PasskeyRegistration } from '../../../src/accounts/web/passkeys.ts';

const UP = 0x01;
const UV = 0x04;
const AT = 0x40;

/** As much of CBOR (RFC 8949) as an attestation object of format "none" needs. */
export function cbor(value: unknown): Buffer {
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value);
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)]);
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value]);
  if (value instanceof Map)
    return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, inner]) => [cbor(key), cbor(inner)])]);
  throw new Error('not encoded here');
}

function head(major: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(major << 5) | value]);
  if (value < 256) return Buffer.from([(major << 5) | 24, value]);
  return Buffer.from([(major << 5) | 25, value >> 8, value & 255]);
}

/** What a dishonest page, authenticator or thief changes. */
export interface Lies {
  readonly challenge?: string;
  readonly origin?: string;
  readonly rpId?: string;
  readonly type?: string;
  readonly flags?: number;
  readonly counter?: number;
  readonly crossOrigin?: boolean;
  readonly userHandle?: string | null;
  readonly format?: string;
  readonly signer?: KeyObject;
}

export class Authenticator {
  readonly id = randomBytes(32);
  counter = 0;
  private readonly pair: { publicKey: KeyObject; privateKey: KeyObject };
  private readonly algorithm: 'EdDSA' | 'ES256';
  private rpId = '';
  private user = '';

  constructor(algorithm: 'EdDSA' | 'ES256' = 'ES256') {
    this.algorithm = algorithm;
    this.pair =
      algorithm === 'EdDSA' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  }

  get key(): KeyObject {
    return this.pair.privateKey;
  }

  create(
    options: { challenge: string; rp: { id: string }; user: { id: string } },
    origin: string,
    lies: Lies = {},
  ): PasskeyRegistration {
    this.rpId = options.rp.id;
    this.user = options.user.id;
    const clientDataJSON = this.clientData('webauthn.create', options.challenge, origin, lies);
    const credential = Buffer.concat([Buffer.alloc(16), u16(this.id.length), this.id, cbor(this.cose())]);
    const authData = Buffer.concat([this.data(lies, AT), credential]);
    const object = new Map<string, unknown>([
      ['fmt', lies.format ?? 'none'],
      ['attStmt', new Map()],
      ['authData', authData],
    ]);
    return {
      ...this.common(),
      response: { clientDataJSON, attestationObject: cbor(object).toString('base64url'), transports: ['internal'] },
    };
  }

  get(options: { challenge: string; rpId: string }, origin: string, lies: Lies = {}): PasskeyAssertion {
    this.counter++;
    const clientDataJSON = this.clientData('webauthn.get', options.challenge, origin, lies);
    const data = this.data(lies, 0);
    const hash = createHash('sha256').update(Buffer.from(clientDataJSON, 'base64url')).digest();
    const signed = Buffer.concat([data, hash]);
    const key = lies.signer ?? this.pair.privateKey;
    const signature = sign(this.algorithm === 'EdDSA' ? null : 'sha256', signed, key).toString('base64url');
    const userHandle = lies.userHandle === undefined ? this.user : lies.userHandle;
    return {
      ...this.common(),
      response: { clientDataJSON, authenticatorData: data.toString('base64url'), signature, userHandle },
    };
  }

  private common() {
    const id = this.id.toString('base64url');
    return { id, rawId: id, type: 'public-key' as const, clientExtensionResults: {} };
  }

  private clientData(type: string, challenge: string, origin: string, lies: Lies): string {
    const said = { type: lies.type ?? type, challenge: lies.challenge ?? challenge, origin: lies.origin ?? origin };
    return Buffer.from(JSON.stringify({ ...said, crossOrigin: lies.crossOrigin ?? false })).toString('base64url');
  }

  private data({ rpId, flags, counter }: Lies, more: number): Buffer {
    const hash = createHash('sha256')
      .update(rpId ?? this.rpId)
      .digest();
    const count = Buffer.alloc(4);
    count.writeUInt32BE(counter ?? this.counter);
    return Buffer.concat([hash, Buffer.from([(flags ?? UP | UV) | more]), count]);
  }

  private cose(): Map<number, unknown> {
    const { x = '', y = '' } = this.pair.publicKey.export({ format: 'jwk' }) as { x?: string; y?: string };
    const at = (text: string) => Buffer.from(text, 'base64url');
    const okp: [number, unknown][] = [
      [1, 1],
      [3, -8],
      [-1, 6],
      [-2, at(x)],
    ];
    const ec: [number, unknown][] = [
      [1, 2],
      [3, -7],
      [-1, 1],
      [-2, at(x)],
      [-3, at(y)],
    ];
    return new Map(this.algorithm === 'EdDSA' ? okp : ec);
  }
}

function u16(value: number): Buffer {
  return Buffer.from([value >> 8, value & 255]);
}
