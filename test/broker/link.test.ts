import assert from 'node:assert/strict';
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import { suite, test } from 'node:test';
import { WaybillError } from '../../src/base/errors.ts';
import { Link } from '../../src/broker/link.ts';
import type { LinkEvents } from '../../src/broker/link.ts';
import { encodeMessage, KIND, MessageReader } from '../../src/broker/wire.ts';

interface Pair {
  readonly near: Link;
  readonly far: Link;
  readonly faults: (Error | null)[];
}

function pair(request: NonNullable<LinkEvents['request']>, event?: LinkEvents['event']): Pair {
  const [a, b] = duplexPair();
  const faults: (Error | null)[] = [];
  const closed = (fault: Error | null): void => {
    faults.push(fault);
  };
  const near = new Link(a, { closed: () => undefined, ...(event === undefined ? {} : { event }) });
  return { near, far: new Link(b, { request, closed }), faults };
}

/** One end as a link, the other as bytes. */
function raw(events: Partial<LinkEvents> = {}): { wire: Duplex; closed: Promise<Error | null> } {
  const [a, wire] = duplexPair();
  const over = Promise.withResolvers<Error | null>();
  new Link(a, { ...events, closed: over.resolve });
  wire.on('error', () => undefined);
  return { wire, closed: over.promise };
}

suite('a link', () => {
  test('matches answers to requests in any order', async () => {
    const gates = new Map<number, () => void>();
    const { near } = pair(async (_call, body) => {
      const { n } = body as { n: number };
      await new Promise<void>((resolve) => gates.set(n, resolve));
      return { n };
    });
    const answers = [1, 2, 3].map((n) => near.call('x', { n }));
    while (gates.size < 3) await new Promise(setImmediate);
    for (const n of [3, 1, 2]) gates.get(n)?.();
    assert.deepEqual(await Promise.all(answers), [{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  test('rebuilds failures by their code, and tells nothing of causes', async () => {
    const { near } = pair((call) => {
      if (call === 'ours') return Promise.reject(new WaybillError('quota-exceeded', 'used up'));
      return Promise.reject(new Error('the password is secret'));
    });
    await assert.rejects(near.call('ours', {}), (error) => {
      assert.ok(error instanceof WaybillError);
      return error.code === 'quota-exceeded' && error.message === 'used up';
    });
    await assert.rejects(near.call('other', {}), (error) => {
      assert.ok(error instanceof WaybillError);
      return error.code === 'internal' && !error.message.includes('secret');
    });
  });

  test('carries bytes beside the JSON', async () => {
    const { near } = pair((_call, body) => Promise.resolve(body));
    const body = { keys: [{ key: Buffer.alloc(32, 1) }, { key: Buffer.alloc(100_000, 2) }], empty: Buffer.alloc(0) };
    assert.deepEqual(await near.call('echo', body), body);
  });

  test('calls of one turn leave together', async () => {
    let writes = 0;
    const [a, b] = duplexPair();
    const write = a._write.bind(a);
    a._write = (...given): void => {
      writes++;
      write(...given);
    };
    a._writev = (chunks, done): void => {
      writes++;
      write(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), 'utf8', done);
    };
    const near = new Link(a, { closed: () => undefined });
    new Link(b, { request: (_call, body) => Promise.resolve(body), closed: () => undefined });
    assert.deepEqual(await Promise.all([near.call('x', { n: 1 }), near.call('x', { n: 2 })]), [{ n: 1 }, { n: 2 }]);
    assert.equal(writes, 1);
    await near.call('x', {});
    assert.equal(writes, 2);
  });

  test('refuses what is outstanding when it closes, and everything after', async () => {
    const { near, far } = pair(() => new Promise(() => undefined));
    const waiting = near.call('x', {});
    far.close();
    await assert.rejects(waiting, { code: 'broker-unavailable' });
    await assert.rejects(near.call('x', {}), { code: 'broker-unavailable' });
  });

  test('refuses a request that is too large without closing', async () => {
    const { near } = pair(() => Promise.resolve({}));
    await assert.rejects(near.call('x', { body: Buffer.alloc(2 ** 20) }), { code: 'request-invalid' });
    assert.deepEqual(await near.call('x', {}), {});
  });

  test('answers "internal" when the answer is too large', async () => {
    const { near } = pair(() => Promise.resolve({ body: Buffer.alloc(2 ** 20) }));
    await assert.rejects(near.call('x', {}), { code: 'internal' });
  });

  test('stops reading while too many answers are under way', async () => {
    let started = 0;
    const open = Promise.withResolvers<object>();
    const { near } = pair(() => {
      started++;
      return open.promise;
    });
    const all = Array.from({ length: 5000 }, () => near.call('x', {}));
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    assert.equal(started, 1024);
    open.resolve({});
    await Promise.all(all);
    assert.equal(started, 5000);
  });

  test('holds only so many answers for who does not read them, although their requests came in one chunk', async () => {
    const [a, wire] = duplexPair();
    const started: number[] = [];
    const answer = Buffer.alloc(70_000);
    new Link(a, {
      request: async (_call, body) => {
        const { n } = body as { n: number };
        started.push(n);
        await Promise.resolve();
        return { n, answer };
      },
      closed: () => undefined,
    });
    const asked = Array.from({ length: 400 }, (_, n) => encodeMessage(KIND.request, n, { call: 'x', body: { n } }));
    wire.write(Buffer.concat(asked));
    for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
    const held = started.length * answer.length;
    assert.ok(held > 4 * 2 ** 20 && held < 6 * 2 ** 20, `${held} bytes`);
    const reader = new MessageReader();
    const answered: number[] = [];
    const all = Promise.withResolvers<undefined>();
    wire.on('data', (chunk: Buffer) => {
      for (const { id } of reader.push(chunk)) answered.push(id);
      if (answered.length === 400) all.resolve(undefined);
    });
    await all.promise;
    assert.deepEqual(started, [...Array(400).keys()]);
    assert.deepEqual(answered, started);
  });

  for (const [what, bytes] of [
    ['a giant length', Buffer.from('ffffffff', 'hex')],
    ['an answer to no request', Buffer.from('0000000b02000000090000000 27b7d'.replaceAll(' ', ''), 'hex')],
    ['an event, where none is expected', Buffer.from('0000000b04000000000000000 27b7d'.replaceAll(' ', ''), 'hex')],
    ['an unknown kind', Buffer.from('0000000b09000000000000000 27b7d'.replaceAll(' ', ''), 'hex')],
    ['a request without a name', Buffer.from('0000000b01000000000000000 27b7d'.replaceAll(' ', ''), 'hex')],
    ['a body that is no object', Buffer.from('0000000a0100000000000000 0131'.replaceAll(' ', ''), 'hex')],
  ] as const) {
    test(`closes with a fault at ${what}`, async () => {
      const { wire, closed } = raw({ request: () => Promise.resolve({}) });
      wire.write(bytes);
      assert.ok((await closed) instanceof Error);
    });
  }

  test('closes without a fault when the other end goes', async () => {
    const { wire, closed } = raw();
    wire.end();
    assert.equal(await closed, null);
  });
});
