/** What hostile clients try before anybody looks at who they are, and with what they send. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { after, before, suite, test } from 'node:test';
import { Scene, untilClosed } from './scene.ts';
import type { Person } from './scene.ts';

const LIMITS = {
  handshakeMilliseconds: 300,
  headersMilliseconds: 600,
  idleMilliseconds: 400,
  graceMilliseconds: 3000,
  stallMilliseconds: 700,
};

suite('limits of the door', () => {
  let scene: Scene;
  let anna: Person;
  before(async () => {
    scene = await Scene.open(LIMITS);
    anna = await scene.person();
  });
  after(() => scene.close());

  const head = (line: string, ...headers: string[]): string =>
    [line, 'Host: x', `Authorization: Bearer ${anna.token}`, ...headers, '\r\n'].join('\r\n');
  const told = async (text: string): Promise<string> => {
    const socket = await scene.raw();
    socket.write(text);
    return untilClosed(socket);
  };

  test('a handshake that does not come', async () => {
    const socket = connect(scene.port, '127.0.0.1');
    const began = Date.now();
    await once(socket, 'close');
    assert.ok(Date.now() - began < 2000);
  });

  test('what is no TLS, and old TLS', async () => {
    const plain = connect(scene.port, '127.0.0.1');
    plain.on('error', () => undefined);
    plain.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(plain, 'close');
    const old = connectTls({
      port: scene.port,
      host: '127.0.0.1',
      ca: scene.certificate,
      maxVersion: 'TLSv1.1',
      minVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    old.on('error', () => undefined);
    const [first] = (await Promise.race([
      once(old, 'secureConnect').then(
        () => ['in'],
        () => ['closed'],
      ),
      once(old, 'close').then(() => ['closed']),
    ])) as [string];
    assert.equal(first, 'closed');
  });

  test('headers that come slowly', async () => {
    const socket = await scene.raw();
    socket.write('GET /api HTTP/1.1\r\nHost: x\r\n');
    const drip = setInterval(() => socket.write('X: y\r\n'), 50);
    const text = await untilClosed(socket);
    clearInterval(drip);
    assert.match(text, /^HTTP\/1\.1 408/);
  });

  test('headers that are too long or too many', async () => {
    assert.match(await told(`GET /api HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(20_000)}\r\n\r\n`), /^HTTP\/1\.1 431/);
    assert.match(
      await told(`GET /${'y'.repeat(15_000)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
      /^HTTP\/1\.1 414/,
    );
  });

  test('a body that stops, and one that trickles', async () => {
    for (const every of [0, 60]) {
      const socket = await scene.raw();
      socket.write(head('PUT /api/v1/content/in/slow HTTP/1.1', 'Content-Length: 100000'));
      const drip = every === 0 ? null : setInterval(() => socket.write('x'), every);
      const began = Date.now();
      await untilClosed(socket);
      if (drip !== null) clearInterval(drip);
      assert.ok(Date.now() - began < 5000);
      assert.equal((await scene.ask('GET', '/api/v1/files/in/slow')).status, 404);
    }
  });

  test('a client that does not take its answer', async () => {
    await scene.ask('PUT', '/api/v1/content/in/large', { body: Buffer.alloc(32 * 2 ** 20) });
    const socket = await scene.raw();
    socket.pause();
    socket.write(head('GET /api/v1/content/in/large HTTP/1.1'));
    const closed = scene.closed.length;
    const began = Date.now();
    while (scene.closed.length === closed && Date.now() - began < 8000)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(scene.closed.length > closed);
    socket.destroy();
  });

  test('connections without anybody end', async () => {
    const socket = await scene.raw();
    const began = Date.now();
    await untilClosed(socket);
    assert.ok(Date.now() - began < 6000);
  });

  test('smuggling and other ambiguities', async () => {
    const both = head('PUT /api/v1/content/in/s HTTP/1.1', 'Content-Length: 5', 'Transfer-Encoding: chunked');
    assert.match(await told(`${both}0\r\n\r\nGET /api`), /^HTTP\/1\.1 400/);
    assert.match(
      await told(head('PUT /api/v1/content/in/s HTTP/1.1', 'Content-Length: 5', 'Content-Length: 6')),
      /^HTTP\/1\.1 400/,
    );
    assert.match(await told('GET /api HTTP/1.1\r\nHost: x\r\nX:\ny\r\n\r\n'), /^HTTP\/1\.1 400/);
    assert.match(await told('GET /api HTTP/1.1\r\n\r\n'), /^HTTP\/1\.1 400/);
    assert.match(await told('GET http://x/api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 400/);
    assert.equal(await told('CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n'), '');
    assert.equal(await told('GET /api HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n'), '');
    assert.match(await told('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), /^HTTP\/1\.1 400|^$/);
    assert.equal((await scene.ask('GET', '/api/v1/files/in/s')).status, 404);
  });

  test('a flood of pipelined requests ends the connection', async () => {
    const text = await told(head('GET /api/v1/files/in HTTP/1.1').repeat(500));
    assert.ok(text.split('HTTP/1.1 200').length < 20);
  });

  test('expectations: the answer comes before the body', async () => {
    const refused = await told(
      'PUT /api/v1/content/in/x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n',
    );
    assert.match(refused, /^HTTP\/1\.1 401/);
    assert.match(
      await told(head('PUT /api/v1/content/in/x HTTP/1.1', 'Expect: 200-ok', 'Content-Length: 1')),
      /^HTTP\/1\.1 417/,
    );
    const socket = await scene.raw();
    socket.write(
      head(
        'PUT /api/v1/content/in/expected HTTP/1.1',
        'Expect: 100-continue',
        'Content-Length: 3',
        'Connection: close',
      ),
    );
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    assert.match(chunk.toString(), /^HTTP\/1\.1 100/);
    socket.write('abc');
    assert.match(await untilClosed(socket), /HTTP\/1\.1 201/);
  });

  test('bodies of JSON that are too large or none', async () => {
    const post = (body: string, type = 'application/json') =>
      scene.ask('POST', '/api/v1/mkdir', { body, headers: { 'content-type': type } });
    assert.equal((await post(JSON.stringify({ path: 'x'.repeat(70_000) }))).status, 413);
    assert.equal((await post('{"path":"/in/a"}', 'text/plain')).status, 400);
    assert.equal((await post('{')).status, 400);
    assert.equal((await post('{"path":"/in/a","more":1}')).status, 400);
    assert.equal((await post('{"__proto__":{"path":"/in/a"}}')).status, 400);
    assert.equal((await post('{"path":"/in/../a"}')).status, 400);
  });
});
