/** OpenID Connect with one provider, by openid-client: discovery, and the exchange of a code for an ID token. */
import { createHash } from 'node:crypto';
import {
  allowInsecureRequests as withoutTls,
  authorizationCodeGrant,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  getJwksCache,
  None,
} from 'openid-client';
import type { ClientAuth, CustomFetch, ServerMetadata } from 'openid-client';
import { jwk, KEYS_MAX } from '../calls.ts';
import type { DiscoverAnswer, ExchangeAnswer, ExchangeRequest, IdentitySettings, PublicJwk } from '../calls.ts';
import { ALGORITHMS } from '../id-token.ts';

/** What a provider says about itself is asked again after this. */
const METADATA_MS = 10 * 60_000;
const TIMEOUT_SECONDS = 15;
const FAULT_MAX = 500;

type IdToken = Awaited<ReturnType<typeof authorizationCodeGrant>>;

export class Protocol {
  private readonly settings: IdentitySettings;
  private readonly fetch: CustomFetch;
  private known: { readonly metadata: ServerMetadata; readonly since: number } | null = null;

  constructor(settings: IdentitySettings, fetch: CustomFetch) {
    this.settings = settings;
    this.fetch = fetch;
  }

  async discover(): Promise<DiscoverAnswer> {
    const metadata = await this.metadata();
    return {
      authorizationEndpoint: metadata.authorization_endpoint ?? '',
      tokenEndpoint: metadata.token_endpoint ?? '',
      keysEndpoint: metadata.jwks_uri ?? '',
      algorithms: algorithmsOf(metadata),
    };
  }

  async exchange(asked: ExchangeRequest): Promise<ExchangeAnswer> {
    try {
      return await this.redeem(asked);
    } catch (error) {
      return { result: 'refused', fault: spell(error).slice(0, FAULT_MAX) };
    }
  }

  /** Without any memory of keys: each exchange asks for the provider's keys as they are now. */
  private async redeem(asked: ExchangeRequest): Promise<ExchangeAnswer> {
    const metadata = await this.metadata();
    // openid-client takes the algorithm of what the provider lists; some list "none" and HS256.
    const server = { ...metadata, id_token_signing_alg_values_supported: algorithmsOf(metadata) };
    const auth = authenticationOf(metadata, asked.clientSecret);
    const config = this.prepared(new Configuration(server, this.settings.clientId, undefined, auth));
    enableNonRepudiationChecks(config);
    const { state, nonce, verifier, maxAge } = asked;
    const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier, idTokenExpected: true };
    const address = new URL(asked.redirectUri);
    address.search = asked.parameters;
    const tokens = await authorizationCodeGrant(config, address, { ...checks, ...(maxAge === null ? {} : { maxAge }) });
    const idToken = tokens.id_token ?? '';
    checkAccessToken(tokens, idToken);
    return { result: 'token', idToken, keys: keysOf(getJwksCache(config)?.jwks.keys ?? []) };
  }

  private async metadata(): Promise<ServerMetadata> {
    if (this.known !== null && Date.now() - this.known.since < METADATA_MS) return this.known.metadata;
    const { issuer, clientId } = this.settings;
    const config = await discovery(new URL(issuer), clientId, undefined, None(), {
      [customFetch]: this.fetch,
      timeout: TIMEOUT_SECONDS,
      // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so that nobody misses what it is; see prepared()
      execute: issuer.startsWith('http:') ? [withoutTls] : [],
    });
    const metadata = JSON.parse(JSON.stringify(config.serverMetadata())) as ServerMetadata;
    this.known = { metadata, since: Date.now() };
    return metadata;
  }

  private prepared(config: Configuration): Configuration {
    config[customFetch] = this.fetch;
    config.timeout = TIMEOUT_SECONDS;
    // Which addresses may do without TLS is judged for each of them, in fetching.ts.
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- marked so that nobody misses what it is
    if (this.settings.issuer.startsWith('http:')) withoutTls(config);
    return config;
  }
}

function algorithmsOf({ id_token_signing_alg_values_supported: listed }: ServerMetadata): string[] {
  const supported: readonly string[] = listed ?? ['RS256'];
  return ALGORITHMS.filter((one) => supported.includes(one));
}

/** RFC 8414: client_secret_basic where a provider says nothing. */
function authenticationOf(
  { token_endpoint_auth_methods_supported: listed }: ServerMetadata,
  secret: string,
): ClientAuth {
  const basic = listed === undefined || listed.includes('client_secret_basic');
  return basic ? ClientSecretBasic(secret) : ClientSecretPost(secret);
}

/** Core 3.1.3.8. The access token itself is thrown away. */
function checkAccessToken(tokens: IdToken, idToken: string): void {
  const expected = tokens.claims()?.['at_hash'];
  if (expected === undefined) return;
  const header = JSON.parse(Buffer.from(idToken.split('.')[0] ?? '', 'base64url').toString()) as { alg: string };
  const size = /(256|384|512)$/.exec(header.alg)?.[1] ?? '512';
  const digest = createHash(`sha${size}`).update(tokens.access_token).digest();
  if (digest.subarray(0, digest.length / 2).toString('base64url') !== expected)
    throw new Error('the access token is not the one that the ID token names');
}

/** What we cannot read is left out: it signs nothing for us. */
function keysOf(keys: readonly unknown[]): PublicJwk[] {
  return keys.slice(0, KEYS_MAX).flatMap((key) => {
    const parsed = jwk.safeParse(key);
    return parsed.success ? [parsed.data] : [];
  });
}

function spell(error: unknown): string {
  if (!(error instanceof Error)) return 'failed';
  const { code, error: refusal } = error as { code?: unknown; error?: unknown };
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : '';
  const named = [code, refusal].filter((one) => typeof one === 'string').join(' ');
  return `${named === '' ? '' : `${named}: `}${error.message}${cause}`.replaceAll(/[^\x20-\x7e]/g, '?');
}
