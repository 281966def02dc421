import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import { emptyFeedbackFields, writeFeedback } from '../../../src/udp/wire/feedback.ts';
import { DATA_AT, writeData } from '../../../src/udp/wire/data.ts';
import { FLAG_END, KIND, packetNumberOf, writeHeader } from '../../../src/udp/wire/header.ts';
import { NumberRanges } from '../../../src/udp/wire/number-ranges.ts';
import { CHALLENGE_LENGTH, HEADER_LENGTH, INITIAL_LIMIT, OVERHEAD } from '../../../src/udp/wire/sizes.ts';
import { Pair } from './pair.ts';

function kindOf(datagram: Buffer): number {
  return (datagram[0] as number) & 15;
}

describe('a transfer', () => {
  it('arrives identical, and both ends know that it is complete', () => {
    const pair = new Pair();
    pair.run(200);
    assert.deepEqual(pair.copy, pair.file);
    assert.equal(pair.sender.connection.ended?.reason, 'complete');
    assert.deepEqual(pair.receiver.connection.ended, { reason: 'complete', text: '', by: 'peer' });
    assert.equal(pair.settledBelow, pair.file.length);
    assert.equal(pair.sender.mtu.size, 1472);
  });

  it('arrives identical over loss, duplication and reordering in both directions', () => {
    const pair = new Pair();
    let turn = 0;
    const held: Buffer[] = [];
    while (pair.sender.connection.ended === null && turn++ < 4000) {
      for (const end of ['receiver', 'sender'] as const) {
        const said = pair.say(end === 'receiver' ? 'sender' : 'receiver').filter(() => Math.random() > 0.2);
        const doubled = said.flatMap((datagram) => (Math.random() < 0.1 ? [datagram, datagram] : [datagram]));
        if (end === 'receiver') {
          held.push(...doubled.filter(() => Math.random() < 0.1));
          pair.give(
            end,
            doubled.toSorted(() => Math.random() - 0.5),
          );
          if (turn % 20 === 0) pair.give(end, held.splice(0));
        } else pair.give(end, doubled);
        pair.now += 2500;
      }
    }
    assert.deepEqual(pair.copy, pair.file);
    assert.equal(pair.sender.connection.ended?.reason, 'complete');
  });

  it('sends only what the receiver does not have from before', () => {
    const file = randomBytes(200_000);
    const have = [[0, 50_000] as const, [100_000, 180_000] as const];
    const sent: number[] = [];
    const pair = new Pair({ file, sender: { have }, receiver: { have } });
    file.copy(pair.copy, 0, 0, 50_000);
    file.copy(pair.copy, 100_000, 100_000, 180_000);
    const bytes = { total: 0 };
    pair.run(200, (datagram, to) => {
      if (to === 'receiver' && kindOf(datagram) === KIND.data) bytes.total += datagram.length - DATA_AT - 16;
      sent.push(datagram.length);
      return true;
    });
    assert.deepEqual(pair.copy, file);
    assert.ok(bytes.total >= 70_000 && bytes.total < 74_000, `${bytes.total} bytes sent`);
  });

  it('waits for release, shows why, and goes on', () => {
    const pair = new Pair({ readableBelow: 100_000 });
    pair.sender.pause({ cause: 'held', reference: 'H-1234' });
    pair.run(100);
    assert.equal(pair.receiver.received, 100_000);
    assert.deepEqual(pair.receiver.paused, { cause: 'held', reference: 'H-1234' });
    // Over night: keepalives alone, and nobody gives up.
    for (let hour = 0; hour < 10 * 720; hour++) {
      pair.now += 5_000_000;
      pair.run(1);
    }
    assert.equal(pair.sender.connection.ended, null);
    assert.equal(pair.receiver.connection.ended, null);
    pair.readableBelow = pair.file.length;
    pair.sender.resume();
    pair.run(200);
    assert.deepEqual(pair.copy, pair.file);
    assert.equal(pair.receiver.paused, null);
  });

  it('finds a path that became narrower, and goes on', () => {
    const pair = new Pair({ file: randomBytes(2_000_000) });
    pair.run(10);
    const size = (): number => pair.sender.mtu.size;
    assert.equal(size(), 1472);
    assert.equal(pair.sender.connection.ended, null);
    pair.run(4000, (datagram) => datagram.length <= 1300);
    assert.deepEqual(pair.copy, pair.file);
    assert.ok(size() <= 1300);
  });
});

