/**
 * What the host keys sign, and nothing else: key exchanges, hashed here, and proofs whose content is built here. A front
 * that was taken over can have an exchange of its making signed, but never bytes of its choosing.
 */
import type { KeyObject } from 'node:crypto';
import { ByteWriter } from '../base/bytes.ts';
import { WaybillError } from '../base/errors.ts';
import { HOST_KEY_ALGORITHMS, signWithHostKey } from '../sshkeys/host-key.ts';
import type { Certificate } from '../sshkeys/certificate.ts';
import type { PublicKey } from '../sshkeys/public-key.ts';
import type { HostKey } from './calls.ts';
import type { Exchange } from './exchange.ts';

export interface HostKeyParts {
  readonly key: { readonly key: KeyObject; readonly public: PublicKey };
  readonly certificate: { readonly line: string } | null;
}

interface Row {
  readonly offered: HostKey;
  readonly key: KeyObject;
  /** Of before a renewal: connections that began with it go on with it. */
  readonly previous: Buffer | null;
}

const PROOF = 'hostkeys-prove-00@openssh.com';

export class HostKeys {
  private rows: readonly Row[];

  constructor(keys: readonly HostKeyParts[]) {
    this.rows = keys.map(({ key, certificate }) => ({
      key: key.key,
      previous: null,
      offered: {
        algorithms: [...(HOST_KEY_ALGORITHMS[key.public.type] ?? [])],
        blob: key.public.blob,
        certificate: certificate === null ? null : Buffer.from(certificate.line.split(/\s+/)[1] ?? '', 'base64'),
      },
    }));
  }

  get offered(): HostKey[] {
    return this.rows.map((row) => row.offered);
  }

  /** Certificates for keys of ours, which take the place of those before; the caller tells the fronts. */
  renew(certificates: readonly Certificate[]): void {
    const of = (blob: Buffer) => certificates.find(({ key }) => key.blob.equals(blob))?.blob;
    this.rows = this.rows.map((row) => {
      const certificate = of(row.offered.blob);
      if (certificate === undefined) return row;
      return { key: row.key, offered: { ...row.offered, certificate }, previous: row.offered.certificate };
    });
  }

  /** The signature, and the key it was made with. */
  sign(
    algorithm: string,
    { hash, hostKey }: Pick<Exchange, 'hash' | 'hostKey'>,
  ): { signature: Buffer; hostKey: HostKey } {
    const row = this.rows.find(({ offered }) => offered.algorithms.includes(algorithm));
    if (row === undefined) throw new WaybillError('request-invalid', 'no host key signs with this algorithm');
    const { offered, previous } = row;
    const certificate = [offered.certificate, previous].find((one) => one?.equals(hostKey) === true);
    if (!hostKey.equals(offered.blob) && certificate === undefined)
      throw new WaybillError('request-invalid', 'the exchange names another host key');
    // The certificate that this client saw, for what it says later of the host key.
    const shown = { ...offered, certificate: certificate ?? offered.certificate };
    return { signature: signWithHostKey(row.key, algorithm, hash), hostKey: shown };
  }

  /** OpenSSH PROTOCOL section 2.5. */
  prove(algorithm: string, blob: Buffer, sessionId: Buffer): Buffer {
    const row = this.rows.find(({ offered }) => offered.blob.equals(blob));
    if (row?.offered.algorithms.includes(algorithm) !== true) {
      throw new WaybillError('request-invalid', 'this is no host key of ours, or it does not sign so');
    }
    return signWithHostKey(row.key, algorithm, new ByteWriter().string(PROOF).string(sessionId).string(blob).finish());
  }
}
