/** In seconds what test/long/events-outage.test.ts does with a real minute. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Outage } from './outage-scene.ts';

describe('receivers are down and the server is killed', { timeout: 110_000 }, () => {
  let outage: Outage;
  before(async () => {
    outage = await Outage.open();
  });
  after(() => outage.close());

  it('everything arrives, in order and signed, by syslog and by webhook', async () => {
    await outage.work();
    await outage.untilComplete();

    await outage.receiversGo();
    await outage.work();
    await outage.untilFailing();
    await outage.kill();
    await outage.work();
    // While it tries again, in the middle of whatever it does.
    await outage.kill();
    await outage.work();
    await outage.receiversComeBack();
    const { promised, lines, posts } = await outage.untilComplete();
    assert.equal(promised, 16);
    assert.ok(lines > promised && posts > promised);
  });
});
