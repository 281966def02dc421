/** Framing, order, back-pressure and the end of a session: what no single request shows. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SILENT } from '../../../src/base/log.ts';
import { PacketQueue } from '../../../src/protocols/sftp/packet-queue.ts';
import { FX, FXF, FXP } from '../../../src/protocols/sftp/wire.ts';
import { Client, dataOf, readBody, requestPacket, settle, statusOf, text, writeBody, type Reply } from './client.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const CREATE = FXF.WRITE | FXF.CREAT | FXF.TRUNC;

/** A gate that tests open call by call. */
function gated(client: Client) {
  const held = new Map<string, () => void>();
  client.files.gate = (what) => new Promise((resolve) => held.set(what, resolve));
  return {
    held,
    async let(what: string): Promise<void> {
      const resolve = held.get(what);
      assert.ok(resolve, `${what} is not under way; ${[...held.keys()].join(', ')} are`);
      held.delete(what);
      resolve();
      await settle();
    },
    async open(): Promise<void> {
      client.files.gate = null;
      for (const resolve of held.values()) resolve();
      held.clear();
      await settle();
    },
  };
}

void describe('framing', () => {
  it('byte by byte gives the same as in one go', async () => {
    const session = (handle: Buffer) => [
      requestPacket(FXP.WRITE, 101, writeBody(handle, 0, Buffer.alloc(70 * KIB, 'abc'))),
      requestPacket(FXP.WRITE, 102, writeBody(handle, 5, Buffer.from('xyz'))),
      requestPacket(FXP.STAT, 103, text('w')),
      requestPacket(FXP.READ, 104, readBody(handle, 0, 16)),
      requestPacket(FXP.CLOSE, 105, text(handle)),
    ];
    const outcome = async (cut: (bytes: Buffer) => Buffer[]) => {
      const client = Client.ready();
      const handle = await client.open('w', CREATE | FXF.READ);
      for (const chunk of cut(Buffer.concat(session(handle)))) client.feed(chunk);
      const replies = await Promise.all([101, 102, 103, 104, 105].map((id) => client.reply(id)));
      assert.equal(client.channel.consumedBytes, client.sentBytes);
      return [client.files.content('/inbox/w'), ...replies.map((reply) => reply.bytes)];
    };
    const whole = await outcome((bytes) => [bytes]);
    for (const step of [1, 2, 3, 7, 4095, 4096, 5000, 32768])
      assert.deepEqual(await outcome((bytes) => pieces(bytes, step)), whole, `in steps of ${step}`);
  });

  it('the data of a WRITE that lies in one chunk reaches the file without a copy', async () => {
    const client = Client.ready();
    const handle = await client.open('w', CREATE);
    const seen: Buffer[] = [];
    for (const file of client.files.open_)
      file.write = (_, data) => {
        seen.push(data);
        return Promise.resolve();
      };
    const chunk = requestPacket(FXP.WRITE, 77, writeBody(handle, 0, Buffer.alloc(32 * KIB)));
    client.feed(chunk);
    await client.reply(77);
    assert.equal(seen.length, 1);
    assert.equal(seen[0]?.buffer, chunk.buffer);
    assert.equal(seen[0].length, 32 * KIB);
  });

  it('parts of a READ answer are those of the file', async () => {
    const client = Client.ready();
    const content = Buffer.alloc(64 * KIB, 1);
    client.files.put('/inbox/big', content);
    const handle = await client.open('big', FXF.READ);
    const inner = client.files.content('/inbox/big');
    let parts: readonly Buffer[] = [];
    const reply = client.channel.onWrite;
    client.channel.onWrite = (written) => {
      parts = written;
      reply(written);
    };
    await client.read(handle, 0, 64 * KIB);
    assert.equal(parts.length, 3);
    assert.equal(parts[1]?.buffer, inner.buffer);
  });
});

