import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts';
import { RECEIVE_PACKET, RECEIVE_WINDOW } from '../../../src/protocols/ssh/channel.ts';
import {
  harness,
  numbers,
  RecordingSubsystem,
  request,
  settle,
  signedIn,
  text,
  withSubsystem,
} from './connection-harness.ts';
import type { FakeTransport, Harness } from './connection-harness.ts';

const SFTP_ONLY = 'This service allows sftp connections only.\r\n';

async function disconnects(made: Harness, payload: Buffer): Promise<void> {
  await made.deliver(payload);
  assert.equal(made.transport.disconnected?.reason, 2);
  assert.equal((await made.closed).offence, 'protocol');
}

function openFailure(transport: FakeTransport): { reason: number; text: string } {
  const reader = new ByteReader(transport.sent.at(-1) ?? Buffer.alloc(0));
  assert.equal(reader.u8(), 92);
  assert.equal(reader.u32(), 5);
  return { reason: reader.u32(), text: reader.utf8() };
}

/** Data of the CHANNEL_DATA messages, one entry each. */
function dataSent(transport: FakeTransport): Buffer[] {
  return transport.sent
    .filter((payload) => payload[0] === 94)
    .map((payload) => {
      const reader = new ByteReader(payload, 5);
      const data = reader.string();
      reader.done();
      return data;
    });
}

describe('opening', () => {
  it('confirms a session with our window and packet size', async () => {
    const made = await signedIn();
    await made.deliver(request.open('session', 5));
    const expected = new ByteWriter().u8(91).u32(5).u32(0).u32(RECEIVE_WINDOW).u32(RECEIVE_PACKET).finish();
    assert.deepEqual(made.transport.sent, [expected]);
  });

  for (const type of ['direct-tcpip', 'direct-streamlocal@openssh.com', 'x11', 'auth-agent@openssh.com']) {
    it(`prohibits ${type}`, async () => {
      const made = await signedIn();
      await made.deliver(request.open(type));
      assert.equal(openFailure(made.transport).reason, 1);
    });
  }

  it('does not know other types', async () => {
    const made = await signedIn();
    await made.deliver(request.open('session2'));
    assert.equal(openFailure(made.transport).reason, 3);
  });

  for (const maxPacket of [0, 1, 255]) {
    it(`refuses a maximum packet of ${maxPacket}`, async () => {
      const made = await signedIn();
      await made.deliver(request.open('session', 5, 1000, maxPacket));
      assert.equal(openFailure(made.transport).reason, 1);
    });
  }

  it('limits channels, and gives a closed one free', async () => {
    const made = await signedIn();
    for (let index = 0; index < 5; index++) await made.deliver(request.open());
    assert.deepEqual(numbers(made.transport), [91, 91, 91, 91, 92]);
    assert.equal(openFailure(made.transport).reason, 4);
    await made.deliver(request.close(2));
    await made.deliver(request.open());
    assert.deepEqual(numbers(made.transport).slice(5), [97, 91]);
  });

  it('disconnects at a session after no-more-sessions', async () => {
    const made = await signedIn();
    await made.deliver(request.open());
    await made.deliver(request.global('no-more-sessions@openssh.com', false));
    await disconnects(made, request.open());
  });

  it('disconnects at messages for channels that are not open', async () => {
    for (const payload of [request.data(text('x'), 1), request.close(7), request.adjust(1, 0xffffffff)]) {
      await disconnects(await withSubsystem(), payload);
    }
    for (const number of [91, 92]) await disconnects(await withSubsystem(), Buffer.of(number, 0, 0, 0, 0));
  });

  it('disconnects at a second CLOSE', async () => {
    const made = await withSubsystem();
    await made.deliver(request.close());
    await disconnects(made, request.close());
  });
});

