/** Identity providers of tenants, and which of their people are which accounts: what is kept of them. */

/** What says in an ID token who somebody is. `sub` lasts; the others are looked at once, to learn the `sub`. */
export const LINK_CLAIMS = ['sub', 'oid', 'email', 'preferred_username'] as const;
export type LinkClaim = (typeof LINK_CLAIMS)[number];

/** What may be changed of one; another issuer or client is another provider. */
export interface ProviderTerms {
  /** For people, on buttons. */
  readonly title: string;
  /** The administrator says that it asks its people for a second factor. */
  readonly multiFactor: boolean;
  /** Whether everybody sees it on the sign-in page; otherwise its people know its address. */
  readonly listed: boolean;
  /** One of them has to be in the token; none: nothing is asked. */
  readonly requireAcr: readonly string[];
  /** All of them have to be. */
  readonly requireAmr: readonly string[];
}

export interface Provider extends ProviderTerms {
  readonly id: string;
  /** In its addresses; of no other provider. */
  readonly name: string;
  readonly tenant: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly claim: LinkClaim;
  /** Certificates (PEM) that its own are checked with, instead of the public ones. */
  readonly ca: string | null;
  /** The client secret. */
  readonly sealed: Buffer;
  /** Thumbprints (RFC 7638) of keys that have signed somebody in. */
  readonly keys: readonly string[];
  readonly created: number;
}

export interface SsoLink {
  readonly id: string;
  readonly provider: string;
  readonly account: string;
  /** `sub`; null until the first sign-in where the provider's claim is another. */
  readonly subject: string | null;
  /** What the provider's claim has to be at that first one. */
  readonly expected: string | null;
  readonly created: number;
  readonly lastUsed: number | null;
}

/** As AccountStore: "changes" only inside the action of `write`; a change to what is not there answers false. */
export interface SsoStore {
  write<T>(action: () => T): Promise<T>;

  /** By name. */
  providers(): Provider[];
  provider(id: string): Provider | null;
  providerByName(name: string): Provider | null;
  link(id: string): SsoLink | null;
  /** Null = of all. */
  links(account: string | null): SsoLink[];
  linkBySubject(provider: string, subject: string): SsoLink | null;
  /** Among those that have no subject yet. */
  linkByExpected(provider: string, expected: string): SsoLink | null;

  // ---- changes
  /** Throws `already-exists` for a name that is taken. */
  addProvider(provider: Provider): void;
  setProvider(id: string, changed: ProviderTerms & Pick<Provider, 'sealed'>): boolean;
  setKeys(id: string, keys: readonly string[]): boolean;
  /** Its links go with it. */
  removeProvider(id: string): boolean;
  /** Throws `already-exists` when the account or the person has one with this provider. */
  addLink(link: SsoLink): void;
  /** False when it has a subject already, or another account has this one. */
  bindLink(id: string, subject: string): boolean;
  useLink(id: string, at: number): boolean;
  removeLink(id: string): boolean;
}
