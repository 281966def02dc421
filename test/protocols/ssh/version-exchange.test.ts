import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseClientVersion, serverVersion } from '../../../src/protocols/ssh/version-exchange.ts';

const parse = (text: string): ReturnType<typeof parseClientVersion> => parseClientVersion(Buffer.from(text, 'latin1'));

describe("the client's version line", () => {
  it('ends at CR LF or at LF alone; what follows is not its own', () => {
    assert.deepEqual(parse('SSH-2.0-a b\r\nrest'), { line: 'SSH-2.0-a b', taken: 13 });
    assert.deepEqual(parse('SSH-2.0-a\nrest'), { line: 'SSH-2.0-a', taken: 10 });
  });

  it('is awaited while it can still become one', () => {
    for (const start of ['', 'S', 'SSH-2.0-', 'SSH-2.0-x', 'SSH-2.0-x\r']) assert.equal(parse(start), null);
  });

  it('has at most 255 bytes with its end', () => {
    assert.equal(parse(`SSH-2.0-${'x'.repeat(245)}\r\n`)?.taken, 255);
    assert.throws(() => parse(`SSH-2.0-${'x'.repeat(246)}\r\n`), /too long/);
    assert.throws(() => parse(`SSH-2.0-${'x'.repeat(247)}`), /too long/);
  });

  for (const bad of ['GET', '\n', '\r\n', 'SSH-1.99-x\r\n', 'SSH-2.0-\r\n', 'SSH-2.0-\0\r\n', 'SSH-2.0-a\rb\n']) {
    it(`is refused as ${JSON.stringify(bad)}`, () => {
      assert.throws(() => parse(bad), { name: 'ProtocolViolation' });
    });
  }

  it('gives the same answer however the bytes are cut', () => {
    const text = fc.string({ unit: fc.constantFrom('a', ' ', '-', '\0', '\r', '~', '\u0080'), maxLength: 300 });
    fc.assert(
      fc.property(text, (tail) => {
        const bytes = Buffer.from(`SSH-2.0-${tail}\r\n`, 'latin1');
        const whole = outcome(bytes);
        let cut: unknown = null;
        for (let end = 0; end <= bytes.length && cut === null; end++) cut = outcome(bytes.subarray(0, end));
        assert.equal(cut === 'refused', whole === 'refused');
        if (whole !== 'refused') assert.deepEqual(cut, whole);
      }),
    );
  });
});

function outcome(bytes: Buffer): unknown {
  try {
    return parseClientVersion(bytes);
  } catch {
    return 'refused';
  }
}

describe('our version line', () => {
  it('keeps to the grammar whatever the version is', () => {
    assert.equal(serverVersion('0.1.0'), 'SSH-2.0-Waybill_0.1.0');
    assert.equal(serverVersion('0.1.0-rc 1\r\n'), 'SSH-2.0-Waybill_0.1.0_rc_1__');
    assert.ok(serverVersion('x'.repeat(400)).length <= 253);
  });
});