describe('requests', () => {
  it('starts a subsystem once a channel, after its success is out', async () => {
    const made = await signedIn();
    await made.deliver(request.open());
    await made.deliver(request.subsystem());
    await made.deliver(request.subsystem());
    await made.deliver(request.exec('true'));
    await made.deliver(request.channel('shell'));
    assert.equal(made.subsystems.length, 1);
    assert.deepEqual(numbers(made.transport), [91, 99, 100, 100, 100]);
  });

  for (const name of ['', 'SFTP', 'toString', '__proto__', 'netconf']) {
    it(`refuses subsystem "${name}"`, async () => {
      const made = await signedIn();
      await made.deliver(request.open());
      await made.deliver(request.subsystem(name));
      assert.deepEqual(numbers(made.transport), [91, 100]);
      await made.deliver(request.subsystem());
      assert.equal(made.subsystems.length, 1);
    });
  }

  const REFUSED = ['pty-req', 'env', 'x11-req', 'auth-agent-req@openssh.com', 'signal', 'break', 'xon-xoff', 'valueOf'];
  for (const name of REFUSED) {
    it(`refuses ${name}, in silence when no answer is wanted`, async () => {
      const made = await signedIn();
      await made.deliver(request.open());
      await made.deliver(request.channel(name, text('whatever')));
      await made.deliver(request.channel(name, text('whatever'), false));
      assert.deepEqual(numbers(made.transport), [91, 100]);
    });
  }

  it('accepts eow', async () => {
    const made = await withSubsystem();
    await made.deliver(request.channel('eow@openssh.com', Buffer.alloc(0), false));
    await made.deliver(request.channel('eow@openssh.com'));
    assert.deepEqual(numbers(made.transport), [99]);
  });

  for (const [name, payload] of [
    ['shell', request.channel('shell')],
    ['exec', request.exec('scp -t /')],
    ['exec of a name from the prototype', request.exec('constructor')],
  ] as const) {
    it(`explains why there is no ${name}`, async () => {
      const made = await signedIn();
      await made.deliver(request.open());
      made.transport.sent.length = 0;
      await made.deliver(payload);
      assert.deepEqual(numbers(made.transport), [99, 95, 98, 96, 97]);
      assert.deepEqual(made.transport.sent[1], new ByteWriter().u8(95).u32(5).u32(1).string(SFTP_ONLY).finish());
      const status = new ByteWriter().u8(98).u32(5).string('exit-status').boolean(false).u32(1).finish();
      assert.deepEqual(made.transport.sent[2], status);
    });
  }

  it('runs commands of the table with the whole text', async () => {
    const commands: string[] = [];
    const made = await signedIn(
      {},
      {
        services: {
          subsystems: {},
          commands: {
            sha256sum: (channel, _session, command) => {
              commands.push(command);
              return new RecordingSubsystem(channel);
            },
          },
        },
      },
    );
    await made.deliver(request.open());
    await made.deliver(request.exec('sha256sum a; rm b'));
    assert.deepEqual(commands, ['sha256sum a; rm b']);
    assert.deepEqual(numbers(made.transport), [91, 99]);
  });

  it('survives a subsystem that does not start', async () => {
    const made = await signedIn(
      {},
      {
        services: {
          subsystems: {
            sftp: () => {
              throw new Error('cannot');
            },
          },
          commands: {},
        },
      },
    );
    await made.deliver(request.open());
    await made.deliver(request.subsystem());
    assert.deepEqual(numbers(made.transport), [91, 99, 98, 96, 97]);
    assert.equal(made.logged.length, 1);
    await made.deliver(request.data(text('x')));
    assert.equal(made.transport.disconnected, null);
  });
});

