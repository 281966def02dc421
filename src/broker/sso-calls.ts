/**
 * The rows of FRONT_CALLS by which browsers sign in at identity providers. What ties an answer of a provider to a browser
 * is the flow of web-calls.ts, which only that browser and its front know; state, nonce and verifier a front never sees
 * apart from the state, which it has to pass on.
 */
import { z } from 'zod';
import type { CallRow } from './calls.ts';
import { webAnswer } from './web-calls.ts';

const id = z.string().regex(/^[0-9a-f]{32}$/);
const flow = z.string().regex(/^wbf_[A-Za-z0-9_-]{43}$/);
/** As it stands in addresses. */
const provider = z.string().regex(/^[a-z0-9-]{1,40}$/);
const printable = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\x20-\x7e]*$/);

export const SSO_CALLS = {
  /** Those that everybody may see. */
  'sso.listed': {
    who: 'connection',
    writes: false,
    records: [],
    request: z.object({ connection: id }),
    response: z.object({ providers: z.array(z.object({ name: z.string(), title: z.string() })) }),
  },
  /** What people should know before they go there. */
  'sso.show': {
    who: 'connection',
    writes: false,
    records: [],
    request: z.object({ connection: id, provider }),
    response: z.object({ name: z.string(), title: z.string(), host: z.string() }),
  },
  /** Answers where the browser goes; a second one of the same flow takes the place of the first. */
  'sso.start': {
    who: 'connection',
    writes: false,
    records: [],
    request: z.object({ connection: id, flow, provider }),
    response: z.object({ address: z.string() }),
  },
  /** A strong factor once more, by a person who signs in anew at the provider that the session came from. */
  'sso.step-up': {
    who: 'session',
    writes: false,
    records: [],
    request: z.object({ session: id }),
    response: z.object({ flow, address: z.string(), provider }),
  },
  /** What the browser came back with; counts once, whatever comes of it. */
  'sso.finish': {
    who: 'connection',
    writes: true,
    records: ['sign-in', 'sign-in-failed', 'changed'],
    request: z.object({
      ...{ connection: id, flow, provider },
      code: printable(8192).optional(),
      state: printable(200).optional(),
      iss: printable(2048).optional(),
      error: printable(200).optional(),
    }),
    response: z.union([webAnswer, z.object({ result: z.literal('stepped-up') })]),
  },
} as const satisfies Record<string, CallRow>;
