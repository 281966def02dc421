/** What accounts and their credentials are. Secrets here are only hashes and sealed bytes. */
import type { KeyRestrictions } from '../sshkeys/authorized-keys.ts';
import type { Chain } from './chains.ts';

export type AccountStatus = 'active' | 'suspended';

export interface Account {
  readonly id: string;
  /** Identifier of the tenant, not its name. */
  readonly tenant: string;
  readonly login: string;
  readonly displayName: string;
  readonly administrator: boolean;
  readonly status: AccountStatus;
  /** Any one of these chains signs in. */
  readonly chains: readonly Chain[];
  /** Milliseconds since 1970, as all times here. */
  readonly created: number;
}

interface CredentialCommon {
  readonly id: string;
  readonly account: string;
  readonly label: string;
  readonly created: number;
  readonly lastUsed: number | null;
}

export interface PasswordCredential extends CredentialCommon {
  readonly kind: 'password';
  /** PHC string. */
  readonly hash: string;
}

export interface KeyCredential extends CredentialCommon {
  readonly kind: 'key';
  readonly algorithm: string;
  readonly blob: Buffer;
  readonly fingerprint: string;
  readonly restrictions: KeyRestrictions;
}

export interface TotpCredential extends CredentialCommon {
  readonly kind: 'totp';
  readonly sealed: Buffer;
  /** The last time step whose code was taken; codes of it and of earlier ones never count again. */
  readonly lastStep: number;
}

export type Credential = PasswordCredential | KeyCredential | TotpCredential;
export type CredentialKind = Credential['kind'];

/** A key whose user certificates the accounts of one tenant may sign in with; principal = login. */
export interface Authority {
  readonly id: string;
  readonly tenant: string;
  readonly label: string;
  readonly algorithm: string;
  readonly blob: Buffer;
  readonly fingerprint: string;
  readonly created: number;
  readonly lastUsed: number | null;
}

export type RevocationKind = 'fingerprint' | 'serial' | 'key-id';

export interface Revocation {
  readonly kind: RevocationKind;
  /** Fingerprint of the authority for `serial` and `key-id`; '' for `fingerprint`, which stands above all. */
  readonly authority: string;
  readonly value: string;
  readonly created: number;
}
