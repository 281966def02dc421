/** Parsers of what clients send: examples, and whatever else there is. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { WaybillError } from '../../../src/base/errors.ts';
import { matches, rangeHolds } from '../../../src/protocols/https/conditions.ts';
import { credentialOf } from '../../../src/protocols/https/credentials.ts';
import { attachment } from '../../../src/protocols/https/headers.ts';
import { fromOurOrigin } from '../../../src/protocols/https/origin.ts';
import { creatable, filePathOf, plainPath } from '../../../src/protocols/https/paths.ts';
import { wantedOf } from '../../../src/protocols/https/ranges.ts';
import { route } from '../../../src/protocols/https/routes.ts';
import {
  amountOf,
  checksumOf,
  fieldsOf,
  formatAddress,
  parseAddress,
  pathOf,
} from '../../../src/protocols/https/tus-headers.ts';
import { zipName } from '../../../src/protocols/https/zip-names.ts';

/** Whatever comes, a parser answers or throws one of our errors. */
function tame<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    assert.ok(error instanceof WaybillError, String(error));
    return null;
  }
}

const code = (parse: () => unknown): string => {
  try {
    parse();
  } catch (error) {
    return (error as WaybillError).code;
  }
  return 'none';
};

suite('paths', () => {
  test('are taken as they are, or refused', () => {
    assert.equal(filePathOf(''), '/');
    assert.equal(filePathOf('in/'), '/in');
    assert.equal(filePathOf('in/a%20b/%C3%BC'), '/in/a b/ü');
    for (const raw of [
      '..',
      'in/../x',
      'in/%2e%2e/x',
      'in//x',
      '/in',
      'in/./x',
      'in/a%2Fb',
      'in/%00',
      'in/%C0%AF',
      'in/%',
      'in/%zz',
      'in/%0d%0aX: y',
      'in/\u202e',
      'in//',
    ])
      assert.equal(
        code(() => filePathOf(raw)),
        'name-invalid',
        raw,
      );
    assert.equal(
      code(() => filePathOf('x'.repeat(20_000))),
      'path-too-long',
    );
    assert.equal(
      code(() => filePathOf('a/'.repeat(4000))),
      'path-too-long',
    );
    assert.equal(
      code(() => creatable('/in/a\\b')),
      'name-invalid',
    );
  });

  test('never lead out, whatever comes', () => {
    const piece = fc.oneof(
      fc.constantFrom('..', '.', '/', '%2e', '%2f', '%5c', '%00', '%', 'a', 'é'),
      fc.string({ unit: 'binary' }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        for (const parse of [filePathOf, plainPath]) {
          const path = tame(() => parse(pieces.join('')));
          if (path === null || path === '/') continue;
          assert.match(path, /^\//);
          assert.ok(
            path
              .slice(1)
              .split('/')
              .every((name) => name !== '' && name !== '.' && name !== '..' && !/\p{Cc}/u.test(name)),
          );
        }
      }),
      { numRuns: 2000 },
    );
  });
});

suite('ranges', () => {
  test('lie within the file and apart, whatever comes', () => {
    const number = fc.oneof(fc.nat(50).map(String), fc.constantFrom('', '9007199254740993', '00', '-1', ' 1'));
    const spec = fc.tuple(number, number).map(([a, b]) => `${a}-${b}`);
    const header = fc.oneof(
      fc.array(spec, { maxLength: 20 }).map((all) => `bytes=${all.join(',')}`),
      fc.string(),
    );
    fc.assert(
      fc.property(header, fc.nat(40), (text, size) => {
        const wanted = wantedOf(text, size);
        if (wanted.kind !== 'some') return;
        const seen = new Set<number>();
        for (const { first, last } of wanted.ranges) {
          assert.ok(first >= 0 && first <= last && last < size, text);
          for (let at = first; at <= last; at++) {
            assert.ok(!seen.has(at), text);
            seen.add(at);
          }
        }
      }),
      { numRuns: 3000 },
    );
  });
  test('that are too many are refused', () => {
    const header = `bytes=${Array.from({ length: 17 }, (_, at) => `${at * 2}-${at * 2}`).join(',')}`;
    assert.equal(wantedOf(header, 1000).kind, 'none');
    assert.equal(wantedOf('bytes=5-1', 10).kind, 'all');
    assert.equal(wantedOf('bytes=-0', 10).kind, 'none');
  });
});

