import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { after, before, suite, test } from 'node:test';
import { Scene } from './scene.ts';
import type { Answer, Asked, Person } from './scene.ts';

const STREAM = 'application/offset+octet-stream';

function base64(text: string | Buffer): string {
  return Buffer.from(text).toString('base64');
}

suite('resumable uploads (tus)', () => {
  let scene: Scene;
  let anna: Person;
  before(async () => {
    scene = await Scene.open();
    anna = await scene.person();
  });
  after(() => scene.close());

  const tus = (method: string, path: string, { headers = {}, ...more }: Asked = {}): Promise<Answer> =>
    scene.ask(method, path, { ...more, headers: { 'tus-resumable': '1.0.0', ...headers } });
  const create = (path: string, length: number, more: Asked = {}): Promise<Answer> =>
    tus('POST', '/api/v1/tus', {
      ...more,
      headers: { 'upload-length': String(length), 'upload-metadata': `path ${base64(path)}`, ...more.headers },
    });
  const patch = (location: string | undefined, offset: number, body: Buffer, headers: Record<string, string> = {}) =>
    tus('PATCH', location ?? '', {
      body,
      headers: { 'upload-offset': String(offset), 'content-type': STREAM, ...headers },
    });
  const offsetOf = async (location: string | undefined): Promise<string | undefined> =>
    (await tus('HEAD', location ?? '')).headers['upload-offset'] as string | undefined;
  const contentOf = async (path: string): Promise<Buffer> => (await scene.ask('GET', `/api/v1/content${path}`)).body;

  test('says what it can', async () => {
    const { status, headers } = await scene.ask('OPTIONS', '/api/v1/tus', { by: null });
    assert.equal(status, 204);
    assert.equal(headers['tus-version'], '1.0.0');
    assert.match(String(headers['tus-extension']), /creation.*termination.*checksum/);
    assert.equal(headers['access-control-allow-origin'], undefined);
  });

  test('a file in three parts, each on a connection of its own', async () => {
    const content = randomBytes(10 * 2 ** 20 + 5);
    const { status, headers } = await create('/in/parts', content.length);
    assert.equal(status, 201);
    assert.ok(headers['upload-expires']);
    assert.equal(await offsetOf(headers.location), '0');
    const cuts = [0, 100_000, 9 * 2 ** 20, content.length];
    for (let at = 0; at < 3; at++) {
      const [from = 0, to = 0] = cuts.slice(at, at + 2);
      const answer = await patch(headers.location, from, content.subarray(from, to));
      assert.equal(answer.status, 204, answer.body.toString());
      assert.equal(answer.headers['upload-offset'], String(to));
      assert.equal(await offsetOf(headers.location), String(to));
      if (at < 2) assert.equal((await scene.ask('GET', '/api/v1/content/in/parts')).status, 423);
    }
    assert.ok((await contentOf('/in/parts')).equals(content));
    // The last answer may be lost: asking once more finds the same.
    assert.equal((await patch(headers.location, content.length, Buffer.alloc(0))).status, 204);
  });

  test('all at once with the creation, and nothing at all', async () => {
    const body = randomBytes(200_000);
    const { status, headers } = await create('/in/once', body.length, { body, headers: { 'content-type': STREAM } });
    assert.deepEqual([status, headers['upload-offset']], [201, '200000']);
    assert.ok((await contentOf('/in/once')).equals(body));
    const empty = await create('/in/empty', 0);
    assert.equal(empty.status, 201);
    assert.equal((await scene.ask('GET', '/api/v1/files/in/empty')).json()['size'], 0);
    assert.equal(await offsetOf(empty.headers.location), '0');
  });

  test('what came before a connection broke is kept', async () => {
    const content = randomBytes(3 * 2 ** 20);
    const { headers } = await create('/in/broken', content.length);
    const socket = await scene.raw();
    socket.write(
      [
        `PATCH ${headers.location ?? ''} HTTP/1.1`,
        'Host: x',
        `Authorization: Bearer ${anna.token}`,
        'Tus-Resumable: 1.0.0',
        'Upload-Offset: 0',
        `Content-Type: ${STREAM}`,
        `Content-Length: ${content.length}`,
        '\r\n',
      ].join('\r\n'),
    );
    scene.calls.length = 0;
    socket.write(content.subarray(0, 2 ** 20));
    while (socket.writableLength > 0) await once(socket, 'drain');
    await new Promise((resolve) => setTimeout(resolve, 100));
    socket.destroy();
    while (!scene.calls.some(({ call, request }) => call === 'upload.progress' && request['idle'] === true))
      await new Promise((resolve) => setTimeout(resolve, 5));
    const offset = Number(await offsetOf(headers.location));
    assert.ok(offset > 0 && offset <= 2 ** 20, String(offset));
    assert.equal((await patch(headers.location, offset, content.subarray(offset))).status, 204);
    assert.ok((await contentOf('/in/broken')).equals(content));
  });

  test('lies about offsets and lengths', async () => {
    const { headers } = await create('/in/lies', 100);
    const { location } = headers;
    assert.equal((await patch(location, 50, Buffer.alloc(10))).status, 409);
    assert.equal((await patch(location, 0, Buffer.alloc(101))).status, 413);
    assert.equal(await offsetOf(location), '0');
    for (const offset of ['-1', '1e3', '0x10', '', ' ', '99999999999999999999'])
      assert.equal((await patch(location, 0, Buffer.alloc(1), { 'upload-offset': offset })).status, 400, offset);
    const chunked = await tus('PATCH', location ?? '', {
      headers: { 'upload-offset': '0', 'content-type': STREAM, 'transfer-encoding': 'chunked' },
      body: Buffer.alloc(0),
    }).catch(() => null);
    assert.ok(chunked === null || chunked.status < 500);
    assert.equal((await patch(location, 0, Buffer.alloc(10), { 'content-type': 'text/plain' })).status, 415);
    const old = await scene.ask('PATCH', location ?? '', { headers: { 'tus-resumable': '0.2.2' } });
    assert.deepEqual([old.status, old.headers['tus-version']], [412, '1.0.0']);
    for (const length of ['-1', 'x', '9007199254740993'])
      assert.equal((await create('/in/x', 0, { headers: { 'upload-length': length } })).status, 400, length);
  });

  test('checksums', async () => {
    const content = randomBytes(100_000);
    const { headers } = await create('/in/sums', content.length);
    const sum = (algorithm: string, of: Buffer) => ({
      'upload-checksum': `${algorithm} ${createHash(algorithm).update(of).digest('base64')}`,
    });
    const [first, rest] = [content.subarray(0, 70_000), content.subarray(70_000)];
    const wrong = await patch(headers.location, 0, first, sum('sha256', rest));
    assert.deepEqual([wrong.status, wrong.json()['code']], [460, 'checksum-mismatch']);
    assert.equal(await offsetOf(headers.location), '0');
    assert.equal((await patch(headers.location, 0, first, sum('sha1', first))).status, 204);
    assert.equal((await patch(headers.location, 70_000, rest, sum('sha256', first))).status, 460);
    assert.equal((await patch(headers.location, 70_000, rest, sum('md5', rest))).status, 400);
    assert.equal((await patch(headers.location, 70_000, rest, sum('sha256', rest))).status, 204);
    assert.ok((await contentOf('/in/sums')).equals(content));
  });

  test('after the end, and after giving up', async () => {
    const body = randomBytes(1000);
    const { headers } = await create('/in/ended', body.length, { body, headers: { 'content-type': STREAM } });
    const head = await tus('HEAD', headers.location ?? '');
    assert.deepEqual(
      [head.status, head.headers['upload-offset'], head.headers['upload-length']],
      [200, '1000', '1000'],
    );
    assert.equal((await patch(headers.location, 0, body)).status, 409);
    assert.equal((await patch(headers.location, 1000, Buffer.alloc(1))).status < 500, true);
    assert.ok((await contentOf('/in/ended')).equals(body));
    // Giving up what is complete takes nothing away.
    assert.equal((await tus('DELETE', headers.location ?? '')).status, 204);
    assert.ok((await contentOf('/in/ended')).equals(body));
    const other = (await create('/in/gone', 100)).headers.location;
    await patch(other, 0, Buffer.alloc(10));
    await tus('DELETE', other ?? '');
    assert.equal((await patch(other, 10, Buffer.alloc(10))).status, 404);
    assert.equal((await tus('DELETE', other ?? '')).status, 404);
  });

  test('a creation whose bytes are not those of its checksum keeps the upload, without them', async () => {
    const body = randomBytes(5000);
    const sum = createHash('sha256').update('another').digest('base64');
    const checked = { 'content-type': STREAM, 'upload-checksum': `sha256 ${sum}` };
    const answer = await create('/in/checked', body.length, { body, headers: checked });
    assert.deepEqual([answer.status, answer.json()['code']], [460, 'checksum-mismatch']);
    assert.equal((await scene.ask('GET', '/api/v1/content/in/checked')).status, 423);
    const again = await create('/in/checked', body.length, { body, headers: { 'content-type': STREAM } });
    assert.equal(again.status, 201);
    assert.ok((await contentOf('/in/checked')).equals(body));
  });

  test('giving up, and what takes its place', async () => {
    const { headers } = await create('/in/given-up', 100);
    await patch(headers.location, 0, Buffer.alloc(10));
    assert.equal((await tus('DELETE', headers.location ?? '')).status, 204);
    assert.equal((await tus('HEAD', headers.location ?? '')).status, 404);
    assert.equal((await scene.ask('GET', '/api/v1/files/in/given-up')).status, 404);
    const [one, two] = [await create('/in/two', 100), await create('/in/two', 100)];
    assert.equal((await patch(one.headers.location, 0, Buffer.alloc(100))).status, 404);
    assert.equal((await patch(two.headers.location, 0, Buffer.alloc(100))).status, 204);
  });

  test('what stood there before two uploads that came to nothing is neither of them', async () => {
    const old = randomBytes(9);
    await create('/in/stood', old.length, { body: old, headers: { 'content-type': STREAM } });
    const [first, second] = [await create('/in/stood', 9), await create('/in/stood', 9)];
    for (const { headers } of [second, first]) {
      assert.ok([204, 404].includes((await tus('DELETE', headers.location ?? '')).status));
      assert.equal((await tus('HEAD', headers.location ?? '')).status, 404);
    }
    assert.ok((await contentOf('/in/stood')).equals(old));
  });

  test('an address is good only for the account that began it', async () => {
    const other = await scene.person();
    const { headers } = await create('/in/mine', 10);
    const asked = { headers: { 'upload-offset': '0', 'content-type': STREAM }, body: Buffer.alloc(10), by: other };
    assert.equal((await tus('HEAD', headers.location ?? '', { by: other })).status, 404);
    assert.equal((await tus('PATCH', headers.location ?? '', asked)).status, 404);
    assert.equal((await tus('DELETE', headers.location ?? '', { by: other })).status, 404);
    assert.equal(await offsetOf(headers.location), '0');
  });

  test('an upload in progress is taken up by its id: cut where the client says, by its account alone', async () => {
    const content = randomBytes(500_000);
    const begun = await create('/in/taken-up', content.length);
    await patch(begun.headers.location, 0, content.subarray(0, 300_000));
    const info = (await scene.ask('GET', '/api/v1/files/in/taken-up')).json<{ upload: string; version: null }>();
    assert.deepEqual([info.version, info.upload.length], [null, 32]);
    const takeUp = (upload: string, offset: string, more: Asked = {}) =>
      create('/in/taken-up', content.length, {
        ...more,
        headers: {
          'upload-metadata': `path ${base64('/in/taken-up')},upload ${base64(upload)}`,
          'upload-offset': offset,
          ...more.headers,
        },
      });
    assert.equal((await takeUp(info.upload, '0', { by: await scene.person() })).status, 404);
    assert.equal((await takeUp('0'.repeat(32), '0')).status, 404);
    assert.equal((await takeUp('x', '0')).status, 404);
    assert.equal((await takeUp(info.upload, '300001')).status, 409);
    assert.equal((await takeUp(info.upload, '0', { headers: { 'upload-length': '299999' } })).status, 413);
    const { status, headers } = await takeUp(info.upload, '200000', { by: scene.again(anna) });
    assert.deepEqual([status, headers['upload-offset']], [201, '200000']);
    assert.equal(await offsetOf(headers.location), '200000');
    assert.equal((await patch(headers.location, 200_000, content.subarray(200_000))).status, 204);
    assert.ok((await contentOf('/in/taken-up')).equals(content));
    // What stands there now may be any other version of this size: only who knew the one before can tell.
    assert.equal((await tus('HEAD', headers.location ?? '')).status, 404);
  });

  test('parts over several connections at once wait for their turn', async () => {
    const content = randomBytes(4 * 2 ** 20);
    const { headers } = await create('/in/ahead', content.length);
    const MiB = 2 ** 20;
    const part = (at: number, more: Record<string, string> = {}, bytes = content.subarray(at * MiB, (at + 1) * MiB)) =>
      patch(headers.location, at * MiB, bytes, {
        'upload-checksum': `sha256 ${createHash('sha256').update(bytes).digest('base64')}`,
        'waybill-ahead': 'wait',
        ...more,
      });
    const wrong = { 'upload-checksum': `sha256 ${base64(Buffer.alloc(32))}` };
    assert.equal((await part(2, wrong)).status, 460);
    assert.equal((await part(2, { 'waybill-ahead': 'no' })).status, 409);
    assert.equal((await part(3, {}, Buffer.alloc(MiB + 1))).status, 409, 'beyond the end');
    const answers = await Promise.all([part(3), part(2), part(1), part(0)]);
    assert.deepEqual(
      answers.map(({ status, headers: of }) => [status, of['upload-offset']]),
      [4, 3, 2, 1].map((end) => [204, String(end * MiB)]),
    );
    assert.ok((await contentOf('/in/ahead')).equals(content));
  });

  test('metadata names the place, and nothing else', async () => {
    const named = (metadata: string) => create('/x', 5, { headers: { 'upload-metadata': metadata } });
    assert.equal((await named(`directory ${base64('/in')},filename ${base64('a b')}`)).status, 201);
    assert.equal((await named(`filename ${base64('x')}`)).status, 400);
    assert.equal((await named(`path ${base64('/in/../x')}`)).status, 400);
    assert.equal((await named(`path ${base64(Buffer.from([0xff]))}`)).status, 400);
    assert.equal((await named('path !!')).status, 400);
    assert.equal((await named(`path ${base64('/in/a\\b')}`)).status, 400);
    assert.equal((await named(`directory ${base64('/in')},filename ${base64('../x')}`)).status, 400);
  });
});
