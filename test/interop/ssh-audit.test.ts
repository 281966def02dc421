import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { startServer, type TestServer } from './server.ts';
import { UNDERSTOOD } from '../protocols/ssh/ssh-audit-warnings.ts';
import { skipWithout } from './suite.ts';

describe('ssh-audit', { skip: skipWithout('ssh-audit') }, () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(async () => {
    await server.remove();
  });

  test('shows no fail on the default profile, and no warning but those of docs/design/ssh-profiles.md', () => {
    const { stdout } = spawnSync('ssh-audit', ['--no-colors', '-p', String(server.port), server.host], {
      encoding: 'utf8',
    });
    assert.match(stdout, /\(kex\) /);
    const bad = stdout.split('\n').filter((line) => /\[(fail|warn)\]/.test(line));
    const surprising = bad.filter((line) => !UNDERSTOOD.some((known) => known.test(line)));
    assert.deepEqual(surprising, []);
  });
});
