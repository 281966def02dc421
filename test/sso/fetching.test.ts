/** Where the process of a provider goes, and how long it listens. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer as createPlain } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { makeAuthority } from '../events/certificates.ts';
import { checkFetched, checkShown } from '../../src/sso/addresses.ts';
import { fetchingOf } from '../../src/sso/process/fetching.ts';

const GET = { method: 'GET', headers: {}, body: undefined, redirect: 'manual' } as const;

describe('what the process of a provider fetches', { timeout: 30_000 }, () => {
  it('is never on our side, however it is written', () => {
    for (const address of [
      'https://localhost/keys',
      'https://LOCALHOST./keys',
      'https://a.localhost/keys',
      'https://127.0.0.1/keys',
      'https://127.1/keys',
      'https://2130706433/keys',
      'https://0x7f.1/keys',
      'https://[::1]/keys',
      'https://[::ffff:10.0.0.1]/keys',
      'https://169.254.169.254/latest/meta-data',
      'https://[fe80::1]/keys',
      'https://10.0.0.1/keys',
      'https://192.168.1.1/keys',
      'https://100.64.0.1/keys',
      'http://id.example.org/keys',
      'http://10.0.0.1/keys',
      'file:///etc/passwd',
      'data:application/json,{}',
      'https://a:b@id.example.org/keys',
      `https://id.example.org/${'x'.repeat(3000)}`,
    ])
      assert.throws(() => checkFetched(address, ['10.9.9.9']), { code: 'option-invalid' }, address);
    assert.equal(checkFetched('https://id.example.org/keys', []).host, 'id.example.org');
    assert.equal(checkFetched('https://10.0.0.1:8443/keys', ['10.0.0.1']).host, '10.0.0.1:8443');
    assert.equal(checkFetched('http://localhost:8080/keys', ['localhost']).host, 'localhost:8080');
    // Allowed by name is not without TLS, anywhere else than here.
    assert.throws(() => checkFetched('http://10.0.0.1/keys', ['10.0.0.1']), { code: 'option-invalid' });
    // Browsers may well go to a provider on their own network.
    assert.equal(checkShown('https://10.0.0.1/auth?x=1', []).host, '10.0.0.1');
    for (const address of ['javascript:alert(1)', 'http://id.example.org/auth', 'https://id.example.org/#x'])
      assert.throws(() => checkShown(address, []), { code: 'option-invalid' }, address);
  });

  it('is judged by the address that is connected to, looked up once', async () => {
    const asked: string[] = [];
    const lookUp = (...addresses: string[]) =>
      fetchingOf({
        allow: [],
        ca: null,
        resolve: (name) => {
          asked.push(name);
          return Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })));
        },
      });
    for (const addresses of [['127.0.0.1'], ['93.184.216.34', '10.0.0.1'], ['::1'], ['169.254.169.254'], ['fd00::1']])
      await assert.rejects(lookUp(...addresses)('https://id.example.org/keys', GET), /private network/);
    assert.equal(asked.length, 5);
    // Addresses in the address itself are not looked up.
    const at = (address: string) => fetchingOf({ allow: [], ca: null })(address, GET);
    await assert.rejects(at('https://127.0.0.1:1/keys'), /private network/);
    await assert.rejects(at('https://[fe80::1]/keys'), /private network/);
    await assert.rejects(at('http://id.example.org/keys'), /not https/);
  });

  it('comes over TLS that is checked, by the certificates that were given', async () => {
    const authority = makeAuthority();
    const identity = authority.issue('id', 'DNS:localhost');
    const server = createServer({ ...identity }, (_request, response) => response.end('{"a":1}')).listen(
      0,
      '127.0.0.1',
    );
    await once(server, 'listening');
    const at = `https://localhost:${(server.address() as AddressInfo).port}/`;
    try {
      const good = await fetchingOf({ allow: ['localhost'], ca: authority.ca })(at, GET);
      assert.deepEqual([good.status, await good.text()], [200, '{"a":1}']);
      await assert.rejects(fetchingOf({ allow: ['localhost'], ca: null })(at, GET), /certificate/);
    } finally {
      server.close();
      server.closeAllConnections();
      authority.remove();
    }
  });

  it('is not waited for without end, nor taken without end', async () => {
    const server = createPlain((request, response) => {
      if (request.url === '/silent') return;
      if (request.url === '/head') {
        response.writeHead(200, { 'x-long': 'x'.repeat(40_000) }).end();
        return;
      }
      response.writeHead(200);
      const drip = (): void => {
        if (!response.destroyed)
          response.write(request.url === '/flood' ? 'x'.repeat(65_536) : 'x', () => setTimeout(drip, 5));
      };
      drip();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const fetching = fetchingOf({ allow: ['127.0.0.1'], ca: null, within: 400 });
    try {
      await assert.rejects(fetching(`${at}/silent`, GET), /no answer in time/);
      await assert.rejects(fetching(`${at}/drip`, GET), /no answer in time|aborted/);
      await assert.rejects(fetching(`${at}/flood`, GET), /more than|aborted|in time/);
      await assert.rejects(fetching(`${at}/head`, GET), /Header/);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
