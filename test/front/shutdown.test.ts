import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from '../interop/server.ts';

test('SIGTERM ends the server with status 0, its fronts with it, and nothing is logged as an error', async () => {
  const server = await startServer();
  await server.stop('SIGTERM');
  const { exitCode } = server.child;
  const log = server.log();
  await server.remove();
  assert.equal(exitCode, 0, log);
  assert.doesNotMatch(log, /"level":"(error|warn|fatal)"/);
});
