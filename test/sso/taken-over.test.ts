/** The process of a provider is taken over, or dies: what it has, what it can say, what is left of it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { SILENT } from '../../src/base/log.ts';
import { identityArguments, IdentityProcesses } from '../../src/broker/identity-process.ts';
import type { ExchangeAnswer, ExchangeRequest, IdentityClient, PublicJwk } from '../../src/sso/calls.ts';
import { LyingProvider, newKey, signed } from './lying-provider.ts';
import { CLIENT } from './real-provider.ts';
import { SsoScene } from './scene.ts';

const PROBE = `
const tried = {};
const attempt = async (name, action) => {
  try { await action(); tried[name] = 'done'; } catch (error) { tried[name] = error.code ?? error.message ?? 'refused'; }
};
const { secret } = JSON.parse(process.argv.at(-1));
await attempt('read', async () => (await import('node:fs')).readFileSync(secret));
await attempt('write', async () => (await import('node:fs')).writeFileSync(secret + '.new', 'x'));
await attempt('child', async () => (await import('node:child_process')).spawnSync('/bin/true'));
await attempt('worker', async () => { new (await import('node:worker_threads')).Worker('1', { eval: true }); });
await attempt('sqlite', async () => { await import('node:sqlite'); });
await attempt('kill', async () => { process.kill(process.ppid, 0); });
await attempt('eval', async () => { new Function('return 1')(); });
process.stdout.write(JSON.stringify(tried), () => process.exit(0));
`;

describe('the process of an identity provider', { timeout: 60_000 }, () => {
  it('has the network and its own code, and nothing else', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'waybill-identity-'));
    try {
      const secret = path.join(folder, 'root.key');
      writeFileSync(secret, 'key');
      const args = identityArguments().slice(0, -1);
      const words = [...args, '--input-type=module', '--eval', PROBE, '--', JSON.stringify({ secret })];
      const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'], env: {}, cwd: '/' });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (more: string) => {
        text += more;
      });
      await once(child, 'close');
      const others = JSON.parse(text) as Record<string, string>;
      for (const [name, outcome] of Object.entries(others)) assert.notEqual(outcome, 'done', name);
      assert.equal(others['read'], 'ERR_ACCESS_DENIED');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('can say what its provider could: who it is, for this sign-in alone, and with a key that is written down', async () => {
    let told: ExchangeRequest | null = null;
    let say: (asked: ExchangeRequest) => ExchangeAnswer = () => ({ result: 'refused', fault: 'x' });
    const identity: IdentityClient = {
      discover: () =>
        Promise.resolve({
          authorizationEndpoint: 'https://id.example.org/auth',
          ...{ tokenEndpoint: '', keysEndpoint: '', algorithms: [] },
        }),
      exchange: (asked) => {
        told = asked;
        return Promise.resolve(say(asked));
      },
    };
    const scene = new SsoScene(() => identity);
    try {
      const provider = await scene.provider('https://id.example.org');
      await scene.linked(provider, 'anna');
      const key = newKey();
      const keys = [key.jwk as PublicJwk];
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: provider.issuer, aud: CLIENT, sub: 'anna', iat: now, exp: now + 60 };
      let kept = '';
      let session = '';
      const come = async () => {
        const connection = scene.connect();
        const { flow, address } = await scene.start(connection);
        const state = new URL(address).searchParams.get('state') ?? '';
        // Nothing of the sign-in is known to it before the browser is back.
        assert.equal(told, null);
        const asked = { connection: connection.id, flow, provider: 'corp', code: 'c', state };
        const answer = await scene.call('sso.finish', asked);
        told = null;
        if (answer.result === 'success') ({ session } = answer.session);
        return answer.result;
      };
      // A token that it kept from another sign-in.
      say = ({ nonce }) => {
        kept = signed({ ...claims, nonce }, key);
        return { result: 'refused', fault: 'later' };
      };
      assert.equal(await come(), 'failure');
      say = () => ({ result: 'token', idToken: kept, keys });
      assert.equal(await come(), 'failure');
      assert.equal(scene.fault, 'sso-token-nonce');
      // Of people of others it can say nothing.
      say = ({ nonce }) => ({ result: 'token', idToken: signed({ ...claims, sub: 'ben', nonce }, key), keys });
      assert.equal(await come(), 'failure');
      assert.equal(scene.fault, 'sso-unlinked');
      assert.equal(scene.of('changed').filter(({ action }) => action === 'sso.key').length, 0);
      say = ({ nonce }) => ({ result: 'token', idToken: signed({ ...claims, nonce }, key), keys });
      assert.equal(await come(), 'success');
      const [written] = scene.of('changed').filter(({ action }) => action === 'sso.key');
      assert.equal(written?.detail['provider'], 'corp');
      // That somebody has signed in anew it has to say, and cannot say of an old sign-in.
      const again = async (more: object) => {
        const { flow, address } = await scene.call('sso.step-up', { session });
        const state = new URL(address).searchParams.get('state') ?? '';
        say = ({ nonce }) => ({ result: 'token', idToken: signed({ ...claims, nonce, ...more }, key), keys });
        const asked = { connection: scene.connect().id, flow, provider: 'corp', code: 'c', state };
        return (await scene.call('sso.finish', asked)).result;
      };
      assert.equal(await again({}), 'failure');
      assert.equal(await again({ auth_time: now - 3600 }), 'failure');
      assert.equal(await again({ auth_time: now }), 'stepped-up');
    } finally {
      scene.close();
    }
  });

  it('is replaced when it has died, ended when nobody needs it, and does not take its provider twice', async () => {
    const provider = await LyingProvider.open();
    const processes = new IdentityProcesses(SILENT, ['127.0.0.1'], 30);
    try {
      const row = { id: 'a', name: 'corp', issuer: provider.issuer, clientId: CLIENT, ca: null } as never;
      const answers = await Promise.all(Array.from({ length: 20 }, () => processes.of(row).discover()));
      assert.equal(new Set(answers.map(({ tokenEndpoint }) => tokenEndpoint)).size, 1);
      // One process, that asked once or, all at once, a few times.
      assert.ok(provider.asked.length <= 8, String(provider.asked.length));
      const busy = processes.of(row);
      const asked = busy.discover();
      const [first = 0] = processes.pids;
      process.kill(first, 'SIGKILL');
      await asked.catch(() => undefined);
      while (processes.pids.includes(first)) await new Promise((resolve) => setTimeout(resolve, 10));
      await processes.of(row).discover();
      const [second] = processes.pids;
      assert.notEqual(second, first);
      while (processes.pids.length > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    } finally {
      processes.stop();
      provider.close();
    }
    assert.throws(() => processes.of({ id: 'a' } as never), { code: 'broker-unavailable' });
  });
});
