import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter } from '../../src/base/bytes.ts';
import { checkCertificate } from '../../src/sshkeys/certificate-check.ts';
import type { CertificateUse } from '../../src/sshkeys/certificate-check.ts';
import { isCertificateBlob, parseCertificate } from '../../src/sshkeys/certificate.ts';
import type { Certificate } from '../../src/sshkeys/certificate.ts';
import { signWithHostKey } from '../../src/sshkeys/host-key.ts';
import { fingerprint, parsePublicKey, publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { KeyRefused } from '../../src/sshkeys/refusal.ts';
import { softSecurityKey } from './soft-security-key.ts';
import { keygen } from './ssh-keygen.ts';
import type { Keygen } from './ssh-keygen.ts';

const NOTHING_REVOKED = { isRevokedKey: () => false, isRevokedSerial: () => false, isRevokedKeyId: () => false };

function blobOf(line: string): Buffer {
  return Buffer.from(line.split(' ')[1] ?? '', 'base64');
}

function use(certificate: Certificate, changed: Partial<CertificateUse> = {}): CertificateUse {
  return {
    role: 'user',
    principal: 'ada',
    now: Date.now(),
    address: '192.0.2.7',
    authorities: [certificate.authority],
    revocations: NOTHING_REVOKED,
    ...changed,
  };
}

function verdict(certificate: Certificate, changed: Partial<CertificateUse> = {}) {
  const result = checkCertificate(certificate, use(certificate, changed));
  return result.valid ? 'valid' : result.fault;
}

describe('certificates of the real ssh-keygen', () => {
  let tool: Keygen;
  let ca: string;
  let user: string;
  before(() => {
    tool = keygen();
    ca = tool.key('ca', 'ed25519');
    user = tool.key('user', 'ed25519');
  });
  after(() => {
    tool.remove();
  });
  const signed = (...args: string[]) =>
    parseCertificate(blobOf(tool.certify(ca, user, '-I', 'the id', '-n', 'ada,bob', ...args)));

  it('of every kind of key parse and hold', () => {
    const sk = [softSecurityKey('ed25519'), softSecurityKey('ecdsa')];
    const kinds = [
      tool.key('u1', 'ecdsa', 256),
      tool.key('u2', 'ecdsa', 384),
      tool.key('u3', 'ecdsa', 521),
      tool.key('u4', 'rsa', 2048),
      ...sk.map(({ public: key }, index) =>
        tool.write(`sk${index}.pub`, `${publicKeyLine(key, 'sk')}\n`).replace(/\.pub$/, ''),
      ),
      user,
    ];
    for (const key of kinds) {
      const line = tool.certify(ca, key, '-I', 'the id', '-n', 'ada,bob', '-z', '42', '-V', '-1m:+1h');
      const certificate = parseCertificate(blobOf(line));
      assert.equal(certificate.type, line.split(' ')[0]);
      assert.ok(isCertificateBlob(certificate.blob));
      assert.deepEqual(certificate.key.blob, blobOf(tool.read(`${key}.pub`)));
      assert.equal(certificate.serial, 42n);
      assert.equal(certificate.keyId, 'the id');
      assert.deepEqual(certificate.principals, ['ada', 'bob']);
      assert.equal(verdict(certificate), 'valid');
      assert.throws(() => parsePublicKey(certificate.blob), KeyRefused);
    }
  });

  it('by authorities of every kind hold; by SHA-1 not', () => {
    for (const [name, type, bits] of [
      ['ca1', 'ecdsa', 256],
      ['ca2', 'ecdsa', 521],
      ['ca3', 'rsa', 2048],
    ] as const) {
      const authority = tool.key(name, type, bits);
      const line = tool.certify(authority, user, '-I', 'x', '-n', 'ada');
      assert.equal(verdict(parseCertificate(blobOf(line))), 'valid');
    }
    const old = tool.certify(tool.key('ca4', 'rsa', 2048), user, '-t', 'ssh-rsa', '-I', 'x', '-n', 'ada');
    assert.equal(verdict(parseCertificate(blobOf(old))), 'certificate-signature');
  });

  it('hold for their role, principals and time only', () => {
    const certificate = signed('-V', '20300101Z:20300201Z');
    const at = (text: string) => ({ now: Date.parse(text) });
    assert.equal(verdict(certificate, at('2029-12-31T23:59:59.999Z')), 'certificate-not-yet-valid');
    assert.equal(verdict(certificate, at('2030-01-01T00:00:00Z')), 'valid');
    assert.equal(verdict(certificate, at('2030-01-31T23:59:59.999Z')), 'valid');
    assert.equal(verdict(certificate, at('2030-02-01T00:00:00Z')), 'certificate-expired');
    assert.equal(verdict(signed(), { principal: 'eve' }), 'certificate-principal');
    assert.equal(verdict(signed(), { principal: 'ad' }), 'certificate-principal');
    assert.equal(verdict(signed(), { principal: '' }), 'certificate-principal');
    assert.equal(verdict(signed('-h')), 'certificate-role');
    const nobody = parseCertificate(blobOf(tool.certify(ca, user, '-I', 'x')));
    assert.equal(verdict(nobody), 'certificate-principal');
  });

  it('by an unknown authority are refused', () => {
    const other = publicKeyFrom(generateKeyPairSync('ed25519').publicKey);
    assert.equal(verdict(signed(), { authorities: [other] }), 'certificate-authority-unknown');
    assert.equal(verdict(signed(), { authorities: [] }), 'certificate-authority-unknown');
  });

  it('obey source-address, verify-required and no-touch-required; refuse force-command and what is unknown', () => {
    const from = signed('-O', 'source-address=192.0.2.0/24,2001:db8::/32');
    assert.equal(verdict(from), 'valid');
    assert.equal(verdict(from, { address: '2001:db8::5' }), 'valid');
    assert.equal(verdict(from, { address: '198.51.100.1' }), 'certificate-address');
    assert.equal(verdict(signed('-O', 'force-command=/bin/true')), 'certificate-option-refused');
    assert.equal(verdict(signed('-O', 'critical:unheard-of=1')), 'certificate-option-refused');
    assert.equal(verdict(signed('-O', 'extension:unheard-of=1')), 'valid');
    const demands = (...args: string[]) => {
      const result = checkCertificate(...withUse(signed(...args)));
      return result.valid ? result.demands : null;
    };
    assert.deepEqual(demands(), { touch: true, verified: false });
    assert.deepEqual(demands('-O', 'verify-required'), { touch: true, verified: true });
    assert.deepEqual(demands('-O', 'no-touch-required'), { touch: false, verified: false });
  });

  it('are revoked by key, authority, serial and key id', () => {
    const certificate = signed('-z', '7');
    const unnumbered = signed('-z', '0');
    const [own, authority] = [fingerprint(certificate.key.blob), fingerprint(certificate.authority.blob)];
    const by = (changed: Partial<CertificateUse['revocations']>, of = certificate) =>
      verdict(of, { revocations: { ...NOTHING_REVOKED, ...changed } });
    assert.equal(by({ isRevokedKey: (print) => print === own }), 'certificate-revoked');
    assert.equal(by({ isRevokedKey: (print) => print === authority }), 'certificate-revoked');
    assert.equal(by({ isRevokedSerial: (of, serial) => of === authority && serial === 7n }), 'certificate-revoked');
    assert.equal(by({ isRevokedKeyId: (of, id) => of === authority && id === 'the id' }), 'certificate-revoked');
    assert.equal(by({ isRevokedSerial: () => true }, unnumbered), 'valid');
  });

  it('are refused after any change of any byte, and cut anywhere', () => {
    const { blob, authority } = signed('-O', 'source-address=192.0.2.0/24');
    for (let at = 0; at < blob.length; at++) {
      const changed = Buffer.from(blob);
      changed[at] = (changed[at] ?? 0) ^ 1;
      assert.throws(() => parseCertificate(blob.subarray(0, at)), KeyRefused);
      let parsed: Certificate;
      try {
        parsed = parseCertificate(changed);
      } catch (error) {
        assert.ok(error instanceof KeyRefused);
        continue;
      }
      assert.notEqual(verdict(parsed, { authorities: [authority] }), 'valid');
    }
  });
});

function withUse(certificate: Certificate): [Certificate, CertificateUse] {
  return [certificate, use(certificate)];
}

/** What ssh-keygen would never write. */
describe('certificates made by hand', () => {
  const authority = generateKeyPairSync('ed25519');
  const authorityBlob = publicKeyFrom(authority.publicKey).blob;
  const own = publicKeyFrom(generateKeyPairSync('ed25519').publicKey).blob;
  const text = (...values: string[]) =>
    values.reduce((writer, value) => writer.string(value), new ByteWriter()).finish();
  const value = (inner: string) => text(inner).toString('latin1');

  interface Parts {
    role?: number;
    principals?: Buffer;
    critical?: Buffer;
    extensions?: Buffer;
    authority?: Buffer;
    type?: string;
  }
  function make(parts: Parts = {}): Buffer {
    const point = new ByteReader(own);
    point.string();
    const body = new ByteWriter().string(parts.type ?? 'ssh-ed25519-cert-v01@openssh.com').string(Buffer.alloc(32, 1));
    body
      .string(point.string())
      .u64(1n)
      .u32(parts.role ?? 1)
      .string('id')
      .string(parts.principals ?? text('ada'));
    body
      .u64(0n)
      .u64(2n ** 64n - 1n)
      .string(parts.critical ?? '')
      .string(parts.extensions ?? '')
      .string('');
    const signed = body.string(parts.authority ?? authorityBlob).finish();
    return new ByteWriter()
      .raw(signed)
      .string(signWithHostKey(authority.privateKey, 'ssh-ed25519', signed))
      .finish();
  }

  it('hold when nothing is wrong', () => {
    assert.equal(verdict(parseCertificate(make())), 'valid');
  });

  it('do not parse with a role, option order or authority that the format does not allow', () => {
    for (const parts of [
      { role: 0 },
      { role: 3 },
      { critical: text('verify-required', '', 'source-address', value('192.0.2.1')) },
      { critical: text('verify-required', '', 'verify-required', '') },
      { extensions: text('permit-pty', '', 'permit-pty', '') },
      { critical: text('verify-required') },
      { authority: make() },
      { type: 'ssh-dss-cert-v01@openssh.com' },
      { principals: Buffer.of(0, 0, 0, 9, 1) },
    ])
      assert.throws(() => parseCertificate(make(parts)), KeyRefused);
  });

  it('with a source-address that cannot be read let nobody in', () => {
    for (const option of ['', value(''), value('host.example'), `${value('0.0.0.0/0')}x`]) {
      const certificate = parseCertificate(make({ critical: text('source-address', option) }));
      assert.equal(verdict(certificate), 'certificate-address');
    }
    const flag = parseCertificate(make({ critical: text('verify-required', 'no') }));
    assert.equal(verdict(flag), 'certificate-option-refused');
  });

  it('fuzz: parse or are refused', () => {
    const good = make({ critical: text('source-address', value('0.0.0.0/0')) });
    const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(changes, (list) => {
        const changed = Buffer.from(good);
        for (const [at, byte] of list) changed[at] = byte;
        try {
          const certificate = parseCertificate(changed);
          if (!changed.equals(good)) assert.notEqual(verdict(certificate), 'valid');
        } catch (error) {
          if (!(error instanceof KeyRefused)) throw error;
        }
      }),
      { numRuns: 1500 },
    );
  });
});
