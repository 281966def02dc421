import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { HostAuthority } from '../../src/accounts/authority-host.ts';
import { HostKeys } from '../../src/broker/host-keys.ts';
import type { Event } from '../../src/ledger/core/kinds.ts';
import { checkCertificate } from '../../src/sshkeys/certificate-check.ts';
import { parseCertificate } from '../../src/sshkeys/certificate.ts';
import { generateHostKey, parseHostKey } from '../../src/sshkeys/host-key.ts';
import { formatPrivateKey } from '../../src/sshkeys/private-key.ts';
import { SqliteCertificates } from '../../src/store/sqlite/certificates.ts';
import { Database } from '../../src/store/sqlite/database.ts';

const DAY = 86_400_000;
const NOTHING_REVOKED = { isRevokedKey: () => false, isRevokedSerial: () => false, isRevokedKeyId: () => false };

async function scene(names: readonly string[]) {
  const time = { now: Date.UTC(2026, 10, 23) };
  const recorded: Event[] = [];
  const own = async (kind: 'ed25519' | 'ecdsa') => parseHostKey(formatPrivateKey(await generateHostKey(kind), 'test'));
  const [current, ...keys] = [await own('ed25519'), await own('ed25519'), await own('ecdsa')];
  const database = new Database(':memory:');
  const authority = new HostAuthority({
    store: new SqliteCertificates(database),
    key: { current, take: () => Promise.resolve(current) },
    clock: { now: () => time.now, wait: () => Promise.resolve() },
    ledger: { append: (_tenant, event) => recorded.push(event) },
    names,
  });
  const publics = keys.map((key) => key.public);
  const hostKeys = new HostKeys(keys.map((key) => ({ key, certificate: null })));
  return { time, recorded, current, authority, publics, hostKeys, close: database.close.bind(database) };
}

describe('our own host authority', () => {
  it('certifies each key for the names, says so in the ledger, and again before they end', async () => {
    const { time, recorded, current, authority, publics, hostKeys, close } = await scene(['files.example.com']);
    for (let round = 0; round < 3; round++) {
      assert.equal(authority.due, true);
      hostKeys.renew(await authority.certify(publics));
      assert.equal(authority.due, false);
      const certificates = hostKeys.offered.map(({ certificate }) => parseCertificate(certificate ?? Buffer.alloc(0)));
      for (const [at, certificate] of certificates.entries()) {
        assert.equal(certificate.serial, BigInt(round * 2 + at + 1));
        assert.deepEqual(certificate.key.blob, publics[at]?.blob);
        const use = { role: 'host', address: '', authorities: [current.public], revocations: NOTHING_REVOKED } as const;
        const holds = (principal: string, now: number): boolean =>
          checkCertificate(certificate, { ...use, principal, now }).valid;
        assert.ok(holds('files.example.com', time.now) && holds('files.example.com', time.now + 29 * DAY));
        assert.ok(!holds('files.example.com', time.now + 30 * DAY) && !holds('other.example.com', time.now));
      }
      time.now += 15 * DAY - 1;
      assert.equal(authority.due, false);
      time.now += 1;
    }
    const acts = recorded.map((event) => event.kind === 'key' && event.action);
    assert.deepEqual(acts, ['made', ...Array<string>(6).fill('certified')]);
    close();
  });

  it('a connection that began with the certificate before goes on with it, and no other certificate is signed for', async () => {
    const { authority, publics, hostKeys, close } = await scene(['files.example.com']);
    hostKeys.renew(await authority.certify(publics));
    const shown = hostKeys.offered[0]?.certificate ?? Buffer.alloc(0);
    hostKeys.renew(await authority.certify(publics));
    const hash = randomBytes(32);
    assert.deepEqual(hostKeys.sign('ssh-ed25519', { hash, hostKey: shown }).hostKey.certificate, shown);
    const fresh = hostKeys.offered[0]?.certificate ?? Buffer.alloc(0);
    assert.notDeepEqual(fresh, shown);
    assert.deepEqual(hostKeys.sign('ssh-ed25519', { hash, hostKey: fresh }).hostKey.certificate, fresh);
    hostKeys.renew(await authority.certify(publics));
    assert.throws(() => hostKeys.sign('ssh-ed25519', { hash, hostKey: shown }), { code: 'request-invalid' });
    close();
  });

  it('without names there is none', async () => {
    const { authority, close } = await scene([]);
    assert.equal(authority.due, false);
    assert.equal(authority.knownHostsLine, null);
    close();
  });
});
