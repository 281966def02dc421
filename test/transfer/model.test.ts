/** Random histories of one file against a plain Buffer: whatever was written is what is read, over closes, resumes and crashes. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { FRAME_PLAIN, SEGMENT_PLAIN } from '../../src/keys/layout.ts';
import type { OpenFile, SessionFiles } from '../../src/transfer/transfer.ts';
import { FakeBroker, MODIFY, READ } from './fake-broker.ts';

const NAME = '/f/model';
const EDGES = [
  0,
  FRAME_PLAIN,
  2 * FRAME_PLAIN,
  SEGMENT_PLAIN - FRAME_PLAIN,
  SEGMENT_PLAIN,
  SEGMENT_PLAIN + FRAME_PLAIN,
  2 * SEGMENT_PLAIN,
];

const near = fc
  .tuple(fc.constantFrom(...EDGES), fc.constantFrom(-1000, -1, 0, 0, 0, 1, 777, 40_000))
  .map(([edge, shift]) => Math.max(0, edge + shift));
const length = fc.constantFrom(1, 100, 32_768, FRAME_PLAIN - 1, FRAME_PLAIN, FRAME_PLAIN + 1, 261_120);

type Step =
  | { kind: 'write'; at: number; length: number; byte: number }
  | { kind: 'sequence'; at: number; length: number; count: number; byte: number }
  | { kind: 'truncate'; size: number }
  | { kind: 'read'; at: number; length: number }
  | { kind: 'sync' | 'reopen' | 'abandon' | 'crash' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      at: near,
      length,
      byte: fc.integer({ min: 1, max: 255 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('sequence' as const),
      at: near,
      length: fc.constantFrom(32_768, FRAME_PLAIN, 100_000),
      count: fc.integer({ min: 2, max: 8 }),
      byte: fc.integer({ min: 1, max: 255 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('truncate' as const), size: near }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('read' as const), at: near, length }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constantFrom('sync' as const, 'reopen' as const, 'abandon' as const, 'crash' as const),
    }),
  },
);

class World {
  readonly broker = new FakeBroker();
  expected = Buffer.alloc(0);
  private files: SessionFiles = this.broker.session();
  private file: OpenFile | null = null;

  async open(): Promise<OpenFile> {
    this.file ??= await this.files.open(NAME, { ...MODIFY, create: true });
    return this.file;
  }

  put(at: number, data: Buffer): void {
    if (at + data.length > this.expected.length) this.resize(at + data.length);
    data.copy(this.expected, at);
  }

  resize(size: number): void {
    const next = Buffer.alloc(size);
    this.expected.copy(next, 0, 0, Math.min(size, this.expected.length));
    this.expected = next;
  }

  async apply(one: Step): Promise<void> {
    const file = await this.open();
    if (one.kind === 'write') {
      const data = Buffer.alloc(one.length, one.byte);
      const done = file.write(one.at, data);
      this.put(one.at, data);
      await done;
      data.fill(0);
    } else if (one.kind === 'sequence') await this.sequence(file, one);
    else if (one.kind === 'truncate') {
      await file.truncate(one.size);
      this.resize(one.size);
    } else if (one.kind === 'read') await this.compare(file, one.at, one.length);
    else if (one.kind === 'sync') await file.sync();
    else if (one.kind === 'reopen') await this.close();
    else if (one.kind === 'abandon') await this.lose(() => this.files.abandon());
    else {
      // What was synced survives the front: the broker and the folder are all there is.
      await file.sync();
      await this.lose(() => {
        this.broker.crashFronts();
        return Promise.resolve();
      });
    }
    assert.equal((await this.open()).stat().size, this.expected.length);
  }

  async close(): Promise<void> {
    await this.file?.close();
    this.file = null;
    const reader = await this.files.open(NAME, READ);
    await this.compare(reader, 0, this.expected.length);
    await reader.close();
  }

  private async lose(how: () => Promise<void>): Promise<void> {
    await how();
    // A new upload that never held a byte is not worth keeping.
    this.files = this.broker.session();
    this.file = null;
    await this.open();
  }

  private async sequence(file: OpenFile, one: Step & { kind: 'sequence' }): Promise<void> {
    const writes = Array.from({ length: one.count }, (_, index) => {
      const data = Buffer.alloc(one.length, (one.byte + index) % 256);
      this.put(one.at + index * one.length, data);
      return file.write(one.at + index * one.length, data);
    });
    await Promise.all(writes);
  }

  private async compare(file: OpenFile, at: number, count: number): Promise<void> {
    const reads = [];
    for (let done = 0; done < count; done += 261_120) reads.push(file.read(at + done, Math.min(261_120, count - done)));
    const got = Buffer.concat((await Promise.all(reads)).flat());
    assert.equal(Buffer.compare(got, this.expected.subarray(at, at + count)), 0, `bytes ${at}..${at + count} differ`);
  }
}

describe('an upload against a plain buffer', () => {
  const worlds: World[] = [];
  after(() => {
    for (const world of worlds) world.broker.remove();
  });

  it('is the same after any history', async () => {
    const history = fc.array(step, { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(history, async (steps) => {
        const world = new World();
        worlds.push(world);
        for (const one of steps) await world.apply(one);
        await world.open();
        await world.close();
        world.broker.remove();
      }),
      { numRuns: Number(process.env['WAYBILL_RUNS'] ?? 60), endOnFailure: false },
    );
  });
});
