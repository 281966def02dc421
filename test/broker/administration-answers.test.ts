/**
 * Whatever an administrator's call changes can be answered, and so can every list after it: an answer that breaks its
 * schema comes behind the write, so the caller hears of a failure and the change is made. Each call with what its schema
 * allows, the outermost values oftener than others; FUZZ_SEED and FUZZ_ROUNDS explore further.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { asWaybillError } from '../../src/base/errors.ts';
import { ADMIN_CALLS } from '../../src/broker/admin-calls.ts';
import type { AdminCallName } from '../../src/broker/admin-calls.ts';
import { HOSTILE_TEXTS, validOf } from '../api/json-values.ts';
import type { Dictionary, Schema } from '../api/json-values.ts';
import { AdministrationScene, token } from './administration-scene.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 5);
const ROUNDS = Number(process.env['FUZZ_ROUNDS'] ?? 12);

/** The scene has none of it; it asks others over the network; it costs a second by intention; the run stands on it. */
const NOT_HERE =
  /^(server\.status|check\.next|session\.list|sso\.test|account\.password|administrator\.(remove|renew|add))$/;
const NAMES = (Object.keys(ADMIN_CALLS) as AdminCallName[]).filter((name) => !NOT_HERE.test(name));

function keyLine(options = ''): string {
  const head = Buffer.from([0, 0, 0, 11, ...Buffer.from('ssh-ed25519'), 0, 0, 0, 32]);
  return `${options}ssh-ed25519 ${Buffer.concat([head, randomBytes(32)]).toString('base64')} \u202ea\0comment`;
}

/** What is there, and what is at the edge of what somebody may write. */
function dictionaryOf(held: string): Dictionary {
  const lines = ['', 'expiry-time="99991231235959Z" ', 'expiry-time="00010101" ', 'from="10.0.0.0/8,::1" '];
  const moments = ['9999-12-31T23:59:59.999Z', '0001-01-01T00:00:00Z', '+275760-09-13T00:00:00.000Z', 'Jan 1 1'];
  return {
    login: ['anna', 'anna', 'ada'],
    tenant: ['acme', 'acme', null],
    folder: ['in'],
    name: ['acme', 'in', 'fresh', 'e\u0301', '\u{1f600}'.repeat(60), ...HOSTILE_TEXTS.slice(0, 12)],
    scope: ['account/anna', 'tenant/acme', 'installation', 'unconfirmed/anna', 'credential/anna/x'],
    window: [600, 86_400, 2_592_000],
    reference: [held],
    line: lines.map(keyLine),
    key: [keyLine()],
    fingerprint: [token().fingerprint],
    expires: [null, ...moments],
    addresses: [null, '0.0.0.0/0', ['::ffff:1.2.3.4'], ['fe80::/10']],
    value: ['::', 'fe80::1%x', '1::/64', 'SSH-2.0-\0', '1', 'x'.repeat(300), '\ud800'],
    issuer: ['https://127.0.0.1:1'],
    address: ['https://127.0.0.1:1/x', 'mailto:a@example.org'],
    displayName: ['\ud800'.repeat(200)],
    serial: ['9999999999999999999', '18446744073709551615', '0', '1'],
  };
}

async function heldReference({ parts: { budgets } }: AdministrationScene, account: string, tenant: string) {
  const who = { session: 'ab'.repeat(16), account, tenant, credential: '', credentials: [], marks: [] };
  const over = { scope: `account/${account}`, dimension: 0, window: 1, used: 1, limit: 1, asked: 1 };
  const place = { folder: null, version: null, path: '/x' };
  const error = await budgets.holds.hold(who, over, place, () => undefined);
  return /H-[0-9A-Z]{5}-[0-9A-Z]{5}/.exec(error.message)?.[0] ?? '';
}

test(`every change can be answered and listed: seed ${SEED}, ${ROUNDS} rounds`, async () => {
  const scene = await AdministrationScene.open();
  const by = token();
  const { parts } = scene;
  await scene.call(null, 'administrator.add', { name: 'ada', fingerprint: by.fingerprint });
  const there = async (): Promise<Dictionary> => {
    const ignore = (): undefined => undefined;
    // What a round has removed is there again for the next.
    await scene.call(by, 'tenant.add', { name: 'acme', displayName: '' }).catch(ignore);
    await scene.call(by, 'tenant.unlock', { name: 'acme' }).catch(ignore);
    await scene.call(by, 'folder.add', { tenant: 'acme', name: 'in' }).catch(ignore);
    const anna = { tenant: 'acme', login: 'anna', displayName: '', administrator: false };
    await scene.call(by, 'account.add', anna).catch(ignore);
    await scene.call(by, 'account.activate', { login: 'anna' }).catch(ignore);
    const { id, tenant } = parts.accounts.get('anna');
    return dictionaryOf(await heldReference(scene, id, tenant));
  };
  const findings: string[] = [];
  let went = 0;
  const ask = async (name: AdminCallName, request: unknown): Promise<void> => {
    try {
      await scene.call(by, name, request as never);
      went++;
    } catch (thrown) {
      const error = asWaybillError(thrown);
      if (error.code !== 'internal') return;
      findings.push(
        `${name} ${JSON.stringify(request).slice(0, 600)}: ${(error.cause instanceof Error ? error.cause : error).message.slice(0, 600)}`,
      );
    }
  };
  for (let round = 0; round < ROUNDS && findings.length === 0; round++) {
    const dictionary = await there();
    for (const [at, name] of NAMES.entries()) {
      const schema = z.toJSONSchema(ADMIN_CALLS[name].request, { io: 'input', unrepresentable: 'any' }) as Schema;
      const made = fc.sample(validOf(schema, { schemas: {}, dictionary }), {
        numRuns: 3,
        seed: SEED + round * 997 + at,
      });
      for (const request of made) await ask(name, request);
    }
    const nobody = { login: null, tenant: null, provider: null };
    for (const name of NAMES) if (/\.(list|holds|seen|issued|revoked|links)$/.test(name)) await ask(name, nobody);
    for (const scope of ['account/anna', 'tenant/acme', 'installation']) await ask('budget.show', { scope });
  }
  await scene.close();
  assert.deepEqual(findings, []);
  assert.ok(went > ROUNDS * NAMES.length * 0.4, `only ${went} calls went well`);
});

test('an approval on top of the highest limit there is can be shown', async () => {
  const scene = await AdministrationScene.open();
  const by = token();
  await scene.call(null, 'administrator.add', { name: 'ada', fingerprint: by.fingerprint });
  await scene.call(by, 'tenant.add', { name: 'acme', displayName: '' });
  await scene.call(by, 'account.add', { tenant: 'acme', login: 'anna', displayName: '', administrator: false });
  const { id, tenant } = scene.parts.accounts.get('anna');
  const reference = await heldReference(scene, id, tenant);
  const limit = Number.MAX_SAFE_INTEGER;
  await scene.call(by, 'budget.set', { scope: 'account/anna', dimension: 'bytes', window: 3600, limit });
  await scene.call(by, 'hold.approve', { reference, extra: limit, seconds: null });
  const { usage } = await scene.call(by, 'budget.show', { scope: 'account/anna' });
  assert.equal(usage.find((row) => row.dimension === 'bytes' && row.window === 3600)?.limit, limit);
  await scene.close();
});
