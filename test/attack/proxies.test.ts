/** Who claims to come from elsewhere: a PROXY header counts from a trusted proxy alone, and X-Forwarded-For never. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { portOf, run, startServer, waybill } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';
import { sshOptions } from '../interop/ssh-options.ts';
import { skipWithout } from '../interop/suite.ts';

const CLAIMED = '203.0.113.9';
const V1 = Buffer.from(`PROXY TCP4 ${CLAIMED} 192.0.2.1 12345 22\r\n`);
const V2 = Buffer.concat([
  Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex'),
  Buffer.from([203, 0, 113, 9, 192, 0, 2, 1, 0x30, 0x39, 0, 22]),
]);

describe('forged addresses', { skip: skipWithout('sftp'), timeout: 100_000 }, () => {
  let server: TestServer;
  const relays: Server[] = [];
  let token = '';

  /** What a load balancer does: says for whom, and passes on. */
  async function relay(header: Buffer, port: number): Promise<number> {
    const made = createServer((client) => {
      const upstream = connect(port, '127.0.0.1');
      upstream.write(header);
      client.pipe(upstream).pipe(client);
      for (const socket of [client, upstream])
        socket
          .on('error', () => undefined)
          .on('close', () => {
            client.destroy();
            upstream.destroy();
          });
    }).listen(0, '127.0.0.1');
    relays.push(made);
    await once(made, 'listening');
    return (made.address() as AddressInfo).port;
  }

  async function start(...more: string[]): Promise<void> {
    server = await startServer({ args: ['--https', '127.0.0.1:0', '--penalties', 'false', ...more] });
    const made = await waybill(server, ['token', 'add', server.login, '--from', '203.0.113.0/24', '--json']);
    ({ token } = JSON.parse(made) as { token: string });
  }
  async function stop(): Promise<void> {
    for (const one of relays.splice(0)) one.close();
    await server.remove();
  }

  const sftp = (port: number): Promise<string> => {
    const { key, login, host } = server;
    const words = ['-b', '-', ...sshOptions({ key, port }), `${login}@${host}`];
    return run('sftp', words, { input: `ls ${server.folder}\n` });
  };

  function list(port: number, headers: Record<string, string> = {}): Promise<number | null> {
    const ca = readFileSync(path.join(server.data, 'keys', 'tls.crt'));
    const all = { authorization: `Bearer ${token}`, connection: 'close', ...headers };
    const options = { host: 'localhost', family: 4, port, path: `/api/v1/files${server.folder}`, ca, headers: all };
    return new Promise((resolve) => {
      request(options, (response) => {
        response.resume().on('end', () => {
          resolve(response.statusCode ?? null);
        });
      })
        .on('error', () => {
          resolve(null);
        })
        .end();
    });
  }

  /** Addresses of the sign-ins that the operator was told of. */
  function addresses(): string[] {
    return [...server.log().matchAll(/"address":"([^"]+)"[^\n]*"msg":"signed in"/g)].map(
      ([, address]) => address ?? '',
    );
  }

  describe('without a trusted proxy', () => {
    before(() => start());
    after(stop);

    test('a PROXY header is garbage to SSH and to TLS', async () => {
      for (const header of [V1, V2]) {
        await assert.rejects(sftp(await relay(header, server.port)));
        assert.equal(await list(await relay(header, portOf(server, 'https'))), null);
      }
      assert.deepEqual(addresses(), []);
    });

    test('no header of HTTP moves a client to where its token is good', async () => {
      const port = portOf(server, 'https');
      for (const name of ['x-forwarded-for', 'x-real-ip', 'forwarded', 'x-client-ip', 'true-client-ip', 'via'])
        assert.equal(await list(port, { [name]: name === 'forwarded' ? `for=${CLAIMED}` : CLAIMED }), 401, name);
    });
  });

  describe('behind a trusted proxy', () => {
    before(() => start('--trusted-proxy', '127.0.0.1'));
    after(stop);

    test('the client has its own address, over SFTP and over HTTPS, by either version', async () => {
      for (const header of [V1, V2]) {
        await sftp(await relay(header, server.port));
        assert.equal(await list(await relay(header, portOf(server, 'https'))), 200);
      }
      assert.deepEqual([...new Set(addresses())], [CLAIMED]);
    });

    test('a token that is bound elsewhere stays out, whatever HTTP says besides', async () => {
      const other = Buffer.from(V1.toString().replace(CLAIMED, '198.51.100.1'));
      const port = await relay(other, portOf(server, 'https'));
      assert.equal(await list(port), 401);
      assert.equal(await list(port, { 'x-forwarded-for': CLAIMED }), 401);
    });

    test('who sends no header, half of one, or one that is too long is let go', async () => {
      await assert.rejects(sftp(server.port));
      assert.equal(await list(portOf(server, 'https')), null);
      const long = Buffer.from(V2);
      long.writeUInt16BE(60_000, 14);
      for (const bytes of [
        V2.subarray(0, 15),
        long,
        Buffer.from('PROXY TCP4 1.2.3'),
        Buffer.from('\r\n'.repeat(100)),
      ]) {
        const socket = connect(server.port, '127.0.0.1').on('error', () => undefined);
        socket.write(bytes);
        const began = performance.now();
        let answered = 0;
        socket.on('data', (chunk: Buffer) => (answered += chunk.length));
        // Not once(): that takes a reset for a failure.
        await new Promise((resolve) => socket.once('close', resolve));
        assert.equal(answered, 0);
        assert.ok(performance.now() - began < 10_000);
      }
      // A second header is the client's own words.
      await assert.rejects(sftp(await relay(Buffer.concat([V1, V2]), server.port)));
      await sftp(await relay(V2, server.port));
    });

    test('a crowd that says nothing leaves room for others', async () => {
      const crowd = Array.from({ length: 300 }, () => connect(server.port, '127.0.0.1').on('error', () => undefined));
      await sftp(await relay(V2, server.port));
      for (const one of crowd) one.destroy();
    });
  });
});
