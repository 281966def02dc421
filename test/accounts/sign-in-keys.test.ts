import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { signedBytes } from '../../src/accounts/publickey-step.ts';
import { fingerprint, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { formatPrivateKey } from '../../src/sshkeys/private-key.ts';
import { signWithHostKey } from '../../src/sshkeys/host-key.ts';
import { keygen } from '../sshkeys/ssh-keygen.ts';
import { press, softSecurityKey } from '../sshkeys/soft-security-key.ts';
import { ed25519Client, Scene, TENANT } from './scene.ts';

const CERTIFICATE = 'ssh-ed25519-cert-v01@openssh.com';

describe('keys with restrictions', () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = new Scene();
    await scene.account('ada');
  });
  afterEach(() => {
    scene.close();
  });

  it('sign in from their addresses and until they expire', async () => {
    const client = ed25519Client();
    await scene.accounts.addKey('ada', `from="192.0.2.0/24",expiry-time="20261201" ${client.line}`);
    const elsewhere = scene.connect('198.51.100.1');
    const query = await elsewhere.signIn.publickeyQuery('ada', 'ssh-ed25519', client.public.blob);
    assert.equal(query.acceptable, false);
    assert.equal((await elsewhere.key('ada', client)).result, 'failure');
    assert.equal((await scene.connect('::ffff:192.0.2.9').key('ada', client)).result, 'success');
    scene.now = Date.UTC(2026, 11, 1);
    assert.equal((await scene.connect('192.0.2.9').key('ada', client)).result, 'failure');
    assert.deepEqual(scene.codes(), ['key-address', 'key-expired']);
  });

  it('that are revoked sign in no more', async () => {
    const client = ed25519Client();
    await scene.accounts.addKey('ada', client.line);
    await scene.accounts.revoke(fingerprint(client.public.blob));
    assert.equal((await scene.connect().key('ada', client)).result, 'failure');
    assert.deepEqual(scene.codes(), ['key-revoked']);
  });

  it('of another account do not sign in this one', async () => {
    const client = ed25519Client();
    await scene.account('bob');
    await scene.accounts.addKey('bob', client.line);
    assert.equal((await scene.connect().key('ada', client)).result, 'failure');
  });

  for (const family of ['ed25519', 'ecdsa'] as const) {
    it(`on a security key (${family}) need touch and verification as the line says`, async () => {
      const key = softSecurityKey(family);
      const { type, blob } = key.public;
      const attempt = async (flags: number) => {
        const { signIn, sessionId } = scene.connect();
        const signed = signedBytes({ sessionId, user: 'ada', algorithm: type, blob, hostKey: null });
        return (await signIn.publickey('ada', type, blob, press(key, signed, { flags }))).result;
      };
      const results = async (options: string) => {
        const { id } = await scene.accounts.addKey('ada', `${options} ${publicKeyLine(key.public)}`);
        const found = [await attempt(0), await attempt(1), await attempt(5)];
        await scene.accounts.removeCredential(id);
        return found;
      };
      assert.deepEqual(await results('restrict'), ['failure', 'success', 'success']);
      assert.deepEqual(await results('verify-required'), ['failure', 'failure', 'success']);
      assert.deepEqual(await results('no-touch-required'), ['success', 'success', 'success']);
    });
  }

  it('with verify-required on a plain key never sign in: it cannot prove that', async () => {
    const client = ed25519Client();
    await scene.accounts.addKey('ada', `verify-required ${client.line}`);
    assert.equal((await scene.connect().key('ada', client)).result, 'failure');
  });
});

describe('user certificates', () => {
  it('sign in accounts of the authority’s tenant whose login they name, until revoked or the authority goes', async () => {
    const tool = keygen();
    const scene = new Scene();
    try {
      const client = ed25519Client();
      const user = tool.write('user', formatPrivateKey(client.private, 'ada'));
      tool.write('user.pub', `${client.line}\n`);
      const ca = tool.key('ca', 'ed25519');
      const certify = (...args: string[]) =>
        Buffer.from(
          tool.certify(ca, user, '-I', 'ada 1', '-V', 'always:forever', ...args).split(' ')[1] ?? '',
          'base64',
        );
      await scene.account('ada');
      await scene.account('bob');
      await scene.accounts.create({ tenant: 'b'.repeat(32), login: 'eve', displayName: '', administrator: false });
      const attempt = async (login: string, blob: Buffer, address = '192.0.2.7') => {
        const { signIn, sessionId } = scene.connect(address);
        const signed = signedBytes({ sessionId, user: login, algorithm: CERTIFICATE, blob, hostKey: null });
        const signature = signWithHostKey(client.private, 'ssh-ed25519', signed);
        return await signIn.publickey(login, CERTIFICATE, blob, signature);
      };
      const good = certify('-n', 'ada,eve', '-z', '5');
      assert.equal((await attempt('ada', good)).result, 'failure');
      const authority = await scene.accounts.addCertificateAuthority(TENANT, tool.read(`${ca}.pub`));
      const outcome = await attempt('ada', good);
      assert.equal(outcome.result, 'success');
      assert.deepEqual(outcome.credentials[0]?.key, {
        fingerprint: fingerprint(client.public.blob),
        certificate: { authority: authority.fingerprint, serial: 5n, keyId: 'ada 1' },
      });
      assert.equal(scene.accounts.authorities(TENANT)[0]?.lastUsed, scene.now);
      assert.equal((await attempt('bob', good)).result, 'failure');
      assert.equal((await attempt('eve', good)).result, 'failure');
      assert.equal((await scene.connect().key('ada', client)).result, 'failure');
      const bound = certify('-n', 'ada', '-O', 'source-address=192.0.2.0/24');
      assert.equal((await attempt('ada', bound)).result, 'success');
      assert.equal((await attempt('ada', bound, '198.51.100.1')).result, 'failure');
      assert.equal((await attempt('ada', certify('-n', 'ada', '-O', 'force-command=x'))).result, 'failure');
      await scene.accounts.revokeCertificates('serial', authority.fingerprint, '5');
      assert.equal((await attempt('ada', good)).result, 'failure');
      assert.equal((await attempt('ada', bound)).result, 'success');
      await scene.accounts.removeCertificateAuthority(authority.id);
      assert.equal((await attempt('ada', bound)).result, 'failure');
    } finally {
      scene.close();
      tool.remove();
    }
  });
});
