/** When a stream wants to be looked at: a thread that is woken for nothing turns a core into heat. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { Lane } from '../../../src/udp/driver/lane.ts';
import type { OpenStream } from '../../../src/udp/driver/messages.ts';
import { nodeCipher } from '../../../src/udp/wire/node-cipher.ts';

for (const role of ['send', 'receive'] as const)
  test(`a stream to ${role} that is ended before its peer was heard waits, and is over at last`, () => {
    const open: OpenStream = {
      ...{ stream: 1, role, side: 'server', policy: 'fair', end: 1000 },
      ...{ secret: randomBytes(32), connectionId: randomBytes(8), ring: new SharedArrayBuffer(4096) },
      ...{ peer: null, rateLimit: null, rttGuess: null },
    };
    const told: string[] = [];
    const tell = ({ kind }: { kind: string }): void => void told.push(kind);
    const began = performance.now() * 1000;
    const lane = new Lane({ open, cipher: nodeCipher, now: began, provenPath: null, isKnown: () => false, tell });
    assert.equal(lane.report(began), false);
    assert.ok(lane.reportDue > began, 'nothing is to be said before');

    lane.close('cancelled', 'ended by its owner');
    let looks = 0;
    let now = performance.now() * 1000;
    for (; !lane.report(now); looks++) {
      const due = Math.min(lane.reportDue, lane.engine.wakeAt());
      assert.ok(due > now, 'it is due again at once, and nothing comes of it');
      now = due;
    }
    assert.ok(looks <= 2, `${looks} looks`);
    assert.deepEqual(told, ['figures', 'ended']);
  });
