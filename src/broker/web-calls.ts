/**
 * The rows of FRONT_CALLS by which browsers and programs sign in over HTTPS. A sign-in lives in the broker under a
 * `flow`, 256 random bits that only its front and its browser know: a browser may come by several connections, which
 * must all be from the source that began it. Every answer to a wrong step is the same, whoever was named.
 */
import { z } from 'zod';
import { SCOPES } from '../accounts/web/store.ts';
import {
  passkeyAssertion as assertion,
  passkeyCreationOptions as creationOptions,
  passkeyRegistration as registration,
  passkeyRequestOptions as requestOptions,
} from '../api/webauthn.ts';
import type { CallRow } from './calls.ts';

const bytes = (max: number) =>
  z.instanceof(Buffer).refine((value) => value.length <= max, { message: `at most ${max} bytes` });
const id = z.string().regex(/^[0-9a-f]{32}$/);
const flow = z.string().regex(/^wbf_[A-Za-z0-9_-]{43}$/);
const nothing = z.object({});
/** One of ours, as the browser's request was for it; another is refused. */
const origin = z.string().max(300);
/** User-Agent, as the front got it; for people to read. */
const client = z.string().max(300);
const label = z.string().max(80);
const webFactor = z.enum(['passkey', 'password', 'totp', 'recovery']);
const scope = z.enum(SCOPES);

/** A session of this connection; ends with it, or with what it was made from. */
export const webSession = z.object({
  session: id,
  login: z.string(),
  tenant: z.string(),
  account: id,
  home: z.string(),
  scopes: z.array(scope),
  /** `token`, or the steps of the web session. */
  factors: z.array(z.string()),
  /** Milliseconds since 1970: when a strong factor was shown last; null for tokens. */
  strong: z.number().nullable(),
  /** When it ends at the latest; null when it does not. */
  ends: z.number().nullable(),
});
export type WebSessionAnswer = z.infer<typeof webSession>;

export const webAnswer = z.discriminatedUnion('result', [
  /** `cookie` is the value of __Host-waybill; it is answered here and never again. */
  z.object({ result: z.literal('success'), cookie: z.string(), session: webSession }),
  z.object({ result: z.literal('failure'), methods: z.array(webFactor), partial: z.boolean() }),
  /** This sign-in is over; the front forgets the flow, and may begin another. */
  z.object({ result: z.literal('disconnect'), reason: z.string() }),
]);
export type WebAnswer = z.infer<typeof webAnswer>;

const enrolAnswer = z.discriminatedUnion('result', [
  z.object({ result: z.literal('enrolled'), recovery: z.array(z.string()) }),
  z.object({ result: z.literal('failure') }),
]);

const flowOnly = { connection: id, flow };
const sessionOnly = { session: id };

function asks<W extends 'connection' | 'session', Q extends z.ZodType, A extends z.ZodType>(
  who: W,
  request: Q,
  response: A,
) {
  return { who, writes: false, records: [], request, response } as const;
}
function steps<Q extends z.ZodType, A extends z.ZodType>(request: Q, response: A) {
  return { who: 'connection', writes: true, records: ['sign-in', 'sign-in-failed'], request, response } as const;
}
function changes<W extends 'connection' | 'session', Q extends z.ZodType, A extends z.ZodType>(
  who: W,
  request: Q,
  response: A,
) {
  return { who, writes: true, records: ['changed'], request, response } as const;
}