describe('data in', () => {
  it('hands on what came, without a copy', async () => {
    const made = await withSubsystem();
    const payload = request.data(text('first'));
    await made.deliver(payload);
    assert.equal(made.subsystem.chunks[0]?.buffer, payload.buffer);
    await made.deliver(request.data(text('second')));
    assert.equal(Buffer.concat(made.subsystem.chunks).toString(), 'firstsecond');
  });

  it('drops data that comes before a subsystem', async () => {
    const made = await signedIn();
    await made.deliver(request.open());
    await made.deliver(request.data(text('early')));
    await made.deliver(request.subsystem());
    assert.deepEqual(made.subsystems[0]?.events, []);
  });

  it('opens the window again as bytes are consumed, and no sooner', async () => {
    const made = await withSubsystem();
    const chunk = Buffer.alloc(128 * 1024);
    for (let index = 0; index < 4; index++) await made.deliver(request.data(chunk));
    assert.equal(made.transport.sent.length, 0);
    made.subsystem.channel.consumed(200 * 1024);
    assert.equal(made.transport.sent.length, 0);
    made.subsystem.channel.consumed(200 * 1024);
    assert.deepEqual(made.transport.sent, [
      new ByteWriter()
        .u8(93)
        .u32(5)
        .u32(400 * 1024)
        .finish(),
    ]);
  });

  it('never credits more than was received', async () => {
    const made = await withSubsystem();
    await made.deliver(request.data(Buffer.alloc(1000)));
    made.subsystem.channel.consumed(2 ** 30);
    assert.equal(made.transport.sent.length, 0);
  });

  it('disconnects at data past the window', async () => {
    const made = await withSubsystem();
    const chunk = Buffer.alloc(128 * 1024);
    for (let sent = 0; sent < RECEIVE_WINDOW; sent += chunk.length) await made.deliver(request.data(chunk));
    assert.equal(made.transport.disconnected, null);
    await disconnects(made, request.data(text('x')));
  });

  it('holds the window also against data that nobody reads', async () => {
    const made = await signedIn();
    await made.deliver(request.open());
    const chunk = Buffer.alloc(128 * 1024);
    for (let sent = 0; sent < RECEIVE_WINDOW; sent += chunk.length) await made.deliver(request.data(chunk));
    await disconnects(made, request.data(text('x')));
  });

  it('disconnects at data over the maximum packet', async () => {
    const made = await withSubsystem();
    await made.deliver(request.data(Buffer.alloc(RECEIVE_PACKET)));
    assert.equal(made.transport.disconnected, null);
    await disconnects(made, request.data(Buffer.alloc(RECEIVE_PACKET + 1)));
  });

  it('drops extended data and gives its window back', async () => {
    const made = await withSubsystem();
    const chunk = Buffer.alloc(200 * 1024);
    for (let index = 0; index < 40; index++) await made.deliver(request.stderr(chunk));
    assert.equal(made.transport.disconnected, null);
    assert.deepEqual(made.subsystem.events, []);
  });

  it('disconnects at lengths that are not there', async () => {
    for (const payload of [
      Buffer.concat([Buffer.of(94, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff), text('x')]),
      Buffer.concat([request.data(text('x')), text('y')]),
      Buffer.of(94, 0, 0, 0, 0),
      Buffer.of(94),
    ]) {
      await disconnects(await withSubsystem(), payload);
    }
  });

  it('ends a channel whose subsystem throws, and nothing else', async () => {
    const made = await withSubsystem();
    made.subsystem.onData = () => {
      throw new Error('bug');
    };
    await made.deliver(request.data(text('x')));
    assert.deepEqual(numbers(made.transport), [98, 96, 97]);
    assert.equal(made.transport.disconnected, null);
    assert.equal(made.logged.length, 1);
  });
});

describe('data out', () => {
  it('cuts to the maximum packet of the peer and joins small writes of one turn', async () => {
    const made = await withSubsystem(request.open('session', 5, 2 ** 21, 1000));
    const { channel } = made.subsystem;
    channel.write([Buffer.alloc(2500, 1)]);
    channel.write([text('a'), text('b')]);
    channel.write([text('c')]);
    await settle();
    assert.deepEqual(
      dataSent(made.transport).map((data) => data.length),
      [1000, 1000, 503],
    );
  });

  it('copies nothing', async () => {
    const made = await withSubsystem();
    const big = Buffer.alloc(100_000, 3);
    made.subsystem.channel.write([big]);
    await settle();
    assert.equal(made.transport.sentParts.length, 4);
    for (const parts of made.transport.sentParts) assert.equal(parts[1]?.buffer, big.buffer);
  });

  it('waits for the window and goes on when it opens', async () => {
    const made = await withSubsystem(request.open('session', 5, 0));
    made.subsystem.channel.write([text('hello')]);
    await settle();
    assert.equal(made.transport.sent.length, 0);
    await made.deliver(request.adjust(2));
    await made.deliver(request.adjust(0));
    await made.deliver(request.adjust(100));
    assert.deepEqual(dataSent(made.transport).map(String), ['he', 'llo']);
  });

  it('disconnects at a window past 2^32', async () => {
    const made = await withSubsystem(request.open('session', 5, 0xffffffff));
    await disconnects(made, request.adjust(1));
  });

  it('asks the writer to wait above its bound', async () => {
    const made = await withSubsystem(request.open('session', 5, 0));
    const { channel } = made.subsystem;
    const chunk = Buffer.alloc(512 * 1024);
    assert.equal(channel.write([chunk]), true);
    assert.equal(channel.write([chunk]), false);
    let drained = false;
    const waiting = channel.drained().then(() => (drained = true));
    await made.deliver(request.adjust(256 * 1024));
    assert.equal(drained, false);
    await made.deliver(request.adjust(512 * 1024));
    await waiting;
    assert.equal(channel.write([]), true);
  });

  it('frees the writer when the channel or the connection goes', async () => {
    for (const end of [
      (made: Harness) => made.deliver(request.close()),
      (made: Harness) => {
        made.transport.lose();
        return Promise.resolve();
      },
    ]) {
      const made = await withSubsystem(request.open('session', 5, 0));
      const { channel } = made.subsystem;
      channel.write([Buffer.alloc(2 ** 21)]);
      const waiting = channel.drained();
      await end(made);
      await waiting;
      assert.equal(channel.closed, true);
      assert.equal(channel.write([text('x')]), true);
    }
  });

  it('stops at a full transport and takes turns between channels', async () => {
    const made = await signedIn();
    for (let index = 0; index < 2; index++) {
      await made.deliver(request.open('session', 5 + index));
      await made.deliver(request.subsystem('sftp', index));
    }
    made.transport.sent.length = 0;
    made.transport.open = false;
    for (const { channel } of made.subsystems) channel.write([Buffer.alloc(128 * 1024)]);
    await settle();
    assert.equal(made.transport.sent.length, 1);
    made.transport.reopen();
    await settle();
    const recipients = made.transport.sent.map((payload) => payload.readUInt32BE(1));
    assert.deepEqual(recipients, [5, 5, 6, 5, 6, 5, 6, 6]);
  });
});

