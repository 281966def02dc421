/** Bodies in large pieces: every byte once, in order, no more in memory than is said, whatever the chunks are. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { readBody } from '../../../src/protocols/https/body.ts';

const PIECE = 256 * 1024;

class Watched {
  bytes = 0;
  paused = 0;
  now = false;
  ended = false;
  count(bytes: number): void {
    assert.ok(!this.ended);
    this.bytes += bytes;
  }
  pause(): void {
    assert.ok(!this.now);
    this.now = true;
    this.paused++;
  }
  resume(): void {
    assert.ok(this.now && !this.ended);
    this.now = false;
  }
  end(): void {
    assert.ok(!this.ended);
    this.ended = true;
  }
}

suite('bodies in pieces', () => {
  test('every byte once and in order, in pieces of one size but the last', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 70_000 }), { maxLength: 40 }),
        fc.boolean(),
        async (sizes, slow) => {
          const chunks = sizes.map((size) => randomBytes(size));
          const watch = new Watched();
          const lengths: number[] = [];
          const got: Buffer[] = [];
          await readBody(Readable.from(chunks, { objectMode: false }), watch, async (piece) => {
            lengths.push(piece.length);
            // Copied after the wait: a piece stays as it is for as long as it is used.
            if (slow) await new Promise((resolve) => setImmediate(resolve));
            got.push(Buffer.from(piece));
          });
          assert.ok(Buffer.concat(got).equals(Buffer.concat(chunks)));
          for (const length of lengths.slice(0, -1)) assert.equal(length, PIECE);
          assert.ok((lengths.at(-1) ?? 1) <= PIECE);
          assert.equal(watch.bytes, Buffer.concat(chunks).length);
          assert.ok(watch.ended);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('while a piece is used one more is read, and the time after that is not the client’s', async () => {
    let pushed = 0;
    const stream = new Readable({
      highWaterMark: 16 * 1024,
      read() {
        pushed += 16 * 1024;
        this.push(Buffer.alloc(16 * 1024));
        if (pushed === 4 * 2 ** 20) this.push(null);
      },
    });
    const watch = new Watched();
    let first = true;
    await readBody(stream, watch, async () => {
      if (!first) return;
      first = false;
      while (!watch.now) await new Promise((resolve) => setImmediate(resolve));
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
      assert.ok(pushed <= 2 * PIECE + 4 * 16 * 1024, `${pushed} bytes were taken`);
    });
    assert.equal(watch.bytes, 4 * 2 ** 20);
    assert.ok(watch.paused >= 1 && !watch.now);
  });

  test('what cannot be used leaves the rest unread and the stream whole', async () => {
    const stream = Readable.from(
      Array.from({ length: 100 }, () => Buffer.alloc(16 * 1024)),
      { objectMode: false },
    );
    const watch = new Watched();
    await assert.rejects(
      readBody(stream, watch, () => Promise.reject(new Error('no'))),
      /no/,
    );
    assert.deepEqual([stream.destroyed, stream.isPaused(), watch.ended], [false, true, true]);
    assert.equal(stream.listenerCount('data'), 0);
  });

  test('of a body that breaks off comes what there is', async () => {
    const stream = new Readable({ read: () => undefined });
    stream.push(Buffer.alloc(1000));
    const watch = new Watched();
    const got: number[] = [];
    const reading = readBody(stream, watch, (piece) => {
      got.push(piece.length);
      return Promise.resolve();
    });
    setImmediate(() => stream.destroy());
    await reading;
    assert.deepEqual(got, [1000]);
    await readBody(stream, new Watched(), () => assert.fail('there is nothing'));
  });
});