suite('tus', () => {
  test('addresses come back as they were, and others are not found', () => {
    const address = { upload: 'a'.repeat(32), length: 5, base: null, path: '/in/ü' };
    assert.deepEqual(parseAddress(formatAddress(address)), address);
    const made = (...fields: unknown[]): string => Buffer.from(JSON.stringify(fields)).toString('base64url');
    for (const text of [
      '',
      '!',
      made(),
      made('a'.repeat(32), -1, null, '/x'),
      made('a'.repeat(32), 1.5, null, '/x'),
      made('a'.repeat(32), 1, null, '/../x'),
      made('a', 1, null, '/x'),
      made('a'.repeat(32), 1, 2, '/x'),
      made('a'.repeat(32), 1, null, '/x', 1),
    ])
      assert.equal(
        code(() => parseAddress(text)),
        'not-found',
        text,
      );
  });
  test('headers are read or refused, whatever comes', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.base64String(),
      fc.constantFrom('path L2lu', 'path', ',', 'sha256 ', 'filename eA==,directory L2lu'),
    );
    fc.assert(
      fc.property(text, (header) => {
        tame(() => fieldsOf(header));
        tame(() => pathOf(header));
        tame(() => checksumOf(header));
        tame(() => parseAddress(header));
        const amount = tame(() => amountOf('x', header));
        if (amount !== null) assert.ok(Number.isSafeInteger(amount) && amount >= 0);
      }),
      { numRuns: 2000 },
    );
  });
});

suite('what goes out', () => {
  test('names cannot break out of their header', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const header = attachment(name);
        assert.match(header, /^attachment; filename="[\x20-\x7e]*"; filename\*=UTF-8''[A-Za-z0-9!#$&+.^_`|~%-]*$/);
        assert.equal(
          /filename="([^"\\]*)"/.exec(header)?.[0].length,
          header.indexOf('; filename*') - 'attachment; '.length,
        );
      }),
      { numRuns: 2000 },
    );
    assert.equal(
      attachment('a"b\\c;é.html'),
      `attachment; filename="a_b_c_e_.html"; filename*=UTF-8''a%22b%5Cc%3B%C3%A9.html`,
    );
  });
  test('names in archives stay in their folder', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), (name) => {
        assert.doesNotMatch(zipName(name.replaceAll('/', '') || 'x'), /[\\:]|^\.\.? *$|[. ]$/);
      }),
    );
  });
});

suite('who asks', () => {
  test('a token in its one form; a cookie once', () => {
    assert.deepEqual(credentialOf({ authorization: 'Bearer abc', cookie: '__Host-waybill=x' }), {
      kind: 'bearer',
      text: 'abc',
    });
    const host = 'Files.example:443';
    assert.deepEqual(credentialOf({ host, cookie: 'a=b; __Host-waybill=x-_1' }), {
      kind: 'cookie',
      text: 'x-_1',
      origin: 'https://files.example',
    });
    for (const wrong of ['', 'a/b', 'a@b', 'a#b', 'a:b', 'a:99999', 'a b', '[::1'])
      assert.equal(
        code(() => credentialOf({ host: wrong, cookie: '__Host-waybill=x' })),
        'origin-refused',
        wrong,
      );
    assert.equal(credentialOf({ cookie: '__Host-waybill=x; __Host-waybill=y' }), null);
    assert.equal(credentialOf({ cookie: '__Host-waybill=<x>' }), null);
    for (const authorization of ['Basic abc', 'Bearer', 'Bearer a b', `Bearer ${'x'.repeat(300)}`])
      assert.equal(
        code(() => credentialOf({ authorization })),
        'not-signed-in',
      );
  });
  test('what a cookie signs in may change nothing for another origin', () => {
    const host = 'files.example:8443';
    const changes = (headers: Record<string, string>) => fromOurOrigin('POST', { host, ...headers });
    assert.ok(changes({ 'sec-fetch-site': 'same-origin' }));
    assert.ok(changes({ origin: 'https://files.example:8443' }));
    for (const site of ['cross-site', 'same-site', 'none', ''])
      assert.ok(!changes({ 'sec-fetch-site': site, origin: `https://${host}` }), site);
    for (const origin of [
      'https://files.example',
      'http://files.example:8443',
      'null',
      'https://evil.example:8443',
      '',
    ])
      assert.ok(!changes({ origin }), origin);
    assert.ok(!changes({ 'sec-fetch-site': 'same-origin', origin: 'https://evil.example' }));
    assert.ok(!changes({}));
    assert.ok(!fromOurOrigin('GET', { host, 'sec-fetch-site': 'cross-site' }));
  });
});

test('conditions and routes', () => {
  assert.ok(matches('"a", W/"b"', '"b"', 'weak'));
  assert.ok(!matches('W/"b"', '"b"', 'strong'));
  assert.ok(!matches('*', null, 'strong'));
  assert.ok(!rangeHolds('W/"a"', '"a"'));
  assert.deepEqual(route('GET', '/api/v1/tus/a/b'), null);
  assert.deepEqual(route('GET', '/api/v1/nothing'), null);
  assert.deepEqual(route('POST', '/api/v1/content/in/x'), ['GET', 'HEAD', 'PUT']);
  assert.equal((route('GET', '/api/v1/files/a/b') as { rest: string }).rest, 'a/b');
});
