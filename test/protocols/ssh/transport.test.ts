import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { afterEach, describe, it } from 'node:test';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts';
import { CIPHERS, MACS } from '../../../src/protocols/ssh/ciphers.ts';
import { KEX_ALGORITHMS } from '../../../src/protocols/ssh/kex-algorithms.ts';
import { RawClient, type RawClientOptions } from './raw-client.ts';
import { ed25519HostKey, startTinyServer, type TinyServer, type TinyServerOptions } from './tiny-server.ts';

const IGNORE = new ByteWriter().u8(2).string('noise').finish();
const DEBUG = new ByteWriter().u8(4).boolean(false).string('noise').string('').finish();
const UNIMPLEMENTED = new ByteWriter().u8(3).u32(0).finish();
const EXT_INFO = new ByteWriter().u8(7).u32(1).string('a').string('b').finish();
const PROTOCOL_ERROR = 2;
const KEY_EXCHANGE_FAILED = 3;
const MAC_ERROR = 5;

const open: { close(): Promise<void> }[] = [];
const clients: RawClient[] = [];

async function serve(options: TinyServerOptions = {}): Promise<TinyServer> {
  const server = await startTinyServer(options);
  open.push(server);
  return server;
}

async function client(server: TinyServer, options: RawClientOptions = {}): Promise<RawClient> {
  const made = await RawClient.connect(server.port, options);
  clients.push(made);
  return made;
}

async function signedIn(server: TinyServer, options: RawClientOptions = {}): Promise<RawClient> {
  const made = await RawClient.signedIn(server.port, options);
  clients.push(made);
  return made;
}

afterEach(async () => {
  for (const made of clients.splice(0)) made.socket.destroy();
  for (const server of open.splice(0)) await server.close();
});

/** A message of the upper layers that the tiny server echoes. */
const echoed = (data: Buffer): Buffer => Buffer.concat([Buffer.of(94), data]);

function echoServer(options: TinyServerOptions = {}): Promise<TinyServer> {
  return serve({
    letIn: true,
    packet: (payload, transport) => {
      if (payload[0] === 94) transport.send([Buffer.from(payload)]);
    },
    ...options,
  });
}

