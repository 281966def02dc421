import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { WaybillError } from '../../src/base/errors.ts';
import { FRAME_PLAIN, SEGMENT_PLAIN } from '../../src/keys/layout.ts';
import type { OpenFile, SessionFiles } from '../../src/transfer/transfer.ts';
import { CREATE, FakeBroker, MODIFY, READ, get, put } from './fake-broker.ts';

const MiB = 1024 * 1024;

async function fill(file: OpenFile, content: Buffer, from = 0): Promise<void> {
  for (let at = from; at < content.length; at += 261_120) await file.write(at, content.subarray(at, at + 261_120));
}

/** The nonces of all frames that are written to blobs while `work` runs. */
async function noncesOf(work: () => Promise<void>): Promise<string[]> {
  const nonces: string[] = [];
  const real = fs.writev;
  const spy = (fd: number, parts: Buffer[], ...rest: unknown[]): void => {
    for (const part of parts) if (part.length === 12) nonces.push(part.toString('hex'));
    (real as (...args: unknown[]) => void)(fd, parts, ...rest);
  };
  fs.writev = spy as unknown as typeof fs.writev;
  try {
    await work();
  } finally {
    fs.writev = real;
  }
  return nonces;
}

describe('an upload in progress', () => {
  let broker: FakeBroker;
  let files: SessionFiles;
  beforeEach(() => {
    broker = new FakeBroker();
    files = broker.session();
  });
  afterEach(() => {
    broker.before = () => undefined;
    broker.remove();
  });

  it('is persisted before its file exists, and not at all when it is small', async () => {
    broker.before = (call) => {
      if (call === 'upload.persist') assert.deepEqual(fs.readdirSync(broker.incoming), []);
    };
    await put(files, '/f/small', randomBytes(FRAME_PLAIN));
    assert.equal(broker.count('upload.persist'), 0);
    await put(files, '/f/large', randomBytes(FRAME_PLAIN + 1));
    assert.equal(broker.count('upload.persist'), 1);
  });

  it('is there to resume after a lost connection, to the last byte', async () => {
    const content = randomBytes(3 * MiB + 17);
    const file = await files.open('/f/a', CREATE);
    await fill(file, content.subarray(0, 2 * MiB + 5));
    await files.abandon();
    await assert.rejects(file.write(0, content), { code: 'handle-invalid' });
    await assert.rejects(files.open('/f/a', READ), { code: 'session-ended' });
    assert.equal(broker.files.size, 0);

    const later = broker.session();
    const again = await later.open('/f/a', MODIFY);
    assert.equal(again.stat().size, 2 * MiB + 5);
    await fill(again, content, 2 * MiB + 5);
    await again.close();
    assert.deepEqual(await get(later, '/f/a'), content);
  });

  it('keeps what a crash of the front finds, in steps of 32 MiB, and never wrong bytes', async () => {
    const content = randomBytes(70 * MiB);
    const vouched: number[] = [];
    const file = await files.open('/f/crash', CREATE);
    broker.before = (call, request) => {
      if (call === 'upload.progress') vouched.push(request['size'] as number);
    };
    await fill(file, content);
    while (vouched.length < 2) await new Promise((resolve) => setImmediate(resolve));
    broker.crashFronts();
    const later = broker.session();
    const again = await later.open('/f/crash', MODIFY);
    const { size } = again.stat();
    assert.ok(size >= 32 * MiB && size <= content.length, String(size));
    for (let at = 0; at < size; at += MiB) {
      const got = Buffer.concat(await again.read(at, MiB));
      assert.deepEqual(got, content.subarray(at, Math.min(size, at + MiB)));
    }
    await fill(again, content, size);
    await again.close();
    assert.deepEqual(await get(later, '/f/crash', 261_120), content);
  });

  it('tells the broker of a shorter size before a vouched last frame is written again', async () => {
    const file = await files.open('/f/tail', { ...CREATE, read: true });
    await file.write(0, randomBytes(2 * FRAME_PLAIN + 10));
    await file.sync();
    const more = randomBytes(FRAME_PLAIN);
    await file.write(2 * FRAME_PLAIN + 10, more);
    const sizes = broker.calls.filter((one) => one.call === 'upload.progress').map((one) => one.request['size']);
    assert.deepEqual(sizes, [2 * FRAME_PLAIN + 10, 2 * FRAME_PLAIN]);
    broker.crashFronts();
    const again = await broker.session().open('/f/tail', MODIFY);
    assert.equal(again.stat().size, 2 * FRAME_PLAIN);
    assert.equal(Buffer.concat(await again.read(0, 3 * FRAME_PLAIN)).length, 2 * FRAME_PLAIN);
  });

  it('never uses a nonce twice for a blob, over rewrites, resumes and crashes', async () => {
    const nonces = await noncesOf(async () => {
      for (let round = 0; round < 6; round++) {
        const session = broker.session();
        const file = await session.open('/f/nonces', { ...MODIFY, create: true });
        for (const at of [0, 5, FRAME_PLAIN, FRAME_PLAIN + 9, 0]) {
          await file.write(at, randomBytes(2 * FRAME_PLAIN));
          await file.sync();
        }
        if (round % 2 === 0) await session.abandon();
        else broker.crashFronts();
      }
    });
    assert.equal(fs.readdirSync(broker.incoming).length, 1);
    assert.ok(nonces.length > 60, String(nonces.length));
    assert.equal(new Set(nonces).size, nonces.length);
  });

  it('modifies a large file by copying only the segments that change', async () => {
    const content = randomBytes(3 * SEGMENT_PLAIN);
    await put(files, '/f/large', content, 261_120);
    const before = broker.files.get('/f/large')?.runs[0]?.blob;
    const file = await files.open('/f/large', MODIFY);
    await file.write(SEGMENT_PLAIN + 5, Buffer.from('changed'));
    await file.close();
    content.write('changed', SEGMENT_PLAIN + 5);
    const runs = broker.files.get('/f/large')?.runs ?? [];
    assert.deepEqual(
      runs.map((run) => [run.first, run.count, run.blob === before]),
      [
        [0, 1, true],
        [1, 1, false],
        [2, 1, true],
      ],
    );
    assert.deepEqual(await get(files, '/f/large', 261_120), content);
  });

  it('overwriting whole segments reads nothing of the base', async () => {
    await put(files, '/f/large', randomBytes(2 * SEGMENT_PLAIN), 261_120);
    broker.calls.length = 0;
    const content = randomBytes(2 * SEGMENT_PLAIN);
    const file = await files.open('/f/large', MODIFY);
    for (let at = 0; at < content.length; at += 32_768) await file.write(at, content.subarray(at, at + 32_768));
    await file.close();
    assert.equal(broker.count('release'), 0);
    assert.deepEqual(await get(files, '/f/large', 261_120), content);
  });

  it('gives back at once what a full store keeps from becoming durable, and nothing that was vouched for', async () => {
    const content = randomBytes(5 * MiB);
    const file = await files.open('/f/cut', CREATE);
    await fill(file, content.subarray(0, 2 * MiB));
    await file.sync();
    const [blob] = fs.readdirSync(broker.incoming);
    const lengthNow = (): number => fs.statSync(`${broker.incoming}/${blob ?? ''}`).size;
    const vouched = lengthNow();
    await fill(file, content.subarray(0, 4 * MiB), 3 * MiB);
    const real = fs.writev;
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    fs.writev = ((...args: unknown[]) => {
      (args.at(-1) as (error: Error) => void)(full);
    }) as unknown as typeof fs.writev;
    try {
      await assert.rejects(
        async () => {
          for (;;) await file.write(4 * MiB, content.subarray(4 * MiB));
        },
        { code: 'store-full' },
      );
    } finally {
      fs.writev = real;
    }
    const deadline = Date.now() + 5000;
    while (lengthNow() > vouched && Date.now() < deadline) await new Promise(setImmediate);
    assert.equal(lengthNow(), vouched);
    await files.abandon();
    files = broker.session();
    const resumed = await files.open('/f/cut', MODIFY);
    assert.equal(resumed.stat().size, 2 * MiB);
    await fill(resumed, content, 2 * MiB);
    await resumed.close();
    assert.deepEqual(await get(files, '/f/cut'), content);
  });

  it('fails as a whole when the store is full, and its space goes back', async () => {
    const content = randomBytes(2 * MiB);
    const file = await files.open('/f/full', CREATE);
    await fill(file, content.subarray(0, MiB));
    await file.sync();
    // What a full disk answers, without one: the descriptor's file system takes no byte past the limit.
    const [name] = fs.readdirSync(broker.incoming);
    assert.ok(name !== undefined);
    const real = fs.writev;
    const full = Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
    fs.writev = ((...args: unknown[]) => {
      (args.at(-1) as (error: Error) => void)(full);
    }) as unknown as typeof fs.writev;
    try {
      await assert.rejects(
        (async () => {
          await fill(file, content, MiB);
          await file.close();
        })(),
        { code: 'store-full' },
      );
      await file.close().catch(() => undefined);
    } finally {
      fs.writev = real;
    }
    assert.equal(broker.files.size, 0);
    assert.deepEqual(fs.readdirSync(broker.incoming), []);
    await put(files, '/f/full', content);
    assert.deepEqual(await get(files, '/f/full'), content);
  });

  it('is refused by quota when the keys of the next segment are', async () => {
    broker.before = (call, request) => {
      if (call === 'upload.keys' && (request['size'] as number) > SEGMENT_PLAIN)
        throw new WaybillError('quota-exceeded', 'no');
    };
    const fits = randomBytes(SEGMENT_PLAIN);
    await put(files, '/f/fits', fits, 261_120);
    assert.deepEqual(await get(files, '/f/fits', 261_120), fits);
    const file = await files.open('/f/over', CREATE);
    await assert.rejects(fill(file, randomBytes(2 * SEGMENT_PLAIN)), { code: 'quota-exceeded' });
    await assert.rejects(file.close(), { code: 'quota-exceeded' });
    assert.equal(broker.uploads.size, 0);
    assert.equal((await files.stat('/f/fits')).size, SEGMENT_PLAIN);
  });

  it('a commit that fails is told by close, and makes no version', async () => {
    broker.before = (call) => {
      if (call === 'upload.commit') throw new WaybillError('permission-denied', 'no');
    };
    await assert.rejects(put(files, '/f/no', randomBytes(10)), { code: 'permission-denied' });
    broker.before = () => undefined;
    await assert.rejects(files.stat('/f/no'), { code: 'not-found' });
    await put(files, '/f/no', Buffer.from('yes'));
  });

  it('times set on the handle are the version’s', async () => {
    const file = await files.open('/f/times', CREATE);
    await file.write(0, Buffer.from('x'));
    file.setTimes(1000, 2000);
    assert.equal(file.stat().mtime, 1000);
    await file.close();
    const { mtime, atime } = await files.stat('/f/times');
    assert.deepEqual([mtime, atime], [1000, 2000]);
  });

  it('an exclusive open of what the session is writing is refused, and a closed handle is dead', async () => {
    const file = await files.open('/f/x', CREATE);
    await assert.rejects(files.open('/f/x', { ...CREATE, exclusive: true }), { code: 'already-exists' });
    await file.close();
    await assert.rejects(file.close(), { code: 'handle-invalid' });
    await assert.rejects(file.read(0, 1), { code: 'handle-invalid' });
  });

  it('refuses offsets that no file can have', async () => {
    const file = await files.open('/f/offsets', CREATE);
    for (const at of [-1, 0.5, Number.MAX_SAFE_INTEGER, 2 ** 53]) {
      await assert.rejects(file.write(at, Buffer.from('xy')), { code: 'offset-invalid' });
    }
    await assert.rejects(file.truncate(2 ** 53), { code: 'offset-invalid' });
    await file.write(0, Buffer.from('fine'));
    await file.close();
    assert.equal((await get(files, '/f/offsets')).toString(), 'fine');
  });
});
