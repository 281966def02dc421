import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NotAllowed, serviceAddress, serviceName, servicePath } from '../../src/config/values.ts';

test('addresses of services: TLS, or this machine', () => {
  for (const [text, origin] of [
    ['https://vault.example:8200', 'https://vault.example:8200'],
    ['https://vault.example/', 'https://vault.example'],
    ['https://[2001:db8::1]:8200', 'https://[2001:db8::1]:8200'],
    ['http://127.0.0.1:8200', 'http://127.0.0.1:8200'],
    ['http://[::1]:8200', 'http://[::1]:8200'],
    ['http://localhost:8200', 'http://localhost:8200'],
  ] as const)
    assert.equal(serviceAddress(text), origin);
  for (const text of [
    'http://vault.example:8200',
    'http://10.0.0.1:8200',
    'http://127.0.0.1.example:8200',
    'http://localhost.example',
    'ftp://127.0.0.1',
    'vault.example:8200',
    'https://user:word@vault.example',
    'https://vault.example/v1',
    'https://vault.example?x',
    '',
  ])
    assert.throws(() => serviceAddress(text), NotAllowed, text);
});

test('paths and names in a service leave no way out of their place', () => {
  for (const text of ['transit', 'team/transit', 'a-b_c.d/e2']) assert.equal(servicePath(text), text);
  for (const text of ['', '/a', 'a/', 'a//b', '../a', 'a/../b', 'a/.', 'a b', 'a?b', 'a#b', 'a%2fb', 'x'.repeat(101)])
    assert.throws(() => servicePath(text), NotAllowed, text);
  assert.equal(serviceName('waybill'), 'waybill');
  assert.throws(() => serviceName('a/b'), NotAllowed);
});
