import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, isIP } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import fc from 'fast-check';
import { bytesWanted, parseProxyHeader, ProxyHeaderRefused } from '../../src/broker/proxy-header.ts';
import type { ProxyHeader } from '../../src/broker/proxy-header.ts';
import { readProxyHeader } from '../../src/broker/proxy-reader.ts';

const SIGNATURE = Buffer.from('0d0a0d0a000d0a515549540a', 'hex');

function v2(family: number, content: Buffer, command = 0x21): Buffer {
  const head = Buffer.concat([SIGNATURE, Buffer.from([command, family, 0, 0])]);
  head.writeUInt16BE(content.length, 14);
  return Buffer.concat([head, content]);
}
const FOUR = Buffer.from([203, 0, 113, 9, 192, 0, 2, 1, 0x30, 0x39, 0, 22]);
const SIX = Buffer.concat([
  ...[Buffer.from('20010db8000000000000000000000007', 'hex'), Buffer.alloc(16, 1), Buffer.from([0x30, 0x39, 0, 22])],
]);
const CLIENT = { client: { address: '203.0.113.9', port: 12_345 } };

/** As the reader does: exactly what is wanted, until nothing is. */
function readFrom(input: Buffer): { header: ProxyHeader; used: number } | 'more' {
  let have: Buffer = Buffer.alloc(0);
  for (let wanted = bytesWanted(have); wanted > 0; wanted = bytesWanted(have)) {
    if (have.length + wanted > input.length) return 'more';
    have = input.subarray(0, have.length + wanted);
  }
  return { header: parseProxyHeader(have), used: have.length };
}

describe('a PROXY header', () => {
  it('of either version is read to its last byte and not further', () => {
    const after = Buffer.from('SSH-2.0-client\r\n');
    for (const [bytes, expected] of [
      [v2(0x11, FOUR), CLIENT],
      [v2(0x11, Buffer.concat([FOUR, Buffer.alloc(300, 5)])), CLIENT],
      [v2(0x21, SIX), { client: { address: '2001:db8::7', port: 12_345 } }],
      [v2(0x00, Buffer.alloc(0), 0x20), { client: null }],
      [v2(0x11, FOUR, 0x20), { client: null }],
      [v2(0x00, Buffer.alloc(0)), { client: null }],
      [Buffer.from('PROXY TCP4 203.0.113.9 192.0.2.1 12345 22\r\n'), CLIENT],
      [Buffer.from('PROXY TCP6 ::ffff:203.0.113.9 ::1 12345 22\r\n'), CLIENT],
      [Buffer.from('PROXY TCP6 2001:DB8:0::7 ::1 1 22\r\n'), { client: { address: '2001:db8::7', port: 1 } }],
      [Buffer.from('PROXY UNKNOWN\r\n'), { client: null }],
      [Buffer.from('PROXY UNKNOWN whatever it says\r\n'), { client: null }],
    ] as const)
      assert.deepEqual(readFrom(Buffer.concat([bytes, after])), { header: expected, used: bytes.length });
  });

  it('that is none, or says what cannot be, is refused', () => {
    for (const bytes of [
      ...[Buffer.from('SSH-2.0-OpenSSH_9\r\n'), Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(200)],
      ...[v2(0x11, FOUR.subarray(0, 11)), v2(0x21, FOUR), v2(0x12, FOUR), v2(0x31, Buffer.alloc(216))],
      ...[v2(0x11, FOUR, 0x11), v2(0x11, FOUR, 0x22), v2(0x11, Buffer.alloc(5000))],
      ...[
        'PROXY TCP4 203.0.113.9 192.0.2.1 99999 22\r\n',
        'PROXY TCP4 203.0.113.999 192.0.2.1 1 22\r\n',
        'PROXY TCP4 2001:db8::1 192.0.2.1 1 22\r\n',
        'PROXY TCP6 fe80::1%eth0 ::1 1 22\r\n',
        'PROXY TCP4 203.0.113.9 192.0.2.1 1\r\n',
        'PROXY  TCP4 203.0.113.9 192.0.2.1 1 22\r\n',
        `PROXY UNKNOWN ${'x'.repeat(200)}\r\n`,
      ].map((text) => Buffer.from(text)),
    ])
      assert.throws(() => readFrom(bytes), ProxyHeaderRefused, bytes.toString('latin1').slice(0, 60));
  });

  it('is bounded, never throws anything else, and gives only addresses, whatever comes', () => {
    const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
    const two = fc.tuple(fc.nat(255), fc.nat(255), bytes).map(([command, family, rest]) => v2(family, rest, command));
    const near = fc
      .tuple(fc.constantFrom(v2(0x11, FOUR), v2(0x21, SIX)), fc.nat(51), fc.nat(255))
      .map(([good, at, value]) => {
        const copy = Buffer.from(good);
        copy[at % copy.length] = value;
        return copy;
      });
    const one = fc.string({ maxLength: 120 }).map((text) => Buffer.from(`PROXY ${text}\r\n`, 'latin1'));
    fc.assert(
      fc.property(fc.oneof(bytes, two, near, one), (input) => {
        try {
          const found = readFrom(input);
          if (found === 'more') return;
          assert.ok(found.used <= 16 + 4096);
          const { client } = found.header;
          if (client !== null) assert.ok(isIP(client.address) !== 0 && client.port >= 0 && client.port <= 65_535);
        } catch (error) {
          if (!(error instanceof ProxyHeaderRefused)) throw error;
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe('reading it from a connection', { timeout: 20_000 }, () => {
  async function pair(): Promise<{ near: Socket; far: Socket; close: () => void }> {
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const far = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
    const [near] = (await once(server, 'connection')) as [Socket];
    near.on('error', () => undefined);
    const close = (): void => {
      near.destroy();
      far.destroy();
      server.close();
    };
    return { near, far, close };
  }

  it('leaves what the client sent for who reads next, though it came in the same packet', async () => {
    const { near, far, close } = await pair();
    far.write(Buffer.concat([v2(0x11, FOUR), Buffer.from('SSH-2.0-client\r\n')]));
    assert.deepEqual(await readProxyHeader(near), CLIENT);
    near.resume();
    const [rest] = (await once(near, 'data')) as [Buffer];
    assert.equal(rest.toString(), 'SSH-2.0-client\r\n');
    close();
  });

  it('waits for a header that comes byte by byte, and not for ever', async () => {
    const { near, far, close } = await pair();
    far.setNoDelay(true);
    const found = readProxyHeader(near);
    for (const byte of Buffer.from('PROXY TCP4 203.0.113.9 192.0.2.1 12345 22\r\n')) {
      far.write(Buffer.from([byte]));
      await wait(1);
    }
    assert.deepEqual(await found, CLIENT);
    close();
    for (const bytes of ['', 'PROXY TCP4 203.0.113.9', '\r\n\r\n']) {
      const slow = await pair();
      slow.far.write(bytes);
      const began = performance.now();
      assert.equal(await readProxyHeader(slow.near, 200), null);
      assert.ok(performance.now() - began < 2000);
      slow.close();
    }
  });

  it('is none from who says something else, or leaves', async () => {
    const other = await pair();
    other.far.write('SSH-2.0-OpenSSH_9.0\r\n');
    assert.equal(await readProxyHeader(other.near), null);
    other.close();
    const leaving = await pair();
    const found = readProxyHeader(leaving.near);
    leaving.far.end('PROXY TC');
    assert.equal(await found, null);
    leaving.close();
  });
});
