/**
 * Wire forms of RFC 4252 (authentication), RFC 4256 (keyboard-interactive) and the service request of RFC 4253
 * section 10. Pure: bytes in, values out; anything that is not exactly the form throws MalformedBytes. Buffers in the
 * results are views on the payload.
 */
import { ByteReader, ByteWriter, MalformedBytes } from '../../base/bytes.ts';

export const AUTHENTICATION_MESSAGE = {
  SERVICE_REQUEST: 5,
  SERVICE_ACCEPT: 6,
  REQUEST: 50,
  FAILURE: 51,
  SUCCESS: 52,
  BANNER: 53,
  /** 60 is PK_OK for "publickey" and INFO_REQUEST for "keyboard-interactive"; both go only from server to client. */
  PUBLICKEY_OK: 60,
  INFO_REQUEST: 60,
  INFO_RESPONSE: 61,
} as const;

/** The bounds of the broker's call table, kept here so that nothing longer is copied or sent on. */
export const AUTHENTICATION_BOUND = {
  user: 256,
  password: 1024,
  answer: 1024,
  answers: 16,
  algorithm: 64,
  keyBlob: 16384,
  signature: 8192,
  hostKeyBlob: 16384,
} as const;

export const HOSTBOUND_METHOD = 'publickey-hostbound-v00@openssh.com';

export interface PublicKeyRequest {
  readonly algorithm: string;
  readonly blob: Buffer;
  /** The host key that a hostbound request (OpenSSH PROTOCOL section 3.1) is tied to. */
  readonly hostKey: Buffer | null;
  /** Null asks only whether the key would do. */
  readonly signature: Buffer | null;
}

export type Method =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly password: Buffer }
  | { readonly kind: 'password-change' }
  | ({ readonly kind: 'publickey' } & PublicKeyRequest)
  | { readonly kind: 'keyboard-interactive' }
  | { readonly kind: 'unknown'; readonly name: string };

export interface AuthenticationRequest {
  readonly user: string;
  readonly service: string;
  readonly method: Method;
}

export function parseServiceRequest(payload: Buffer): string {
  const reader = new ByteReader(payload, 1);
  const service = reader.ascii(64);
  reader.done();
  return service;
}

const METHODS: Readonly<Record<string, (reader: ByteReader) => Method>> = {
  none: () => ({ kind: 'none' }),
  password: parsePassword,
  publickey: (reader) => parsePublicKey(reader, false),
  [HOSTBOUND_METHOD]: (reader) => parsePublicKey(reader, true),
  'keyboard-interactive': parseInteractive,
};

export function parseAuthenticationRequest(payload: Buffer): AuthenticationRequest {
  const reader = new ByteReader(payload, 1);
  const user = reader.utf8(AUTHENTICATION_BOUND.user);
  const service = reader.ascii(64);
  const name = reader.ascii(64);
  const parse = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined;
  // The fields of a method that we do not know cannot be told from rubbish; they are not looked at.
  if (parse === undefined) return { user, service, method: { kind: 'unknown', name } };
  const method = parse(reader);
  reader.done();
  return { user, service, method };
}

function parsePassword(reader: ByteReader): Method {
  const change = reader.boolean();
  const password = reader.string(AUTHENTICATION_BOUND.password);
  if (!change) return { kind: 'password', password };
  reader.string(AUTHENTICATION_BOUND.password);
  return { kind: 'password-change' };
}

function parsePublicKey(reader: ByteReader, hostbound: boolean): Method {
  const signed = reader.boolean();
  const algorithm = reader.ascii(AUTHENTICATION_BOUND.algorithm);
  const blob = reader.string(AUTHENTICATION_BOUND.keyBlob);
  const hostKey = hostbound ? reader.string(AUTHENTICATION_BOUND.hostKeyBlob) : null;
  const signature = signed ? reader.string(AUTHENTICATION_BOUND.signature) : null;
  return { kind: 'publickey', algorithm, blob, hostKey, signature };
}

function parseInteractive(reader: ByteReader): Method {
  reader.string(64); // language tag, deprecated
  reader.string(1024); // submethods: only a hint (RFC 4256 section 3.1), and the broker decides what is asked
  return { kind: 'keyboard-interactive' };
}

export function parseInfoResponse(payload: Buffer): Buffer[] {
  const reader = new ByteReader(payload, 1);
  const count = reader.u32();
  if (count > AUTHENTICATION_BOUND.answers) throw new MalformedBytes(`${count} answers`);
  const answers: Buffer[] = [];
  for (let index = 0; index < count; index++) answers.push(reader.string(AUTHENTICATION_BOUND.answer));
  reader.done();
  return answers;
}

/**
 * Whether a key blob can belong to an algorithm at all. RSA is the one family where the names differ: one kind of key,
 * an algorithm per digest (RFC 8332). A confusion here would let a key be checked as another kind than it was enrolled as.
 */
export function algorithmFitsBlob(algorithm: string, blob: Buffer): boolean {
  try {
    return new ByteReader(blob).ascii(64) === keyTypeOf(algorithm);
  } catch {
    return false;
  }
}

const RSA_ALGORITHM = /^rsa-sha2-(?:256|512)(-cert-v01@openssh\.com)?$/;

function keyTypeOf(algorithm: string): string {
  const rsa = RSA_ALGORITHM.exec(algorithm);
  if (rsa !== null) return `ssh-rsa${rsa[1] ?? ''}`;
  // As a signature algorithm "ssh-rsa" means SHA-1, which is served nowhere; no blob fits it.
  return algorithm.startsWith('ssh-rsa') ? '' : algorithm;
}

export const serviceAccept = (service: string): Buffer =>
  new ByteWriter().u8(AUTHENTICATION_MESSAGE.SERVICE_ACCEPT).string(service).finish();

export const failure = (methods: readonly string[], partial: boolean): Buffer =>
  new ByteWriter().u8(AUTHENTICATION_MESSAGE.FAILURE).nameList(methods).boolean(partial).finish();

export const success = (): Buffer => Buffer.of(AUTHENTICATION_MESSAGE.SUCCESS);

export const banner = (text: string): Buffer =>
  new ByteWriter().u8(AUTHENTICATION_MESSAGE.BANNER).string(text).string('').finish();

export const publicKeyOk = (algorithm: string, blob: Buffer): Buffer =>
  new ByteWriter().u8(AUTHENTICATION_MESSAGE.PUBLICKEY_OK).string(algorithm).string(blob).finish();

export function infoRequest(
  instruction: string,
  prompts: readonly { readonly text: string; readonly echo: boolean }[],
): Buffer {
  const writer = new ByteWriter().u8(AUTHENTICATION_MESSAGE.INFO_REQUEST).string('').string(instruction).string('');
  writer.u32(prompts.length);
  for (const prompt of prompts) writer.string(prompt.text).boolean(prompt.echo);
  return writer.finish();
}