export const WEB_CALLS = {
  'web.start': asks(
    'connection',
    z.object({ connection: id, origin, client }),
    z.object({ flow, methods: z.array(webFactor) }),
  ),
  'web.passkey-options': asks('connection', z.object(flowOnly), requestOptions),
  'web.passkey': steps(z.object({ ...flowOnly, response: assertion }), webAnswer),
  'web.password': steps(z.object({ ...flowOnly, user: z.string().max(256), password: bytes(1024) }), webAnswer),
  'web.totp': steps(z.object({ ...flowOnly, code: bytes(64) }), webAnswer),
  'web.recovery': steps(z.object({ ...flowOnly, code: bytes(64) }), webAnswer),

  /** Once for each credential on each connection; after `session-ended` again. Exactly one of the two. */
  'web.session': steps(
    z
      .object({
        connection: id,
        bearer: z.string().max(200).optional(),
        cookie: z.string().max(200).optional(),
        client: client.optional(),
        origin: origin.optional(),
      })
      .refine(({ bearer, cookie }) => (bearer === undefined) !== (cookie === undefined), 'bearer or cookie'),
    webSession,
  ),
  /** What the session is now: another connection of the same browser may have shown a strong factor. */
  'web.account': asks('session', z.object(sessionOnly), webSession),
  /** The web session that this session was made from ends, with every session made from it. */
  'web.sign-out': changes('session', z.object(sessionOnly), nothing),
  'web.sessions': asks(
    'session',
    z.object(sessionOnly),
    z.object({
      sessions: z.array(
        z.object({
          id,
          own: z.boolean(),
          factors: z.array(z.string()),
          address: z.string(),
          client: z.string(),
          begun: z.number(),
          lastUsed: z.number(),
          ends: z.number(),
        }),
      ),
    }),
  ),
  'web.end-session': changes('session', z.object({ ...sessionOnly, id }), nothing),

  /** A strong factor, shown again; of this session's own account. */
  'web.step-up-options': asks('session', z.object(sessionOnly), requestOptions),
  'web.step-up': changes(
    'session',
    z
      .object({ ...sessionOnly, passkey: assertion.optional(), totp: bytes(64).optional() })
      .refine(({ passkey, totp }) => (passkey === undefined) !== (totp === undefined), 'passkey or totp'),
    z.discriminatedUnion('result', [
      z.object({ result: z.literal('success'), strong: z.number() }),
      z.object({ result: z.literal('failure') }),
    ]),
  ),

  /** What an account signs in with, by itself: a strong factor must have been shown within five minutes to change it. */
  'web.credentials': asks(
    'session',
    z.object(sessionOnly),
    z.object({
      passkeys: z.array(z.object({ id, label, created: z.number(), lastUsed: z.number().nullable() })),
      password: z.boolean(),
      totp: z.boolean(),
      /** Recovery codes that are left. */
      recovery: z.number(),
    }),
  ),
  'web.register-options': asks('session', z.object(sessionOnly), creationOptions),
  'web.register': changes(
    'session',
    z.object({ ...sessionOnly, label, response: registration }),
    z.discriminatedUnion('result', [
      z.object({ result: z.literal('success'), passkey: id }),
      z.object({ result: z.literal('failure') }),
    ]),
  ),
  'web.remove-passkey': changes('session', z.object({ ...sessionOnly, passkey: id }), nothing),
  /** Ten new ones; those before are gone. */
  'web.recovery-codes': changes('session', z.object(sessionOnly), z.object({ recovery: z.array(z.string()) })),

  /** The secret of an enrolment; used up only when something was set up with it. */
  'web.enrol-start': steps(
    z.object({ connection: id, origin, secret: z.string().max(200) }),
    z.object({ flow, login: z.string(), methods: z.array(z.enum(['passkey', 'password'])) }),
  ),
  'web.enrol-passkey-options': asks('connection', z.object(flowOnly), creationOptions),
  'web.enrol-passkey': changes('connection', z.object({ ...flowOnly, label, response: registration }), enrolAnswer),
  /** Answers the secret of the codes; nothing is stored until `web.enrol-totp` brings one of them. */
  'web.enrol-password': changes(
    'connection',
    z.object({ ...flowOnly, password: z.string().min(1).max(1024) }),
    z.object({ secret: z.string(), uri: z.string() }),
  ),
  'web.enrol-totp': changes('connection', z.object({ ...flowOnly, code: bytes(64) }), enrolAnswer),
} as const satisfies Record<string, CallRow>;
