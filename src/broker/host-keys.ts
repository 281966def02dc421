/**
 * What the host keys sign, and nothing else: key exchanges, hashed here, and proofs whose content is built here. A front
 * that was taken over can have an exchange of its making signed, but never bytes of its choosing.
 */
import type { KeyObject } from 'node:crypto';
import { ByteWriter } from '../base/bytes.ts';
import { WaybillError } from '../base/errors.ts';
import { HOST_KEY_ALGORITHMS, signWithHostKey } from '../sshkeys/host-key.ts';
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
}

const PROOF = 'hostkeys-prove-00@openssh.com';

export class HostKeys {
  private readonly rows: readonly Row[];

  constructor(keys: readonly HostKeyParts[]) {
    this.rows = keys.map(({ key, certificate }) => ({
      key: key.key,
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

  /** The signature, and the key it was made with. */
  sign(
    algorithm: string,
    { hash, hostKey }: Pick<Exchange, 'hash' | 'hostKey'>,
  ): { signature: Buffer; hostKey: HostKey } {
    const row = this.rows.find(({ offered }) => offered.algorithms.includes(algorithm));
    if (row === undefined) throw new WaybillError('request-invalid', 'no host key signs with this algorithm');
    const { blob, certificate } = row.offered;
    if (!hostKey.equals(blob) && certificate?.equals(hostKey) !== true)
      throw new WaybillError('request-invalid', 'the exchange names another host key');
    return { signature: signWithHostKey(row.key, algorithm, hash), hostKey: row.offered };
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
