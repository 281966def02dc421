/** Adding a receiver tells somebody else of everything, removing one ends that: both take two. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { WaybillError } from '../../src/base/errors.ts';
import { AdministrationScene } from '../broker/administration-scene.ts';

const RECEIVER = {
  ...{ name: 'hook', tenant: null, kind: 'webhook' as const, address: 'https://hooks.example.com/secret-path' },
  ...{ only: [], ca: null, certificate: null, clientKey: null },
};

describe('administration of receivers', () => {
  let scene: AdministrationScene;
  beforeEach(async () => {
    scene = await AdministrationScene.open();
  });
  afterEach(() => scene.world.close());

  async function proposed(action: Promise<unknown>): Promise<string> {
    const error = await action.then(
      () => null,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof WaybillError && error.code === 'approval-needed', String(error));
    assert.doesNotMatch(error.message, /secret-path/);
    return /A-\w{5}-\w{5}/.exec(error.message)?.[0] ?? '';
  }

  it('one administrator adds at once and sees the secret once', async () => {
    const { receiver, secret } = await scene.call(null, 'event.add', RECEIVER);
    assert.deepEqual([receiver.address, receiver.behind, receiver.dead], ['https://hooks.example.com/…', 0, 0]);
    assert.match(secret ?? '', /^whsec_/);
    const listed = JSON.stringify(await scene.call(null, 'event.list', {}));
    assert.ok(!listed.includes('secret-path') && !listed.includes(secret ?? '-'));
  });

  it('two administrators add and remove together, and nobody is shown the secret', async () => {
    await scene.twoAdministrators();
    const { ada, ben } = scene.tokens;
    await assert.rejects(scene.call(null, 'event.add', RECEIVER), { code: 'permission-denied' });
    const reference = await proposed(scene.call(ada, 'event.add', RECEIVER));
    assert.deepEqual((await scene.call(ada, 'event.list', {})).receivers, []);
    const answer = await scene.call(ben, 'approval.approve', { reference });
    assert.doesNotMatch(JSON.stringify(answer), /whsec|secret-path/);
    assert.equal((await scene.call(ada, 'event.list', {})).receivers.length, 1);
    assert.match((await scene.call(ada, 'event.rotate-secret', { name: 'hook' })).secret, /^whsec_/);
    const removal = await proposed(scene.call(ada, 'event.remove', { name: 'hook' }));
    assert.equal((await scene.call(ada, 'event.list', {})).receivers.length, 1);
    await scene.call(ben, 'approval.approve', { reference: removal });
    assert.deepEqual((await scene.call(ada, 'event.list', {})).receivers, []);
    const told = scene.world.ledger
      .pending('changed')
      .flatMap(({ entry }) => (entry.kind === 'changed' ? [entry] : []));
    assert.deepEqual(
      told.filter(({ action }) => action.startsWith('event.')).map((one) => [one.action, one.actor, one.approvedBy]),
      [
        ['event.add', 'ada', 'ben'],
        ['event.rotate-secret', 'ada', ''],
        ['event.remove', 'ada', 'ben'],
      ],
    );
    assert.doesNotMatch(JSON.stringify(told), /secret-path|whsec/);
  });

  it('refuses what cannot be a receiver, before anybody has to approve it', async () => {
    const cases = [
      { address: 'http://hooks.example.com/' },
      { address: 'https://169.254.169.254/latest' },
      { kind: 'syslog' as const, address: '127.0.0.1:6514' },
      { kind: 'mail' as const, address: 'a@b,c@d' },
      { ca: 'no certificate' },
      { certificate: 'x' },
    ];
    for (const one of cases)
      await assert.rejects(
        scene.call(null, 'event.add', { ...RECEIVER, ...one }),
        { code: 'option-invalid' },
        JSON.stringify(one),
      );
    await assert.rejects(scene.call(null, 'event.add', { ...RECEIVER, tenant: 'nobody' }), { code: 'not-found' });
    await assert.rejects(scene.call(null, 'event.rotate-secret', { name: 'nobody' }), { code: 'not-found' });
  });
});
