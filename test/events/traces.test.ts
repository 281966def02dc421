import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import fc from 'fast-check';
import { callsOf } from '../../src/broker/calls.ts';
import { parseTraceparent } from '../../src/base/trace-context.ts';
import type { TraceAnswer } from '../../src/events/calls.ts';
import { Traces } from '../../src/events/sender/traces.ts';
import { otlpTraces } from '../../src/events/traces/otlp.ts';
import type { Span } from '../../src/events/traces/span.ts';
import { Spool, SPANS_MAX } from '../../src/events/traces/spool.ts';
import { Tracer } from '../../src/events/traces/tracer.ts';
import type { Event } from '../../src/ledger/core/kinds.ts';
import { collector, exportRequest } from './collector.ts';

const SESSION = 'ab'.repeat(16);
const SIGN_IN: Event = {
  ...{ kind: 'sign-in', session: SESSION, account: 'cd'.repeat(16), login: 'anna', protocol: 'sftp' },
  ...{ address: '192.0.2.7', client: 'OpenSSH', run: null, node: 'n', software: 's', factors: ['publickey', 'totp'] },
  ...{ credentials: ['k', 't'], descriptions: ['publickey SHA256:x', 'totp'], firsts: [] },
};
const END: Event = { kind: 'session-end', session: SESSION, reason: 'the client left', gap: false };

function traced(share = 1) {
  const spans: Span[] = [];
  const state = { now: 1000 };
  const tracer = new Tracer({ share, emit: (span) => spans.push(span), now: () => state.now, random: () => 0.5 });
  const call = (name: string, request: object, answer: object | null = {}, error: string | null = null): void => {
    const begun = state.now;
    state.now += 10;
    tracer.called({
      ...{ call: name, request: { session: SESSION, ...request }, begun, ended: state.now },
      ...{ answer: answer as Record<string, unknown> | null, error },
    });
  };
  const named = (name: string): Span[] => spans.filter((span) => span.name === name);
  return { spans, tracer, call, named, state };
}

describe('traces of sessions', () => {
  it('a session is one trace: its sign-in from the first step on, its transfers from open to close', () => {
    const { tracer, call, named, spans, state } = traced();
    const connection = 'c'.repeat(32);
    tracer.called({ call: 'signin.none', request: { connection }, begun: 900, ended: 901, answer: {}, error: null });
    tracer.recorded(SIGN_IN);
    const answer = { result: 'success', session: { session: SESSION } };
    tracer.called({ call: 'signin.answers', request: { connection }, begun: 950, ended: 1000, answer, error: null });
    call('file.open-read', { reading: 'r1', path: '/secret/name' });
    call('release', { reading: 'r1', first: 0, count: 1 });
    call('release', { reading: 'r1', first: 1, count: 1 });
    call('file.close', {
      reading: 'r1',
      sent: [
        [0, 5],
        [9, 7],
      ],
    });
    call('upload.open', { path: '/other' }, { upload: 'u1' });
    call('upload.keys', { upload: 'u1' });
    call('upload.commit', { upload: 'u1', size: 77 });
    call('files.remove', { path: '/secret/name' }, null, 'permission-denied');
    tracer.recorded(END);
    const [root] = named('session');
    assert.ok(root !== undefined && root.parent === null);
    assert.ok(spans.every(({ trace }) => trace === root.trace));
    assert.ok(spans.every((span) => span === root || span.parent === root.id));
    assert.deepEqual([named('sign-in')[0]?.start, named('sign-in')[0]?.end], [900, 1000]);
    const [read] = named('read');
    assert.deepEqual([read?.start, read?.end, read?.attributes['waybill.bytes']], [1000, 1040, 12]);
    assert.deepEqual([read?.attributes['waybill.release.count'], read?.attributes['waybill.release.wait_ms']], [2, 20]);
    assert.equal(named('write')[0]?.attributes['waybill.bytes'], 77);
    assert.equal(named('remove')[0]?.error, 'permission-denied');
    assert.equal(root.end, state.now);
    const text = otlpTraces({ version: '1', host: 'h', instance: 'i' }, spans);
    exportRequest.parse(JSON.parse(text));
    for (const hidden of ['secret', 'anna', '192.0.2.7', 'SHA256', SESSION]) assert.ok(!text.includes(hidden), hidden);
  });

  it('what is open when the session ends is told as unfinished; what is held, with how it was decided', () => {
    const { tracer, call, named } = traced();
    tracer.recorded(SIGN_IN);
    call('file.open-read', { reading: 'r1' });
    call('release', { reading: 'r1' }, null, 'held');
    tracer.recorded({
      ...{ kind: 'hold', reference: 'H-1', session: SESSION, account: null, folder: null, version: null, scope: 's' },
      ...{ dimension: 'bytes', window: 600, used: 1, limit: 2, asked: 3, path: '/p' },
    });
    tracer.recorded(END);
    tracer.recorded({ kind: 'decision', reference: 'H-1', outcome: 'approved', actor: 'ben', detail: {} });
    assert.equal(named('read')[0]?.attributes['waybill.unfinished'], true);
    assert.equal(named('hold')[0]?.attributes['waybill.outcome'], 'approved');
    assert.equal(named('hold')[0]?.trace, named('session')[0]?.trace);
  });

  it('a share of sessions is traced, whole or not at all, whatever trace a request names', () => {
    const { tracer, call, spans } = traced(0.4);
    tracer.recorded(SIGN_IN);
    tracer.joined(SESSION, { trace: '1'.repeat(32), span: '2'.repeat(16), flags: 1 });
    call('files.list', {});
    tracer.recorded(END);
    assert.deepEqual(spans, []);
  });

  it('traces that requests name become links, a bounded number, once each', () => {
    const { tracer, named } = traced();
    tracer.recorded(SIGN_IN);
    for (let at = 1; at <= 100; at++)
      for (let twice = 0; twice < 2; twice++)
        tracer.joined(SESSION, { trace: '1'.repeat(32), span: at.toString(16).padStart(16, '0'), flags: 1 });
    tracer.recorded(END);
    const links = named('session')[0]?.links ?? [];
    assert.equal(links.length, 32);
    assert.equal(new Set(links.map(({ span }) => span)).size, 32);
    assert.notEqual(named('session')[0]?.trace, '1'.repeat(32));
  });

  it('only fronts of HTTPS may name traces, and only well-formed ones', () => {
    assert.ok(!('trace.join' in callsOf('ssh')));
    const { request } = callsOf('https')['trace.join'];
    const context = { trace: '1'.repeat(32), span: '2'.repeat(16), flags: 1 };
    assert.ok(request.safeParse({ session: SESSION, context }).success);
    for (const wrong of [{ trace: '0'.repeat(32) }, { span: 'x'.repeat(16) }, { flags: 2 }, { parent: 'p' }])
      assert.ok(!request.safeParse({ session: SESSION, context: { ...context, ...wrong } }).success);
  });

  it('a front that opens without end is remembered for so much and no more', () => {
    const { tracer, call, named } = traced();
    tracer.recorded(SIGN_IN);
    for (let at = 0; at < 10_000; at++) call('file.open-read', { reading: `r${at}` });
    tracer.recorded(END);
    assert.equal(named('read').length, 4096);
  });
});