describe('key exchanges', () => {
  for (const kex of Object.keys(KEX_ALGORITHMS)) {
    it(`${kex}: hash, signature and keys agree with an independent client`, async () => {
      const server = await echoServer({ profile: 'legacy' });
      const made = await signedIn(server, { kex });
      made.send(echoed(Buffer.from(kex)));
      assert.equal((await made.expect(94)).toString('latin1', 1), kex);
      const [transport] = server.transports;
      assert.ok(transport);
      assert.ok(transport.sessionId.equals(made.sessionId));
      assert.equal(transport.negotiated.kex, kex);
    });
  }

  it('sends server-sig-algs and the extensions only to a client that asks', async () => {
    const server = await serve();
    const asking = await client(server);
    asking.sendVersion();
    await asking.exchange();
    const reader = new ByteReader(await asking.expect(7), 1);
    const count = reader.u32();
    const seen = new Map(Array.from({ length: count }, () => [reader.ascii(), reader.ascii(4096)]));
    reader.done();
    assert.equal(seen.get('server-sig-algs'), 'ssh-ed25519,rsa-sha2-512,rsa-sha2-256');
    assert.equal(seen.get('ping@openssh.com'), '0');

    const silent = await client(server, { extInfo: false });
    silent.sendVersion();
    await silent.exchange();
    silent.send(new ByteWriter().u8(5).string('ssh-userauth').finish());
    assert.equal((await silent.receive())?.readUInt8(0), 6);
  });

  it('skips a wrong guess and goes on', async () => {
    const server = await echoServer();
    const made = await client(server); // prefers curve25519, the server mlkem: the guess is wrong by definition
    made.sendVersion();
    const init = made.kexInit(true);
    made.send(init, new ByteWriter().u8(30).string('whatever the guess was').finish());
    made.serverInit = await made.expect(20);
    await made.exchangeValues(init);
    assert.ok(made.sessionId.length > 0);
  });

  it('takes a right guess', async () => {
    const server = await echoServer();
    const made = await client(server, { kex: 'mlkem768x25519-sha256' });
    made.sendVersion();
    const init = made.kexInit(true);
    made.send(init);
    made.serverInit = await made.expect(20);
    await made.exchangeValues(init);
    assert.ok(made.sessionId.length > 0);
  });

  it('refuses a guess that is announced and does not follow', async () => {
    const server = await serve();
    const made = await client(server, { strict: false });
    made.sendVersion();
    made.send(made.kexInit(true), IGNORE);
    assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
  });

  for (const list of ['kex', 'hostKey', 'cipher', 'mac'] as const) {
    it(`ends with "key exchange failed" when there is no common ${list}`, async () => {
      const server = await serve();
      const made = await client(server, { cipher: 'aes256-ctr', [list]: 'diffie-hellman-group1-sha1' });
      made.sendVersion();
      made.send(made.kexInit());
      assert.equal(await made.disconnectReason(), KEY_EXCHANGE_FAILED);
      assert.equal((await server.ended()).offence, 'protocol');
    });
  }

  it('ends with "key exchange failed" on an all-zero X25519 value', async () => {
    const server = await serve();
    const made = await client(server);
    made.sendVersion();
    made.send(made.kexInit(), new ByteWriter().u8(30).string(Buffer.alloc(32)).finish());
    assert.equal(await made.disconnectReason(), KEY_EXCHANGE_FAILED);
  });

  it('tells the client nothing when the signer fails, and reports the error', async () => {
    const failing = {
      ...ed25519HostKey(),
      sign: () => {
        throw new Error('the reason that nobody outside may read');
      },
    };
    const server = await serve({ hostKeys: [failing] });
    const made = await client(server);
    made.sendVersion();
    await assert.rejects(made.exchange(), /disconnected: internal error/);
    assert.equal((await server.ended()).offence, 'none');
    assert.match(String(server.errors[0]), /nobody outside/);
  });
});

describe('strict key exchange', () => {
  for (const [name, message] of Object.entries({ IGNORE, DEBUG, UNIMPLEMENTED, EXT_INFO })) {
    it(`refuses ${name} before the KEXINIT`, async () => {
      const server = await serve();
      const made = await client(server);
      made.sendVersion();
      made.send(message, made.kexInit());
      assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
      assert.equal((await server.ended()).offence, 'protocol');
    });

    it(`refuses ${name} between KEXINIT and the client's value`, async () => {
      const server = await serve();
      const made = await client(server);
      made.sendVersion();
      made.send(made.kexInit(), message);
      assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
    });
  }

  it('refuses an unknown transport message inside', async () => {
    const server = await serve();
    const made = await client(server);
    made.sendVersion();
    made.send(made.kexInit(), Buffer.of(15));
    assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
  });

  it('accepts IGNORE and DEBUG from a client that is not strict, and keeps the sequence running', async () => {
    const server = await echoServer();
    const made = await client(server, { strict: false, cipher: 'aes256-ctr' });
    made.sendVersion();
    made.send(IGNORE, DEBUG);
    await made.exchange(() => {
      made.send(IGNORE);
    });
    made.send(IGNORE, new ByteWriter().u8(5).string('ssh-userauth').finish());
    await made.expect(6);
  });

  it('does not reset the sequence for a client that is not strict: a wrong one is not authentic', async () => {
    const server = await serve();
    const made = await client(server, { strict: false, cipher: 'aes256-ctr' });
    made.sendVersion();
    await made.exchange();
    made.sequence = 0;
    made.send(new ByteWriter().u8(5).string('ssh-userauth').finish());
    await made.gone;
    assert.equal((await server.ended()).offence, 'protocol');
  });

  it('does not give ChaCha20-Poly1305 to a client that is not strict (CVE-2023-48795)', async () => {
    const server = await serve();
    const made = await client(server, { strict: false, cipher: 'chacha20-poly1305@openssh.com' });
    made.sendVersion();
    made.send(made.kexInit());
    assert.equal(await made.disconnectReason(), KEY_EXCHANGE_FAILED);
  });

  it('resets the sequence in later exchanges too', async () => {
    const server = await echoServer();
    const made = await signedIn(server, { cipher: 'chacha20-poly1305@openssh.com' });
    for (let round = 0; round < 3; round++) {
      await made.exchange();
      made.send(IGNORE, echoed(Buffer.from([round])));
      assert.equal((await made.expect(94))[1], round);
    }
  });
});

