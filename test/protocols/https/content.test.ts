import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, before, suite, test } from 'node:test';
import { Scene } from './scene.ts';
import type { Person } from './scene.ts';

suite('files over HTTPS', () => {
  let scene: Scene;
  let anna: Person;
  before(async () => {
    scene = await Scene.open();
    anna = await scene.person();
  });
  after(() => scene.close());

  for (const size of [0, 1, 70_000, 9 * 2 ** 20 + 17]) {
    test(`${size} bytes come back as they were put`, async () => {
      const content = randomBytes(size);
      const put = await scene.ask('PUT', `/api/v1/content/in/f${size}`, { body: content });
      assert.equal(put.status, 201, put.body.toString());
      const { version } = put.json<{ version: string }>();
      assert.equal(put.headers.etag, `"${version}"`);
      const got = await scene.ask('GET', `/api/v1/content/in/f${size}`);
      assert.equal(got.status, 200);
      assert.ok(got.body.equals(content));
      assert.equal(got.headers.etag, `"${version}"`);
      assert.equal(got.headers['content-length'], String(size));
      const sum = await scene.ask('GET', `/api/v1/checksum/in/f${size}`);
      const sha256 = createHash('sha256').update(content).digest('hex');
      assert.deepEqual(sum.json(), { path: `/in/f${size}`, version, size, sha256 });
    });
  }

  test('ranges', async () => {
    const content = randomBytes(300_000);
    const { headers } = await scene.ask('PUT', '/api/v1/content/in/ranges', { body: content });
    const range = (value: string, more: Record<string, string> = {}) =>
      scene.ask('GET', '/api/v1/content/in/ranges', { headers: { range: value, ...more } });
    const one = await range('bytes=100-70000');
    assert.equal(one.status, 206);
    assert.equal(one.headers['content-range'], 'bytes 100-70000/300000');
    assert.ok(one.body.equals(content.subarray(100, 70_001)));
    assert.ok((await range('bytes=-5')).body.equals(content.subarray(-5)));
    assert.ok((await range('bytes=299999-')).body.equals(content.subarray(299_999)));
    const outside = await range('bytes=300000-');
    assert.equal(outside.status, 416);
    assert.equal(outside.headers['content-range'], 'bytes */300000');
    assert.equal((await range('bytes=0-10,5-20')).status, 416);
    assert.equal((await range('lines=1-2')).status, 200);
    const several = await range('bytes=0-9, 100000-100009');
    assert.equal(several.status, 206);
    const boundary = /boundary=(.*)/.exec(several.headers['content-type'] ?? '')?.[1] ?? '';
    const parts = several.body.toString('latin1').split(`\r\n--${boundary}`);
    assert.equal(parts.length, 4);
    assert.equal(parts[2]?.split('\r\n\r\n')[1], content.toString('latin1', 100_000, 100_010));
    assert.equal((await range('bytes=0-9', { 'if-range': headers.etag ?? '' })).status, 206);
    assert.equal((await range('bytes=0-9', { 'if-range': '"other"' })).status, 200);
    assert.equal((await range('bytes=0-9', { 'if-none-match': headers.etag ?? '' })).status, 304);
  });

  test('what is answered from knowledge alone releases nothing', async () => {
    const { headers } = await scene.ask('PUT', '/api/v1/content/in/known', { body: 'x' });
    scene.calls.length = 0;
    const { status, body } = await scene.ask('GET', '/api/v1/content/in/known', {
      headers: { 'if-none-match': `W/${headers.etag ?? ''}` },
    });
    assert.deepEqual([status, body.length], [304, 0]);
    const head = await scene.ask('HEAD', '/api/v1/content/in/known');
    assert.deepEqual([head.status, head.headers['content-length']], [200, '1']);
    assert.ok(!scene.calls.some(({ call }) => call === 'release' || call === 'file.open-read'));
  });

  test('a range releases its own segments and no others', async () => {
    const MiB = 2 ** 20;
    const content = randomBytes(25 * MiB);
    await scene.ask('PUT', '/api/v1/content/in/segments', { body: content });
    const released = async (from: number, to: number): Promise<unknown[]> => {
      scene.calls.length = 0;
      const range = { range: `bytes=${from}-${to - 1}` };
      const { body } = await scene.ask('GET', '/api/v1/content/in/segments', { headers: range });
      assert.ok(body.equals(content.subarray(from, to)));
      const asked = scene.calls.filter(({ call }) => call === 'release');
      return asked.map(({ request }) => [request['first'], request['count']]);
    };
    assert.deepEqual(await released(0, 8 * MiB), [[0, 1]]);
    assert.deepEqual(await released(16 * MiB, 24 * MiB), [[2, 1]]);
    assert.deepEqual(await released(8 * MiB, 8 * MiB + 1), [[1, 1]]);
    assert.deepEqual(await released(24 * MiB, 25 * MiB), [[3, 1]]);
    // What has no such segment is refused, and releases nothing of another.
    scene.calls.length = 0;
    const beyond = { range: 'bytes=999999999999999-' };
    assert.equal((await scene.ask('GET', '/api/v1/content/in/segments', { headers: beyond })).status, 416);
    assert.ok(scene.calls.every(({ call, request }) => call !== 'release' || Number(request['first']) > 3));
  });

  test('conditions and digests of PUT', async () => {
    const at = '/api/v1/content/in/conditions';
    const only = { 'if-none-match': '*' };
    const first = await scene.ask('PUT', at, { body: 'one', headers: only });
    assert.equal(first.status, 201);
    assert.equal((await scene.ask('PUT', at, { body: 'two', headers: only })).status, 412);
    assert.equal((await scene.ask('PUT', at, { body: 'two', headers: { 'if-match': '"no"' } })).status, 412);
    const second = await scene.ask('PUT', at, { body: 'two', headers: { 'if-match': first.headers.etag ?? '' } });
    assert.equal(second.status, 200);
    const sum = createHash('sha256').update('three').digest('base64');
    const digest = { 'repr-digest': `sha-256=:${sum}:` };
    const wrong = await scene.ask('PUT', at, { body: 'tree', headers: digest });
    assert.deepEqual([wrong.status, wrong.json()['code']], [400, 'checksum-mismatch']);
    assert.equal((await scene.ask('GET', at)).body.toString(), 'two');
    assert.equal((await scene.ask('PUT', at, { body: 'three', headers: digest })).status, 200);
    assert.equal((await scene.ask('GET', at)).body.toString(), 'three');
  });

  test('names, listings, directories', async () => {
    const post = (path: string, body: unknown) =>
      scene.ask('POST', path, { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } });
    assert.equal((await post('/api/v1/mkdir', { path: '/in/dir' })).status, 201);
    assert.equal((await post('/api/v1/mkdir', { path: '/in/dir' })).status, 409);
    for (const name of ['a', 'b c', 'ü%', 'z'])
      assert.equal(
        (await scene.ask('PUT', `/api/v1/content/in/dir/${encodeURIComponent(name)}`, { body: name })).status,
        201,
      );
    const all = await scene.ask('GET', '/api/v1/files/in/dir');
    const { entries, next } = all.json<{ entries: { name: string; size: number }[]; next: string | null }>();
    assert.deepEqual([entries.map(({ name }) => name), next], [['a', 'b c', 'z', 'ü%'], null]);
    const page = (await scene.ask('GET', '/api/v1/files/in/dir?limit=2&after=a')).json<typeof all & { next: string }>();
    assert.equal(page.next, 'z');
    const moved = await post('/api/v1/rename', { from: '/in/dir/a', to: '/in/dir/b' });
    assert.equal(moved.json()['path'], '/in/dir/b');
    assert.equal((await post('/api/v1/rename', { from: '/in/dir/b', to: '/in/dir/z' })).status, 409);
    assert.equal((await scene.ask('DELETE', '/api/v1/files/in/dir')).status, 409);
    for (const name of ['b', 'b%20c', '%C3%BC%25', 'z'])
      assert.equal((await scene.ask('DELETE', `/api/v1/files/in/dir/${name}`)).status, 204, name);
    assert.equal((await scene.ask('DELETE', '/api/v1/files/in/dir')).status, 204);
    assert.equal((await scene.ask('GET', '/api/v1/files/in/dir')).status, 404);
    const top = (await scene.ask('GET', '/api/v1/files/')).json<{ entries: { name: string }[] }>();
    assert.deepEqual(
      top.entries.map(({ name }) => name),
      ['in'],
    );
  });

  test('a PUT that breaks off leaves nothing', async () => {
    scene.calls.length = 0;
    const socket = await scene.raw();
    socket.write(`PUT /api/v1/content/in/broken HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${anna.token}\r\n`);
    socket.write(`Content-Length: 1000000\r\n\r\n${'x'.repeat(100_000)}`);
    while (!scene.calls.some(({ call, request }) => call === 'upload.open' && request['path'] === '/in/broken'))
      await new Promise((resolve) => setTimeout(resolve, 5));
    socket.destroy();
    while (!scene.calls.some(({ call }) => call === 'upload.discard'))
      await new Promise((resolve) => setTimeout(resolve, 5));
    assert.equal((await scene.ask('GET', '/api/v1/files/in/broken')).status, 404);
  });
});
