/** Private key files in the form "openssh-key-v1" (PROTOCOL.key), unencrypted: what `ssh -i` and host keys use. */
import { createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { isKeyType, keyTypeRow } from './algorithms.ts';
import type { CurveRow } from './algorithms.ts';
import { leftPadded, positiveInteger } from './integers.ts';
import { publicKeyFrom } from './public-key.ts';
import type { PublicKey } from './public-key.ts';
import { KeyRefused, refusing } from './refusal.ts';

const MAGIC = Buffer.from('openssh-key-v1\0');
const BEGIN = '-----BEGIN OPENSSH PRIVATE KEY-----';
const END = '-----END OPENSSH PRIVATE KEY-----';
const FILE_MAX = 64 * 1024;
const LINE = 70;
/** Block size of the cipher "none". */
const BLOCK = 8;

export interface PrivateKey {
  readonly key: KeyObject;
  readonly public: PublicKey;
  readonly comment: string;
}

/** The text of a private key file; it must be written with mode 0600. */
export function formatPrivateKey(key: KeyObject, comment: string): string {
  const { blob, type } = publicKeyFrom(createPublicKey(key));
  const check = randomBytes(4);
  const secret = new ByteWriter().raw(check).raw(check).string(type);
  PRIVATE_FORMS[keyTypeRow(type).family].write(secret, key);
  secret.string(comment);
  for (let pad = 1; secret.length % BLOCK !== 0; pad++) secret.u8(pad);
  const whole = new ByteWriter().raw(MAGIC).string('none').string('none').string('').u32(1).string(blob);
  const lines =
    whole
      .string(secret.finish())
      .finish()
      .toString('base64')
      .match(new RegExp(`.{1,${LINE}}`, 'g')) ?? [];
  return [BEGIN, ...lines, END, ''].join('\n');
}

/** Throws KeyRefused. Takes openssh-key-v1 and nothing else; a passphrase is refused with what to do about it. */
export function parsePrivateKey(text: string): PrivateKey {
  return refusing('private key', () => {
    if (text.length > FILE_MAX) throw new KeyRefused('private key: the file is too long');
    const trimmed = text.trim();
    if (!trimmed.startsWith(BEGIN) || !trimmed.endsWith(END))
      throw new KeyRefused('private key: not in OpenSSH form; convert it with: ssh-keygen -p -N "" -f FILE');
    const base64 = trimmed.slice(BEGIN.length, -END.length).replaceAll(/\s/g, '');
    if (!/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) throw new KeyRefused('private key: not valid base64');
    return readFile(new ByteReader(Buffer.from(base64, 'base64')));
  });
}

function readFile(reader: ByteReader): PrivateKey {
  if (!reader.bytes(MAGIC.length).equals(MAGIC)) throw new KeyRefused('private key: not of the form openssh-key-v1');
  const cipher = reader.ascii(64);
  reader.string(64);
  reader.string(1024);
  if (cipher !== 'none')
    throw new KeyRefused('private key: it has a passphrase; remove it with: ssh-keygen -p -N "" -f FILE');
  if (reader.u32() !== 1) throw new KeyRefused('private key: the file must hold exactly one key');
  const blob = reader.string(8192);
  const secret = new ByteReader(reader.string(FILE_MAX));
  reader.done();
  const { key, comment } = readSecret(secret);
  const own = publicKeyFrom(createPublicKey(key));
  if (!own.blob.equals(blob)) throw new KeyRefused('private key: its public half belongs to another key');
  return { key, public: own, comment };
}

function readSecret(reader: ByteReader): { key: KeyObject; comment: string } {
  if (reader.u32() !== reader.u32()) throw new KeyRefused('private key: the file is damaged');
  const type = reader.ascii(64);
  if (!isKeyType(type) || keyTypeRow(type).securityKey)
    throw new KeyRefused('private key: this type cannot be used here');
  const { family, curve } = keyTypeRow(type);
  const key = PRIVATE_FORMS[family].read(reader, curve);
  const comment = reader.utf8(1024);
  for (let pad = 1; reader.remaining > 0; pad++)
    if (pad >= 256 || reader.u8() !== pad) throw new KeyRefused('private key: the padding is wrong');
  return { key, comment };
}

interface PrivateForm {
  write(writer: ByteWriter, key: KeyObject): void;
  read(reader: ByteReader, curve: CurveRow | undefined): KeyObject;
}

type Jwk = ReturnType<typeof exportJwk>;
function exportJwk(key: KeyObject) {
  return key.export({ format: 'jwk' });
}
const field = (jwk: Jwk, name: 'n' | 'e' | 'd' | 'qi' | 'p' | 'q' | 'x' | 'y') =>
  Buffer.from(jwk[name] ?? '', 'base64url');
const base64url = (bytes: Buffer) => bytes.toString('base64url');

const PRIVATE_FORMS: Readonly<Record<'ed25519' | 'ecdsa' | 'rsa', PrivateForm>> = {
  ed25519: {
    write(writer, key) {
      const jwk = exportJwk(key);
      const point = field(jwk, 'x');
      writer.string(point).string(Buffer.concat([field(jwk, 'd'), point]));
    },
    read(reader) {
      const point = reader.string(64);
      const both = reader.string(128);
      if (both.length !== 64 || !both.subarray(32).equals(point)) throw new KeyRefused('private key: damaged');
      return createPrivateKey({ key: both.subarray(0, 32), format: 'raw-private', asymmetricKeyType: 'ed25519' });
    },
  },
  ecdsa: {
    write(writer, key) {
      const jwk = exportJwk(key);
      writer.string(`nistp${(jwk.crv ?? '').replace('P-', '')}`);
      writer.string(Buffer.concat([Buffer.of(4), field(jwk, 'x'), field(jwk, 'y')])).mpint(field(jwk, 'd'));
    },
    read(reader, curve) {
      const name = reader.ascii(32);
      const point = reader.string(256);
      if (curve?.name !== name || point.length !== 1 + 2 * curve.bytes)
        throw new KeyRefused('private key: the curve contradicts the type');
      const d = leftPadded(positiveInteger(reader, curve.bytes), curve.bytes);
      const [x, y] = [point.subarray(1, 1 + curve.bytes), point.subarray(1 + curve.bytes)];
      const jwk = { kty: 'EC', crv: curve.jwk, x: base64url(x), y: base64url(y), d: base64url(d) };
      return createPrivateKey({ key: jwk, format: 'jwk' });
    },
  },
  rsa: {
    write(writer, key) {
      const jwk = exportJwk(key);
      for (const name of ['n', 'e', 'd', 'qi', 'p', 'q'] as const) writer.mpint(field(jwk, name));
    },
    read(reader) {
      const [n, e, d, qi, p, q] = Array.from({ length: 6 }, () => positiveInteger(reader, 1024)) as Six;
      const jwk = { n, e, d, qi, p, q, dp: exponentOf(d, p), dq: exponentOf(d, q) };
      const texts = Object.fromEntries(Object.entries(jwk).map(([name, bytes]) => [name, base64url(bytes)]));
      return createPrivateKey({ key: { kty: 'RSA', ...texts }, format: 'jwk' });
    },
  },
};

type Six = [Buffer, Buffer, Buffer, Buffer, Buffer, Buffer];

/** d mod (prime - 1), which the file leaves out. */
function exponentOf(d: Buffer, prime: Buffer): Buffer {
  const value = BigInt(`0x${d.toString('hex')}`) % (BigInt(`0x${prime.toString('hex')}`) - 1n);
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex');
}