describe('order of messages', () => {
  const cases: Record<string, (made: RawClient) => Buffer[]> = {
    'a service request before the key exchange': () => [new ByteWriter().u8(5).string('ssh-userauth').finish()],
    'an authentication request before the key exchange': () => [new ByteWriter().u8(50).string('x').finish()],
    'a PING before the key exchange': () => [new ByteWriter().u8(192).string('x').finish()],
    'NEWKEYS first': () => [Buffer.of(21)],
    'a key exchange value first': () => [new ByteWriter().u8(30).string(Buffer.alloc(32)).finish()],
    'KEXINIT twice': (made) => [made.kexInit(), made.kexInit()],
    'NEWKEYS right after KEXINIT': (made) => [made.kexInit(), Buffer.of(21)],
    'a truncated KEXINIT': (made) => [made.kexInit().subarray(0, 40)],
    'a KEXINIT with bytes behind it': (made) => [Buffer.concat([made.kexInit(), Buffer.of(0)])],
    'EXT_INFO before NEWKEYS': () => [EXT_INFO],
  };
  for (const [name, messages] of Object.entries(cases)) {
    it(`refuses ${name}`, async () => {
      const server = await serve();
      const made = await client(server, { strict: false });
      made.sendVersion();
      made.send(...messages(made));
      assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
      assert.equal((await server.ended()).offence, 'protocol');
      assert.deepEqual(server.errors, []);
    });
  }

  it('refuses data between KEXINIT and NEWKEYS of a later exchange', async () => {
    const server = await echoServer();
    const made = await signedIn(server);
    made.send(made.kexInit(), echoed(Buffer.from('x')));
    assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
  });

  it('answers unknown transport messages with UNIMPLEMENTED and their sequence number', async () => {
    const server = await echoServer();
    const made = await signedIn(server);
    const { sequence } = made;
    made.send(Buffer.of(19));
    assert.equal((await made.expect(3)).readUInt32BE(1), sequence);
  });

  it('answers PING', async () => {
    const server = await echoServer();
    const made = await signedIn(server);
    made.send(new ByteWriter().u8(192).string('hello').finish());
    assert.equal(new ByteReader(await made.expect(193), 1).ascii(), 'hello');
  });

  it('refuses a third exchange before sign-in', async () => {
    const server = await serve();
    const made = await client(server);
    made.sendVersion();
    for (let round = 0; round < 3; round++) await made.exchange();
    made.send(made.kexInit());
    assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
  });
});