void describe('order', () => {
  it('READs run at once and their answers leave in order', async () => {
    const client = Client.ready();
    client.files.put('/inbox/f', 'abcdef');
    const handle = await client.open('f', FXF.READ);
    const gate = gated(client);
    for (const [i, offset] of [0, 2, 4].entries())
      client.feed(requestPacket(FXP.READ, 50 + i, readBody(handle, offset, 2)));
    await settle();
    assert.deepEqual([...gate.held.keys()], ['read 0', 'read 2', 'read 4']);
    const before = client.replies.length;
    await gate.let('read 4');
    await gate.let('read 2');
    assert.equal(client.replies.length, before);
    await gate.let('read 0');
    const after = client.replies.slice(before);
    assert.deepEqual(
      after.map((reply) => [reply.id, dataOf(reply).toString()]),
      [
        [50, 'ab'],
        [51, 'cd'],
        [52, 'ef'],
      ],
    );
  });

  it('WRITE, CLOSE, RENAME and STAT sent in one go act one after another', async () => {
    const client = Client.ready();
    const handle = await client.open('w', CREATE);
    const gate = gated(client);
    client.feed(
      Buffer.concat([
        requestPacket(FXP.WRITE, 60, writeBody(handle, 0, Buffer.from('one'))),
        requestPacket(FXP.WRITE, 61, writeBody(handle, 3, Buffer.from('two'))),
        requestPacket(FXP.CLOSE, 62, text(handle)),
        requestPacket(FXP.RENAME, 63, text('w').string('final')),
        requestPacket(FXP.STAT, 64, text('final')),
      ]),
    );
    await settle();
    assert.deepEqual([...gate.held.keys()], ['write 0']);
    await gate.let('write 0');
    assert.deepEqual([...gate.held.keys()], ['write 3']);
    await gate.let('write 3');
    assert.deepEqual([...gate.held.keys()], ['close /inbox/w']);
    await gate.let('close /inbox/w');
    assert.equal((await client.reply(64)).type, FXP.ATTRS);
    assert.equal(client.files.content('/inbox/final').toString(), 'onetwo');
  });

  it('a READ sees the WRITE before it, and a WRITE waits for the READ before it', async () => {
    const client = Client.ready();
    const handle = await client.open('w', CREATE | FXF.READ);
    const replies = Promise.all([
      client.write(handle, 0, Buffer.from('aaaa')),
      client.read(handle, 0, 4),
      client.write(handle, 0, Buffer.from('bbbb')),
      client.read(handle, 0, 4),
    ]);
    const [, first, , second] = await replies;
    assert.equal(dataOf(first).toString(), 'aaaa');
    assert.equal(dataOf(second).toString(), 'bbbb');
  });

  it('work on other paths does not wait', async () => {
    const client = Client.ready();
    const slow = await client.open('slow', CREATE);
    const gate = gated(client);
    client.feed(requestPacket(FXP.CLOSE, 70, text(slow)));
    const made = await client.status(FXP.MKDIR, text('/inbox/other').u32(0));
    assert.equal(made, FX.OK);
    assert.equal((await client.request(FXP.STAT, text('hello.txt'))).type, FXP.ATTRS);
    await gate.open();
  });
});

void describe('back-pressure', () => {
  it('a client that never reads its answers stops being served, with bounded memory', async () => {
    const client = Client.ready({ keepReplies: false });
    client.files.put('/inbox/big', Buffer.alloc(8 * MIB));
    const handle = await client.open('big', FXF.READ).catch(() => assert.fail());
    client.channel.bound = 256 * KIB;
    const requests = Array.from({ length: 5000 }, (_, i) =>
      requestPacket(FXP.READ, i, readBody(handle, (i % 30) * 255 * KIB, 0xffffffff)),
    );
    for (const request of requests) client.feed(request);
    await settle();
    const queued = client.channel.queuedBytes;
    assert.ok(queued < 256 * KIB + 2 * MIB + 64 * KIB, `${queued} bytes queued`);
    // What was not started is still in the window of the client.
    assert.ok(client.sentBytes - client.channel.consumedBytes > 4900 * 25);
    // Once it reads, everything is answered.
    let answered = 0;
    client.channel.onWrite = () => answered++;
    const already = Math.ceil(queued / (255 * KIB + 13));
    while (answered < 5000 - already) {
      client.channel.drain();
      await settle();
    }
    assert.equal(client.channel.consumedBytes, client.sentBytes);
  });

  it('content under way is bounded before any answer exists', async () => {
    const client = Client.ready();
    client.files.put('/inbox/big', Buffer.alloc(8 * MIB));
    const handle = await client.open('big', FXF.READ);
    const gate = gated(client);
    for (let i = 0; i < 100; i++) client.feed(requestPacket(FXP.READ, i, readBody(handle, i, 255 * KIB)));
    await settle();
    assert.equal(gate.held.size, Math.floor((2 * MIB) / (255 * KIB)));
    await gate.open();
  });

  it('bytes of WRITEs are given back only as they are done', async () => {
    const client = Client.ready();
    const handle = await client.open('w', CREATE);
    const gate = gated(client);
    const sizes: number[] = [];
    const before = client.channel.consumedBytes;
    for (let i = 0; i < 20; i++) {
      const write = requestPacket(FXP.WRITE, i, writeBody(handle, i * 32 * KIB, Buffer.alloc(32 * KIB)));
      sizes.push(write.length);
      client.feed(write);
    }
    await settle();
    assert.equal(client.channel.consumedBytes, before);
    await gate.let('write 0');
    assert.equal(client.channel.consumedBytes, before + (sizes[0] ?? 0));
    await gate.open();
    while (client.channel.consumedBytes < client.sentBytes) await settle();
    assert.equal(client.files.content('/inbox/w').length, 20 * 32 * KIB);
  });

  it('a flood of tiny requests leaves turns to others', async () => {
    const client = Client.ready({ keepReplies: false });
    const flood = Buffer.concat(Array.from({ length: 10_000 }, (_, i) => requestPacket(FXP.REALPATH, i, text('.'))));
    let answered = 0;
    client.channel.onWrite = () => answered++;
    client.feed(flood);
    assert.ok(answered <= 128, `${answered} in one turn`);
    while (answered < 10_000) await settle();
    assert.equal(client.channel.consumedBytes, client.sentBytes);
  });

  it('only so many requests are under way at once', async () => {
    const client = Client.ready();
    let under = 0;
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => (release = resolve));
    const stat = client.files.stat.bind(client.files);
    client.files.stat = async (path) => {
      under++;
      await gate;
      return stat(path);
    };
    for (let i = 0; i < 200; i++) client.feed(requestPacket(FXP.STAT, i, text('hello.txt')));
    await settle();
    assert.equal(under, 64);
    release();
    await client.reply(199);
    assert.equal(client.channel.consumedBytes, client.sentBytes);
  });

  it('single bytes that wait are gathered', () => {
    const queue = new PacketQueue();
    const source = Buffer.alloc(64 * KIB, 7);
    for (let i = 0; i < 40_000; i++) queue.push(source.subarray(i, i + 1));
    const parts = queue.takeParts(40_000);
    assert.equal(parts.length, 3);
    assert.ok(Buffer.concat(parts).equals(source.subarray(0, 40_000)));
  });
});

