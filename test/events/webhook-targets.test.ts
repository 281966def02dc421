/** Where webhooks may go. Apart from webhook.test.ts, whose process did not end now and then with this in it (Node 26.10). */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { OutgoingEvent, OutgoingTarget } from '../../src/events/calls.ts';
import { Webhooks } from '../../src/events/sender/webhook.ts';
import { makeAuthority } from './certificates.ts';
import type { Authority } from './certificates.ts';
import { webhookReceiver } from './receivers.ts';
import type { WebhookReceiver } from './receivers.ts';

const EVENT: OutgoingEvent = {
  id: `${'ab'.repeat(32)}_1`,
  kind: 'sign-in',
  severity: 1,
  time: 1_700_000_000_000,
  message: 'm',
  json: '{}',
};

describe('webhooks', { timeout: 60_000 }, () => {
  let authority: Authority;
  let open: WebhookReceiver;
  const target = (port: number, host: string): OutgoingTarget => ({
    ...{ id: `t${port}`, kind: 'webhook', address: `https://${host}:${port}/hook`, ca: authority.ca },
    ...{ certificate: null, clientKey: null, secrets: [`whsec_${Buffer.alloc(32, 7).toString('base64')}`] },
  });
  before(async () => {
    authority = makeAuthority();
    open = await webhookReceiver(authority.issue('receiver', 'IP:127.0.0.1,DNS:localhost'));
  });
  after(async () => {
    await open.stop();
    authority.remove();
  });

  it('go to no private address that is not allowed by name, whatever DNS says at which moment', async () => {
    const { port, posts } = open;
    const none = new Webhooks({ allow: [] });
    for (const host of ['127.0.0.1', 'localhost', '[::1]', '127.1', '[::ffff:127.0.0.1]']) {
      const answer = await none.deliver(target(port, host), [EVENT]);
      assert.equal(answer.delivered, 0, host);
      assert.match(answer.failure ?? '', /private network/, host);
    }
    // The first look-up is public: then the connection goes there, and never asks again.
    let asked = 0;
    const resolve = () => {
      asked++;
      return Promise.resolve([{ address: asked === 1 ? '192.0.2.1' : '127.0.0.1', family: 4 }]);
    };
    const rebinding = new Webhooks({ allow: [], resolve, within: 500 });
    assert.equal((await rebinding.deliver(target(port, 'rebind.example'), [EVENT])).delivered, 0);
    assert.match((await rebinding.deliver(target(port, 'rebind.example'), [EVENT])).failure ?? '', /private network/);
    assert.equal(asked, 2);
    assert.equal(posts.length, 0);
  });
});
