/** Certificates of our own authorities, and the life of keys, as administrators see them. */
import type { IssuedCertificate } from '../accounts/certificate-store.ts';
import { WaybillError } from '../base/errors.ts';
import { parseCertificate } from '../sshkeys/certificate.ts';
import { certificateLine } from '../sshkeys/certificate-sign.ts';
import { fingerprint } from '../sshkeys/public-key.ts';
import type { IssuedRow } from './admin-calls.ts';
import { findKey, keyRow } from './administration-keys.ts';
import { moment } from './administration-parts.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';
import { plainKey } from './certificates.ts';

export type CertificateCall =
  'key.issue' | 'key.issued' | 'key.certificate' | 'key.host-ca' | 'key.rotate' | 'key.reinstate';

export function certificateHandlers(parts: AdministrationParts): Pick<AdminHandlers, CertificateCall> {
  const { accounts, certificates, keyLife, connections } = parts;
  const { authority } = certificates;
  return {
    'key.issue': async ({ login, line, hours, addresses }, by) => {
      const wish = { login, key: plainKey(line), hours, addresses, factors: [], proofs: [] };
      const { issued } = await authority.issue(wish, by);
      return { issued: issuedRow(parts, issued), certificate: lineOf(issued, login) };
    },
    'key.issued': ({ login }) => {
      const account = login === null ? null : accounts.get(login).id;
      return { certificates: authority.list(account).map((one) => issuedRow(parts, one)) };
    },
    'key.certificate': ({ serial }) => {
      const issued = authority.bySerial(BigInt(serial));
      if (issued === null) throw new WaybillError('not-found', 'no certificate with this serial was issued here');
      const row = issuedRow(parts, issued);
      return { issued: row, certificate: lineOf(issued, row.login ?? '') };
    },
    'key.host-ca': () => ({ line: certificates.hostLine(), userCa: printOf(authority.blob) }),
    'key.rotate': async ({ key, line, overlap }, by) => {
      const { id } = findKey(parts, key).key;
      const made = await keyLife.rotate(id, line, overlap, by);
      // Without an overlap the old key is out of use now, and so is what it has opened.
      if (overlap === 0) connections.end(({ proofs }) => proofs.includes(id), 'the key of this session was replaced');
      return { added: keyRow(parts, findKey(parts, made.id)), replaced: keyRow(parts, findKey(parts, id)) };
    },
    'key.reinstate': async ({ key }, by) => {
      const found = findKey(parts, key);
      await keyLife.reinstate(found.key.id, by);
      return keyRow(parts, findKey(parts, found.key.id));
    },
  };
}

function printOf(blob: Buffer | null): string | null {
  return blob === null ? null : fingerprint(blob);
}

function lineOf({ blob }: IssuedCertificate, login: string): string {
  return certificateLine(parseCertificate(blob), `waybill ${login}`);
}

function issuedRow({ accounts, certificates: { authority } }: AdministrationParts, one: IssuedCertificate): IssuedRow {
  const account = accounts.find(one.account);
  return {
    serial: one.serial.toString(),
    login: account?.login ?? null,
    fingerprint: one.fingerprint,
    addresses: one.addresses,
    factors: [...one.factors],
    issued: moment(one.from),
    until: moment(one.until),
    lastUsed: one.lastUsed === null ? null : moment(one.lastUsed),
    state: stateOf(account?.status ?? null, one.until, authority.standsBySerial(one.serial)),
  };
}

function stateOf(account: string | null, until: number, stands: boolean): IssuedRow['state'] {
  if (Date.now() >= until) return 'ended';
  if (account !== 'active') return 'account-gone';
  return stands ? 'valid' : 'revoked';
}
