/** Budgets, flow policies, quotas and legal holds as clients of HTTPS meet them, on a real server. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { connect } from 'node:net';
import { after, before, suite, test } from 'node:test';
import type { PolicyRow, RightName } from '../../../src/broker/admin-calls.ts';
import { problem } from '../../../src/api/problem.ts';
import type { Problem } from '../../../src/api/problem.ts';
import { RealServer } from '../../api/real-server.ts';
import type { Answer, Credential } from '../../api/real-server.ts';
import { readLedger } from '../../ledger/reading.ts';

const MiB = 2 ** 20;
/** 16 MiB in ten minutes. */
const FIGURES = '64M,10000,1000';
const ALL: readonly RightName[] = ['list', 'read', 'write', 'delete', 'rename'];
const CONTENT = '/api/v1/content';
const NOTHING: PolicyRow = { readOnce: false, addresses: [], hours: [], expires: null, removeAfterDays: null };

function problemOf(answer: Answer): Problem {
  assert.equal(answer.headers['content-type'], 'application/problem+json', answer.text);
  return problem.parse(JSON.parse(answer.text));
}

suite('what policy says to clients of HTTPS', () => {
  let server: RealServer;
  let first: Credential;
  /** Of another tenant, whose budget nobody has used up. */
  let chief: Credential;

  before(async () => {
    server = await RealServer.open({ args: ['--budget-initial', FIGURES] });
    first = await server.token('first');
    await server.admin.call('tenant.add', { name: 'second', displayName: '' });
    await server.admin.call('folder.add', { tenant: 'second', name: 'box' });
    chief = await guest('chief', ALL, null);
  });
  after(() => server.close());

  const put = (file: string, body: Buffer | string, by = first): Promise<Answer> =>
    server.ask('PUT', `${CONTENT}${file}`, { by, body });
  /** A person with a grant on the folder of `first`. */
  const guest = async (login: string, rights: readonly RightName[], policy: Partial<PolicyRow> | null) => {
    await server.admin.call('account.add', { tenant: 'second', login, displayName: '', administrator: false });
    const whole = policy === null ? null : { ...NOTHING, ...policy };
    const grant = { login, tenant: 'second', folder: 'box', rights: [...rights], policy: whole };
    await server.admin.call('grant.add', grant);
    return server.token(login);
  };
  /** All that came before the connection broke, and whether it broke. */
  const take = async (file: string, from: number, tag: string, by: Credential): Promise<[Buffer, boolean, number]> => {
    const socket = await server.connect();
    const range = from > 0 ? `Range: bytes=${from}-\r\nIf-Range: ${tag}\r\n` : '';
    socket.write(
      `GET ${CONTENT}${file} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer ${by.bearer ?? ''}\r\n${range}\r\n`,
    );
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    await once(socket, 'close');
    const all = Buffer.concat(chunks);
    const end = all.indexOf('\r\n\r\n');
    const head = all.toString('latin1', 0, end);
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
    const body = all.subarray(end + 4);
    return [body, body.length < length, Number(head.slice(9, 12))];
  };

  test('a download that is held breaks, tells why, and goes on to the same bytes once it is approved', async () => {
    const content = randomBytes(40 * MiB);
    const { headers } = await put('/exchange/large', content);
    const tag = String(headers.etag);
    const parts: Buffer[] = [];
    let have = 0;
    const references = new Set<string>();
    for (let round = 0; have < content.length; round++) {
      assert.ok(round < 8, `${have} bytes after ${round} approvals`);
      const [body, broken, status] = await take('/exchange/large', have, tag, first);
      if (status !== 403) {
        assert.equal(status, have === 0 ? 200 : 206);
        parts.push(body);
        have += body.length;
        assert.equal(broken, have < content.length);
        if (round === 0) assert.ok(have > 0 && have <= 16 * MiB, `${have} bytes came`);
        if (!broken) break;
      }
      // Now nothing has come yet: the answer is the refusal itself.
      const refused = await server.ask('GET', `${CONTENT}/exchange/large`, {
        by: first,
        headers: { range: `bytes=${have}-` },
      });
      assert.equal(refused.status, 403, refused.text);
      const { code, reference, detail } = problemOf(refused);
      assert.equal(code, 'held');
      assert.match(reference ?? '', /^H-[0-9A-Z]{5}-[0-9A-Z]{5}$/);
      assert.ok(detail.includes(reference ?? '-'));
      assert.equal(refused.headers['content-disposition'], undefined);
      references.add(reference ?? '');
      await server.admin.call('hold.approve', { reference: reference ?? '', extra: 16 * MiB, seconds: null });
    }
    assert.ok(Buffer.concat(parts).equals(content));
    assert.ok(references.size >= 1);
  });

  test('checksums and archives count as reading, and are held as such', async () => {
    // More than is left after the download above.
    await put('/exchange/more', randomBytes(24 * MiB));
    await server.ask('POST', '/api/v1/mkdir', { by: first, json: { path: '/exchange/all' } });
    await put('/exchange/all/one', randomBytes(24 * MiB));
    const sum = await server.ask('GET', '/api/v1/checksum/exchange/more', { by: first });
    assert.equal(problemOf(sum).code, 'held');
    const zip = await server.ask('GET', '/api/v1/archive/exchange/all', { by: first });
    assert.equal(zip.status, 403);
    assert.equal(problemOf(zip).code, 'held');
    assert.equal(zip.headers['content-disposition'], undefined);
    // What releases nothing is not.
    assert.equal((await server.ask('HEAD', `${CONTENT}/exchange/more`, { by: first })).status, 200);
  });

  test('read once: the whole only once, a broken transfer goes on', async () => {
    const content = randomBytes(2 * MiB);
    await put('/box/once', content, chief);
    const by = await guest('once', ['list', 'read'], { readOnce: true });
    const get = (range?: string): Promise<Answer> =>
      server.ask('GET', `${CONTENT}/box/once`, { by, headers: range === undefined ? {} : { range } });
    const half = await get(`bytes=0-${MiB - 1}`);
    const rest = await get(`bytes=${MiB}-`);
    assert.deepEqual([half.status, rest.status], [206, 206]);
    assert.ok(Buffer.concat([half.body, rest.body]).equals(content));
    server.disconnect();
    const again = await get();
    assert.deepEqual([again.status, problemOf(again).code], [403, 'flow-refused']);
    const sum = await server.ask('GET', '/api/v1/checksum/box/once', { by });
    assert.equal(problemOf(sum).code, 'flow-refused');
  });

  test('a drop box takes files and shows none', async () => {
    const by = await guest('dropper', ['write'], null);
    await put('/box/present', 'first', chief);
    assert.equal((await put('/box/dropped', 'new', by)).status, 201);
    for (const name of ['dropped', 'present', 'absent']) {
      const { status, text } = await server.ask('GET', `${CONTENT}/box/${name}`, { by });
      assert.deepEqual([status, text.replace(name, 'X').includes('/box/X does not exist')], [404, true]);
      assert.equal((await server.ask('DELETE', `/api/v1/files/box/${name}`, { by })).status, 404);
    }
    for (const place of ['/api/v1/files/box', '/api/v1/archive/box'])
      assert.ok([403, 404].includes((await server.ask('GET', place, { by })).status), place);
    // A second one of the name: whatever is told, what was there stays.
    const second = await put('/box/present', 'second', by);
    assert.ok(second.status < 500, second.text);
    assert.equal((await server.ask('GET', `${CONTENT}/box/present`, { by: chief })).text, 'first');
  });

  test('hours: outside of them nothing, and the answer says which', async () => {
    const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
    const other = days[(new Date().getUTCDay() + 3) % 7] ?? '';
    const by = await guest('hourly', ALL, { hours: [`${other} 08:00-09:00 UTC`] });
    for (const [method, place] of [
      ['GET', `${CONTENT}/box/present`],
      ['PUT', `${CONTENT}/box/hourly`],
      ['GET', '/api/v1/files/box'],
    ] as const) {
      const answer = await server.ask(method, place, { by, ...(method === 'PUT' ? { body: 'x' } : {}) });
      assert.deepEqual([answer.status, problemOf(answer).code], [403, 'flow-refused'], place);
      assert.match(answer.text, new RegExp(`${other} 08:00-09:00`));
    }
    const top = await server.ask('GET', '/api/v1/files/', { by });
    assert.deepEqual((JSON.parse(top.text) as { entries: unknown[] }).entries, []);
  });

  test('addresses: the real one counts, whatever the request says about it', async () => {
    const by = await guest('placed', ['list', 'read'], { addresses: ['127.0.0.5/32'] });
    const place = `${CONTENT}/box/present`;
    assert.equal((await server.ask('GET', place, { by, from: '127.0.0.5' })).text, 'first');
    for (const headers of FORGED) {
      const refused = await server.ask('GET', place, { by, headers });
      assert.deepEqual([refused.status, problemOf(refused).code], [403, 'flow-refused']);
      assert.match(refused.text, /127\.0\.0\.1\b/);
    }
  });

  test('PROXY in front of TLS is no address either, and the ledger has the real ones', async () => {
    const proxied = connect(server.port, '127.0.0.1');
    proxied.on('error', () => undefined);
    proxied.write('PROXY TCP4 127.0.0.5 127.0.0.1 40000 443\r\n');
    proxied.resume();
    await once(proxied, 'close');
    while ((await server.admin.call('ledger.status', {})).waiting > 0)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const entries = [...readLedger(path.join(server.server.data, 'ledger')).values()].flat();
    const addresses = entries.map((entry) => ('address' in entry ? entry.address : null)).filter((one) => one !== null);
    assert.ok(addresses.length > 5);
    assert.deepEqual([...new Set(addresses)].sort(), ['127.0.0.1', '127.0.0.5']);
    assert.doesNotMatch(JSON.stringify(entries), /203\.0\.113|198\.51\.100/);
  });

  test('a quota is told before and while bytes come, and nothing of them stays', async () => {
    await server.admin.call('tenant.add', { name: 'small', displayName: '', quota: MiB });
    await server.admin.call('folder.add', { tenant: 'small', name: 'box' });
    await server.admin.call('account.add', { tenant: 'small', login: 'sam', displayName: '', administrator: false });
    const grant = { login: 'sam', tenant: 'small', folder: 'box', rights: [...ALL], policy: null };
    await server.admin.call('grant.add', grant);
    const by = await server.token('sam');
    const refused = await put('/box/large', randomBytes(2 * MiB), by);
    assert.deepEqual([refused.status, problemOf(refused).code], [413, 'quota-exceeded']);
    assert.equal((await server.ask('GET', '/api/v1/files/box/large', { by })).status, 404);
    assert.equal((await put('/box/fits', randomBytes(MiB / 2), by)).status, 201);
    const tus = await server.ask('POST', '/api/v1/tus', {
      by,
      headers: {
        'tus-resumable': '1.0.0',
        'upload-length': String(2 * MiB),
        'upload-metadata': `path ${Buffer.from('/box/tus').toString('base64')}`,
        'content-type': 'application/offset+octet-stream',
      },
      body: randomBytes(2 * MiB),
    });
    assert.deepEqual([tus.status, problemOf(tus).code], [413, 'quota-exceeded']);
    assert.equal((await put('/box/fits-too', randomBytes(1000), by)).status, 201);
  });

  test('a legal hold: nothing is removed, replaced or moved away; new files come', async () => {
    await put('/box/evidence', 'as it was', chief);
    await server.admin.call('folder.hold', { tenant: 'second', name: 'box', reason: 'case 7' });
    assert.equal((await put('/box/new-evidence', 'more', chief)).status, 201);
    const json = { from: '/box/new-evidence', to: '/box/evidence', replace: true };
    for (const answer of [
      await server.ask('DELETE', '/api/v1/files/box/evidence', { by: chief }),
      await put('/box/evidence', 'as it was not', chief),
      await server.ask('POST', '/api/v1/rename', { by: chief, json }),
    ])
      assert.deepEqual([answer.status, problemOf(answer).code], [403, 'legal-hold']);
    await server.admin.call('folder.unhold', { tenant: 'second', name: 'box', reason: 'closed' });
    assert.equal((await server.ask('GET', `${CONTENT}/box/evidence`, { by: chief })).text, 'as it was');
    assert.equal((await server.ask('DELETE', '/api/v1/files/box/evidence', { by: chief })).status, 204);
  });
});

const FORGED: readonly Readonly<Record<string, string>>[] = [
  {},
  { 'x-forwarded-for': '127.0.0.5' },
  { 'x-forwarded-for': '127.0.0.5, 203.0.113.9' },
  { 'x-real-ip': '127.0.0.5' },
  { forwarded: 'for=127.0.0.5;by=198.51.100.1;proto=https' },
  { 'true-client-ip': '127.0.0.5' },
  { 'cf-connecting-ip': '127.0.0.5', via: '1.1 203.0.113.9' },
];
