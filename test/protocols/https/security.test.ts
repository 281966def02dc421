/** What browsers and other tenants must not be able to do with the door. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { Operation } from '../../../src/api/operation.ts';
import { OPERATIONS } from '../../../src/api/operations.ts';
import { openApi } from '../../../src/api/openapi.ts';
import { fileInfo } from '../../../src/api/files.ts';
import { problem } from '../../../src/api/problem.ts';
import { Scene } from './scene.ts';
import type { Person } from './scene.ts';

suite('the door and its guests', () => {
  let scene: Scene;
  let anna: Person;
  before(async () => {
    scene = await Scene.open();
    anna = await scene.person();
  });
  after(() => scene.close());

  test('every operation that has a scope refuses who shows nothing, something wrong, or too little', async () => {
    const poor = await scene.person(undefined, []);
    for (const [id, { method, path, scope }] of Object.entries<Operation>(OPERATIONS)) {
      if (scope === null) continue;
      const at = path.replace('{path}', 'in/x').replace('{id}', 'x');
      const nobody = await scene.ask(method, at, { by: null });
      assert.equal(nobody.status, 401, id);
      assert.match(String(nobody.headers['www-authenticate']), /^Bearer/);
      assert.equal((await scene.ask(method, at, { by: { ...anna, token: 'wbt_no' } })).status, 401, id);
      if (scope !== 'signed-in') assert.equal((await scene.ask(method, at, { by: poor })).status, 403, id);
    }
  });

  test('a page that somebody uploaded does nothing', async () => {
    for (const name of ['evil.html', 'evil.svg', 'evil.js']) {
      await scene.ask('PUT', `/api/v1/content/in/${name}`, { body: '<script>alert(1)</script>' });
      const { headers } = await scene.ask('GET', `/api/v1/content/in/${name}`);
      assert.equal(headers['content-type'], 'application/octet-stream');
      assert.match(String(headers['content-disposition']), /^attachment;/);
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.match(String(headers['content-security-policy']), /default-src 'none'.*sandbox/);
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
      assert.equal(headers['access-control-allow-origin'], undefined);
    }
  });

  test('a cookie changes nothing for other origins; a token has no such rule', async () => {
    const cookie = { cookie: `__Host-waybill=${anna.token.slice(4)}` };
    const put = (headers: Record<string, string>) =>
      scene.ask('PUT', '/api/v1/content/in/csrf', { body: 'x', by: null, headers: { ...cookie, ...headers } });
    assert.equal((await put({ 'sec-fetch-site': 'cross-site' })).json()['code'], 'origin-refused');
    assert.equal((await put({ origin: 'https://evil.example' })).status, 403);
    assert.equal((await put({})).status, 403);
    assert.equal((await put({ 'sec-fetch-site': 'same-origin' })).status, 201);
    assert.equal((await scene.ask('GET', '/api/v1/content/in/csrf', { by: null, headers: cookie })).status, 200);
    const foreign = { ...cookie, 'sec-fetch-site': 'cross-site' };
    assert.equal((await scene.ask('GET', '/api/v1/content/in/csrf', { by: null, headers: foreign })).status, 403);
  });

  test('another tenant finds nothing, and cannot tell what is there', async () => {
    await scene.ask('PUT', '/api/v1/content/in/secret', { body: 'secret' });
    const other = await scene.world.tenants.create({ name: 'other', quota: null });
    const folder = await scene.world.folders.create(other.id, 'theirs');
    const client = await scene.world.account(other, folder);
    const stranger = { ...scene.again({ ...anna, client }) };
    const JSON_TYPE = { 'content-type': 'application/json' };
    for (const [id, operation] of Object.entries<Operation>(OPERATIONS)) {
      if (!/^(files|content|checksum|archive)\./.test(id)) continue;
      const bodies: Record<string, string> = {
        'files.mkdir': '{"path":"/in/secret/x"}',
        'files.rename': '{"from":"/in/secret","to":"/theirs/x"}',
      };
      const ask = (name: string) => {
        const body = bodies[id]?.replace('secret', name);
        const headers = body === undefined ? {} : JSON_TYPE;
        const at = operation.path.replace('{path}', `in/${name}`);
        return scene.ask(operation.method, at, { by: stranger, headers, ...(body === undefined ? {} : { body }) });
      };
      const [there, absent] = [await ask('secret'), await ask('absent')];
      assert.equal(there.status, 404, id);
      assert.equal(absent.status, 404, id);
      assert.equal(there.body.toString().replaceAll('secret', 'absent'), absent.body.toString(), id);
    }
    assert.equal((await scene.ask('GET', '/api/v1/content/in/secret')).body.toString(), 'secret');
  });

  test('a connection asks about a credential once, and a wrong one does not stay', async () => {
    scene.asked = 0;
    const socket = await scene.raw();
    const request = `GET /api/v1/files/in HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${anna.token}\r\n\r\n`;
    for (let at = 0; at < 3; at++) {
      socket.write(request);
      await new Promise((resolve) => socket.once('data', resolve));
    }
    assert.equal(scene.asked, 1);
    const wrong = request.replace(anna.token, 'wbt_wrong');
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    for (let at = 0; at < 5; at++) {
      socket.write(wrong);
      await new Promise((resolve) => socket.once('data', resolve));
    }
    if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
    assert.equal(text.split('HTTP/1.1 401').length, 6);
    assert.equal(scene.asked, 6);
  });

  test('failures are problems of the documented form, and give nothing away', async () => {
    const missing = await scene.ask('GET', '/api/v1/content/in/none');
    assert.equal(missing.headers['content-type'], 'application/problem+json');
    assert.equal(problem.parse(missing.json()).code, 'not-found');
    assert.equal((await scene.ask('GET', '/api/v1/none')).status, 404);
    const wrong = await scene.ask('PATCH', '/api/v1/content/in/none');
    assert.deepEqual([wrong.status, wrong.headers.allow], [405, 'GET, HEAD, PUT']);
    assert.equal((await scene.ask('GET', '/api/v1/files/in?other=1')).status, 400);
    assert.equal((await scene.ask('GET', '/api/v1/files/in?limit=0')).status, 400);
    assert.equal((await scene.ask('GET', '/api/v1/files/in?limit=1&limit=2')).status, 400);
    assert.ok(!scene.log.some((line) => line.includes(anna.token)));
  });

  test('answers have the form that the document says', async () => {
    await scene.ask('PUT', '/api/v1/content/in/form', { body: 'x' });
    fileInfo.parse((await scene.ask('GET', '/api/v1/files/in/form')).json());
    const document = (await scene.ask('GET', '/api/v1/openapi.json', { by: null })).json();
    assert.deepEqual(document, JSON.parse(JSON.stringify(openApi('test'))));
    const page = await scene.ask('GET', '/api', { by: null });
    assert.match(page.body.toString(), /\/api\/v1\/content\/\{path\}/);
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'; style-src 'sha256-/);
    assert.doesNotMatch(page.body.toString(), /<script|https?:\/\//);
  });

  test('references in the document lead somewhere', () => {
    const text = JSON.stringify(openApi('x'));
    const { schemas } = (openApi('x') as { components: { schemas: Record<string, unknown> } }).components;
    for (const [, name = ''] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g))
      assert.ok(Object.hasOwn(schemas, name), name);
    assert.doesNotMatch(text, /\$defs/);
  });
});
