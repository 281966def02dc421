import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { DatagramSocket } from '../../src/udp/socket/datagram-socket.ts';
import { openArena } from '../../src/udp/native/open-arena.ts';
import { openSocket as openWith } from '../../src/udp/socket/open-socket.ts';
import type { Opened } from '../../src/udp/socket/open-socket.ts';
import { PeerNames } from '../../src/udp/socket/peer-names.ts';
import { AF_INET, AF_INET6, readName, writeName } from '../../src/udp/socket/socket-address.ts';

async function openSocket(address: string, port: number, backend: 'best' | 'dgram'): Promise<Opened> {
  return openWith(address, port, backend === 'best' ? (await openArena()).arena : null);
}

interface Got {
  readonly datagram: Buffer;
  readonly from: { readonly address: string; readonly port: number };
}

async function take(socket: DatagramSocket, count: number): Promise<Got[]> {
  const got: Got[] = [];
  for (let turns = 0; got.length < count && turns < 200; turns++)
    await socket.receive(50, (slab, offset, length, size, from) => {
      for (let at = 0; at < length; at += size) {
        const end = offset + Math.min(at + size, length);
        got.push({ datagram: Buffer.from(slab.subarray(offset + at, end)), from });
      }
    });
  return got;
}

function run(of: DatagramSocket, count: number, size: number, last: number): Buffer {
  const slab = of.slab(size * (count - 1) + last);
  for (let at = 0; at < slab.length; at++) slab[at] = (Math.floor(at / size) * 31 + at) & 0xff;
  return slab;
}

for (const backend of ['best', 'dgram'] as const)
  describe(`the socket that is ${backend}`, () => {
    test('is what was asked for', async () => {
      const { socket, without } = await openSocket('127.0.0.1', 0, backend);
      assert.equal(socket.backend, backend === 'best' ? 'batch' : 'dgram', without ?? '');
      assert.equal(socket.address, '127.0.0.1');
      assert.ok(socket.port > 0);
      socket.close();
      socket.close();
    });

    for (const [address, to] of [
      ['127.0.0.1', '127.0.0.1'],
      ['::1', '::1'],
      ['::', '127.0.0.1'],
    ] as const)
      test(`runs of datagrams come as they were sent, over ${address} to ${to}`, async () => {
        const [{ socket: a }, { socket: b }] = [
          await openSocket(address, 0, backend),
          await openSocket(address, 0, backend),
        ];
        try {
          const slab = run(a, 150, 1200, 77);
          const peer = a.peer(to, b.port);
          assert.equal(a.send(peer, slab, 0, slab.length, 1200), slab.length);
          const got = await take(b, 150);
          assert.deepEqual(Buffer.concat(got.map(({ datagram }) => datagram)), slab);
          assert.ok(got.every(({ datagram }, at) => datagram.length === (at < 149 ? 1200 : 77)));
          assert.deepEqual([...new Set(got.map(({ from }) => `${from.address} ${from.port}`))], [`${to} ${a.port}`]);
          // And back, to the peer as it was told.
          const one = run(b, 1, 9, 9);
          assert.equal(b.send(got[0]?.from as never, one, 0, 9, 9), 9);
          assert.deepEqual((await take(a, 1))[0]?.datagram, one);
        } finally {
          a.close();
          b.close();
        }
      });

    test('waking ends a wait, also one that has not begun', async () => {
      const { socket } = await openSocket('127.0.0.1', 0, backend);
      socket.wake();
      await socket.receive(60_000, () => assert.fail('nothing was sent'));
      if (backend === 'dgram') {
        const waiting = socket.receive(60_000, () => assert.fail('nothing was sent'));
        socket.wake();
        await waiting;
      }
      await socket.receive(0.2, () => assert.fail('nothing was sent'));
      socket.close();
    });

    test('datagrams that may gather come together, and waking ends that too', async () => {
      const [{ socket: a }, { socket: b }] = [
        await openSocket('127.0.0.1', 0, backend),
        await openSocket('127.0.0.1', 0, backend),
      ];
      try {
        const slab = run(a, 40, 100, 100);
        const to = a.peer('127.0.0.1', b.port);
        // One call of the system each, so that nothing merges them.
        for (let at = 0; at < slab.length; at += 100) a.send(to, slab, at, 100, 100);
        let [turns, bytes] = [0, 0];
        for (; bytes < slab.length && turns < 100; turns++)
          await b.receive(
            50,
            (_, __, length) => {
              bytes += length;
            },
            2,
          );
        assert.equal(bytes, slab.length);
        if (backend === 'best') assert.equal(turns, 1);
        b.wake();
        await b.receive(60_000, () => assert.fail('nothing was sent'), 50_000);
        // Longer than the whole wait: then that is over with it.
        await b.receive(0.2, () => assert.fail('nothing was sent'), 60_000);
      } finally {
        a.close();
        b.close();
      }
    });

    test('what cannot be had says so, and what nobody hears is lost in silence', async () => {
      const { socket } = await openSocket('127.0.0.1', 0, backend);
      await assert.rejects(openSocket('127.0.0.1', socket.port, backend), /EADDRINUSE/);
      await assert.rejects(openSocket('no address', 0, backend), RangeError);
      await assert.rejects(openSocket('192.0.2.1', 0, backend), /EADDRNOTAVAIL/);
      const { socket: other } = await openSocket('127.0.0.1', 0, backend);
      const gone = socket.peer('127.0.0.1', other.port);
      other.close();
      for (let tries = 0; tries < 3; tries++) {
        assert.equal(socket.send(gone, run(socket, 3, 100, 100), 0, 300, 100), 300);
        await socket.receive(1, () => assert.fail('nobody answers'));
      }
      socket.close();
    });
  });

test('addresses of the system come back as they were written', () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.nat(65_535), (address, port) => {
      assert.deepEqual(readName(writeName(address, port, AF_INET)), { address, port });
      assert.deepEqual(readName(writeName(address, port, AF_INET6)), { address, port });
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(65_535), (bytes, port) => {
      const name = writeName('::', port, AF_INET6);
      name.set(bytes, 8);
      const read = readName(name);
      assert.equal(read.port, port);
      assert.deepEqual(writeName(read.address, port, AF_INET6), name);
    }),
  );
  for (const wrong of ['', 'localhost', '1.2.3', '1.2.3.4.5', ':::', '::1:', 'fe80::%'])
    assert.throws(() => writeName(wrong, 1, AF_INET6), RangeError, wrong);
  assert.throws(() => writeName('::1', 1, AF_INET), RangeError);
});

test('however many strangers send, the memory of peers is bounded and the newest are known', () => {
  let made = 0;
  const names = new PeerNames((name) => {
    made++;
    return { ...readName(name), name };
  });
  const name = (at: number): Buffer => writeName(`10.0.${at >> 8}.${at & 255}`, 1000, AF_INET);
  for (let at = 0; at < 5000; at++) names.of(name(at));
  const known = names.of(name(4999));
  for (let at = 1000; at < 5000; at++) names.of(name(at));
  assert.equal(made, 5000);
  assert.equal(names.of(name(4999)), known);
  names.of(name(0));
  assert.equal(made, 5001);
});
