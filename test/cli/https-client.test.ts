import assert from 'node:assert/strict';
import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, suite, test } from 'node:test';
import { z } from 'zod';
import { WaybillError } from '../../src/base/errors.ts';
import { HttpsClient } from '../../src/cli/https-client.ts';
import { readTrust } from '../../src/cli/server-trust.ts';
import type { Trust } from '../../src/cli/server-trust.ts';
import { makeCertificate } from '../../src/first-start/self-signed.ts';

interface Identity {
  readonly certificate: string;
  readonly pin: string;
  readonly key: string;
}

function identity(...names: string[]): Identity {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' });
  return {
    certificate: makeCertificate(names, privateKey, Date.now()),
    pin: `sha256/${createHash('sha256').update(spki).digest('base64')}`,
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

suite('the HTTPS client of commands', () => {
  const right = identity('localhost', '127.0.0.1');
  const elsewhere = identity('files.example.com');
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  let handler: Handler = () => undefined;
  let asked = 0;
  let ports: readonly [number, number] = [0, 0];

  const serve = async ({ certificate, key }: Identity): Promise<number> => {
    const server = createServer({ cert: certificate, key }, (request, response) => {
      asked++;
      handler(request, response);
    });
    server.on('secureConnection', (socket) => {
      sockets.add(socket);
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  };
  before(async () => {
    ports = [await serve(right), await serve(elsewhere)];
  });
  after(() => {
    for (const server of servers) server.close();
    for (const socket of sockets) socket.destroy();
  });

  const client = (trust: Trust, port = ports[0], more: { patienceMilliseconds?: number } = {}): HttpsClient =>
    new HttpsClient({ server: new URL(`https://127.0.0.1:${port}`), trust, token: () => 'wbt_secret', ...more });
  const say =
    (status: number, body: unknown): Handler =>
    (request, response) => {
      request.resume().once('end', () => {
        response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
      });
    };
  const get = { method: 'GET', path: '/api/v1/x?y=1', answer: z.object({ a: z.number() }) } as const;
  const pem = (text: string): Promise<Trust> => readTrust('x.pem', () => Promise.resolve(text));
  const pinned = (text: string): Promise<Trust> => readTrust(text, () => Promise.reject(new Error('no file')));
  const refused = async (one: HttpsClient, code: string, message = /./): Promise<void> => {
    await assert.rejects(
      one.ask(get),
      (error) => error instanceof WaybillError && error.code === code && message.test(error.message),
    );
    one.close();
  };

  test('asks and answers, over one connection', async () => {
    const one = client(await pem(right.certificate));
    let seen: [string | undefined, string | undefined, string] | null = null;
    handler = (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.once('end', () => {
        seen = [request.url, request.headers.authorization, Buffer.concat(chunks).toString()];
        response.end('{"a":1,"newer":true}');
      });
    };
    const before = sockets.size;
    assert.deepEqual(await one.ask({ ...get, method: 'POST', body: { b: 2 } }), { a: 1 });
    assert.deepEqual(seen, ['/api/v1/x?y=1', 'Bearer wbt_secret', '{"b":2}']);
    await one.ask(get);
    assert.equal(sockets.size, before + 1);
    assert.equal(one.family, 4);
    one.close();
  });

  test('by a pinned key, whatever the certificate says; and never with another', async () => {
    handler = say(200, { a: 1 });
    for (const text of [elsewhere.pin, elsewhere.pin.replace('/', '//')]) {
      const one = client(await pinned(text), ports[1]);
      assert.deepEqual(await one.ask(get), { a: 1 });
      one.close();
    }
    asked = 0;
    await refused(client(await pinned(right.pin), ports[1]), 'server-untrusted', /another key/);
    assert.equal(asked, 0);
  });

  test('sends nothing to a server that is not known', async () => {
    asked = 0;
    await refused(client({ kind: 'system' }), 'server-untrusted', /DEPTH_ZERO_SELF_SIGNED_CERT.*sha256\//);
    // The right certificate, but of another name.
    await refused(client(await pem(elsewhere.certificate), ports[1]), 'server-untrusted', /ALTNAME/);
    await refused(client(await pem(elsewhere.certificate)), 'server-untrusted');
    assert.equal(asked, 0);
  });

  test('failures of the server are the same failures here', async () => {
    const one = client(await pem(right.certificate));
    handler = say(403, { type: 'about:blank', status: 403, code: 'held', title: 't', detail: 'H-1 waits' });
    await assert.rejects(one.ask(get), { code: 'held', message: 'H-1 waits' });
    handler = say(418, { code: 'teapot', detail: 'short' });
    await assert.rejects(one.ask(get), { code: 'internal', message: /short \(teapot/ });
    handler = say(502, '<html>');
    await assert.rejects(one.ask(get), { code: 'internal', message: /\(502\)/ });
    handler = say(200, { a: 'no number' });
    await assert.rejects(one.ask(get), { code: 'internal' });
    handler = (_request, response) => response.writeHead(302, { Location: 'https://127.0.0.1:1/' }).end();
    await assert.rejects(one.ask(get), { code: 'internal', message: /\(302\)/ });
    one.close();
  });

  test('a connection that was closed while it was idle is no failure of what may be asked again', async () => {
    const one = client(await pem(right.certificate));
    handler = say(200, { a: 1 });
    for (const again of [true, false]) {
      await one.ask(get);
      let first = true;
      const answer = handler;
      handler = (request, response) => {
        if (!first) answer(request, response);
        else request.socket.destroy();
        first = false;
      };
      const post = one.ask({ ...get, method: 'POST', body: {}, again });
      if (again) assert.deepEqual(await post, { a: 1 });
      else await assert.rejects(post, { code: 'server-unreachable' });
      handler = answer;
    }
    one.close();
  });

  test('a server that is silent, or not there', async () => {
    handler = () => undefined;
    await refused(
      client(await pem(right.certificate), ports[0], { patienceMilliseconds: 300 }),
      'server-unreachable',
      /ETIMEDOUT/,
    );
    await refused(client({ kind: 'system' }, 1), 'server-unreachable', /ECONNREFUSED/);
  });

  test('what is trusted is said in a form that can be read', async () => {
    await assert.rejects(pinned('sha256/short='), { code: 'option-invalid' });
    await assert.rejects(pem('nothing'), { code: 'option-invalid', message: /x\.pem/ });
  });
});
