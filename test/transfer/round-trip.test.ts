import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { FRAME_PLAIN, SEGMENT_PLAIN } from '../../src/keys/layout.ts';
import { APPEND, CREATE, FakeBroker, MODIFY, READ, get, put } from './fake-broker.ts';

describe('a file comes back as it was put', () => {
  const broker = new FakeBroker();
  after(() => {
    broker.remove();
  });
  let files = broker.session();

  for (const size of [
    0,
    1,
    10_000,
    FRAME_PLAIN - 1,
    FRAME_PLAIN,
    FRAME_PLAIN + 1,
    3 * FRAME_PLAIN,
    SEGMENT_PLAIN,
    SEGMENT_PLAIN + 1,
    3 * SEGMENT_PLAIN - 5,
  ]) {
    it(`of ${size} bytes`, async () => {
      const content = randomBytes(size);
      await put(files, '/f/a', content, 261_120);
      assert.equal(broker.files.get('/f/a')?.inline === null, size > FRAME_PLAIN || size === 0);
      assert.deepEqual(await get(files, '/f/a'), content);
      assert.deepEqual(await get(files, '/f/a', 261_120), content);
    });
  }

  it('a small file costs two calls to put', async () => {
    await files.abandon();
    broker.calls.length = 0;
    files = broker.session();
    await put(files, '/f/small', randomBytes(5000));
    assert.deepEqual(
      broker.calls.map((one) => one.call),
      ['upload.open', 'upload.commit'],
    );
  });

  it('a small file costs three calls to get, the first two in one turn', async () => {
    await put(files, '/f/small', randomBytes(5000));
    const reader = broker.session();
    broker.calls.length = 0;
    const opening = reader.open('/f/small', READ);
    // When the link sends what it was given in one turn; nothing can have been answered yet.
    await new Promise<void>((resolve) => {
      process.nextTick(resolve);
    });
    const names = () => broker.calls.map((one) => one.call);
    assert.deepEqual(names(), ['file.open-read', 'release']);
    const file = await opening;
    await file.read(0, 5000);
    await file.close();
    await reader.abandon();
    assert.deepEqual(names(), ['file.open-read', 'release', 'file.close']);
    const [open, release] = broker.calls;
    assert.equal(release?.request['reading'], open?.request['reading']);
  });

  it('an opening that fails tells its own failure, and so does the next', async () => {
    const reader = broker.session();
    for (let n = 0; n < 2; n++) await assert.rejects(reader.open('/f/none', READ), { code: 'not-found' });
    await reader.abandon();
  });

  it('sequential reads release each segment once and before it is needed, and tell what was sent', async () => {
    const size = 3 * SEGMENT_PLAIN + 100;
    await put(files, '/f/large', randomBytes(size), FRAME_PLAIN);
    broker.calls.length = 0;
    const reader = broker.session();
    await get(reader, '/f/large', FRAME_PLAIN);
    await reader.abandon();
    const released = broker.calls.filter((one) => one.call === 'release').map((one) => one.request['first']);
    assert.deepEqual(released, [0, 1, 2, 3]);
    assert.deepEqual(broker.calls.find((one) => one.call === 'file.close')?.request['sent'], [[0, size]]);
  });

  it('appends to the end, whatever the offset', async () => {
    await put(files, '/f/append', Buffer.from('one'));
    const file = await files.open('/f/append', APPEND);
    await file.write(0, Buffer.from('two'));
    await file.write(1, Buffer.from('three'));
    await file.close();
    assert.equal((await get(files, '/f/append')).toString(), 'onetwothree');
  });

  it('reading a path that the session writes shows the writing, then the version', async () => {
    await put(files, '/f/both', Buffer.from('before'));
    const writer = await files.open('/f/both', MODIFY);
    await writer.write(6, Buffer.from(' and after'));
    const reader = await files.open('/f/both', READ);
    assert.equal(Buffer.concat(await reader.read(0, 100)).toString(), 'before and after');
    assert.equal(Buffer.concat(await writer.read(7, 100)).toString(), 'and after');
    assert.equal((await files.stat('/f/both')).size, 16);
    await writer.close();
    assert.equal(Buffer.concat(await reader.read(0, 100)).toString(), 'before and after');
    await reader.close();
  });

  it('opening to write without writing makes no version', async () => {
    await put(files, '/f/same', Buffer.from('same'));
    const version = broker.files.get('/f/same')?.id;
    const file = await files.open('/f/same', MODIFY);
    file.setTimes(1000, 2000);
    await file.close();
    assert.equal(broker.files.get('/f/same')?.id, version);
    assert.equal((await files.stat('/f/same')).mtime, 1000);
    assert.equal(broker.uploads.size, 0);
  });

  it('two handles share one upload, and each close makes a version', async () => {
    const first = await files.open('/f/shared', CREATE);
    const second = await files.open('/f/shared', MODIFY);
    await first.write(0, Buffer.from('aaaa'));
    await second.write(2, Buffer.from('bbbb'));
    await first.close();
    assert.equal((await broker.call('files.stat', { session: '0'.repeat(32), path: '/f/shared' })).size, 6);
    await second.write(6, Buffer.from('cc'));
    await second.close();
    assert.equal((await get(files, '/f/shared')).toString(), 'aabbbbcc');
    assert.equal(broker.uploads.size, 0);
  });

  it('extending to a huge size stores nothing', async () => {
    const file = await files.open('/f/huge', CREATE);
    await file.truncate(2 ** 42);
    await file.write(2 ** 41, Buffer.from('x'));
    await file.close();
    assert.equal((await files.stat('/f/huge')).size, 2 ** 42);
    const reader = await files.open('/f/huge', READ);
    assert.deepEqual(Buffer.concat(await reader.read(2 ** 41 - 2, 5)), Buffer.from([0, 0, 120, 0, 0]));
    await reader.close();
    assert.equal(broker.files.get('/f/huge')?.runs.length, 3);
  });
});
