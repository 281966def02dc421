import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { before, suite, test } from 'node:test';
import { ByteWriter } from '../../src/base/bytes.ts';
import { HostKeys } from '../../src/broker/host-keys.ts';
import { generateHostKey, parseHostKey } from '../../src/sshkeys/host-key.ts';
import { formatPrivateKey } from '../../src/sshkeys/private-key.ts';
import { parsePublicKey } from '../../src/sshkeys/public-key.ts';
import { verifySignature } from '../../src/sshkeys/signature.ts';

suite('host keys', () => {
  let keys = new HostKeys([]);
  before(async () => {
    const made = await Promise.all((['ed25519', 'rsa'] as const).map((kind) => generateHostKey(kind)));
    keys = new HostKeys(made.map((key) => ({ key: parseHostKey(formatPrivateKey(key, 'test')), certificate: null })));
  });

  for (const algorithm of ['ssh-ed25519', 'rsa-sha2-256', 'rsa-sha2-512']) {
    test(`sign exchange hashes with ${algorithm}`, () => {
      const hash = randomBytes(32);
      const shown = keys.offered.find(({ algorithms }) => algorithms.includes(algorithm))?.blob ?? Buffer.of();
      const { signature, hostKey } = keys.sign(algorithm, { hash, hostKey: shown });
      assert.ok(verifySignature(parsePublicKey(hostKey.blob), algorithm, signature, hash).valid);
    });
  }

  test('sign no exchange in which the client was shown another key', () => {
    const [, rsa] = keys.offered;
    for (const hostKey of [Buffer.of(), randomBytes(51), rsa?.blob ?? Buffer.of()])
      assert.throws(() => keys.sign('ssh-ed25519', { hash: randomBytes(32), hostKey }), { code: 'request-invalid' });
  });

  test('sign with no algorithm that is not theirs', () => {
    for (const algorithm of ['ssh-rsa', 'ssh-dss', 'none', '', 'ecdsa-sha2-nistp256', '__proto__'])
      assert.throws(() => keys.sign(algorithm, { hash: Buffer.alloc(32), hostKey: Buffer.of() }), {
        code: 'request-invalid',
      });
  });

  test('prove themselves over the session identifier, in bytes built here', () => {
    const sessionId = randomBytes(32);
    for (const { blob, algorithms } of keys.offered) {
      const [algorithm = ''] = algorithms;
      const signed = new ByteWriter().string('hostkeys-prove-00@openssh.com').string(sessionId).string(blob).finish();
      const signature = keys.prove(algorithm, blob, sessionId);
      assert.ok(verifySignature(parsePublicKey(blob), algorithm, signature, signed).valid);
    }
    const [first] = keys.offered;
    assert.throws(() => keys.prove('ssh-ed25519', randomBytes(51), sessionId), { code: 'request-invalid' });
    assert.throws(() => keys.prove('rsa-sha2-512', first?.blob ?? Buffer.of(), sessionId), { code: 'request-invalid' });
  });
});