describe('silence', () => {
  it('stops a sender: probes alone, fewer and fewer, then the end', () => {
    const pair = new Pair({ file: randomBytes(5_000_000) });
    pair.run(10);
    let datagrams = 0;
    const begun = pair.now;
    while (pair.sender.connection.ended === null && pair.now < begun + 100_000_000) {
      pair.now += 10_000;
      datagrams += pair.say('sender').length;
    }
    assert.equal(pair.sender.connection.ended?.reason, 'silence');
    assert.ok(pair.now - begun >= 59_000_000 && pair.now - begun < 62_000_000);
    // A window that was on its way, and about a probe a second.
    assert.ok(datagrams < 400, `${datagrams} datagrams into silence`);
  });

  it('ends a receiver too, and what it sends meanwhile is little', () => {
    const pair = new Pair();
    pair.give('receiver', pair.say('sender'));
    let bytes = 0;
    for (let turn = 0; turn < 700; turn++) {
      pair.now += 100_000;
      for (const datagram of pair.say('receiver')) bytes += datagram.length;
    }
    assert.equal(pair.receiver.connection.ended?.reason, 'silence');
    assert.ok(bytes < 5000, `${bytes} bytes`);
  });

  it('makes a receiver show itself within seconds: its address may be another one, and nobody would find it', () => {
    const pair = new Pair({ server: 'sender' });
    pair.give('sender', pair.say('receiver'));
    pair.give('receiver', pair.say('sender'));
    // Its feedback is out.
    pair.now += 500_000;
    pair.say('receiver');
    const since = pair.now;
    let said: readonly Buffer[] = [];
    while (said.length === 0 && pair.now < since + 5_000_000) {
      pair.now += 100_000;
      // As long as a challenge that may come back there, twice: what is shorter is one of its own.
      said = pair.say('receiver').filter(({ length }) => length >= 2 * (OVERHEAD + CHALLENGE_LENGTH));
    }
    assert.ok(pair.now <= since + 2_000_000, `${pair.now - since} us`);
  });
});

describe('datagrams that nobody authentic sent', () => {
  it('change nothing: forged, cut, extended, of another connection, replayed, from elsewhere', () => {
    const pair = new Pair({ file: randomBytes(20_000) });
    const real = pair.say('sender');
    assert.ok(real.length > 3);
    const state = (): unknown => [
      pair.receiver.received,
      pair.receiver.connection.bytesIn,
      pair.receiver.wakeAt(),
      pair.say('receiver').length,
    ];
    const before = state();
    for (const datagram of real) {
      for (let at = 0; at < datagram.length; at += 37) {
        const changed = Buffer.from(datagram);
        changed[at] = (changed[at] as number) ^ 0x40;
        pair.give('receiver', [changed]);
      }
      pair.give('receiver', [
        datagram.subarray(0, 40),
        datagram.subarray(0, 31),
        Buffer.alloc(0),
        Buffer.concat([datagram, Buffer.alloc(1)]),
      ]);
      pair.give('receiver', [Buffer.alloc(9217), randomBytes(1472), Buffer.alloc(65_507)]);
    }
    pair.give('receiver', new Pair().say('sender'));
    assert.deepEqual(state(), before);
    pair.give('receiver', real);
    const after = [pair.receiver.received, pair.receiver.connection.bytesIn];
    pair.give('receiver', [...real, ...real.toReversed()], 3);
    assert.deepEqual([pair.receiver.received, pair.receiver.connection.bytesIn], after);
    assert.equal(pair.receiver.connection.refused.replayed, real.length * 2);
    assert.equal(pair.receiver.connection.paths.active, 0, 'a replay from elsewhere moves nobody');
    assert.equal(pair.receiver.connection.ended, null);
  });

  it('are not answered, and a server says nothing at all before its client did', () => {
    for (const server of ['sender', 'receiver'] as const) {
      const pair = new Pair({ server });
      assert.deepEqual(pair.say(server), []);
      assert.equal(pair[server].wakeAt() > pair.now, true);
      for (let count = 0; count < 200; count++) pair.give(server, [randomBytes(32 + count * 7)], count);
      pair.now += 10_000_000;
      assert.deepEqual(pair.say(server), []);
    }
  });

  it('cannot make a client listen to another address', () => {
    const pair = new Pair({ server: 'sender' });
    pair.give('sender', pair.say('receiver'));
    const said = pair.say('sender');
    pair.give('receiver', said, 9);
    assert.equal(pair.receiver.connection.bytesIn, 0);
    assert.equal(pair.receiver.connection.refused.foreign, said.length);
  });
});

