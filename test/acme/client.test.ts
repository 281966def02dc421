/** The client against authorities that lie, and when it is asked again. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, verify } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CarryAnswer, CarryRequest } from '../../src/acme/calls.ts';
import { AcmeClient } from '../../src/acme/client.ts';
import type { Challenge } from '../../src/acme/client.ts';
import { nextTry } from '../../src/acme/renewal.ts';
import { AcmeErrands } from '../../src/events/sender/acme.ts';

const BASE = 'https://ca.example';
const TOKEN = 'x'.repeat(43);
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

interface Lies {
  readonly [path: string]: { readonly status?: number; readonly body?: object; readonly nonce?: string | null };
}

/** An authority of a few lines: every answer can be another one. */
function authority(lies: Lies = {}) {
  const asked: CarryRequest[] = [];
  const shown: (readonly Challenge[])[] = [];
  const challenges = [{ type: 'tls-alpn-01', url: `${BASE}/challenge`, token: TOKEN }];
  const truth: Lies = {
    '/dir': { body: { newNonce: `${BASE}/nonce`, newAccount: `${BASE}/account`, newOrder: `${BASE}/order` } },
    '/nonce': {},
    '/account': { status: 201, body: {} },
    '/order': {
      status: 201,
      body: { status: 'pending', authorizations: [`${BASE}/authz`], finalize: `${BASE}/final` },
    },
    '/authz': { body: { status: 'pending', identifier: { type: 'dns', value: 'files.example' }, challenges } },
    '/challenge': { body: {} },
  };
  const carry = (request: CarryRequest): Promise<CarryAnswer> => {
    asked.push(request);
    const { pathname } = new URL(request.url);
    const { status = 200, body = {}, nonce = 'n1' } = lies[pathname] ?? truth[pathname] ?? { status: 404 };
    const location = `${BASE}${pathname}`;
    return Promise.resolve({ status, nonce, location, retryAfter: null, body: JSON.stringify(body) });
  };
  const client = new AcmeClient({
    ...{ carry, directory: `${BASE}/dir`, accountKey: privateKey, contacts: ['ops@example.com'], external: null },
    type: 'tls-alpn-01',
    show: (challenges_) => {
      shown.push(challenges_);
      return Promise.resolve();
    },
    wait: () => Promise.resolve(),
  });
  return { asked, shown, obtain: () => client.obtain(['files.example'], privateKey) };
}

describe('an authority that lies', () => {
  const order = { status: 'pending', authorizations: [`${BASE}/authz`], finalize: `${BASE}/final` };
  const authz = { status: 'pending', identifier: { value: 'files.example' }, challenges: [] };
  for (const [name, lies, said] of [
    [
      'sends to an address without TLS',
      { '/dir': { body: { newNonce: 'http://x/', newAccount: 'x', newOrder: 'x' } } },
      /newNonce/,
    ],
    ['gives no nonces', { '/nonce': { nonce: null } }, /no nonces/],
    [
      'refuses every nonce',
      { '/account': { status: 400, body: { type: 'urn:ietf:params:acme:error:badNonce' } } },
      /nonces/,
    ],
    [
      'has us prove what was not ordered',
      { '/authz': { body: { ...authz, identifier: { value: 'bank.example' } } } },
      /not ordered/,
    ],
    ['wants a proof that we do not have', { '/authz': { body: authz } }, /cannot be proven by tls-alpn-01/],
    [
      'has tokens that are none',
      { '/authz': { body: { ...authz, challenges: [{ type: 'tls-alpn-01', url: `${BASE}/c`, token: '../x' }] } } },
      /cannot be proven/,
    ],
    ['never comes to an end', {}, /took too long/],
    [
      'says why it refuses, with an escape',
      { '/order': { status: 403, body: { type: 't', detail: 'no\u001b[2J' } } },
      /403, t: no \[2J/,
    ],
    [
      'has hundreds of authorizations',
      { '/order': { body: { ...order, authorizations: Array(101).fill(`${BASE}/a`) } } },
      /authorizations/,
    ],
  ] as const)
    it(name, async () => {
      const { obtain, shown } = authority(lies);
      await assert.rejects(obtain(), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'acme-failed');
        assert.match(error.message, said);
        return true;
      });
      // Nothing stays shown.
      assert.ok(shown.length === 0 || shown.at(-1)?.length === 0);
    });

  it('gets requests that only the account key signs, each for its address and nonce', async () => {
    const { obtain, asked } = authority();
    await assert.rejects(obtain());
    const posts = asked.filter(({ method }) => method === 'POST');
    assert.ok(posts.length > 4);
    for (const { url, body } of posts) {
      const { protected: head, payload, signature } = JSON.parse(body ?? '') as Record<string, string>;
      const from = (text = ''): Buffer => Buffer.from(text, 'base64url');
      const { alg, nonce, kid, jwk, url: named } = JSON.parse(from(head).toString()) as Record<string, string>;
      assert.deepEqual([alg, nonce, named], ['ES256', 'n1', url]);
      assert.ok((kid === undefined) !== (jwk === undefined));
      const signed = Buffer.from(`${head ?? ''}.${payload ?? ''}`);
      assert.ok(verify('sha256', signed, { key: publicKey, dsaEncoding: 'ieee-p1363' }, from(signature)));
    }
  });
});

describe('errands to the authority', () => {
  const errands = new AcmeErrands({ host: 'ca.example', ca: null, http: null }, []);
  it('go by https alone, and to no private address', async () => {
    for (const url of [
      'http://ca.example/',
      'https://127.0.0.1/',
      'https://[::1]/',
      'https://169.254.169.254/',
      'https://localhost/',
    ])
      await assert.rejects(errands.carry({ method: 'GET', url, body: null }), /https alone|private network/, url);
  });
});

describe('when a certificate is asked for', () => {
  const [from, until] = [0, 90 * 86_400_000];
  it('at once without one, with a third of its life left otherwise, never all on one day', () => {
    assert.equal(nextTry({ certificate: null, failures: 0, lastFailure: 0 }, 0.5), 0);
    const at = (spread: number): number =>
      nextTry({ certificate: { from, until }, failures: 0, lastFailure: 0 }, spread);
    assert.equal(at(0), 60 * 86_400_000);
    assert.equal(at(1), 57 * 86_400_000);
  });

  it('less and less often while it fails, and never before it is due', () => {
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.nat(2 ** 40),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (failures, lastFailure, spread) => {
          for (const certificate of [null, { from, until }]) {
            const next = nextTry({ certificate, failures, lastFailure }, spread);
            assert.ok(Number.isFinite(next));
            if (failures > 0) assert.ok(next >= lastFailure + 5 * 60_000);
            const due = certificate === null ? 0 : nextTry({ certificate, failures: 0, lastFailure: 0 }, spread);
            assert.ok(next >= due && next <= Math.max(due, lastFailure + 12 * 3_600_000));
          }
        },
      ),
    );
  });
});
