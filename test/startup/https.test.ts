/** Which addresses people sign in at when the operator has named none. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { enrolmentLink, Origins } from '../../src/accounts/web/origins.ts';
import { httpsAddresses, ownOrigins } from '../../src/startup/https.ts';

suite('origins without --https-origin', () => {
  const of = (host: string, port = 8443): string[] => ownOrigins([{ host, port }]).map(({ origin }) => origin);

  test('localhost is ours where this machine listens for itself, and nowhere else', () => {
    assert.deepEqual(of('127.0.0.1'), ['https://localhost:8443', 'https://127.0.0.1:8443']);
    assert.deepEqual(of('::1'), ['https://localhost:8443', 'https://[::1]:8443']);
    assert.deepEqual(of('0.0.0.0', 443), ['https://localhost', 'https://127.0.0.1']);
    assert.deepEqual(of('::'), ['https://localhost:8443', 'https://127.0.0.1:8443']);
    assert.deepEqual(of('192.0.2.7'), ['https://192.0.2.7:8443']);
    assert.deepEqual(of('files.example.com'), ['https://files.example.com:8443']);
  });

  test('numeric ones have no passkeys, and links lead to one that has', () => {
    const origins = new Origins(ownOrigins([{ host: '192.0.2.7', port: 8443 }]));
    assert.deepEqual(origins.first, { origin: 'https://192.0.2.7:8443', rpId: null });
    origins.add(ownOrigins([{ host: '127.0.0.1', port: 9443 }]));
    const local = { origin: 'https://localhost:9443', rpId: 'localhost' };
    assert.deepEqual(origins.first, local);
    assert.equal(enrolmentLink(local, 'wbe_x'), 'https://localhost:9443/enrol#wbe_x');
    assert.deepEqual(origins.of('localhost'), ['https://localhost:9443']);
    assert.equal(origins.find('https://localhost:8443'), null);
  });

  test('"none" is nowhere, beside addresses too', () => {
    assert.deepEqual(httpsAddresses({ https: [null] }), []);
    assert.deepEqual(httpsAddresses({ https: [null, { host: '127.0.0.1', port: 0 }] }), [
      { host: '127.0.0.1', port: 0 },
    ]);
  });
});
