/**
 * The rows of FRONT_CALLS behind `waybill login` (RFC 8628 in shape, docs/design/login.md): a machine asks for a certificate,
 * a person confirms it in a browser, and the machine gets it. Everything that the decision rests on (addresses, who is
 * signed in, when a factor was shown) is the broker's own knowledge; the key is bound from the first call.
 */
import { z } from 'zod';
import type { CallRow } from './calls.ts';

const id = z.string().regex(/^[0-9a-f]{32}$/);
const nothing = z.object({});
/** As people type it. */
const userCode = z.string().max(32);
const deviceCode = z.string().max(64);
const login = z.string().max(256);

export const LOGIN_CALLS = {
  /** By the machine that asks; nobody is signed in on its connection. */
  'login.start': {
    who: 'connection',
    writes: false,
    records: [],
    request: z.object({
      connection: id,
      /** A line as in a .pub file, without options. */
      publicKey: z.string().max(16_384),
      /** Who is to confirm it; nobody else can. */
      login: login.optional(),
      hours: z.number().positive().max(8784).optional(),
      client: z.string().max(300),
    }),
    response: z.object({
      deviceCode,
      userCode,
      fingerprint: z.string(),
      /** Milliseconds since 1970. */
      expires: z.number(),
      /** Seconds between two questions. */
      interval: z.number(),
      /** Where people sign in. */
      origin: z.string(),
    }),
  },
  /** Has it been confirmed? Only from the address that began it, and answered once. */
  'login.token': {
    who: 'connection',
    writes: false,
    records: [],
    request: z.object({ connection: id, deviceCode }),
    response: z.object({
      certificate: z.string(),
      serial: z.string(),
      login,
      tenant: z.string(),
      until: z.string(),
      /** From where it signs in. */
      address: z.string(),
      hostCa: z.string().nullable(),
      hostKeys: z.array(z.string()),
      sftpPort: z.number().nullable(),
    }),
  },
  /** What a code stands for, to a person who has signed in. */
  'login.show': {
    who: 'session',
    writes: true,
    records: ['changed'],
    request: z.object({ session: id, userCode }),
    response: z.object({
      userCode,
      fingerprint: z.string(),
      address: z.string(),
      client: z.string(),
      asked: z.number(),
      expires: z.number(),
      login: login.nullable(),
      hours: z.number().nullable(),
      /** Of the session that looks. */
      browser: z.string(),
      /** The machine that asks is not where the browser is. */
      elsewhere: z.boolean(),
      /** False: that is not allowed here, and confirming will be refused. */
      allowed: z.boolean(),
    }),
  },
  /** A strong factor must have been shown after the request was made. `fingerprint`: the key that the person has seen. */
  'login.confirm': {
    who: 'session',
    writes: true,
    records: ['changed', 'key'],
    request: z.object({ session: id, userCode, fingerprint: z.string().max(100) }),
    response: z.object({ until: z.string(), serial: z.string() }),
  },
  'login.refuse': {
    who: 'session',
    writes: true,
    records: ['changed'],
    request: z.object({ session: id, userCode }),
    response: nothing,
  },
} as const satisfies Record<string, CallRow>;
