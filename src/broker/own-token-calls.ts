/**
 * The rows of FRONT_CALLS by which a person makes API tokens of the own account. Of a token only its fingerprint comes
 * here; it always has an end, and making one takes a strong factor that was just shown.
 */
import { z } from 'zod';
import { SCOPES } from '../accounts/web/store.ts';
import type { CallRow } from './calls.ts';

const id = z.string().regex(/^[0-9a-f]{32}$/);
const scope = z.enum(SCOPES);
/** Milliseconds since 1970, as all times of web-calls.ts. */
const time = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);

const token = z.object({
  id,
  label: z.string(),
  fingerprint: z.string(),
  scopes: z.array(scope),
  addresses: z.string().nullable(),
  created: time,
  expires: time.nullable(),
  lastUsed: time.nullable(),
  suspended: time.nullable(),
});

export const OWN_TOKEN_CALLS = {
  'own.tokens': {
    who: 'session',
    writes: false,
    records: [],
    request: z.strictObject({ session: id }),
    response: z.object({ tokens: z.array(token) }),
  },
  'own.add-token': {
    who: 'session',
    writes: true,
    records: ['changed'],
    request: z.strictObject({
      session: id,
      label: z.string().min(1).max(80),
      fingerprint: z.string().max(100),
      scopes: z.array(scope).min(1).max(SCOPES.length),
      addresses: z.string().max(4096).nullable(),
      expires: time,
    }),
    response: token,
  },
  /** Ends what it opened. */
  'own.remove-token': {
    who: 'session',
    writes: true,
    records: ['changed'],
    request: z.strictObject({ session: id, token: id }),
    response: z.object({ ended: z.number() }),
  },
} as const satisfies Record<string, CallRow>;
