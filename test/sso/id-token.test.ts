/** What the broker itself takes for an ID token: also when the process that fetched it is somebody else's by now. */
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { judgeIdToken, thumbprint } from '../../src/sso/id-token.ts';
import type { Expected } from '../../src/sso/id-token.ts';
import type { PublicJwk } from '../../src/sso/calls.ts';
import { newKey, publicPem, signed, signedWithSecret, unsigned } from './lying-provider.ts';
import type { Claims } from './lying-provider.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const SECONDS = NOW / 1000;
const EXPECTED: Expected = {
  ...{ issuer: 'https://id.example.org', clientId: 'waybill', claim: 'sub', requireAcr: [], requireAmr: [] },
  ...{ nonce: 'n'.repeat(43), freshSince: null, now: NOW },
};
const CLAIMS = {
  ...{ iss: EXPECTED.issuer, aud: 'waybill', sub: 'anna', nonce: EXPECTED.nonce },
  ...{ iat: SECONDS, exp: SECONDS + 300 },
};

describe('an ID token', () => {
  const key = newKey('k');
  const keys = [key.jwk as PublicJwk];
  const judge = (claims: Claims, expected: Partial<Expected> = {}) => {
    const verdict = judgeIdToken(signed({ ...CLAIMS, ...claims }, key), keys, { ...EXPECTED, ...expected });
    return verdict.good ? 'good' : verdict.fault;
  };

  it('is good when everything is', () => {
    for (const alg of ['ES256', 'RS256', 'EdDSA'] as const) {
      const own = newKey('k', alg);
      const verdict = judgeIdToken(signed(CLAIMS, own), [own.jwk as PublicJwk], EXPECTED);
      assert.equal(verdict.good && verdict.person.subject, 'anna', alg);
    }
    assert.equal(judge({ aud: ['waybill'] }), 'good');
    assert.equal(judge({ aud: ['waybill', 'other'], azp: 'waybill' }), 'good');
    assert.equal(judge({ exp: SECONDS - 30, nbf: SECONDS + 30 }), 'good');
  });

  it('is refused by the name of what is wrong', () => {
    for (const [fault, claims] of [
      ['token-issuer', { iss: 'https://id.example.org/' }],
      ['token-issuer', { iss: undefined }],
      ['token-audience', { aud: 'other' }],
      ['token-audience', { aud: [] }],
      ['token-audience', { aud: { 0: 'waybill' } }],
      ['token-audience', { aud: ['waybill', 'other'] }],
      ['token-audience', { azp: 'other' }],
      ['token-nonce', { nonce: `${EXPECTED.nonce}x` }],
      ['token-nonce', { nonce: undefined }],
      ['token-nonce', { nonce: [EXPECTED.nonce] }],
      ['token-subject', { sub: '' }],
      ['token-subject', { sub: 'anna\u0000' }],
      ['token-subject', { sub: 'x'.repeat(256) }],
      ['token-expired', { exp: SECONDS - 61 }],
      ['token-expired', { exp: String(SECONDS + 60) }],
      ['token-time', { iat: SECONDS + 61 }],
      ['token-time', { iat: SECONDS - 601 }],
      ['token-time', { iat: undefined }],
      ['token-time', { nbf: SECONDS + 61 }],
    ] as const)
      assert.equal(judge(claims), fault, JSON.stringify(claims));
    const fresh = { freshSince: NOW - 30_000 };
    assert.equal(judge({ auth_time: SECONDS - 5 }, fresh), 'good');
    for (const at of [undefined, SECONDS - 200, SECONDS + 120, '0'])
      assert.equal(judge({ auth_time: at }, fresh), 'token-not-fresh');
  });

  it('is refused for keys that cannot have signed it, or should not', () => {
    const faultOf = (token: string, from: readonly PublicJwk[] = keys): string => {
      const verdict = judgeIdToken(token, from, EXPECTED);
      return verdict.good ? 'good' : verdict.fault;
    };
    assert.equal(faultOf(unsigned(CLAIMS)), 'token-algorithm');
    assert.equal(faultOf(signedWithSecret(CLAIMS, 'k', publicPem(key))), 'token-algorithm');
    assert.equal(faultOf(signed(CLAIMS, newKey('other'))), 'token-key-unknown');
    assert.equal(faultOf(signed(CLAIMS, newKey('k'))), 'token-signature');
    assert.equal(faultOf(signed(CLAIMS, key), [...keys, newKey('k').jwk as PublicJwk]), 'token-key-unknown');
    assert.equal(faultOf(signed(CLAIMS, key), [{ ...keys[0], use: 'enc' } as PublicJwk]), 'token-key-unknown');
    assert.equal(faultOf(signed(CLAIMS, key, { typ: 'at+jwt' })), 'token-type');
    assert.equal(faultOf(signed(CLAIMS, key, { crit: [] })), 'token-type');
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const jwk = { ...weak.publicKey.export({ format: 'jwk' }), kid: 'w' } as unknown as PublicJwk;
    const own = { kid: 'w', alg: 'RS256', private: weak.privateKey, jwk: { ...jwk } };
    assert.equal(faultOf(signed(CLAIMS, own), [jwk]), 'token-key-weak');
    assert.equal(faultOf(signed(CLAIMS, key), [{ ...keys[0], x: 'AA' } as PublicJwk]), 'token-key-malformed');
  });

  it('that is anything else is refused, and breaks nothing', () => {
    const parts = signed(CLAIMS, key).split('.');
    fc.assert(
      fc.property(fc.nat(2), fc.oneof(fc.string(), fc.base64String(), fc.json()), (at, text) => {
        const other = Buffer.from(text).toString('base64url');
        fc.pre(other !== parts[at]);
        for (const changed of [text, other]) {
          const token = parts.map((part, index) => (index === at ? changed : part)).join('.');
          assert.equal(judgeIdToken(token, keys, EXPECTED).good, false);
        }
      }),
    );
  });

  it('names its key as RFC 7638 does', () => {
    // The example of section 3.1.
    const n =
      '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw';
    assert.equal(thumbprint({ kty: 'RSA', n, e: 'AQAB', kid: 'x' }), 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs');
  });
});
