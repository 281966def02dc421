import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { checkCertificate } from '../../src/sshkeys/certificate-check.ts';
import { certificateLine, signCertificate } from '../../src/sshkeys/certificate-sign.ts';
import type { CertificateAuthority, CertificateWish } from '../../src/sshkeys/certificate-sign.ts';
import { parseHostCertificate, parseHostKey } from '../../src/sshkeys/host-key.ts';
import { parseAuthorizedKey } from '../../src/sshkeys/authorized-keys.ts';
import { fingerprint, publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import type { PublicKey } from '../../src/sshkeys/public-key.ts';
import { KeyRefused } from '../../src/sshkeys/refusal.ts';
import { softSecurityKey } from './soft-security-key.ts';
import { keygen } from './ssh-keygen.ts';
import type { Keygen } from './ssh-keygen.ts';

const NOTHING_REVOKED = { isRevokedKey: () => false, isRevokedSerial: () => false, isRevokedKeyId: () => false };
const FROM = Date.UTC(2030, 0, 1, 12);

function newAuthority(): CertificateAuthority {
  const pair = generateKeyPairSync('ed25519');
  return { key: pair.privateKey, public: publicKeyFrom(pair.publicKey) };
}

function wish(key: PublicKey, changed: Partial<CertificateWish> = {}): CertificateWish {
  const times = { from: FROM, until: FROM + 8 * 3_600_000 };
  const said = { serial: 2n ** 63n + 7n, keyId: 'anna, by waybill', principals: ['anna'], addresses: '192.0.2.7' };
  return { role: 'user', key, ...said, ...times, ...changed };
}

describe('certificates made here, as the real ssh-keygen reads them', () => {
  const authority = newAuthority();
  let tool: Keygen;
  before(() => {
    tool = keygen();
  });
  after(() => {
    tool.remove();
  });

  const shown = (certificate: ReturnType<typeof signCertificate>): string[] => {
    const file = tool.write('shown-cert.pub', `${certificateLine(certificate, 'comment')}\n`);
    const text = tool.run('-L', '-f', file);
    return text.split('\n').map((line) => line.trim());
  };

  it('say every field, for every kind of key', () => {
    const keys = [
      ...(
        [
          ['ed25519', undefined],
          ['ecdsa', 256],
          ['ecdsa', 384],
          ['ecdsa', 521],
          ['rsa', 3072],
        ] as const
      ).map(([type, bits]) => parseAuthorizedKey(tool.read(`${tool.key(`${type}${bits}`, type, bits)}.pub`)).key),
      softSecurityKey('ed25519').public,
      softSecurityKey('ecdsa').public,
    ];
    for (const key of keys) {
      const certificate = signCertificate(authority, wish(key));
      const lines = shown(certificate);
      assert.ok(lines.includes(`Type: ${certificate.type} user certificate`), lines.join('\n'));
      assert.ok(lines.some((line) => line.startsWith('Public key:') && line.endsWith(fingerprint(key.blob))));
      const signer = `Signing CA: ED25519 ${fingerprint(authority.public.blob)} (using ssh-ed25519)`;
      assert.ok(lines.includes(signer), lines.join('\n'));
      assert.ok(lines.includes('Key ID: "anna, by waybill"'));
      assert.ok(lines.includes(`Serial: ${2n ** 63n + 7n}`));
      assert.deepEqual(lines.slice(lines.indexOf('Principals:') + 1).slice(0, 4), [
        'anna',
        'Critical Options:',
        'source-address 192.0.2.7',
        'Extensions: (none)',
      ]);
      const use = { role: 'user', principal: 'anna', address: '192.0.2.7', authorities: [authority.public] } as const;
      const at = (now: number) => checkCertificate(certificate, { ...use, now, revocations: NOTHING_REVOKED });
      assert.equal(at(FROM).valid, true);
      assert.equal(at(FROM - 60_000).valid, true, 'a clock that is a minute behind');
      assert.deepEqual(at(FROM - 60_001), { valid: false, fault: 'certificate-not-yet-valid' });
      assert.equal(at(FROM + 8 * 3_600_000 - 1).valid, true);
      assert.deepEqual(at(FROM + 8 * 3_600_000), { valid: false, fault: 'certificate-expired' });
    }
  });

  it('hold without an address, with several names, and with verify-required', () => {
    const { public: key } = softSecurityKey('ed25519');
    const changed = { addresses: null, principals: ['anna', 'otto'], verifyRequired: true };
    const lines = shown(signCertificate(authority, wish(key, changed)));
    assert.deepEqual(lines.slice(lines.indexOf('Principals:') + 1).slice(0, 4), [
      'anna',
      'otto',
      'Critical Options:',
      'verify-required',
    ]);
    assert.ok(!lines.some((line) => line.includes('source-address')));
  });

  it('of hosts are what parseHostCertificate takes', () => {
    const host = parseHostKey(tool.read(tool.key('host', 'ed25519')));
    const changed = { role: 'host', addresses: null, principals: ['files.example.com'] } as const;
    const certificate = signCertificate(authority, wish(host.public, changed));
    assert.ok(shown(certificate).includes('Type: ssh-ed25519-cert-v01@openssh.com host certificate'));
    assert.equal(parseHostCertificate(certificateLine(certificate), host, FROM).serial, certificate.serial);
  });

  it('are never twice the same', () => {
    const key = newAuthority().public;
    const [one, two] = [signCertificate(authority, wish(key)), signCertificate(authority, wish(key))];
    assert.notDeepEqual(one.blob, two.blob);
  });

  it('are not made of wishes that would be read as something else', () => {
    const key = newAuthority().public;
    const refused: Partial<CertificateWish>[] = [
      { principals: [] },
      { principals: ['anna', ''] },
      { principals: Array.from({ length: 300 }, (_, at) => `p${at}`) },
      { until: FROM - 3_600_000 },
      { until: Number.NaN },
      { from: 0, until: 0 },
      { addresses: '*.example.com' },
      { addresses: '' },
      { keyId: 'x'.repeat(2000) },
      { role: 'host' },
      { role: 'host', addresses: null, verifyRequired: true },
    ];
    for (const changed of refused) assert.throws(() => signCertificate(authority, wish(key, changed)), KeyRefused);
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const other = { key: privateKey, public: publicKeyFrom(publicKey) };
    assert.throws(() => signCertificate(other, wish(key)), KeyRefused);
    assert.match(publicKeyLine(key), /^ssh-ed25519 /);
  });
});
