import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { parseAuthorizedKey } from '../../src/sshkeys/authorized-keys.ts';
import { generateHostKey, parseHostCertificate, parseHostKey, signWithHostKey } from '../../src/sshkeys/host-key.ts';
import { formatPrivateKey, parsePrivateKey } from '../../src/sshkeys/private-key.ts';
import { fingerprint, publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { verifySignature } from '../../src/sshkeys/signature.ts';
import { keygen } from './ssh-keygen.ts';
import type { Keygen } from './ssh-keygen.ts';

const KINDS = [
  { name: 'ed25519', type: 'ed25519', bits: undefined },
  { name: 'p256', type: 'ecdsa', bits: 256 },
  { name: 'p384', type: 'ecdsa', bits: 384 },
  { name: 'p521', type: 'ecdsa', bits: 521 },
  { name: 'rsa2048', type: 'rsa', bits: 2048 },
  { name: 'rsa3072', type: 'rsa', bits: 3072 },
] as const;

describe('keys of the real ssh-keygen', () => {
  let tool: Keygen;
  before(() => {
    tool = keygen();
    for (const { name, type, bits } of KINDS) tool.key(name, type, bits);
  });
  after(() => {
    tool.remove();
  });

  for (const { name } of KINDS) {
    it(`${name}: public half, fingerprint, private file both ways`, () => {
      const file = `${tool.folder}/${name}`;
      const line = tool.read(`${file}.pub`);
      const { key, comment } = parseAuthorizedKey(line);
      assert.equal(comment, name);
      assert.equal(publicKeyLine(key, comment), line.trim());
      const [bits, print] = tool.run('-l', '-f', `${file}.pub`).split(' ');
      assert.equal(fingerprint(key.blob), print);
      assert.equal(String(key.bits), bits);

      const own = parsePrivateKey(tool.read(file));
      assert.deepEqual(own.public.blob, key.blob);
      assert.equal(own.comment, name);
      const written = tool.write(`${name}.again`, formatPrivateKey(own.key, 'written here'));
      assert.equal(tool.run('-y', '-f', written).trim(), publicKeyLine(key, 'written here'));
    });
  }

  it('refuses a private key with a passphrase and says what to do', () => {
    const file = `${tool.folder}/locked`;
    tool.run('-q', '-t', 'ed25519', '-N', 'secret words', '-f', file);
    assert.throws(() => parsePrivateKey(tool.read(file)), /passphrase.*ssh-keygen -p/);
  });

  it('takes host keys of its three types only, RSA from 3072 bits', () => {
    for (const name of ['ed25519', 'p256', 'rsa3072']) parseHostKey(tool.read(`${tool.folder}/${name}`));
    for (const name of ['p384', 'rsa2048'])
      assert.throws(() => parseHostKey(tool.read(`${tool.folder}/${name}`)), /host key/);
  });

  it('signs with host keys what verifies', async () => {
    const data = Buffer.from('exchange hash');
    for (const [kind, algorithms] of [
      ['ed25519', ['ssh-ed25519']],
      ['ecdsa', ['ecdsa-sha2-nistp256']],
      ['rsa', ['rsa-sha2-256', 'rsa-sha2-512', 'rsa-sha2-512-cert-v01@openssh.com']],
    ] as const) {
      const host = parseHostKey(formatPrivateKey(await generateHostKey(kind), ''));
      for (const algorithm of algorithms) {
        const signature = signWithHostKey(host.key, algorithm, data);
        assert.equal(verifySignature(host.public, algorithm, signature, data).valid, true);
        assert.equal(verifySignature(host.public, algorithm, signature, Buffer.from('other')).valid, false);
      }
      for (const algorithm of ['ssh-rsa', 'ssh-dss', 'ecdsa-sha2-nistp384', 'none', ''])
        assert.throws(() => signWithHostKey(host.key, algorithm, data), /does not sign/);
      assert.deepEqual(publicKeyFrom(host.key).blob, host.public.blob);
    }
  });

  it('loads a host certificate for its key only', () => {
    const [ca, host] = [`${tool.folder}/p521`, `${tool.folder}/ed25519`];
    const own = parseHostKey(tool.read(host));
    const line = tool.certify(ca, host, '-h', '-I', 'server', '-n', 'files.example', '-V', '+1d');
    assert.deepEqual(parseHostCertificate(line, own, Date.now()).principals, ['files.example']);
    const other = parseHostKey(tool.read(`${tool.folder}/p256`));
    assert.throws(() => parseHostCertificate(line, other, Date.now()), /another key/);
    assert.throws(() => parseHostCertificate(line, own, Date.now() + 2 * 86_400_000), /expired/);
    const user = tool.certify(ca, host, '-I', 'user', '-n', 'files.example');
    assert.throws(() => parseHostCertificate(user, own, Date.now()), /not for a host/);
  });
});