describe('the end of a channel', () => {
  it('is exit status, end-of-file and close behind everything queued', async () => {
    const made = await withSubsystem(request.open('session', 5, 2));
    const { channel, events } = made.subsystem;
    channel.write([text('bye')]);
    channel.end(0);
    channel.end(3);
    channel.write([text('late')]);
    await settle();
    assert.deepEqual(numbers(made.transport), [94]);
    await made.deliver(request.adjust(10));
    assert.deepEqual(numbers(made.transport), [94, 94, 98, 96, 97]);
    const status = new ByteWriter().u8(98).u32(5).string('exit-status').boolean(false).u32(0).finish();
    assert.deepEqual(made.transport.sent[2], status);
    await made.deliver(request.close());
    assert.deepEqual(events, ['close']);
    assert.equal(made.transport.sent.length, 5);
  });

  it('tells the subsystem of end-of-file once and of close last', async () => {
    const made = await withSubsystem();
    await made.deliver(request.data(text('x')));
    await made.deliver(request.eof());
    await made.deliver(request.eof());
    await made.deliver(request.close());
    assert.deepEqual(made.subsystem.events, ['data 1', 'end', 'close']);
    assert.deepEqual(numbers(made.transport), [97]);
  });

  it('disconnects at data after end-of-file', async () => {
    for (const late of [request.data(text('x')), request.stderr(text('x'))]) {
      const made = await withSubsystem();
      await made.deliver(request.eof());
      await disconnects(made, late);
      assert.deepEqual(made.subsystem.events, ['end', 'close']);
    }
  });

  it('sends nothing on a channel after its CLOSE', async () => {
    const made = await withSubsystem();
    made.subsystem.channel.end(0);
    await settle();
    const { length } = made.transport.sent;
    await made.deliver(request.data(text('x')));
    await made.deliver(request.channel('env'));
    await made.deliver(request.adjust(1000));
    assert.equal(made.transport.sent.length, length);
    assert.deepEqual(made.subsystem.events, []);
  });

  it('never calls the subsystem from inside a call of its own', async () => {
    const made = await withSubsystem();
    const { subsystem, transport } = made;
    subsystem.onData = () => {
      transport.lose();
      subsystem.events.push('returned');
    };
    await made.deliver(request.data(text('x')));
    assert.deepEqual(subsystem.events, ['data 1', 'returned', 'close']);
  });

  it('tells every subsystem, then lets the session finish, then tells the broker once', async () => {
    const order: string[] = [];
    const made = await withSubsystem(request.open(), {
      abandoned: async () => {
        order.push(...made.subsystem.events);
        await settle();
        order.push('abandoned');
      },
    });
    made.broker.handlers['connection.closed'] = () => {
      order.push('broker');
      return {};
    };
    made.transport.lose();
    made.connection.end('again');
    await made.closed;
    assert.deepEqual(order, ['close', 'abandoned', 'broker']);
  });

  it('tells the broker why', async () => {
    const made = harness();
    made.connection.end('ended by the operator');
    assert.deepEqual(made.transport.disconnected, { reason: 11, text: 'ended by the operator' });
    assert.deepEqual(await made.closed, { reason: 'ended by the operator', offence: 'none' });
    const lost = harness();
    lost.transport.lose('protocol');
    assert.equal((await lost.closed).offence, 'protocol');
  });
});
