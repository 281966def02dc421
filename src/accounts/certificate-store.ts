/** What our own certificate authorities need of a database. */
export type AuthorityRole = 'user' | 'host';

/** A user certificate as it was issued. Only what has such a row signs in, whatever our key has signed. */
export interface IssuedCertificate {
  readonly id: string;
  readonly serial: bigint;
  /** Identifiers. */
  readonly tenant: string;
  readonly account: string;
  /** The whole certificate; a secret it is not. */
  readonly blob: Buffer;
  /** Of the key that it certifies. */
  readonly fingerprint: string;
  /** As in `source-address`; null = from anywhere. */
  readonly addresses: string | null;
  /** What was shown for it: passkey, password, totp ...; empty when an administrator issued it. */
  readonly factors: readonly string[];
  /** Ids of the credentials that showed it: when one is removed, the certificate ends. */
  readonly proofs: readonly string[];
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly until: number;
  readonly lastUsed: number | null;
}

/** As AccountStore: changes only inside the action of `write`. */
export interface CertificateStore {
  write<T>(action: () => T): Promise<T>;

  /** Blob of the public key with which this authority has signed; null = never. */
  authorityUsed(role: AuthorityRole): Buffer | null;
  certificate(serial: bigint): IssuedCertificate | null;
  /** The youngest first; null = of all accounts. */
  certificates(account: string | null): IssuedCertificate[];
  /** Those that have not ended. */
  standing(account: string, now: number): number;

  // ---- changes
  useAuthority(role: AuthorityRole, blob: Buffer, at: number): void;
  /** From 1 on, in ascending order, none twice. The authority must be in use. */
  nextSerial(role: AuthorityRole): bigint;
  addCertificate(certificate: IssuedCertificate): void;
  markCertificate(serial: bigint, at: number): void;
  /** Those that ended before then; their numbers stay used. */
  forgetCertificates(endedBefore: number): void;
}
