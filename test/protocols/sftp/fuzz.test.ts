/** The parser and the whole server against bytes of no sense and of nearly good sense. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ByteWriter } from '../../../src/base/bytes.ts';
import { FXF, FXP, PACKET_BYTES_MAX } from '../../../src/protocols/sftp/wire.ts';
import { nextPacket } from '../../../src/protocols/sftp/packet.ts';
import { PacketQueue } from '../../../src/protocols/sftp/packet-queue.ts';
import { Client, requestPacket, settle } from './client.ts';

/** Takes packets as long as there are any: never throws, never loses or invents a byte. */
function parsePackets(bytes: Uint8Array, cuts: readonly number[]): void {
  const queue = new PacketQueue();
  let at = 0;
  let taken = 0;
  for (const cut of [...cuts, bytes.length]) {
    const end = Math.min(bytes.length, at + cut);
    queue.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
    for (;;) {
      const packet = nextPacket(queue);
      if (packet === null) break;
      if (typeof packet === 'string') return;
      const length = packet.reader.end + packet.body.reduce((sum, part) => sum + part.length, 0);
      assert.equal(length, packet.bytes);
      assert.ok(packet.bytes <= PACKET_BYTES_MAX + 4);
      taken += packet.bytes;
      assert.equal(queue.length, at - taken);
    }
  }
}

const handle = fc.oneof(
  fc.constant(Buffer.alloc(8)),
  fc.uint8Array({ maxLength: 12 }).map((b) => Buffer.from(b)),
);
const field = fc.oneof(
  handle.map((bytes) => new ByteWriter().string(bytes).finish()),
  fc.constantFrom('.', '/', '..', 'hello.txt', 'new', 'a/b').map((path) => new ByteWriter().string(path).finish()),
  fc.nat().map((value) => new ByteWriter().u32(value).finish()),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }).map((value) => new ByteWriter().u64(value).finish()),
  fc.constant(
    new ByteWriter()
      .u32(FXF.READ | FXF.WRITE | FXF.CREAT)
      .u32(0)
      .finish(),
  ),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)),
);
const extensionName = fc.constantFrom(
  'check-file',
  'check-file-name',
  'copy-data',
  'statvfs@openssh.com',
  'limits@openssh.com',
);
const request = fc
  .tuple(
    fc.oneof(fc.integer({ min: 3, max: 21 }), fc.constant(FXP.EXTENDED), fc.nat(255)),
    extensionName,
    fc.array(field, { maxLength: 5 }),
  )
  .filter(([type]) => type !== FXP.INIT)
  .map(([type, name, fields]) => {
    const body = new ByteWriter();
    if (type === FXP.EXTENDED) body.string(name);
    for (const part of fields) body.raw(part);
    return { type, body };
  });

void describe('fuzz', () => {
  it('packets from any bytes in any pieces', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.array(fc.nat(200)), (bytes, cuts) => {
        parsePackets(bytes, cuts);
      }),
      { numRuns: 1000 },
    );
  });

  it('packets of plausible lengths in any pieces', () => {
    const plausible = fc
      .array(fc.tuple(fc.constantFrom(4, 5, 6, 200), fc.uint8Array({ maxLength: 9000 })), { maxLength: 8 })
      .map((rows) =>
        Buffer.concat(rows.map(([type, rest]) => requestPacket(type, 1, new ByteWriter().raw(Buffer.from(rest))))),
      );
    fc.assert(
      fc.property(plausible, fc.array(fc.nat(6000)), (bytes, cuts) => {
        parsePackets(bytes, cuts);
      }),
      { numRuns: 500 },
    );
  });

  it('every request is answered exactly once, and every byte given back', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { maxLength: 30 }), async (requests) => {
        const client = Client.ready();
        await client.open('hello.txt', FXF.READ | FXF.WRITE);
        const before = client.replies.length;
        requests.forEach(({ type, body }, i) => {
          client.feed(requestPacket(type, 1000 + i, body));
        });
        for (let i = 0; i < 100 && client.replies.length < before + requests.length; i++) await settle();
        const ids = client.replies.slice(before).map((reply) => reply.id);
        assert.deepEqual(ids.toSorted(), requests.map((_, i) => 1000 + i).toSorted());
        assert.equal(client.channel.consumedBytes, client.sentBytes);
      }),
      { numRuns: 300 },
    );
  });

  it('any bytes at all never throw into the channel', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 400 }), { maxLength: 10 }), fc.boolean(), (chunks, ready) => {
        const client = ready ? Client.ready({ keepReplies: false }) : new Client({ keepReplies: false });
        for (const chunk of chunks) client.feed(Buffer.from(chunk));
        client.listener.end();
        client.listener.close();
      }),
      { numRuns: 1000 },
    );
  });
});