describe('before the peer is proven', () => {
  it('no more bytes go out than came in, whoever copies the first datagram to wherever', () => {
    const pair = new Pair({ server: 'sender' });
    const hello = pair.say('receiver');
    assert.equal(hello.length, 1);
    const bytesIn = (hello[0] as Buffer).length;
    pair.give('sender', hello, 5);
    let bytesOut = 0;
    for (let turn = 0; turn < 500; turn++) {
      for (const datagram of pair.say('sender')) bytesOut += datagram.length;
      pair.now += 100_000;
    }
    assert.ok(bytesOut > 0 && bytesOut <= bytesIn, `${bytesOut} out, ${bytesIn} in`);
  });

  it('whose control channel came from there needs no challenge, and nobody else from anywhere', () => {
    for (const [from, proven] of [
      [5, true],
      [6, false],
    ] as const) {
      const pair = new Pair({ server: 'sender', known: [5] });
      const hello = pair.say('receiver');
      pair.give('sender', hello, from);
      assert.equal(pair.sender.connection.paths.isProven, proven);
      const said = pair.say('sender').reduce((sum, { length }) => sum + length, 0);
      assert.equal(said > (hello[0] as Buffer).length, proven);
    }
    // Only at the beginning: whoever has an address already is asked at the next.
    const pair = new Pair({ server: 'sender', known: [5] });
    pair.give('sender', pair.say('receiver'), 1);
    pair.now += 300_000;
    pair.give('sender', pair.say('receiver'), 5);
    assert.equal(pair.sender.connection.paths.isProven, false);
  });

  it('a response proves it, and then it flows', () => {
    const pair = new Pair({ server: 'sender' });
    pair.run(200);
    assert.equal(pair.sender.connection.paths.isProven, true);
    assert.deepEqual(pair.copy, pair.file);
  });

  it('follows a client whose address changes, once the new one is proven, and not a copy of old datagrams', () => {
    const pair = new Pair({ server: 'sender', file: randomBytes(3_000_000) });
    pair.run(20);
    const old = pair.say('receiver');
    pair.now += 5000;
    const fresh = pair.say('receiver');
    pair.give('sender', fresh, 0);
    pair.give('sender', old, 7);
    assert.equal(pair.sender.connection.paths.active, 0);
    const active = (): number => pair.sender.connection.paths.active;
    let moved = false;
    for (let turn = 0; turn < 2000 && pair.sender.connection.ended === null; turn++) {
      const said = pair.say('sender');
      moved ||= active() === 2;
      pair.give('receiver', said);
      pair.now += 2500;
      pair.give('sender', pair.say('receiver'), 2);
      pair.now += 2500;
    }
    assert.ok(moved);
    assert.deepEqual(pair.copy, pair.file);
  });
});

describe('a receiver that lies', () => {
  const feedback = (pair: Pair, number: number, low: number, high: number): Buffer => {
    const arrived = new NumberRanges(4);
    arrived.add(low, high);
    const fields = { ...emptyFeedbackFields(), clock: pair.now, limit: 1e9, latest: high };
    const probe = Buffer.alloc(1200);
    const end = writeFeedback(probe, fields, arrived, low);
    return pair.seal('receiver', end, (into) => {
      writeHeader(into, KIND.feedback, 0, number, pair.transfer.connectionId);
      writeFeedback(into, fields, arrived, low);
    });
  };

  it('and acknowledges what was never sent ends the transfer', () => {
    const pair = new Pair();
    const sent = pair.say('sender').length;
    pair.give('sender', [feedback(pair, 0, 0, sent + 5)]);
    assert.equal(pair.sender.connection.ended?.reason, 'feedback-lies');
  });

  it('and acknowledges everything, as it comes or not, is found out by a number that was left out', () => {
    const pair = new Pair({ file: randomBytes(20_000_000) });
    let number = 0;
    let highest = -1;
    for (let turn = 0; turn < 2000 && pair.sender.connection.ended === null; turn++) {
      for (const datagram of pair.say('sender')) highest = Math.max(highest, packetNumberOf(datagram));
      pair.now += 5000;
      pair.give('sender', [feedback(pair, number++, 0, highest)]);
      pair.now += 5000;
    }
    assert.equal(pair.sender.connection.ended?.reason, 'feedback-lies');
    assert.ok(highest < 3000, `after ${highest} packets`);
  });

  it('and floods the sender with feedback is heard as often as it may be', () => {
    const pair = new Pair({ file: randomBytes(1_000_000) });
    assert.ok(pair.say('sender').length > 0);
    let number = 0;
    for (let count = 0; count < 1000; count++) pair.give('sender', [feedback(pair, number++, 0, 0)]);
    assert.equal(pair.sender.connection.refused.excess, 1000 - 64);
    pair.now += 125_000;
    pair.give('sender', [feedback(pair, number++, 0, 0)]);
    assert.equal(pair.sender.connection.refused.excess, 1000 - 64);
    assert.equal(pair.sender.connection.ended, null);
  });

  it('and never opens its window gets what was let in, and a question now and then', () => {
    let taken = 0;
    const pair = new Pair({
      file: randomBytes(1_000_000),
      receiver: {
        window: INITIAL_LIMIT,
        sink: {
          write: (_offset, _from, start, end) => {
            taken += end - start;
          },
        },
      },
    });
    pair.run(100);
    const written = (): number => taken;
    assert.equal(written(), INITIAL_LIMIT);
    let datagrams = 0;
    pair.run(2000, (_datagram, to) => {
      if (to === 'receiver') datagrams++;
      return true;
    });
    assert.equal(written(), INITIAL_LIMIT);
    assert.ok(datagrams < 200, `${datagrams} datagrams in 10 s`);
    assert.equal(pair.sender.connection.ended, null);
    // The disk comes back.
    pair.receiver.written(INITIAL_LIMIT);
    pair.run(200);
    assert.ok(written() > INITIAL_LIMIT);
  });
});