void describe('the end of a session', () => {
  it('what was sent before end-of-file is answered, then files are left and the status is 0', async () => {
    const client = Client.ready();
    const handle = await client.open('w', CREATE);
    const ended = new Promise<void>((resolve) => (client.channel.onEnd = resolve));
    const written = client.write(handle, 0, Buffer.from('abc'));
    client.feed(Buffer.from([0, 0, 0, 9, 5])); // a packet that never becomes whole
    client.listener.end();
    assert.equal(statusOf(await written).code, FX.OK);
    await ended;
    assert.equal(client.channel.exitStatus, 0);
    assert.equal(client.files.abandoned, 1);
    client.listener.close();
    await settle();
    assert.equal(client.files.abandoned, 1);
  });

  it('a closed channel leaves the files once requests under way are done', async () => {
    const client = Client.ready();
    const handle = await client.open('w', CREATE);
    const gate = gated(client);
    client.feed(requestPacket(FXP.WRITE, 9, writeBody(handle, 0, Buffer.from('abc'))));
    client.feed(requestPacket(FXP.WRITE, 10, writeBody(handle, 3, Buffer.from('def'))));
    client.channel.closed = true;
    client.listener.close();
    await settle();
    assert.equal(client.files.abandoned, 0);
    await gate.open();
    assert.equal(client.files.abandoned, 1);
    assert.equal(client.files.content('/inbox/w').toString(), 'abc');
    assert.equal(client.channel.exitStatus, null);
  });

  it('a packet over the bound ends the session before it is buffered', async () => {
    const client = Client.ready();
    const ended = new Promise<void>((resolve) => (client.channel.onEnd = resolve));
    client.feed(Buffer.from([0x7f, 0xff, 0xff, 0xff]));
    await ended;
    const before = client.channel.consumedBytes;
    client.feed(Buffer.alloc(MIB));
    assert.equal(client.channel.consumedBytes, before + MIB);
    assert.equal(client.channel.exitStatus, 1);
  });

  it('an unexpected failure is logged and says nothing of its cause', async () => {
    const logged: object[] = [];
    const log = { ...SILENT, error: (details: object) => void logged.push(details) };
    const client = Client.ready({ log });
    client.files.stat = () => Promise.reject(new Error('secret detail'));
    const refusal: Reply = await client.request(FXP.STAT, text('hello.txt'));
    assert.equal(statusOf(refusal).code, FX.FAILURE);
    assert.doesNotMatch(statusOf(refusal).message, /secret/);
    assert.equal(logged.length, 1);
  });
});

function pieces(bytes: Buffer, step: number): Buffer[] {
  const cut: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += step) cut.push(Buffer.from(bytes.subarray(at, at + step)));
  return cut;
}
