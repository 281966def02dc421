/** Waybill's own host authority: clients that trust it once know every host key of this server, also after a change. */
import type { Clock } from '../base/clock.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { signCertificate } from '../sshkeys/certificate-sign.ts';
import type { CertificateAuthority } from '../sshkeys/certificate-sign.ts';
import type { Certificate } from '../sshkeys/certificate.ts';
import { fingerprint, publicKeyLine } from '../sshkeys/public-key.ts';
import type { PublicKey } from '../sshkeys/public-key.ts';
import { useAuthority } from './authority-own.ts';
import type { AuthorityKey } from './authority-own.ts';
import type { CertificateStore } from './certificate-store.ts';

export interface HostAuthorityParts {
  readonly store: CertificateStore;
  readonly key: AuthorityKey;
  readonly clock: Clock;
  readonly ledger: Ledger | null;
  /** Under which clients reach this server; empty: it has no certificates of ours. */
  readonly names: readonly string[];
}

const DAY = 86_400_000;
const GOOD_FOR = 30 * DAY;
/** Half of the time is left for whatever keeps the server from making new ones. */
const RENEWED_AFTER = 15 * DAY;

export class HostAuthority {
  private readonly parts: HostAuthorityParts;
  private certified: number | null = null;

  constructor(parts: HostAuthorityParts) {
    this.parts = parts;
  }

  /** Whether certificates should be made now: there are none yet, or half of their time is over. */
  get due(): boolean {
    const { names, clock } = this.parts;
    return names.length > 0 && (this.certified === null || clock.now() >= this.certified + RENEWED_AFTER);
  }

  /** One for each key, in the same order. */
  async certify(keys: readonly PublicKey[]): Promise<Certificate[]> {
    const authority = await this.parts.key.take();
    const from = this.parts.clock.now();
    const made = await this.parts.store.write(() => {
      useAuthority(this.parts, 'host', authority);
      return keys.map((key) => this.sign(authority, key, from));
    });
    this.certified = from;
    return made;
  }

  private sign(authority: CertificateAuthority, key: PublicKey, from: number): Certificate {
    const { store, names, ledger } = this.parts;
    const serial = store.nextSerial('host');
    const until = from + GOOD_FOR;
    const keyId = `waybill host ${names[0] ?? ''} ${serial}`;
    const wish = { role: 'host', key, serial, keyId, principals: names, from, until, addresses: null } as const;
    const certificate = signCertificate(authority, wish);
    const print = fingerprint(key.blob);
    const detail = { serial: serial.toString(), key: print, names: [...names], until: new Date(until).toISOString() };
    const said = { action: 'certified', actor: '', approvedBy: '', what: `host key ${print}`, detail };
    ledger?.append(null, { kind: 'key', ...said });
    return certificate;
  }

  /** For a known_hosts file, on whatever port the server is reached; null where it has no certificates of ours. */
  get knownHostsLine(): string | null {
    const { names, key } = this.parts;
    if (names.length === 0 || key.current === null) return null;
    const patterns = names.flatMap((name) => [name, `[${name}]:*`]).join(',');
    return `@cert-authority ${patterns} ${publicKeyLine(key.current.public, 'waybill host authority')}`;
  }
}
