import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it } from 'node:test';
import { connect as connectTls } from 'node:tls';
import fc from 'fast-check';
import { parseClientHello, peekClientHello } from '../../../src/protocols/https/client-hello.ts';

/** What Node's own TLS sends first. */
async function helloOf(servername: string, ALPNProtocols: string[]): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const client = connectTls({ port, host: '127.0.0.1', servername, ALPNProtocols, rejectUnauthorized: false });
  client.on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [Socket];
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  client.destroy();
  server.close();
  return bytes;
}

describe('a ClientHello', () => {
  it('is read: its name and protocols; in pieces too', async () => {
    const bytes = await helloOf('Files.Example.com', ['acme-tls/1']);
    const hello = { name: 'files.example.com', protocols: ['acme-tls/1'] };
    assert.deepEqual(parseClientHello(bytes), hello);
    assert.deepEqual(parseClientHello(Buffer.concat([bytes, Buffer.from('more')])), hello);
    for (let at = 0; at < bytes.length; at++) assert.equal(parseClientHello(bytes.subarray(0, at)), undefined);
    assert.deepEqual(parseClientHello(await helloOf('a.example', ['h2', 'http/1.1'])), {
      name: 'a.example',
      protocols: ['h2', 'http/1.1'],
    });
  });

  it('is bounded and never throws, whatever comes', async () => {
    const bytes = await helloOf('files.example.com', ['acme-tls/1']);
    const changed = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)).map(([at, value]) => {
      const copy = Buffer.from(bytes);
      copy[at] = value;
      return copy;
    });
    const bytesOf = fc.uint8Array({ maxLength: 400 }).map((array) => Buffer.from(array));
    const record = bytesOf.map((body) =>
      Buffer.concat([Buffer.from([22, 3, 1, body.length >> 8, body.length & 255]), body]),
    );
    fc.assert(
      fc.property(fc.oneof(changed, bytesOf, record), (input) => {
        const found = parseClientHello(input);
        if (found !== null && found !== undefined)
          assert.ok(found.name.length + found.protocols.join('').length < input.length);
      }),
      { numRuns: 2000 },
    );
    assert.equal(parseClientHello(Buffer.from('GET / HTTP/1.1')), null);
    assert.equal(parseClientHello(Buffer.from([22, 3, 1, 255, 255])), null);
  });

  it('that does not come ends the connection; one that goes away is nothing', async () => {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const goes of [false, true]) {
      const client = connect(port, '127.0.0.1').on('error', () => undefined);
      const [socket] = (await once(server, 'connection')) as [Socket];
      const found = peekClientHello(socket, goes ? 10_000 : 100);
      client.write(Buffer.from([22, 3]));
      if (goes) client.end();
      assert.equal(await found, null);
      client.destroy();
      socket.destroy();
    }
    server.close();
  });
});
