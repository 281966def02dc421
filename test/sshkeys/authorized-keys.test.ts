import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseAddressList } from '../../src/sshkeys/addresses.ts';
import { parseAuthorizedKey, restrictionOptions } from '../../src/sshkeys/authorized-keys.ts';
import { publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { KeyRefused } from '../../src/sshkeys/refusal.ts';

const KEY = publicKeyFrom(generateKeyPairSync('ed25519').publicKey);
const LINE = publicKeyLine(KEY);
const FREE = { from: null, expires: null, verifyRequired: false, touchRequired: true };

describe('authorized_keys lines', () => {
  it('may have a comment with blanks, or none', () => {
    assert.deepEqual(parseAuthorizedKey(LINE), { key: KEY, comment: '', certAuthority: false, restrictions: FREE });
    assert.equal(parseAuthorizedKey(`  ${LINE}  ada at work \n`).comment, 'ada at work');
  });

  it('give their options, and get them back in listings', () => {
    const options = 'from="192.0.2.0/24,2001:db8::1,!192.0.2.9",expiry-time="20301231T"';
    assert.throws(() => parseAuthorizedKey(`${options} ${LINE}`), /expiry-time/);
    const found = parseAuthorizedKey(
      `restrict,from="192.0.2.0/24,!192.0.2.9",expiry-time="203012311530Z",verify-required,no-touch-required,NO-PTY ${LINE} x`,
    );
    assert.deepEqual(found.restrictions, {
      from: '192.0.2.0/24,!192.0.2.9',
      expires: Date.UTC(2030, 11, 31, 15, 30),
      verifyRequired: true,
      touchRequired: false,
    });
    const again = parseAuthorizedKey(`${restrictionOptions(found.restrictions).join(',')} ${LINE}`);
    assert.deepEqual(again.restrictions, found.restrictions);
    assert.equal(parseAuthorizedKey(`cert-authority ${LINE}`).certAuthority, true);
  });

  for (const [line, message] of [
    ['', /not a key line/],
    ['ssh-ed25519', /not a key line/],
    [`ssh-rsa ${KEY.blob.toString('base64')}`, /another type/],
    [`ssh-dss ${KEY.blob.toString('base64')}`, /not a key line|not supported|malformed/],
    [`ssh-ed25519 ${KEY.blob.toString('base64').slice(0, -3)}*==`, /base64/],
    [`ssh-ed25519 ${KEY.blob.toString('base64')}AAAA`, /base64|bytes too many/],
    [`${LINE}\n${LINE}`, /one line/],
    [`command="/bin/sh" ${LINE}`, /command.*not supported/],
    [`permitopen="a:1" ${LINE}`, /not supported/],
    [`principals="ada" ${LINE}`, /not supported/],
    [`environment="A=\\"b c\\"" ${LINE}`, /not supported/],
    [`unheard-of ${LINE}`, /not supported/],
    [`constructor ${LINE}`, /not supported/],
    [`from ${LINE}`, /not supported/],
    [`verify-required="yes" ${LINE}`, /not supported/],
    [`from="host.example" ${LINE}`, /only addresses/],
    [`from="10.0.0.*" ${LINE}`, /only addresses/],
    [`from="" ${LINE}`, /only addresses/],
    [`from="192.0.2.0/33" ${LINE}`, /only addresses/],
    [`from="192.0.2.1",from="192.0.2.2" ${LINE}`, /twice/],
    [`from="192.0.2.1 ${LINE}`, /quote/],
    [`,restrict ${LINE}`, /malformed/],
    [`restrict, ${LINE}`, /malformed/],
    [`expiry-time="20301301" ${LINE}`, /not a date/],
    [`expiry-time="20300229" ${LINE}`, /not a date/],
    ['ssh-ed25519-cert-v01@openssh.com AAAA', /certificate/],
  ] as const) {
    it(`refuse ${JSON.stringify(line.slice(0, 40))}`, () => {
      assert.throws(
        () => parseAuthorizedKey(line),
        (error) => error instanceof KeyRefused && message.test(error.message),
      );
    });
  }

  it('fuzz: parse or are refused, in bounded time', () => {
    const piece = fc.constantFrom(
      'from="',
      '"',
      ',',
      ' ',
      'restrict',
      '\\',
      '\t',
      LINE,
      'expiry-time="20301231"',
      '=',
      'é',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 10 })), { maxLength: 30 }), (pieces) => {
        try {
          parseAuthorizedKey(pieces.join(''));
        } catch (error) {
          if (!(error instanceof KeyRefused)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
    const started = performance.now();
    assert.throws(() => parseAuthorizedKey(`from="${'\\a'.repeat(16_000)} ${LINE}`), KeyRefused);
    assert.throws(() => parseAuthorizedKey('a'.repeat(32_000)), KeyRefused);
    assert.ok(performance.now() - started < 500);
  });
});

describe('address lists', () => {
  for (const [list, address, expected] of [
    ['192.0.2.1', '192.0.2.1', true],
    ['192.0.2.1', '192.0.2.2', false],
    ['192.0.2.0/24', '::ffff:192.0.2.77', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['2001:db8::/32', '2001:db8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['192.0.2.0/24,!192.0.2.9', '192.0.2.9', false],
    ['192.0.2.0/24,!192.0.2.9', '192.0.2.8', true],
    ['!192.0.2.9', '192.0.2.8', false],
    ['192.0.2.0/24', 'not an address', false],
    ['192.0.2.0/24', '', false],
  ] as const) {
    it(`${list} ${expected ? 'holds' : 'does not hold'} ${JSON.stringify(address)}`, () => {
      assert.equal(parseAddressList(list).matches(address), expected);
    });
  }
});
