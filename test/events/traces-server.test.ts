/** A real server and a collector: what somebody does over SFTP, over HTTPS and by the command arrives as traces, without a name. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { request } from 'node:https';
import { portOf, run, startServer, waybill } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';
import { sshOptions } from '../interop/ssh-options.ts';
import { skipWithout } from '../interop/suite.ts';
import { attributesOf, collector } from './collector.ts';
import type { Collector, SpanJson } from './collector.ts';

const CALLER = { trace: '4bf92f3577b34da6a3ce929d0e0e4736', span: '00f067aa0ba902b7' };

describe('traces of a real server', { skip: skipWithout('sftp'), timeout: 60_000 }, () => {
  let server: TestServer;
  let receiver: Collector;
  before(async () => {
    receiver = await collector();
    const temporary = mkdtempSync(path.join(tmpdir(), 'waybill-test-'));
    writeFileSync(path.join(temporary, 'headers'), '# for the collector\nx-waybill-test: yes\n');
    server = await startServer({
      temporary,
      args: ['--https', '127.0.0.1:0', '--otlp', receiver.url, '--otlp-headers-file', path.join(temporary, 'headers')],
    });
  });
  after(async () => {
    await server.remove();
    await receiver.stop();
  });

  async function span(of: (one: SpanJson) => boolean, what: string): Promise<SpanJson> {
    const end = performance.now() + 20_000;
    while (performance.now() < end) {
      const found = receiver.spans.find(of);
      if (found !== undefined) return found;
      await wait(50);
    }
    throw new Error(`no ${what} among ${receiver.spans.map(({ name }) => name).join(', ')}`);
  }

  it('tell of a session over SFTP and of its transfers', async () => {
    const { key, port, folder, login, host, temporary } = server;
    const local = path.join(temporary, 'hush');
    writeFileSync(local, Buffer.alloc(200_000));
    const input = `put ${local} ${folder}/hush\nget ${folder}/hush ${local}.back\n`;
    await run('sftp', ['-b', '-', ...sshOptions({ key, port }), `${login}@${host}`], { input });
    const root = await span(({ name }) => name === 'session', 'session');
    const of = (wanted: string): Promise<SpanJson> =>
      span(({ name, traceId }) => name === wanted && traceId === root.traceId, wanted);
    for (const name of ['sign-in', 'write', 'read']) {
      const child = await of(name);
      assert.equal(child.parentSpanId, root.spanId);
      assert.equal(child.status, undefined);
      assert.ok(BigInt(child.startTimeUnixNano) <= BigInt(child.endTimeUnixNano));
    }
    assert.equal(attributesOf(await of('read'))['waybill.bytes'], 200_000);
    assert.equal(attributesOf(await of('write'))['waybill.bytes'], 200_000);
    assert.deepEqual(attributesOf(root)['waybill.factors'], ['publickey']);
    assert.equal(receiver.headers[0]?.['x-waybill-test'], 'yes');
  });

  it('tell of acts of administration, and of those that fail', async () => {
    await waybill(server, ['folder', 'add', `${server.tenant}/inbox`]);
    await assert.rejects(waybill(server, ['folder', 'add', `${server.tenant}/inbox`]));
    const act = (fails: boolean) => (one: SpanJson) =>
      one.name === 'administer folder.add' && (one.status !== undefined) === fails;
    await span(act(false), 'act');
    assert.equal((await span(act(true), 'refused act')).status?.message, 'already-exists');
  });

  it('link to the trace that a request over HTTPS names', async () => {
    const token = (await waybill(server, ['token', 'add', server.login, '--json'])).trim();
    const { token: bearer } = JSON.parse(token) as { token: string };
    const ca = readFileSync(path.join(server.data, 'keys', 'tls.crt'));
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = {
        authorization: `Bearer ${bearer}`,
        traceparent: `00-${CALLER.trace}-${CALLER.span}-01`,
        connection: 'close',
      };
      const options = {
        host: 'localhost',
        port: portOf(server, 'https'),
        path: `/api/v1/files${server.folder}`,
        headers,
        ca,
      };
      request(options, (response) => {
        response.resume().on('end', () => {
          resolve(response.statusCode);
        });
      })
        .on('error', reject)
        .end();
    });
    assert.equal(status, 200);
    const root = await span((one) => one.name === 'session' && one.links !== undefined, 'session with a link');
    assert.deepEqual(root.links, [{ traceId: CALLER.trace, spanId: CALLER.span, flags: 1 }]);
    // The trace itself is ours: nobody else's name for it is taken over.
    assert.notEqual(root.traceId, CALLER.trace);
    await span(({ name, traceId }) => name === 'list' && traceId === root.traceId, 'list');
    assert.equal(attributesOf(root)['waybill.protocol'], 'https');
  });

  it('hold no names of anybody, no address and no key', () => {
    const all = receiver.bodies.join('\n');
    for (const hidden of ['hush', 'inbox', server.folder.slice(1), '"first"', '127.0.0.1', 'SHA256:'])
      assert.ok(!all.includes(hidden), hidden);
  });
});
