/** What sign-in over HTTPS needs of a database, and what it keeps there. Of every secret only a hash. */

export const SCOPES = ['files:list', 'files:read', 'files:write', 'admin'] as const;
export type Scope = (typeof SCOPES)[number];

/** How long a token and the one that takes its place may both be good. */
export const OVERLAP_SECONDS_MAX = 30 * 86_400;

/** Milliseconds since 1970, as all times here. */
export interface ApiToken {
  readonly id: string;
  readonly account: string;
  readonly label: string;
  readonly hash: Buffer;
  readonly scopes: readonly Scope[];
  /** As in an authorized_keys file's from=; null is from everywhere. */
  readonly addresses: string | null;
  readonly created: number;
  readonly expires: number | null;
  readonly lastUsed: number | null;
  readonly suspended: number | null;
  /** The token that takes the place of this one. */
  readonly successor: string | null;
}

export interface Passkey {
  readonly id: string;
  readonly account: string;
  readonly label: string;
  /** What the authenticator calls it; of no other account. */
  readonly credential: Buffer;
  /** COSE. */
  readonly publicKey: Buffer;
  readonly counter: number;
  /** The relying party it was made for: it is of no use at another. */
  readonly rpId: string;
  readonly transports: readonly string[];
  readonly created: number;
  readonly lastUsed: number | null;
}

export interface WebSession {
  readonly id: string;
  readonly hash: Buffer;
  readonly account: string;
  readonly factors: readonly string[];
  readonly credentials: readonly string[];
  readonly descriptions: readonly string[];
  /** Where it began. */
  readonly address: string;
  readonly client: string;
  readonly begun: number;
  readonly lastUsed: number;
  /** When it last showed a strong factor. */
  readonly strong: number | null;
}

export interface Enrolment {
  readonly hash: Buffer;
  readonly account: string;
  readonly created: number;
  readonly expires: number;
}

export type AccountKind = 'person' | 'service';
/**
 * How people of a tenant sign in, over HTTPS and SSH, the laxest first. `one-step` is of SSH alone: what the chains of
 * an account say is enough there.
 */
export const SIGN_IN_POLICIES = ['one-step', 'mfa', 'passkey'] as const;
export type SignInPolicy = (typeof SIGN_IN_POLICIES)[number];

export function isLaxer(policy: SignInPolicy, before: SignInPolicy): boolean {
  return SIGN_IN_POLICIES.indexOf(policy) < SIGN_IN_POLICIES.indexOf(before);
}

/** As AccountStore: "changes" only inside the action of `write`; a change to what is not there answers false. */
export interface WebStore {
  write<T>(action: () => T): Promise<T>;

  tokenByHash(hash: Buffer): ApiToken | null;
  token(id: string): ApiToken | null;
  /** Null = of all accounts; the oldest first. */
  tokens(account: string | null): ApiToken[];
  passkey(id: string): Passkey | null;
  passkeyByCredential(credential: Buffer): Passkey | null;
  passkeys(account: string): Passkey[];
  /** How many recovery codes are left. */
  recoveryCodes(account: string): number;
  sessionByHash(hash: Buffer): WebSession | null;
  session(id: string): WebSession | null;
  sessions(account: string): WebSession[];
  enrolmentByHash(hash: Buffer): Enrolment | null;
  hasEnrolment(account: string): boolean;
  kindOf(account: string): AccountKind;
  policyOf(tenant: string): SignInPolicy;

  // ---- changes
  /** Throws `already-exists` when the token is known. */
  addToken(token: ApiToken): void;
  setToken(id: string, changed: Pick<ApiToken, 'expires' | 'lastUsed' | 'suspended' | 'successor'>): boolean;
  removeToken(id: string): boolean;
  /** Throws `already-exists` for a credential that any account has. */
  addPasskey(passkey: Passkey): void;
  removePasskey(id: string): boolean;
  /** True unless the counter went back or stood still (both zero: the authenticator has none). */
  usePasskey(id: string, counter: number, at: number): boolean;
  setRecoveryCodes(account: string, hashes: readonly Buffer[]): void;
  /** True for exactly one caller per code. */
  spendRecoveryCode(account: string, hash: Buffer): boolean;
  addSession(session: WebSession): void;
  touchSession(id: string, lastUsed: number, strong: number | null): boolean;
  removeSession(id: string): boolean;
  removeSessionsBefore(begun: number, lastUsed: number): void;
  /** Takes the place of the account's one before. */
  putEnrolment(enrolment: Enrolment): void;
  /** True for exactly one caller. */
  spendEnrolment(hash: Buffer): boolean;
  setKind(account: string, kind: AccountKind): void;
  setPolicy(tenant: string, policy: SignInPolicy): void;
}
