import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callsOf, FRONT_CALLS } from '../../src/broker/calls.ts';
import type { Door } from '../../src/broker/calls.ts';

const GROUPS: Readonly<Record<Door, readonly string[]>> = {
  ssh: ['hello', 'hostkey', 'signin'],
  https: ['https', 'web', 'certificate', 'admin', 'own', 'login', 'sso', 'trace', 'transfer'],
  fast: ['fast'],
};
const SHARED = ['connection', 'file', 'files', 'release', 'upload'];

test('a front has the calls of its own door and of files, and none of another door', () => {
  const every = new Set<string>();
  for (const [door, own] of Object.entries(GROUPS) as [Door, string[]][]) {
    const groups = new Set(Object.keys(callsOf(door)).map((call) => call.split('.')[0] ?? ''));
    assert.deepEqual([...groups].sort(), [...own, ...SHARED].sort(), door);
    for (const call of Object.keys(callsOf(door))) every.add(call);
  }
  // No row is of no door: nobody could call it, and nobody would notice.
  assert.deepEqual([...every].sort(), Object.keys(FRONT_CALLS).sort());
});
