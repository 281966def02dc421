/** `certificate.issue`: a person who has just shown who she is over HTTPS gets a certificate for SSH. */
import type { OwnAuthority } from '../accounts/authority-own.ts';
import { readKeyLine } from '../accounts/key-lines.ts';
import { WaybillError } from '../base/errors.ts';
import type { Json } from '../ledger/core/fields.ts';
import { certificateLine } from '../sshkeys/certificate-sign.ts';
import { publicKeyLine } from '../sshkeys/public-key.ts';
import type { PublicKey } from '../sshkeys/public-key.ts';
import type { Request, Response } from './calls.ts';
import type { LiveSession } from './connections.ts';

/** What a session has shown a moment ago, by the broker's own record: kinds of factors, ids of credentials. */
export interface JustShown {
  readonly factors: readonly string[];
  readonly proofs: readonly string[];
}

export interface CertificatesParts {
  readonly authority: OwnAuthority;
  /** Null when the session has to show a strong factor again (or cannot): it gets nothing. */
  readonly justShown: (session: LiveSession) => JustShown | null;
  readonly hostKeys: readonly PublicKey[];
  readonly hostCa: () => string | null;
}

type Answer = Response<'certificate.issue'>;

/** What a session may ask for: `address` is of the session, or of a machine that it has confirmed (logins.ts). */
export interface Wish {
  readonly key: PublicKey;
  /** Null: as long as is allowed. */
  readonly hours: number | null;
  readonly address: string;
  /** For the ledger. */
  readonly about?: Readonly<Record<string, Json>>;
  /** Throws when it must not be any more; called inside the write. */
  readonly within?: () => void;
}

export class Certificates {
  private readonly parts: CertificatesParts;

  constructor(parts: CertificatesParts) {
    this.parts = parts;
  }

  /** Before anybody is bothered with it: whether so long is granted at all. */
  requireGrantable(hours: number | null): void {
    const most = this.parts.authority.hours;
    if (hours !== null && hours > most)
      throw new WaybillError('option-invalid', `a certificate is good for at most ${most} hours here`);
  }

  async issue(session: LiveSession, { publicKey, hours }: Request<'certificate.issue'>): Promise<Answer> {
    return this.issueFor(session, { key: plainKey(publicKey), hours: hours ?? null, address: session.address });
  }

  async issueFor(session: LiveSession, { key, hours, address, about = {}, within: also }: Wish): Promise<Answer> {
    const { authority, justShown, hostKeys, hostCa } = this.parts;
    // A certificate that could ask for the next one would never end.
    const shown = session.connection.profile === 'https' ? justShown(session) : null;
    if (shown === null || shown.factors.length === 0)
      throw new WaybillError('permission-denied', 'a certificate is for who has just signed in with a strong factor');
    // It is for getting in once more and enrolling again, not for a working day.
    if (shown.factors.includes('recovery'))
      throw new WaybillError(
        'permission-denied',
        'a recovery code gets no certificate; sign in with a passkey or a code',
      );
    const { login, tenant } = session;
    const wish = { login, key, hours, addresses: address, about, ...shown };
    const within = (): void => {
      also?.();
      if (session.ended !== null) throw new WaybillError('session-ended', 'the session was ended');
    };
    const acting = { actor: login, approvedBy: '', within };
    const { issued, certificate } = await authority.issue(wish, acting);
    if (issued.tenant !== tenant) throw new WaybillError('session-ended', 'the account is another than it was');
    return {
      certificate: certificateLine(certificate, `waybill ${login}`),
      serial: issued.serial.toString(),
      login,
      until: new Date(issued.until).toISOString(),
      hostCa: hostCa(),
      hostKeys: hostKeys.map((one) => publicKeyLine(one)),
    };
  }
}

/** A line that says more than a key was meant to restrict: it is refused, not taken without what it says. */
export function plainKey(line: string): PublicKey {
  const { key, certAuthority, restrictions } = readKeyLine(line);
  const { from, expires, verifyRequired, touchRequired } = restrictions;
  if (certAuthority || from !== null || expires !== null || verifyRequired || !touchRequired)
    throw new WaybillError('option-invalid', 'give the key alone, without options before it');
  return key;
}