describe('packets', () => {
  for (const cipher of Object.keys(CIPHERS)) {
    const macs = CIPHERS[cipher]?.implicitMac === true ? ['-'] : Object.keys(MACS);
    for (const mac of macs) {
      const options = { cipher, ...(mac === '-' ? {} : { mac }) };
      it(`${cipher} ${mac}: any size, fed byte by byte and in one piece`, async () => {
        const server = await echoServer({ profile: 'legacy' });
        const made = await signedIn(server, options);
        for (const size of [0, 1, 15, 16, 17, 2047, 2048, 5000, 32768, 262144]) {
          const data = randomBytes(size);
          made.send(echoed(data));
          assert.ok((await made.expect(94)).subarray(1).equals(data), `size ${size}`);
        }
        made.socket.setNoDelay(true);
        for (const byte of made.wire(echoed(Buffer.from('slow')))) {
          made.raw(Buffer.of(byte));
          await new Promise((resolve) => setImmediate(resolve));
        }
        assert.equal((await made.expect(94)).toString('latin1', 1), 'slow');
      });

      it(`${cipher} ${mac}: one flipped bit ends the connection with nothing delivered`, async () => {
        const delivered: number[] = [];
        const server = await echoServer({
          profile: 'legacy',
          packet: (payload) => delivered.push(payload[0] as number),
        });
        const made = await signedIn(server, options);
        const wire = made.wire(echoed(randomBytes(100)));
        const at = 40;
        wire[at] = (wire[at] as number) ^ 1;
        made.raw(wire);
        assert.equal(await made.disconnectReason(), MAC_ERROR);
        assert.equal((await server.ended()).offence, 'protocol');
        assert.deepEqual(delivered, []);
      });
    }
  }

  it('disconnects on a bad length at once, before its bytes come', async () => {
    const server = await serve();
    const made = await client(server);
    made.sendVersion();
    const header = Buffer.alloc(4);
    header.writeUInt32BE(150 * 1024 * 1024);
    made.raw(header);
    assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
  });

  for (const length of [0, 1, 5, 11, 13, 35_004, 0xffffffff]) {
    it(`refuses packet length ${length}`, async () => {
      const server = await serve();
      const made = await client(server);
      made.sendVersion();
      const header = Buffer.alloc(4);
      header.writeUInt32BE(length);
      made.raw(header);
      assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
    });
  }

  it('allows large packets only after sign-in', async () => {
    const server = await serve();
    const made = await client(server);
    made.sendVersion();
    await made.exchange();
    made.raw(made.wire(Buffer.concat([Buffer.of(2), Buffer.alloc(40_000)])).subarray(0, 16));
    assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
  });

  it('refuses a packet that is all padding', async () => {
    const server = await serve();
    const made = await client(server);
    made.sendVersion();
    made.raw(Buffer.from([0, 0, 0, 12, 11, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    made.raw(Buffer.from([0, 0, 0, 12, 250, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    assert.equal(await made.disconnectReason(), PROTOCOL_ERROR);
  });
});

describe('rekeying', () => {
  it('by the server after so many bytes, with data in flight both ways', async () => {
    const server = await echoServer({ limits: { rekeyBytes: 200_000, rekeySeconds: 3600 } });
    const made = await signedIn(server);
    const count = 60;
    let rekeys = 0;
    const sent = Array.from({ length: count }, () => randomBytes(20_000));
    // Everything goes out at once: the server meets its limit while the rest is on its way.
    made.send(...sent.map(echoed));
    for (let i = 0; i < count;) {
      const payload = await made.receive();
      assert.ok(payload !== null);
      if (payload[0] === 20) {
        rekeys += 1;
        made.serverInit = payload;
        const init = made.kexInit();
        made.send(init);
        await made.exchangeValues(init);
      } else if (payload[0] === 94) {
        assert.ok(payload.subarray(1).equals(sent[i] as Buffer));
        i += 1;
      }
    }
    assert.ok(rekeys >= 1, `${rekeys} rekeys`);
    assert.deepEqual(server.errors, []);
  });

  it('by the server after a time', async () => {
    const server = await echoServer({ limits: { rekeyBytes: 2 ** 30, rekeySeconds: 0 } });
    const made = await signedIn(server);
    made.serverInit = await made.expect(20);
    const init = made.kexInit();
    made.send(init);
    await made.exchangeValues(init);
    assert.notEqual(made.sessionId.length, 0);
  });

  it('by the client; the session identifier stays', async () => {
    const server = await echoServer();
    const made = await signedIn(server);
    const before = Buffer.from(made.sessionId);
    await made.exchange();
    made.send(echoed(Buffer.from('after')));
    await made.expect(94);
    assert.deepEqual(server.transports[0]?.sessionId, before);
  });

  it('keeps what the upper layers send until NEWKEYS, in order, and tells them to wait past the bound', async () => {
    const server = await echoServer();
    const made = await signedIn(server);
    const [transport] = server.transports;
    assert.ok(transport);
    let more = true;
    let count = 0;
    let drained = false;
    await made.exchange(async () => {
      while (more) {
        more = transport.send([Buffer.of(94), Buffer.alloc(30_000, count)]);
        count += 1;
      }
      void transport.drained().then(() => (drained = true));
      await new Promise((resolve) => setImmediate(resolve));
      assert.equal(drained, false);
    });
    assert.ok(count > 30 && count < 40, `${count} packets until the bound`);
    for (let i = 0; i < count; i++) assert.equal((await made.expect(94))[1], i);
    await transport.drained();
  });
});

describe('flow', () => {
  it('pauseReading stops between packets of one chunk, resumeReading goes on', async () => {
    const got: number[] = [];
    const server = await serve({
      letIn: true,
      packet: (payload, transport) => {
        got.push(payload[1] as number);
        if (payload[1] === 1) transport.pauseReading();
        transport.send([Buffer.from(payload)]);
      },
    });
    const made = await signedIn(server);
    made.send(...[0, 1, 2, 3].map((n) => echoed(Buffer.of(n))));
    await made.expect(94);
    await made.expect(94);
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(got, [0, 1]);
    server.transports[0]?.resumeReading();
    await made.expect(94);
    await made.expect(94);
    assert.deepEqual(got, [0, 1, 2, 3]);
  });

  it('stops reading a client that asks for answers and does not take them', async () => {
    const server = await echoServer();
    const made = await signedIn(server);
    made.socket.pause();
    const ping = new ByteWriter().u8(192).string(Buffer.alloc(30_000)).finish();
    let sent = 0;
    // The client's own queue fills once the server no longer reads.
    while (made.socket.writableLength < 4 * 1024 * 1024 && sent < 4000) {
      made.send(ping);
      sent += 1;
      if (sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(sent < 4000, 'the server went on reading');
    made.socket.resume();
    for (let i = 0; i < sent; i++) await made.expect(193);
  });

  it('drops a client that keeps sending after its disconnect', async () => {
    const server = await serve();
    const made = await client(server);
    made.sendVersion();
    made.raw(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    made.raw(Buffer.alloc(8 * 1024 * 1024));
    await made.gone;
    assert.equal((await server.ended()).offence, 'protocol');
  });

  it('tells the end exactly once, with what the client said made safe', async () => {
    const server = await serve();
    const made = await client(server);
    made.sendVersion();
    made.send(new ByteWriter().u8(1).u32(11).string('bye\u001b[2J').string('').finish());
    assert.deepEqual(await server.ended(), { reason: 'client disconnected (11): bye?[2J', offence: 'none' });
    made.socket.destroy();
    await made.gone;
  });

  for (const [name, line] of Object.entries({
    'another protocol': 'GET / HTTP/1.1\r\n',
    'SSH 1': 'SSH-1.5-old\r\n',
    NUL: 'SSH-2.0-a\0b\r\n',
    'a line before the version': 'hello\r\nSSH-2.0-x\r\n',
    'a line without end': `SSH-2.0-${'x'.repeat(300)}`,
  })) {
    it(`refuses ${name} as a version`, async () => {
      const server = await serve();
      const made = await client(server);
      made.raw(line);
      await made.gone;
      assert.equal((await server.ended()).offence, 'protocol');
    });
  }

  it('takes the version line byte by byte', async () => {
    const server = await serve();
    const made = await client(server);
    made.socket.setNoDelay(true);
    for (const byte of Buffer.from('SSH-2.0-RawClient\r\n')) {
      made.raw(Buffer.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await made.exchange();
  });
});
