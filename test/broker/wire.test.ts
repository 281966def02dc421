import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { MalformedBytes } from '../../src/base/bytes.ts';
import { decodeMessage, encodeMessage, KIND, MESSAGE_MAX, MessageReader } from '../../src/broker/wire.ts';
import type { Message } from '../../src/broker/wire.ts';

const buffers = fc.uint8Array({ maxLength: 40_000 }).map((bytes) => Buffer.from(bytes));
const names = fc.string({ maxLength: 8 }).filter((name) => name !== '$' && name !== '__proto__');
const { tree } = fc.letrec((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    buffers,
    fc.string(),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('tree'), { maxLength: 4 }),
    fc.dictionary(names, tie('tree'), { maxKeys: 4, noNullPrototype: true }),
  ),
}));

/** Cuts the bytes anywhere, as a stream may. */
function feed(reader: MessageReader, bytes: Buffer, cuts: readonly number[]): Message[] {
  const messages: Message[] = [];
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    const end = Math.min(bytes.length, at + cut);
    messages.push(...reader.push(bytes.subarray(at, end)));
    at = end;
  }
  return messages;
}

suite('messages of a link', () => {
  test('arrive as they were sent, whatever the cuts of the stream', () => {
    const sizes = fc.array(fc.nat(3000), { maxLength: 30 });
    fc.assert(
      fc.property(fc.array(tree, { maxLength: 4 }), fc.nat(0xffffffff), sizes, (bodies, id, cuts) => {
        const sent = Buffer.concat(bodies.map((body) => encodeMessage(KIND.request, id, { body })));
        const got = feed(new MessageReader(), sent, cuts);
        assert.deepEqual(
          got,
          bodies.map((body) => ({ kind: KIND.request, id, body: { body } })),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('arrive when they come byte by byte', () => {
    const sent = encodeMessage(KIND.response, 7, { key: Buffer.from('abc') });
    const got = feed(
      new MessageReader(),
      sent,
      sent.toJSON().data.map(() => 1),
    );
    assert.deepEqual(got, [{ kind: KIND.response, id: 7, body: { key: Buffer.from('abc') } }]);
  });

  test('of arbitrary bytes are read or refused as malformed, nothing else', () => {
    const bytes = fc.uint8Array({ maxLength: 200 }).map((raw) => Buffer.from(raw));
    fc.assert(
      fc.property(bytes, (raw) => {
        refusedAtMost(() => decodeMessage(raw));
        refusedAtMost(() => new MessageReader().push(raw));
      }),
      { numRuns: 2000 },
    );
  });

  test('with one byte changed are read or refused as malformed, nothing else', () => {
    const good = encodeMessage(KIND.request, 1, { call: 'x', body: { a: Buffer.from('bytes'), b: [1, 'two'] } });
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const bad = Buffer.from(good);
        bad[at] = value;
        refusedAtMost(() => new MessageReader().push(bad));
      }),
      { numRuns: 3000 },
    );
  });

  test('longer than the bound are refused before they are there', () => {
    const head = Buffer.alloc(4);
    head.writeUInt32BE(MESSAGE_MAX + 1);
    assert.throws(() => new MessageReader().push(head), MalformedBytes);
    assert.throws(() => encodeMessage(KIND.request, 1, { body: Buffer.alloc(MESSAGE_MAX) }), MalformedBytes);
  });

  for (const [what, json] of [
    ['a reference to no attachment', '{"$":0}'],
    ['a negative reference', '{"$":-1}'],
    ['a reference by name', '{"$":"length"}'],
    ['a reference with more in it', '{"$":0,"b":1}'],
    ['a prototype', '{"__proto__":{"a":1}}'],
    ['deep nesting', '['.repeat(100) + ']'.repeat(100)],
    ['very deep nesting', '['.repeat(200_000) + ']'.repeat(200_000)],
    ['no JSON', '{'],
  ] as const) {
    test(`with ${what} are refused`, () => {
      const text = Buffer.from(json);
      const head = Buffer.alloc(9);
      head[0] = KIND.request;
      head.writeUInt32BE(text.length, 5);
      assert.throws(() => decodeMessage(Buffer.concat([head, text])), MalformedBytes);
    });
  }
});

function refusedAtMost(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    assert.ok(error instanceof MalformedBytes, String(error));
  }
}
