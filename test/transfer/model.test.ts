/** Random histories of one file against a plain Buffer: whatever was written is what is read, over closes, resumes and crashes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FRAME_PLAIN, SEGMENT_PLAIN } from '../../src/keys/layout.ts';
import type { OpenFile, SessionFiles } from '../../src/transfer/transfer.ts';
import { SILENT } from '../../src/base/log.ts';
import type { BrokerCaller } from '../../src/broker/calls.ts';
import { createSessionFiles } from '../../src/transfer/session-files.ts';
import { World, oneTenant } from '../files/world.ts';
import { FakeBroker, MODIFY, READ } from './fake-broker.ts';

const NAME = '/inbox/model';
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

class History {
  expected = Buffer.alloc(0);
  private readonly place: Place;
  private files: SessionFiles;
  private file: OpenFile | null = null;

  constructor(place: Place) {
    this.place = place;
    this.files = place.session();
  }

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
    else if (one.kind === 'abandon')
      await this.lose(async () => {
        await this.files.abandon();
        await this.place.crash();
      });
    else {
      // What was synced survives the front: the broker and the folder are all there is.
      await file.sync();
      await this.lose(() => this.place.crash());
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

  end(): Promise<void> {
    return this.files.abandon();
  }

  private async lose(how: () => Promise<void>): Promise<void> {
    await how();
    // A new upload that never held a byte is not worth keeping.
    this.files = this.place.session();
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

/** Where a history happens. */
interface Place {
  session(): SessionFiles;
  /** The sessions' front is gone. */
  crash(): Promise<void>;
  remove(): Promise<void>;
}

function inMemory(): Promise<Place> {
  const broker = new FakeBroker();
  return Promise.resolve({
    session: () => broker.session(),
    crash: () => {
      broker.crashFronts();
      return Promise.resolve();
    },
    remove: () => {
      broker.remove();
      return Promise.resolve();
    },
  });
}

/** The broker's own files room over SQLite and a folder, without processes in between. */
async function real(): Promise<Place> {
  const world = await World.open();
  let { client } = await oneTenant(world);
  return {
    session: () => {
      const { who } = client;
      const call = client.call.bind(client) as BrokerCaller['call'];
      const { blobs, incomingFolder: incoming } = world.blobFolder;
      return createSessionFiles({ broker: { call }, session: who.session, blobs, incoming, log: SILENT });
    },
    crash: async () => {
      await client.end();
      client = client.again();
    },
    remove: async () => {
      await world.files.settled();
      assert.deepEqual(world.failures, []);
      await world.destroy();
    },
  };
}

describe('an upload against a plain buffer', () => {
  const places: [string, () => Promise<Place>, number][] = [
    ['a broker in memory', inMemory, 60],
    ['the real rooms behind it', real, 30],
  ];
  for (const [name, open, runs] of places) {
    it(`is the same after any history, with ${name}`, async () => {
      const histories = fc.array(step, { minLength: 1, maxLength: 12 });
      const numRuns = Number(process.env['WAYBILL_RUNS'] ?? runs);
      await fc.assert(
        fc.asyncProperty(histories, async (steps) => {
          const place = await open();
          try {
            const history = new History(place);
            for (const one of steps) await history.apply(one);
            await history.open();
            await history.close();
            await history.end();
          } finally {
            await place.remove();
          }
        }),
        { numRuns },
      );
    });
  }
});
