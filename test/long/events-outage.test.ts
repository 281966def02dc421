import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Outage } from '../events/outage-scene.ts';

const MINUTE = 60_000;

describe('receivers are down for a minute, the server is killed meanwhile', { timeout: 300_000 }, () => {
  let outage: Outage;
  before(async () => {
    outage = await Outage.open();
  });
  after(() => outage.close());

  it('everything that happened in that minute arrives, in order and signed, by syslog and by webhook', async (t) => {
    await outage.workFor(2000, 200);
    await outage.untilComplete();

    const gone = performance.now();
    await outage.receiversGo();
    await outage.workFor(20_000, 200);
    await outage.untilFailing();
    await outage.kill();
    await outage.workFor(20_000, 200);
    await outage.kill();
    await outage.workFor(MINUTE - (performance.now() - gone), 200);
    const down = performance.now() - gone;
    assert.ok(down >= MINUTE, `down for ${down} ms only`);
    await outage.receiversComeBack();
    await outage.untilSomethingCame();
    // In the middle of what it catches up with.
    await outage.kill();
    await outage.workFor(2000, 200);
    const report = await outage.untilComplete();
    t.diagnostic(JSON.stringify(report));
    assert.ok(report.promised > 200, 'hardly anything happened');
  });
});
