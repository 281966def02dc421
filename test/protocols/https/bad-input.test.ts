/** Names, bodies and headers that are meant to harm, to a real server; test/browser has a browser open what was uploaded. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { RealServer } from '../../api/real-server.ts';
import type { Answer } from '../../api/real-server.ts';
import { skipWithout } from '../../interop/suite.ts';

const CONTENT = '/api/v1/content/exchange/';
const PYTHON = '/usr/bin/python3';

/** What a file may be called here, and has broken headers, logs and archives elsewhere. */
const ODD_NAMES: readonly string[] = [
  'a"; filename="b.exe',
  "it's; really.txt",
  'semi;colon, comma=equals',
  'per%cent%0d%0aX-Injected: yes',
  'naïve café 𝕏 😀.txt',
  'עברית.txt',
  'two  spaces ',
  '=?utf-8?B?YQ==?=',
  '<b>html.txt',
  '${jndi:x}',
  '--output=x',
  'CON',
  'aux.txt',
  'C:x',
  'ends with dot.',
  '...',
  '..hidden',
  'stream::$DATA',
  'a|b?c*d<e>f',
];

suite('bad input over HTTPS', () => {
  let server: RealServer;
  let token = '';
  before(async () => {
    server = await RealServer.open();
    token = (await server.token('first')).bearer;
  });
  after(() => server.close());

  const ask = (method: string, target: string, more: { body?: string; json?: unknown } = {}): Promise<Answer> =>
    server.ask(method, target, { by: { bearer: token }, ...more });
  const head = (line: string, ...headers: string[]): string =>
    [line, 'Host: localhost', `Authorization: Bearer ${token}`, 'Connection: close', ...headers, '\r\n'].join('\r\n');

  test('a name stays in its header, and comes out of it as it went in', async () => {
    for (const name of ODD_NAMES) {
      const target = `${CONTENT}${encodeURIComponent(name)}`;
      assert.equal((await ask('PUT', target, { body: name })).status, 201, name);
      const text = await server.raw(head(`GET ${target} HTTP/1.1`));
      const [headers = '', ...body] = text.split('\r\n\r\n');
      assert.equal(Buffer.from(body.join('\r\n\r\n'), 'latin1').toString(), name);
      assert.doesNotMatch(headers, /[^\x20-\x7e\r\n]|\r(?!\n)|(?<!\r)\n/);
      const lines = headers.split('\r\n').filter((line) => /^content-disposition:/i.test(line));
      assert.equal(lines.length, 1, name);
      assert.doesNotMatch(headers, /^x-injected/im);
      // RFC 6266: one quoted form that ends where it should, one extended that says it exactly.
      const form = /^content-disposition: attachment; filename="([^"\\]*)"; filename\*=UTF-8''([\w!#$&+.^`|~%-]*)$/i;
      const [, plain = '', extended = ''] = form.exec(lines[0] ?? '') ?? [];
      assert.equal(decodeURIComponent(extended), name.normalize('NFC'));
      assert.ok(plain.length > 0 && !plain.includes('/'));
    }
  });

  test('names that are none are refused, in every place that takes one', async () => {
    const bad = ['a%0d%0ab', 'a%00b', '%0a', '%1b[31m', '%7f', '%c2%85', '..', '%2e%2e', '.', 'a%2fb', 'a%5cb', '%ff'];
    for (const name of [...bad, '%c0%ae%c0%ae', '%ed%a0%80', 'exe.%e2%80%aefdp', '%', '%zz', 'a'.repeat(256)]) {
      const { status, text, headers } = await ask('PUT', `${CONTENT}${name}`, { body: 'x' });
      assert.ok(status === 400 || status === 414, `${name}: ${status} ${text}`);
      assert.equal(headers['content-type'], 'application/problem+json');
    }
    for (const name of ['a\r\nb', 'a\0b', '..', '.', '\u001b[31m', 'a\\b', '', 'x'.repeat(256)]) {
      const json = { path: `/exchange/${name}` };
      assert.ok([400, 414].includes((await ask('POST', '/api/v1/mkdir', { json })).status), JSON.stringify(name));
      const to = { from: `/exchange/${encodeURIComponent('CON')}`, to: `/exchange/${name}` };
      assert.ok([400, 414].includes((await ask('POST', '/api/v1/rename', { json: to })).status), JSON.stringify(name));
    }
    const listing = JSON.parse((await ask('GET', '/api/v1/files/exchange')).text) as { entries: { name: string }[] };
    for (const { name } of listing.entries) assert.ok(ODD_NAMES.includes(name), name);
  });

  test('an archive unpacks into its folder, on any system', { skip: skipWithout(PYTHON) }, async () => {
    const zip = path.join(server.server.temporary, 'all.zip');
    const { status, body } = await ask('GET', '/api/v1/archive/exchange');
    assert.equal(status, 200);
    writeFileSync(zip, body);
    const script = 'import json, sys, zipfile; print(json.dumps(zipfile.ZipFile(sys.argv[1]).namelist()))';
    const names = JSON.parse(execFileSync(PYTHON, ['-c', script, zip]).toString()) as string[];
    assert.equal(names.length, ODD_NAMES.length);
    assert.equal(new Set(names.map((name) => name.toLowerCase())).size, names.length);
    for (const name of names) {
      assert.doesNotMatch(name, /^[/\\]|^[A-Za-z]:|[\\:*?"<>|\p{Cc}]|(^|\/)\.{1,2}(\/|$)|[. ](\/|$)/u, name);
      assert.doesNotMatch(name, /(^|\/)(con|prn|aux|nul|com\d|lpt\d)(\.|\/|$)/i, name);
    }
    const out = path.join(server.server.temporary, 'out');
    mkdirSync(path.join(out, 'inside'), { recursive: true });
    const unpack = 'import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])';
    execFileSync(PYTHON, ['-c', unpack, zip, path.join(out, 'inside')]);
    assert.deepEqual(readdirSync(out), ['inside']);
    assert.equal(readdirSync(path.join(out, 'inside')).length, ODD_NAMES.length);
  });

  test('headers and bodies that are too much end in an answer, and the server goes on', async () => {
    const many = Array.from({ length: 400 }, (_, at) => `X-${at}: y`);
    assert.match(await server.raw(head('GET /api HTTP/1.1', ...many)), /^HTTP\/1\.1 (200|400|431)/);
    assert.match(await server.raw(head('GET /api HTTP/1.1', `X: ${'y'.repeat(20_000)}`)), /^HTTP\/1\.1 431/);
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    const endless = head('POST /api/v1/mkdir HTTP/1.1', 'Content-Type: application/json', 'Transfer-Encoding: chunked');
    assert.match(await server.raw(endless + chunk.repeat(10)), /^HTTP\/1\.1 413/);
    const claimed = head(
      'POST /api/v1/mkdir HTTP/1.1',
      'Content-Type: application/json',
      'Content-Length: 99999999999',
    );
    assert.match(await server.raw(`${claimed}{}`), /^HTTP\/1\.1 413/);
    const deep = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`;
    const { status } = await ask('POST', '/api/v1/mkdir', { json: JSON.parse(deep) as unknown });
    assert.equal(status, 400);
    // An encoding that nobody takes off would stay in the file.
    for (const encoding of [
      'Transfer-Encoding: gzip, chunked',
      'Content-Encoding: gzip\r\nTransfer-Encoding: chunked',
    ]) {
      const text = await server.raw(`${head('PUT /api/v1/content/exchange/x HTTP/1.1', encoding)}1\r\nx\r\n0\r\n\r\n`);
      assert.match(text, /^HTTP\/1\.1 400/, encoding);
    }
    assert.equal((await ask('GET', '/api/v1/files/exchange/x')).status, 404);
  });

  test('ranges that are wrong, too many or larger than numbers', async () => {
    await ask('PUT', `${CONTENT}ranged`, { body: '0123456789' });
    const get = async (range: string): Promise<[number, string, number]> => {
      const by = { bearer: token };
      const { status, headers, body } = await server.ask('GET', `${CONTENT}ranged`, { by, headers: { range } });
      return [status, String(headers['content-range']), body.length];
    };
    const whole = [200, 'undefined', 10];
    for (const range of [
      'bytes=',
      'bytes=-',
      'bytes=a-b',
      'bytes=5-1',
      'lines=0-1',
      'bytes 0-1',
      'bytes=0-1;',
      `bytes=0-${'9'.repeat(17)}`,
    ])
      assert.deepEqual(await get(range), whole, range);
    for (const range of ['bytes=10-', 'bytes=-0', 'bytes=9007199254740991-', 'bytes=0-5,3-8'])
      assert.deepEqual((await get(range)).slice(0, 2), [416, 'bytes */10'], range);
    const many = Array.from({ length: 17 }, () => '0-0').join(',');
    assert.equal((await get(`bytes=${many}`))[0], 416);
    assert.deepEqual(await get('bytes=0-9007199254740991'), [206, 'bytes 0-9/10', 10]);
    assert.deepEqual(await get('bytes=-9007199254740991'), [206, 'bytes 0-9/10', 10]);
  });

  test('nothing of a request decides where a browser is sent, or which method it was', async () => {
    const evil = 'evil.example';
    for (const target of [
      '/',
      '//evil.example/',
      '/\\evil.example',
      '/%2f%2fevil.example',
      '/sign-in/../..//evil.example',
    ]) {
      const text = await server.raw(
        `GET ${target} HTTP/1.1\r\nHost: ${evil}\r\nX-Forwarded-Host: ${evil}\r\nConnection: close\r\n\r\n`,
      );
      const [headers = ''] = text.split('\r\n\r\n');
      const location = /^location: (.*)$/im.exec(headers)?.[1];
      assert.ok(location === undefined || /^\/[a-z]/.test(location), `${target}: ${String(location)}`);
      assert.doesNotMatch(headers, /evil/);
    }
    await ask('PUT', `${CONTENT}kept`, { body: 'kept' });
    for (const name of ['x-http-method-override', 'x-method-override', 'x-http-method'])
      await server.ask('POST', '/api/v1/files/exchange/kept', { by: { bearer: token }, headers: { [name]: 'DELETE' } });
    await server.ask('GET', '/api/v1/files/exchange/kept?_method=DELETE', { by: { bearer: token } });
    assert.equal((await ask('GET', `${CONTENT}kept`)).text, 'kept');
  });

  test('conditions: what a client thinks is there is compared as RFC 9110 says', async () => {
    const target = `${CONTENT}conditions`;
    const put = (headers: Record<string, string>, body: string): Promise<Answer> =>
      server.ask('PUT', target, { by: { bearer: token }, headers, body });
    const get = (headers: Record<string, string>): Promise<Answer> =>
      server.ask('GET', target, { by: { bearer: token }, headers });
    assert.equal((await put({ 'if-match': '*' }, 'x')).status, 412);
    assert.equal((await ask('GET', target)).status, 404);
    const { headers, status } = await put({ 'if-none-match': '*' }, 'one');
    const tag = String(headers.etag);
    assert.equal(status, 201);
    assert.match(tag, /^"[0-9a-f]{32}"$/);
    assert.equal((await put({ 'if-match': `W/${tag}` }, 'weak')).status, 412);
    assert.equal((await put({ 'if-match': tag.replaceAll('"', '') }, 'bare')).status, 412);
    assert.equal((await put({ 'if-match': `"a", ${tag}` }, 'two')).status, 200);
    assert.equal((await put({ 'if-match': tag }, 'late')).status, 412);
    const now = String((await get({})).headers.etag);
    assert.notEqual(now, tag);
    for (const known of [now, `W/${now}`, `"a", W/${now}`, '*']) {
      const answer = await get({ 'if-none-match': known });
      assert.deepEqual([answer.status, answer.body.length, answer.headers.etag], [304, 0, now], known);
    }
    assert.equal((await get({ 'if-none-match': tag })).status, 200);
    assert.equal((await get({ range: 'bytes=0-0', 'if-range': `W/${now}` })).status, 200);
    assert.equal((await get({ range: 'bytes=0-0', 'if-range': now })).status, 206);
    assert.equal((await get({ range: 'bytes=0-0', 'if-range': new Date().toUTCString() })).status, 200);
  });

  test('the log has no error of it', () => {
    assert.doesNotMatch(server.server.log(), /"level":"(error|fatal)"/);
  });
});
