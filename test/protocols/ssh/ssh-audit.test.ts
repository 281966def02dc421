/** What ssh-audit finds in the default profile. The warnings let through are explained in docs/design/ssh-profiles.md. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { UNDERSTOOD } from './ssh-audit-warnings.ts';
import { ecdsaHostKey, ed25519HostKey, rsaHostKey, startTinyServer } from './tiny-server.ts';

const installed = spawnSync('ssh-audit', ['--help']).error === undefined;

describe('ssh-audit', { skip: installed ? false : 'ssh-audit is not installed' }, () => {
  it('finds no failure in the default profile, and no warning that is not understood', async () => {
    const server = await startTinyServer({ hostKeys: [ed25519HostKey(), rsaHostKey(), ecdsaHostKey()] });
    try {
      const output = await audit(server.port);
      assert.match(output, /^\(kex\) curve25519-sha256 /m);
      assert.match(output, /^\(mac\) hmac-sha2-512-etm@openssh\.com /m);
      assert.doesNotMatch(output, /\[fail\]/);
      const warnings = output.split('\n').filter((line) => line.includes('[warn]'));
      const surprising = warnings.filter((line) => !UNDERSTOOD.some((known) => known.test(line)));
      assert.deepEqual(surprising, []);
      assert.deepEqual(server.errors, []);
    } finally {
      await server.close();
    }
  });
});

function audit(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('ssh-audit', ['-n', '-p', String(port), '127.0.0.1'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', reject);
    child.on('close', () => {
      resolve(output);
    });
  });
}
