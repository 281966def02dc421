/**
 * What the broker has the process with the network do for ACME: carry a request to the authority, and show what proves
 * control of a name by HTTP. Keys never go there: what is signed is signed before.
 */
import { z } from 'zod';

export const CARRIED_MAX = 131_072;

export const carryRequest = z.object({
  method: z.enum(['GET', 'HEAD', 'POST']),
  url: z.string().max(2048),
  body: z.string().nullable(),
});
export type CarryRequest = z.infer<typeof carryRequest>;

export const carryAnswer = z.object({
  status: z.number().int().min(0).max(999),
  /** Header Replay-Nonce. */
  nonce: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,512}$/)
    .nullable(),
  location: z.string().max(2048).nullable(),
  /** Milliseconds. */
  retryAfter: z.number().int().min(0).max(86_400_000).nullable(),
  body: z.string().max(CARRIED_MAX),
});
export type CarryAnswer = z.infer<typeof carryAnswer>;
export type Carry = (request: CarryRequest) => Promise<CarryAnswer>;

/** Tokens and what is answered for them (RFC 8555 section 8.3). Takes the place of those before. */
export const httpChallenges = z.object({ challenges: z.array(z.tuple([z.string(), z.string()])).max(100) });

export interface AcmeSettings {
  /** The authority's host, which the operator named: it may be on a private network. */
  readonly host: string;
  readonly ca: string | null;
  readonly http: { readonly host: string; readonly port: number } | null;
}
