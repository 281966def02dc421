/** The bounds that src/transfer/front-memory.ts promises, and that everything is given back. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, describe, it } from 'node:test';
import { FRAME_PLAIN, SEGMENT_PLAIN } from '../../src/keys/layout.ts';
import {
  DIRTY,
  DIRTY_PER_UPLOAD,
  PLAIN_WINDOW,
  READ_AHEAD,
  WRITE_BEHIND,
  memoryHeld,
} from '../../src/transfer/front-memory.ts';
import { MemoryBudget } from '../../src/transfer/memory.ts';
import { CREATE, FakeBroker, MODIFY, READ, put } from './fake-broker.ts';

const CHUNK = 1_049_024;

describe('memory of a session', () => {
  const broker = new FakeBroker();
  after(() => {
    broker.remove();
  });
  afterEach(() => {
    assert.deepEqual(memoryHeld(), { readAhead: 0, plain: 0, writeBehind: 0, dirty: 0 });
  });

  it('does not grow with the number of readers, nor with what they ask for', async () => {
    const files = broker.session();
    const content = randomBytes(3 * SEGMENT_PLAIN);
    await put(files, '/f/read', content, 261_120);
    const open = await Promise.all(Array.from({ length: 24 }, () => files.open('/f/read', READ)));
    const most = { readAhead: 0, plain: 0 };
    const reads = open.flatMap((file, index) =>
      Array.from({ length: 40 }, async (_, step) => {
        const at = index % 2 === 0 ? step * 261_120 : ((step * 7_919 + index) * 65_537) % (content.length - 300_000);
        const parts = await file.read(at, 261_120);
        const held = memoryHeld();
        most.readAhead = Math.max(most.readAhead, held.readAhead);
        most.plain = Math.max(most.plain, held.plain);
        assert.equal(Buffer.compare(Buffer.concat(parts), content.subarray(at, at + 261_120)), 0);
      }),
    );
    await Promise.all(reads);
    assert.ok(most.readAhead <= READ_AHEAD + CHUNK, String(most.readAhead));
    assert.ok(most.plain <= PLAIN_WINDOW, String(most.plain));
    await files.abandon();
  });

  it('does not grow with what writers have not been told to wait for', async () => {
    const files = broker.session();
    const open = await Promise.all(Array.from({ length: 12 }, (_, index) => files.open(`/f/w${index}`, CREATE)));
    const data = randomBytes(261_120);
    let most = 0;
    for (let step = 0; step < 40; step++) {
      await Promise.all(open.map((file) => file.write(step * data.length, data)));
      most = Math.max(most, memoryHeld().writeBehind);
    }
    assert.ok(most <= WRITE_BEHIND + open.length * 2 * data.length, String(most));
    await Promise.all(open.map((file) => file.close()));
    await files.abandon();
  });

  it('does not grow with frames that are written in part', async () => {
    const files = broker.session();
    const open = await Promise.all(Array.from({ length: 4 }, (_, index) => files.open(`/f/d${index}`, CREATE)));
    let most = 0;
    for (let step = 0; step < 200; step++) {
      for (const file of open) await file.write(((step * 37) % 256) * FRAME_PLAIN + 5, Buffer.from('part'));
      most = Math.max(most, memoryHeld().dirty);
    }
    assert.ok(most <= DIRTY + open.length * DIRTY_PER_UPLOAD, String(most));
    for (const file of open.slice(0, 2)) await file.close();
    await files.abandon();
  });

  it('is given back when readers and writers are cut off in the middle', async () => {
    const files = broker.session();
    const reader = await files.open('/f/read', READ);
    const writer = await files.open('/f/read', MODIFY);
    const pending = [
      ...Array.from({ length: 64 }, (_, step) => reader.read(step * 261_120, 261_120)),
      ...Array.from({ length: 64 }, (_, step) => writer.write(step * 100_000, Buffer.alloc(100_000, step))),
    ];
    const ended = Promise.allSettled(pending);
    await files.abandon();
    await ended;
  });
});

describe('a budget', () => {
  it('lets a waiting producer on when its own and its parent’s bytes are within the limits', async () => {
    const parent = new MemoryBudget(100);
    const one = new MemoryBudget(60, parent);
    const two = new MemoryBudget(60, parent);
    one.take(60);
    two.take(50);
    assert.deepEqual([one.over, two.over], [true, true]);
    const order: string[] = [];
    const waiting = two.below().then(() => order.push('let on'));
    await Promise.resolve();
    order.push('given');
    one.give(20);
    await waiting;
    assert.deepEqual(order, ['given', 'let on']);
    assert.deepEqual([one.over, two.over], [false, false]);
  });

  it('asks holders to let go before it makes anybody wait', async () => {
    const budget = new MemoryBudget(10);
    budget.take(20);
    budget.pressure.add(() => {
      if (budget.used > 0) budget.give(20);
    });
    await budget.below();
    assert.equal(budget.used, 0);
  });
});