describe('the header traceparent', () => {
  it('is taken as the specification has it', () => {
    const [trace, span] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
    assert.deepEqual(parseTraceparent(`00-${trace}-${span}-01`), { trace, span, flags: 1 });
    assert.deepEqual(parseTraceparent(`cc-${trace}-${span}-02-what.later.versions.say`), { trace, span, flags: 0 });
    for (const wrong of [
      ...['', `ff-${trace}-${span}-01`, `00-${trace}-${span}-01-more`, `00-${'0'.repeat(32)}-${span}-01`],
      ...[`00-${trace}-${'0'.repeat(16)}-01`, `00-${trace.toUpperCase()}-${span}-01`, `00-${trace}-${span}-1`],
      ...[`00-${trace}-${span}-01 `, `cc-${trace}-${span}-01-${'x'.repeat(300)}`],
    ])
      assert.equal(parseTraceparent(wrong), null, wrong);
  });

  it('takes nothing that is not hexadecimal ids, whatever comes', () => {
    const near = fc.stringMatching(/^[0-9a-f]{2}-[0-9a-f]{30,33}-[0-9a-f]{15,17}-[0-9a-f]{2}(-.{0,5})?$/);
    fc.assert(
      fc.property(fc.oneof(fc.string(), near), (text) => {
        const found = parseTraceparent(text);
        if (found === null) return;
        assert.match(found.trace, /^[0-9a-f]{32}$/);
        assert.match(found.span, /^[0-9a-f]{16}$/);
        assert.ok(found.flags === 0 || found.flags === 1);
      }),
    );
  });
});

describe('spans that wait', { timeout: 30_000 }, () => {
  const span = (name: string): Span => ({
    ...{ trace: '1'.repeat(32), id: '2'.repeat(16), parent: null, name, kind: 'internal', start: 1, end: 2 },
    attributes: {},
  });
  const answer = (outcome: TraceAnswer['outcome'], rejected = 0): TraceAnswer => ({
    outcome,
    rejected,
    retryAfter: null,
  });

  it('are sent again in order while the collector is away, and given up when there are too many or it refuses', async () => {
    const answers = [answer('later'), answer('taken', 1), answer('refused')];
    const sent: string[][] = [];
    const dropped: number[] = [];
    const spool = new Spool({
      send: (spans) => {
        sent.push(spans.map(({ name }) => name));
        return Promise.resolve(answers.shift() ?? answer('taken'));
      },
      report: (count) => dropped.push(count),
    });
    spool.add(span('a'));
    spool.add(span('b'));
    while (sent.length < 2) await wait(50);
    spool.add(span('c'));
    while (sent.length < 3) await wait(50);
    assert.deepEqual(sent, [['a', 'b'], ['a', 'b'], ['c']]);
    assert.deepEqual([dropped, spool.sent, spool.dropped], [[1, 1], 1, 2]);
    for (let at = 0; at <= SPANS_MAX; at++) spool.add(span('x'));
    assert.equal(dropped[2], 512);
    await spool.stop();
  });

  it('go to the collector with the headers of the operator; its words are judged', async () => {
    const statuses = [200, 200, 503, 400];
    const partial = JSON.stringify({ partialSuccess: { rejectedSpans: '2', errorMessage: 'x' } });
    const bodies = ['{}', partial];
    const receiver = await collector(() => ({ status: statuses.shift() ?? 500, body: bodies.shift() ?? 'not JSON' }));
    const traces = new Traces({ url: receiver.url, headers: [['authorization', 'Bearer x']], ca: null });
    const body = otlpTraces({ version: '1', host: 'h', instance: 'i' }, [span('a')]);
    assert.deepEqual(await traces.send(body), answer('taken'));
    assert.deepEqual(await traces.send(body), answer('taken', 2));
    assert.deepEqual(await traces.send(body), answer('later'));
    assert.deepEqual(await traces.send(body), answer('refused'));
    assert.equal(receiver.headers[0]?.authorization, 'Bearer x');
    await receiver.stop();
    assert.deepEqual(await traces.send(body), answer('later'));
  });
});
