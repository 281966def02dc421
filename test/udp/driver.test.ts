/** Two sockets with their threads, and streams between them, on loopback. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, describe, test } from 'node:test';
import { FastSocket } from '../../src/udp/driver/fast-socket.ts';
import type { ReceivingStream, SendingStream, StreamOptions } from '../../src/udp/driver/fast-socket.ts';
import type { Paused } from '../../src/udp/wire/control.ts';

const WINDOW = 4 * 2 ** 20;

function options(end: number, given: Partial<StreamOptions>): StreamOptions {
  const connectionId = randomBytes(8);
  const standing = { rateLimit: null, rttGuess: null, policy: 'fair', peer: null, side: 'server' } as const;
  return { end, window: WINDOW, secret: randomBytes(32), connectionId, ...standing, ...given };
}

async function pour(stream: SendingStream, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes;) {
    const some = randomBytes(Math.min(700_001, bytes - at));
    hash.update(some);
    if (!(await stream.write(some))) break;
    at += some.length;
  }
  return hash.digest('hex');
}

async function drink(stream: ReceivingStream): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream.chunks(1 << 20)) hash.update(chunk);
  return hash.digest('hex');
}

for (const backend of ['best', 'dgram'] as const)
  describe(`streams over ${backend}`, async () => {
    const at = { address: '127.0.0.1', port: 0, backend };
    const [server, client] = [await FastSocket.open(at), await FastSocket.open(at)];
    const peer = { address: '127.0.0.1', port: server.description.port };
    after(() => Promise.all([server.close(), client.close()]));
    const both = (end: number, more: Partial<StreamOptions> = {}) => {
      const ours = options(end, more);
      return [ours, { ...ours, side: 'client', peer }] as const;
    };

    test('say what they are made of', () => {
      const { backend: is, cipher, without } = server.description;
      assert.deepEqual(
        [is, cipher, without],
        backend === 'best' ? ['batch', 'OpenSSL EVP', null] : ['dgram', 'node:crypto', null],
      );
    });

    test('up: the same bytes arrive', async () => {
      const [there, here] = both(20_000_003);
      const [to, from] = [server.receive(there), client.send(here)];
      const [sent, got] = await Promise.all([pour(from, there.end), drink(to)]);
      assert.equal(got, sent);
      assert.ok(to.isWhole);
      const ends = await Promise.all([to.ended, from.ended]);
      assert.deepEqual(
        ends.map(({ reason, by }) => [reason, by]),
        [
          ['complete', 'peer'],
          ['complete', 'us'],
        ],
      );
      assert.equal(ends[1].figures.bytes, there.end);
      assert.ok(ends[1].figures.sentBytes > there.end);
    });

    test('down: four at once', async () => {
      const four = await Promise.all(
        [5_000_000, 1, 3_000_000, 65_536].map(async (end) => {
          const [there, here] = both(end);
          const [from, to] = [server.send(there), client.receive(here)];
          const sums = await Promise.all([pour(from, end), drink(to)]);
          assert.equal((await to.ended).reason, 'complete');
          return sums;
        }),
      );
      for (const [sent, got] of four) assert.equal(got, sent);
    });

    test('what is held shows its reference, and goes on', async () => {
      const [there, here] = both(600_000);
      const told: (Paused | null)[] = [];
      let heard: () => void = () => undefined;
      const pausedThere = new Promise<void>((resolve) => (heard = resolve));
      const from = server.send(there);
      const to = client.receive(here, {
        paused: (paused) => {
          told.push(paused);
          if (paused !== null) heard();
        },
      });
      const got = drink(to);
      await from.write(Buffer.alloc(100_000, 1));
      from.pause({ cause: 'held', reference: 'H-123' });
      await pausedThere;
      from.pause(null);
      await from.write(Buffer.alloc(500_000, 2));
      assert.equal(
        await got,
        createHash('sha256').update(Buffer.alloc(100_000, 1)).update(Buffer.alloc(500_000, 2)).digest('hex'),
      );
      assert.deepEqual([told[0]?.cause, told[0]?.reference], ['held', 'H-123']);
    });

    test('either end can end it, and the other hears why', async () => {
      const [there, here] = both(10_000_000);
      const [from, to] = [server.send(there), client.receive(here)];
      const got = drink(to);
      await from.write(Buffer.alloc(300_000));
      from.end('session-ended', 'the session is over');
      assert.deepEqual(await to.ended.then(({ reason, text, by }) => ({ reason, text, by })), {
        reason: 'session-ended',
        text: 'the session is over',
        by: 'peer',
      });
      await got;
      assert.equal(to.isWhole, false);
      assert.equal(await from.write(Buffer.alloc(5)), false);
    });

    test('a reader that is slow is not overrun', async () => {
      const [there, here] = both(3 * WINDOW);
      const [from, to] = [server.send(there), client.receive(here)];
      const pouring = pour(from, there.end);
      const hash = createHash('sha256');
      for await (const chunk of to.chunks(1 << 18)) {
        hash.update(chunk);
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
      assert.equal(hash.digest('hex'), await pouring);
    });
  });

test('an address that is taken is an error', async () => {
  const first = await FastSocket.open({ address: '127.0.0.1', port: 0, backend: 'best' });
  await assert.rejects(
    FastSocket.open({ address: '127.0.0.1', port: first.description.port, backend: 'best' }),
    /EADDRINUSE/,
  );
  await first.close();
});
