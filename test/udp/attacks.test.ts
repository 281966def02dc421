/** What somebody on the way, or far from it, can do to sockets that transfer: a real one of ours, strangers beside it. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import type { RemoteInfo, Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { FastSocket } from '../../src/udp/driver/fast-socket.ts';
import type { ReceivingStream, SendingStream, StreamOptions } from '../../src/udp/driver/fast-socket.ts';

const HOST = '127.0.0.1';

async function bound(): Promise<Socket> {
  const socket = createSocket('udp4').bind(0, HOST);
  await once(socket, 'listening');
  return socket;
}

/** A NAT between a client and the server that also writes down what goes to the server. */
class Nat {
  readonly recorded: Buffer[] = [];
  readonly port: number;
  /** Sees each datagram to the server after it was passed on. */
  seen: (datagram: Buffer) => void = () => undefined;
  private readonly inside: Socket;
  private outside: Socket;
  private client: RemoteInfo | null = null;
  private readonly to: number;
  private readonly old: Socket[] = [];

  private constructor(inside: Socket, outside: Socket, to: number) {
    [this.inside, this.outside, this.to] = [inside, outside, to];
    this.port = inside.address().port;
    inside.on('message', (datagram, from) => {
      this.client = from;
      this.recorded.push(datagram);
      this.outside.send(datagram, this.to, HOST);
      this.seen(datagram);
    });
    this.listen(outside);
  }

  static async open(to: number): Promise<Nat> {
    return new Nat(await bound(), await bound(), to);
  }

  private listen(outside: Socket): void {
    outside.on('message', (datagram) => {
      // What comes to a port that the NAT has given up is nobody's.
      if (outside === this.outside && this.client !== null)
        this.inside.send(datagram, this.client.port, this.client.address);
    });
  }

  /** From now on the server sees the client at another port. */
  async changePort(): Promise<void> {
    const next = await bound();
    this.listen(next);
    this.old.push(this.outside);
    this.outside = next;
  }

  close(): void {
    for (const socket of [this.inside, this.outside, ...this.old]) socket.close();
  }
}

class Stranger {
  bytes = 0;
  private readonly socket: Socket;

  private constructor(socket: Socket) {
    this.socket = socket.on('message', (datagram) => {
      this.bytes += datagram.length;
    });
  }

  static async open(): Promise<Stranger> {
    return new Stranger(await bound());
  }

  send(port: number, ...datagrams: readonly Buffer[]): void {
    for (const datagram of datagrams) this.socket.send(datagram, port, HOST);
  }

  close(): void {
    this.socket.close();
  }
}

for (const backend of ['best', 'dgram'] as const)
  describe(`strangers, over ${backend}`, () => {
    let server: FastSocket;
    let client: FastSocket;
    let stranger: Stranger;
    let nat: Nat;
    before(async () => {
      const at = { address: HOST, port: 0, backend };
      [server, client, stranger] = await Promise.all([FastSocket.open(at), FastSocket.open(at), Stranger.open()]);
      nat = await Nat.open(server.description.port);
    });
    after(async () => {
      nat.close();
      stranger.close();
      await Promise.all([server.close(), client.close()]);
    });

    const options = (end: number): StreamOptions => ({
      ...{ end, window: 2 ** 20, secret: randomBytes(32), connectionId: randomBytes(8), side: 'server', peer: null },
      ...{ rateLimit: null, rttGuess: null, policy: 'fair' },
    });
    const here = (there: StreamOptions, port = nat.port): StreamOptions => ({
      ...there,
      side: 'client',
      peer: { address: HOST, port },
    });

    /** Whole and identical. What strangers sent before it was looked at before it is through: the port is one queue. */
    async function transfer(bytes: number, there = options(bytes), from = here(there)): Promise<StreamOptions> {
      const [to, source]: [ReceivingStream, SendingStream] = [client.receive(from), server.send(there)];
      const content = randomBytes(bytes);
      const reading = (async () => {
        const hash = createHash('sha256');
        for await (const chunk of to.chunks(2 ** 18)) hash.update(chunk);
        return hash.digest('hex');
      })();
      assert.ok(await source.write(content));
      assert.equal(await reading, createHash('sha256').update(content).digest('hex'));
      assert.equal((await to.ended).reason, 'complete');
      await source.ended;
      return there;
    }

    test('a scan hears nothing, whatever it asks', async () => {
      const { port } = server.description;
      const scans = [0, 1, 12, 31, 32, 33, 100, 1200, 1472].map((length) => randomBytes(length));
      for (const kind of [1, 2, 3, 4, 5, 6, 7, 8]) {
        const likely = randomBytes(1200);
        likely.set([0x10 | kind, 0]);
        scans.push(likely);
      }
      stranger.send(port, ...scans, Buffer.alloc(60_000));
      await transfer(100_000);
      assert.equal(stranger.bytes, 0);
    });

    test('who copies each datagram and sends it too gets nothing and disturbs nobody', async () => {
      const { port } = server.description;
      nat.seen = (datagram) => {
        stranger.send(port, datagram, datagram.subarray(0, datagram.length - 1), Buffer.concat([datagram, datagram]));
      };
      await transfer(3_000_000);
      nat.seen = () => undefined;
      await transfer(1000);
      assert.equal(stranger.bytes, 0);
    });

    test('what was over stays over: neither its datagrams nor its secret bring it back, from anywhere', async () => {
      nat.recorded.length = 0;
      const there = await transfer(200_000);
      assert.ok(nat.recorded.length > 3);
      stranger.send(server.description.port, ...nat.recorded);
      const second = client.receive(here({ ...there, end: 200_000 }, server.description.port));
      await transfer(1000);
      second.end('cancelled', '');
      assert.equal((await second.ended).figures.receivedBytes, 0);
      assert.equal(stranger.bytes, 0);
    });

    test('a NAT that takes another port in the middle costs nothing but a moment', async () => {
      const there = options(8_000_000);
      let passed = 0;
      let changed = 0;
      nat.seen = () => {
        if (++passed % 25 !== 0 || changed >= 3) return;
        changed++;
        void nat.changePort();
      };
      await transfer(there.end, there);
      nat.seen = () => undefined;
      assert.ok(changed > 0, `${passed} datagrams of feedback, none of them after a change`);
    });
  });