describe('a sender that does not stop', () => {
  const data = (pair: Pair, number: number, offset: number, length: number, flags = 0): Buffer =>
    pair.seal('sender', DATA_AT + length, (into) => {
      writeHeader(into, KIND.data, flags, number, pair.transfer.connectionId);
      writeData(into, offset, number, 0);
    });

  it('is cut off when it sends more than was let in', () => {
    let taken = 0;
    const pair = new Pair({
      receiver: {
        window: INITIAL_LIMIT,
        sink: {
          write: (_offset, _from, start, end) => {
            taken += end - start;
          },
        },
      },
    });
    for (let number = 0; number < 1000; number++) pair.give('receiver', [data(pair, number, number * 1400, 1400)]);
    assert.equal(pair.receiver.connection.ended?.reason, 'limit-exceeded');
    assert.ok(taken < INITIAL_LIMIT + 1400);
  });

  it('cannot write beyond the end, move it, or fill the memory with pieces that lie apart', () => {
    const pair = new Pair({ receiver: { end: 10_000, window: 2 ** 30 } });
    pair.give('receiver', [data(pair, 0, 9_990, 20)]);
    assert.equal(pair.receiver.connection.ended?.reason, 'malformed');

    const moved = new Pair({ receiver: { window: 2 ** 30 }, file: Buffer.alloc(10_000) });
    moved.give('receiver', [data(moved, 0, 5000, 10), data(moved, 1, 100, 10, FLAG_END)]);
    assert.equal(moved.receiver.connection.ended?.reason, 'malformed');

    const apart = new Pair({ receiver: { window: 2 ** 30 }, file: Buffer.alloc(10) });
    for (let number = 0; number < 70_000; number++) apart.give('receiver', [data(apart, number, number * 2, 1)]);
    assert.ok(apart.receiver.stream.count <= 65_536);
    assert.ok(apart.receiver.received <= 65_536);
    assert.equal(apart.receiver.connection.ended, null);
  });

  it('gets feedback no oftener than it may ask for, however much comes', () => {
    const pair = new Pair({ receiver: { window: 2 ** 30 }, file: Buffer.alloc(2_000_000) });
    let answers = 0;
    for (let number = 0; number < 1000; number++) {
      pair.give('receiver', [data(pair, number, number * 1400, 1400)]);
      answers += pair.say('receiver').length;
      pair.now += 10;
    }
    // 10 ms at the shortest interval there is, 250 us.
    assert.ok(answers <= 41, `${answers} answers`);
  });

  it('is answered once a datagram at the most, though it writes nonsense', () => {
    const pair = new Pair();
    const nonsense = pair.seal('sender', HEADER_LENGTH + 4, (into) => {
      writeHeader(into, KIND.data, 0, 0, pair.transfer.connectionId);
    });
    pair.give('receiver', [nonsense]);
    assert.equal(pair.receiver.connection.ended?.reason, 'malformed');
    // Shorter than what came: the close itself must not amplify.
    const said = pair.say('receiver').reduce((total, datagram) => total + datagram.length, 0);
    assert.ok(said <= nonsense.length);
  });
});
