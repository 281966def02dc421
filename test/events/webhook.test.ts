import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Webhook } from 'standardwebhooks';
import type { OutgoingEvent, OutgoingTarget } from '../../src/events/calls.ts';
import { signatures } from '../../src/events/sender/signature.ts';
import { Webhooks } from '../../src/events/sender/webhook.ts';
import { makeAuthority } from './certificates.ts';
import type { Authority, Identity } from './certificates.ts';
import { webhookReceiver } from './receivers.ts';
import type { Answered, Post, WebhookReceiver } from './receivers.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
const OLD = `whsec_${Buffer.alloc(32, 8).toString('base64')}`;

function event(index: number): OutgoingEvent {
  const json = JSON.stringify({ n: index, text: 'é "quoted"' });
  return {
    id: `${'ab'.repeat(32)}_${index}`,
    kind: 'sign-in',
    severity: 1,
    time: 1_700_000_000_000,
    message: 'm',
    json,
  };
}

describe('webhooks', { timeout: 60_000 }, () => {
  let authority: Authority;
  let identity: Identity;
  const open: WebhookReceiver[] = [];
  const receiver = async (answer?: (post: Post) => Answered): Promise<WebhookReceiver> => {
    const made = await webhookReceiver(identity, answer === undefined ? {} : { answer });
    open.push(made);
    return made;
  };
  const target = (port: number, host = 'localhost'): OutgoingTarget => ({
    ...{ id: `t${port}`, kind: 'webhook', address: `https://${host}:${port}/hook?a=b`, ca: authority.ca },
    ...{ certificate: null, clientKey: null, secrets: [SECRET, OLD] },
  });
  before(() => {
    authority = makeAuthority();
    identity = authority.issue('receiver', 'IP:127.0.0.1,DNS:localhost');
  });
  after(async () => {
    await Promise.all(open.map((one) => one.stop()));
    authority.remove();
  });

  it('are signed as another implementation of Standard Webhooks verifies, with the new secret and the old', async () => {
    const { port, posts } = await receiver();
    const answer = await new Webhooks({ allow: ['localhost'] }).deliver(target(port), [event(1), event(2)]);
    assert.deepEqual(answer, { delivered: 2, failure: null, retryAfter: null });
    assert.deepEqual(
      posts.map(({ headers }) => headers['webhook-id']),
      [event(1).id, event(2).id],
    );
    for (const { headers, body } of posts) {
      const given = headers as Record<string, string>;
      for (const secret of [SECRET, OLD]) new Webhook(secret).verify(body, given);
      const other = `whsec_${Buffer.alloc(32, 9).toString('base64')}`;
      assert.throws(() => new Webhook(other).verify(body, given));
      assert.throws(() => new Webhook(SECRET).verify(`${body} `, given));
      assert.throws(() => new Webhook(SECRET).verify(body, { ...given, 'webhook-id': 'x' }));
      const { type, timestamp } = JSON.parse(body) as Record<string, unknown>;
      assert.deepEqual([type, timestamp], ['waybill.sign_in', '2023-11-14T22:13:20.000Z']);
    }
  });

  it('the signature is the one of the other implementation, byte for byte', () => {
    const now = new Date(1_700_000_000_000);
    assert.equal(
      signatures([SECRET], 'msg_1', 1_700_000_000, '{"é":1}'),
      new Webhook(SECRET).sign('msg_1', now, '{"é":1}'),
    );
  });

  it('stop at the first that is not taken, and say when to come again', async () => {
    const statuses = [200, 429];
    const { port } = await receiver(() => ({ status: statuses.shift() ?? 200, headers: { 'retry-after': '7' } }));
    const answer = await new Webhooks({ allow: ['localhost'] }).deliver(target(port), [event(1), event(2), event(3)]);
    assert.deepEqual(answer, { delivered: 1, failure: 'HTTP status 429', retryAfter: 7000 });
  });

  it('follow no redirect', async () => {
    const inside = await receiver();
    const location = `https://localhost:${inside.port}/`;
    const { port } = await receiver(() => ({ status: 307, headers: { location } }));
    const answer = await new Webhooks({ allow: ['localhost'] }).deliver(target(port), [event(1)]);
    assert.equal(answer.failure, 'HTTP status 307');
    assert.equal(inside.posts.length, 0);
  });

  it('wait for nobody: silence and endless answers end', async () => {
    const silent = await receiver(() => ({ status: 200, silent: true }));
    const slow = await new Webhooks({ allow: ['localhost'], within: 300 }).deliver(target(silent.port), [event(1)]);
    assert.deepEqual([slow.delivered, slow.failure], [0, 'no answer in time']);
    const flood = await receiver(() => ({ status: 200, flood: true }));
    const before = process.memoryUsage().rss;
    const answer = await new Webhooks({ allow: ['localhost'] }).deliver(target(flood.port), [event(1)]);
    assert.equal(answer.delivered, 1);
    assert.ok(process.memoryUsage().rss - before < 100 * 2 ** 20);
  });

  it('go to nobody whose certificate is not right', async () => {
    const { port, posts } = await receiver();
    const stranger = { ...target(port), ca: null };
    const answer = await new Webhooks({ allow: ['localhost'] }).deliver(stranger, [event(1)]);
    assert.equal(answer.delivered, 0);
    assert.match(answer.failure ?? '', /certificate|SELF_SIGNED|UNABLE/);
    assert.equal(posts.length, 0);
  });
});
