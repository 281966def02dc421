/** Memory of streams that are over, in a process that was started without any option: as commands are. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { FastSocket } from '../../../src/udp/driver/fast-socket.ts';

const MiB = 2 ** 20;
const WINDOW = 48 * MiB;
const STREAMS = 8;

for (const backend of ['best', 'dgram'] as const)
  describe(`rings, over ${backend}`, () => {
    test('are given back when their streams are over', async () => {
      // It takes what it is sent, and says nothing.
      const silent = createSocket('udp4').bind(0, '127.0.0.1');
      await once(silent, 'listening');
      const peer = { address: '127.0.0.1', port: silent.address().port };
      const socket = await FastSocket.open({ address: '127.0.0.1', port: 0, backend });
      try {
        const content = randomBytes(WINDOW);
        const before = process.memoryUsage.rss();
        for (let count = 0; count < STREAMS; count++) {
          const stream = socket.send({
            ...{ side: 'client', peer, secret: randomBytes(32), connectionId: randomBytes(8), policy: 'fair' },
            ...{ end: 2 * WINDOW, window: WINDOW, rateLimit: null, rttGuess: null },
          });
          assert.ok(await stream.write(content));
          stream.end('cancelled', '');
          await stream.ended;
        }
        const most = before + (STREAMS / 2) * WINDOW;
        let after = Infinity;
        for (let waited = 0; waited < 200 && after > most; waited++) {
          await setTimeout(100);
          after = process.memoryUsage.rss();
        }
        assert.ok(after <= most, `${Math.round(before / MiB)} MiB before, ${Math.round(after / MiB)} after`);
      } finally {
        await socket.close(100);
        silent.close();
      }
    });
  });
