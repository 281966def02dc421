/**
 * What the broker and the process of one identity provider say to each other. Whoever has taken that process over is as
 * good as the provider itself; the broker checks its answers, and every ID token once more (id-token.ts).
 */
import { z } from 'zod';

const text = (max: number) => z.string().max(max);

/** What the process is told when it starts. */
export const identitySettings = z.object({
  issuer: text(2048),
  clientId: text(500),
  /** Certificates (PEM) instead of the public ones. */
  ca: z.string().nullable(),
  /** Host names whose addresses may be private. */
  allow: z.array(z.string()),
});
export type IdentitySettings = z.infer<typeof identitySettings>;

export const discoverAnswer = z.object({
  authorizationEndpoint: text(2048),
  tokenEndpoint: text(2048),
  keysEndpoint: text(2048),
  algorithms: z.array(text(20)).max(50),
});
export type DiscoverAnswer = z.infer<typeof discoverAnswer>;

export const exchangeRequest = z.object({
  redirectUri: text(1000),
  /** As the browser brought them, in the form of a query. */
  parameters: text(12_000),
  state: text(100),
  nonce: text(100),
  /** Of PKCE. */
  verifier: text(128),
  /** Seconds; null when no fresh sign-in was asked for. */
  maxAge: z.number().int().min(0).nullable(),
  clientSecret: text(4096),
});
export type ExchangeRequest = z.infer<typeof exchangeRequest>;

const number = text(2000).regex(/^[A-Za-z0-9_-]*$/);
export const jwk = z.object({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  kid: text(500).optional(),
  alg: text(20).optional(),
  use: text(20).optional(),
  crv: text(20).optional(),
  n: number.optional(),
  e: number.optional(),
  x: number.optional(),
  y: number.optional(),
});
export type PublicJwk = z.infer<typeof jwk>;
export const KEYS_MAX = 100;
export const TOKEN_MAX = 32_768;

export const exchangeAnswer = z.discriminatedUnion('result', [
  z.object({
    result: z.literal('token'),
    idToken: text(TOKEN_MAX).regex(/^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/),
    /** The provider's keys as they are now. */
    keys: z.array(jwk).max(KEYS_MAX),
  }),
  z.object({ result: z.literal('refused'), fault: text(500) }),
]);
export type ExchangeAnswer = z.infer<typeof exchangeAnswer>;

/** Promise of whoever asks a provider: rejects when it cannot be asked. */
export interface IdentityClient {
  discover(): Promise<DiscoverAnswer>;
  exchange(request: ExchangeRequest): Promise<ExchangeAnswer>;
}
