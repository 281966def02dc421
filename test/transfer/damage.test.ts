/** Whatever happens to stored bytes, nobody is served wrong ones, the failure names the file, and other files go on. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { WaybillError } from '../../src/base/errors.ts';
import { FRAME_PLAIN, FRAME_STORED, SEGMENT_PLAIN, SEGMENT_STORED } from '../../src/keys/layout.ts';
import { FakeBroker, MODIFY, READ, get, put } from './fake-broker.ts';

const broker = new FakeBroker();
const files = broker.session();
after(() => {
  broker.remove();
});

function blobOf(name: string): string {
  const blob = broker.files.get(name)?.runs.find((run) => run.blob !== null)?.blob;
  assert.ok(typeof blob === 'string');
  return blob;
}

async function refused(name: string, code: string, content: Buffer): Promise<void> {
  const version = broker.files.get(name)?.id ?? '';
  const file = await files.open(name, READ);
  let failures = 0;
  for (let at = 0; at < content.length; at += 50_000) {
    try {
      const got = Buffer.concat(await file.read(at, 50_000));
      assert.deepEqual(got, content.subarray(at, at + 50_000), 'wrong bytes were served');
    } catch (error) {
      assert.ok(error instanceof WaybillError, String(error));
      assert.equal(error.code, code);
      for (const part of [name, version]) assert.ok(error.message.includes(part), error.message);
      failures += 1;
    }
  }
  assert.ok(failures > 0, 'the damage was not noticed');
  await file.close();
}

function change(blob: string, edit: (stored: Buffer) => Buffer): Buffer {
  const before = fs.readFileSync(broker.blobFile(blob));
  fs.writeFileSync(broker.blobFile(blob), edit(Buffer.from(before)));
  return before;
}

function swap(stored: Buffer, a: number, b: number, length: number): Buffer {
  const kept = Buffer.from(stored.subarray(a, a + length));
  stored.copy(stored, a, b, b + length);
  kept.copy(stored, b);
  return stored;
}

describe('damaged content', () => {
  const content = randomBytes(3 * FRAME_PLAIN + 100);
  const large = randomBytes(2 * SEGMENT_PLAIN);

  it('one changed bit anywhere', async () => {
    await put(files, '/f/bit', content);
    const blob = blobOf('/f/bit');
    const length = fs.statSync(broker.blobFile(blob)).size;
    await fc.assert(
      fc.asyncProperty(fc.nat(length * 8 - 1), async (bit) => {
        const before = change(blob, (stored) => {
          stored[bit >> 3] = (stored[bit >> 3] ?? 0) ^ (1 << (bit & 7));
          return stored;
        });
        await refused('/f/bit', 'content-damaged', content);
        fs.writeFileSync(broker.blobFile(blob), before);
      }),
      { numRuns: 60 },
    );
    assert.deepEqual(await get(files, '/f/bit'), content);
  });

  it('a blob that is cut anywhere', async () => {
    await put(files, '/f/cut', content);
    const blob = blobOf('/f/cut');
    const length = fs.statSync(broker.blobFile(blob)).size;
    await fc.assert(
      fc.asyncProperty(fc.nat(length - 1), async (end) => {
        const before = change(blob, (stored) => stored.subarray(0, end));
        await refused('/f/cut', 'content-damaged', content);
        fs.writeFileSync(broker.blobFile(blob), before);
      }),
      { numRuns: 20 },
    );
  });

  it('frames, segments and blobs that changed places', async () => {
    await put(files, '/f/one', large, 261_120);
    await put(files, '/f/two', large, 261_120);
    const [one, two] = [blobOf('/f/one'), blobOf('/f/two')];
    const before = change(one, (stored) => swap(stored, 0, FRAME_STORED, FRAME_STORED));
    await refused('/f/one', 'content-damaged', large);
    fs.writeFileSync(broker.blobFile(one), before);
    change(one, (stored) => swap(stored, 0, SEGMENT_STORED, SEGMENT_STORED));
    await refused('/f/one', 'content-damaged', large);
    fs.writeFileSync(broker.blobFile(one), fs.readFileSync(broker.blobFile(two)));
    await refused('/f/one', 'content-damaged', large);
    assert.deepEqual(await get(files, '/f/two'), large);
  });

  it('a blob that is gone', async () => {
    await put(files, '/f/gone', content);
    const blob = blobOf('/f/gone');
    fs.rmSync(broker.blobFile(blob));
    const file = await files.open('/f/gone', READ);
    await assert.rejects(file.read(0, 10), (error: WaybillError) => {
      assert.equal(error.code, 'content-missing');
      assert.ok(error.message.includes('/f/gone') && error.message.includes(blob));
      return true;
    });
    await file.close();
    const writer = await files.open('/f/gone', MODIFY);
    await assert.rejects(
      (async () => {
        await writer.write(5, Buffer.from('x'));
        await writer.close();
      })(),
      { code: 'content-missing' },
    );
  });

  it('an inline frame that was changed, or has another length than its size says', async () => {
    await put(files, '/f/inline', Buffer.from('small'));
    const version = broker.files.get('/f/inline');
    assert.ok(version?.inline != null);
    version.inline.bytes[20] = (version.inline.bytes[20] ?? 0) ^ 1;
    await refused('/f/inline', 'content-damaged', Buffer.from('small'));
    version.size = 4;
    await assert.rejects(files.open('/f/inline', READ), { code: 'content-damaged' });
  });

  it('runs that leave a part of the file out', async () => {
    await put(files, '/f/runs', content);
    const version = broker.files.get('/f/runs');
    assert.ok(version !== undefined);
    version.runs = [];
    await assert.rejects(files.open('/f/runs', READ), { code: 'content-damaged' });
  });

  it('a release that is refused is told at the first read, and the next read asks again', async () => {
    await put(files, '/f/refused', content);
    broker.before = (call) => {
      if (call === 'release') throw new WaybillError('release-refused', 'no');
    };
    const file = await files.open('/f/refused', READ);
    await assert.rejects(file.read(0, 10), { code: 'release-refused' });
    broker.before = () => undefined;
    assert.deepEqual(Buffer.concat(await file.read(0, 10)), content.subarray(0, 10));
    await file.close();
  });
});
