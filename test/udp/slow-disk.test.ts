/** A disk that is slower than the link: the rate becomes the disk's, memory stays in the window, nothing is sent in vain. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DATAGRAM_ETHERNET } from '../../src/udp/wire/sizes.ts';
import { Bottleneck, MS, SECOND, Transfer } from './transfer.ts';

const MBIT = 100;
const WINDOW = 4 * 2 ** 20;

/** Bytes that wait to be written; a disk takes them `mbit` fast, and stands still from `from` to `to`. */
function onDisk(mbit: number, stall: { from: number; to: number } = { from: 0, to: 0 }) {
  const bottleneck = new Bottleneck({ mbit: MBIT, rtt: 100 * MS, seed: 3 });
  const { time } = bottleneck;
  let [waiting, most, written] = [0, 0, 0];
  const transfer: Transfer = new Transfer(bottleneck, {
    window: WINDOW,
    sink: {
      write: (_offset, _from, start, end) => {
        waiting += end - start;
        most = Math.max(most, waiting);
      },
    },
  });
  const every = 10 * MS;
  const tick = (): void => {
    const stands = time.now >= stall.from && time.now < stall.to;
    const some = stands ? 0 : Math.min(waiting, (mbit / 8) * every);
    waiting -= some;
    written += some;
    if (some > 0) transfer.receiver.written(some);
    transfer.pumpReceiver();
    time.at(time.now + every, tick);
  };
  time.at(0, tick);
  const run = (until: number) => {
    time.run(until);
    return { most, written, resent: transfer.sender.pieces.resentBytes, sent: transfer.sender.connection.bytesOut };
  };
  return { transfer, run };
}

test('a tenth as fast as the link', () => {
  const { run, transfer } = onDisk(MBIT / 10);
  const { most, written, resent, sent } = run(30 * SECOND);
  const disk = (MBIT / 80) * 30 * SECOND;
  assert.ok(written > 0.95 * disk, `${written} of ${disk}`);
  assert.ok(most <= WINDOW, `${most} bytes waited`);
  assert.ok(resent < 0.01 * written, `${resent} sent again`);
  assert.ok(sent < 1.05 * (written + WINDOW), `${sent} sent`);
  assert.equal(transfer.sender.connection.ended, null);
});

test('that stands still for 20 seconds, and comes back', () => {
  const { run, transfer } = onDisk(MBIT * 2, { from: 5 * SECOND, to: 25 * SECOND });
  const before = run(5 * SECOND);
  const standing = run(25 * SECOND);
  assert.ok(standing.most <= WINDOW && standing.sent - before.sent < 2 * WINDOW);
  assert.equal(transfer.sender.connection.ended, null);
  const after = run(35 * SECOND);
  const rate = (after.written - standing.written) / (10 * SECOND) / ((MBIT / 8) * (DATAGRAM_ETHERNET / 1514));
  assert.ok(rate > 0.7, `${rate} of the link afterwards`);
  assert.ok(after.most <= WINDOW);
});
