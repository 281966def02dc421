import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { checkChains, isComplete, methodsFor, nextFactors } from '../../src/accounts/chains.ts';
import { decoyChains } from '../../src/accounts/decoy.ts';
import { isLogin } from '../../src/accounts/login.ts';
import { Slowing, sourceOf } from '../../src/accounts/slowing.ts';
import { base32, matchTotp, totpCode, totpStep, totpUri } from '../../src/accounts/totp.ts';
import { fromBase32 } from './base32.ts';

describe('TOTP', () => {
  const secret = Buffer.from('12345678901234567890');

  it('gives the codes of RFC 6238 appendix B, their last six digits', () => {
    for (const [seconds, code] of [
      [59, '287082'],
      [1111111109, '081804'],
      [1111111111, '050471'],
      [1234567890, '005924'],
      [2000000000, '279037'],
      [20000000000, '353130'],
    ] as const)
      assert.equal(totpCode(secret, totpStep(seconds * 1000)), code);
  });

  it('takes one step either way and no more', () => {
    const now = 1_234_567_890_000;
    const at = (offset: number) => Buffer.from(totpCode(secret, totpStep(now) + offset));
    for (const offset of [-1, 0, 1]) assert.equal(matchTotp(secret, at(offset), now), totpStep(now) + offset);
    for (const offset of [-2, 2]) assert.equal(matchTotp(secret, at(offset), now), null);
  });

  it('takes codes typed in groups, and nothing else that is not six digits', () => {
    const now = 59_000;
    for (const text of ['287082', '287 082', '287-082', ' 287082 '])
      assert.notEqual(matchTotp(secret, Buffer.from(text), now), null);
    for (const text of ['', '28708', '2870820', '28708a', '２８７０８２', '------', '\0'.repeat(6), '9'.repeat(900)])
      assert.equal(matchTotp(secret, Buffer.from(text), now), null);
  });

  it('writes secrets as RFC 4648 section 10 has them', () => {
    for (const [plain, text] of [
      ['', ''],
      ['f', 'MY'],
      ['fo', 'MZXQ'],
      ['foo', 'MZXW6'],
      ['foob', 'MZXW6YQ'],
      ['fooba', 'MZXW6YTB'],
      ['foobar', 'MZXW6YTBOI'],
    ] as const)
      assert.equal(base32(Buffer.from(plain)), text);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        assert.deepEqual(fromBase32(base32(bytes)), Buffer.from(bytes));
      }),
    );
    const uri = new URL(totpUri('Way bill', 'ada@x', 'MZXW6'));
    assert.equal(decodeURIComponent(uri.pathname), '/Way bill:ada@x');
    assert.equal(uri.searchParams.get('secret'), 'MZXW6');
  });
});

describe('chains', () => {
  it('lead step by step to an end', () => {
    const chains = checkChains([
      ['publickey', 'totp'],
      ['password', 'totp'],
    ]);
    assert.deepEqual(methodsFor(nextFactors(chains, [])), ['publickey', 'password', 'keyboard-interactive']);
    assert.deepEqual(nextFactors(chains, ['publickey']), ['totp']);
    assert.deepEqual(nextFactors(chains, ['totp']), []);
    assert.equal(isComplete(chains, ['publickey']), false);
    assert.equal(isComplete(chains, ['publickey', 'totp']), true);
    assert.equal(isComplete(chains, []), false);
  });

  for (const [chains, message] of [
    [[], /1 to 8/],
    [Array.from({ length: 9 }, () => ['publickey']), /1 to 8/],
    [[[]], /made of/],
    [[['fingerprint']], /made of/],
    [[['totp']], /begins with totp/],
    [[['totp', 'password']], /begins with totp/],
    [[['publickey', 'publickey']], /twice/],
    [[['publickey'], ['publickey', 'totp']], /publickey alone signs in already/],
    [[['publickey'], ['publickey']], /already/],
  ] as const) {
    it(`refuse ${JSON.stringify(chains).slice(0, 40)}`, () => {
      assert.throws(() => checkChains(chains), message);
    });
  }
});

describe('logins', () => {
  it('have one rule', () => {
    for (const good of ['a', 'ada.lovelace@example.org', 'A-1_b', '9'.repeat(64)]) assert.ok(isLogin(good));
    for (const bad of ['', '.', '..', '-rf', '_x', '@', 'a b', 'a/b', "a'b", 'a\n', 'ä', 'x'.repeat(65), 'a\0'])
      assert.ok(!isLogin(bad), JSON.stringify(bad));
  });

  it('that are unknown look the same for ever, and other elsewhere', () => {
    const [here, there] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
    const names = Array.from({ length: 200 }, (_, index) => `name${index}`);
    const looks = (salt: Buffer) => names.map((name) => JSON.stringify(decoyChains(salt, name)));
    assert.deepEqual(looks(here), looks(here));
    assert.notDeepEqual(looks(here), looks(there));
    assert.deepEqual([...new Set(looks(here))].sort(), [
      '[["password"]]',
      '[["publickey"],["password"]]',
      '[["publickey"]]',
    ]);
  });
});

describe('slowing', () => {
  const fail = (slowing: Slowing, address: string, times: number, now = 0) => {
    for (let index = 0; index < times; index++) slowing.failed('ada', address, now);
  };

  it('costs nothing at first, then doubles up to its bound, and success ends it', () => {
    const slowing = new Slowing();
    fail(slowing, '192.0.2.1', 3);
    assert.equal(slowing.enter('ada', '192.0.2.1', 0), 0);
    fail(slowing, '192.0.2.1', 1);
    assert.equal(slowing.enter('ada', '192.0.2.1', 0), 500);
    fail(slowing, '192.0.2.1', 30);
    assert.equal(slowing.enter('ada', '192.0.2.1', 0), 30_000);
    assert.equal(slowing.enter('ada', '192.0.2.1', 0), null);
    slowing.succeeded('ada', '192.0.2.1');
    assert.equal(slowing.enter('ada', '192.0.2.1', 0), 0);
  });

  it('of one source holds up no other, and no other login', () => {
    const slowing = new Slowing();
    fail(slowing, '192.0.2.1', 30);
    assert.equal(slowing.enter('ada', '192.0.2.2', 0), 0);
    assert.equal(slowing.enter('bob', '192.0.2.1', 0), 0);
  });

  it('puts attempts that come at once one behind the other', () => {
    const slowing = new Slowing();
    fail(slowing, '192.0.2.1', 5);
    const waits = Array.from({ length: 5 }, () => slowing.enter('ada', '192.0.2.1', 0));
    assert.deepEqual(waits, [1000, 2000, 3000, 4000, 5000]);
  });

  it('forgets after a while, and holds a bounded number', () => {
    const slowing = new Slowing({ pairs: 10 });
    fail(slowing, '192.0.2.1', 30);
    assert.equal(slowing.enter('ada', '192.0.2.1', 16 * 60_000), 0);
    fail(slowing, '192.0.2.1', 30);
    for (let index = 0; index < 10; index++) slowing.enter('x', `198.51.100.${index}`, 0);
    assert.equal(slowing.enter('ada', '192.0.2.1', 0), 0);
  });

  it('counts a /64 of IPv6 as one source', () => {
    for (const [address, source] of [
      ['192.0.2.1', '192.0.2.1'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
      ['2001:0db8:0001:0002::9', '2001:db8:1:2::/64'],
      ['2001:db8::9', '2001:db8:0:0::/64'],
      ['::1', '0:0:0:0::/64'],
      ['1::', '1:0:0:0::/64'],
      ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ] as const)
      assert.equal(sourceOf(address), source);
  });
});
