import assert from 'node:assert/strict';
import { createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { KIND, writeHeader } from '../../../src/udp/wire/header.ts';
import { nodeCipher } from '../../../src/udp/wire/node-cipher.ts';
import { ReplayWindow } from '../../../src/udp/wire/replay-window.ts';
import { DirectionKeys } from '../../../src/udp/wire/sealing.ts';
import { HEADER_LENGTH, KEY_EPOCH_PACKETS, OVERHEAD, TAG_LENGTH } from '../../../src/udp/wire/sizes.ts';

const transfer = { secret: randomBytes(32), connectionId: randomBytes(8) };

function sealed(keys: DirectionKeys, packetNumber: number, body: Buffer): Buffer {
  const datagram = Buffer.alloc(OVERHEAD + body.length);
  writeHeader(datagram, KIND.data, 0, packetNumber, transfer.connectionId);
  body.copy(datagram, HEADER_LENGTH);
  assert.equal(keys.seal(datagram, HEADER_LENGTH + body.length), datagram.length);
  return datagram;
}

const make = (direction: 'client' | 'server' = 'client'): DirectionKeys =>
  new DirectionKeys(transfer, direction, nodeCipher);

describe('sealed datagrams', () => {
  it('open to what was sealed, and hide it meanwhile', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 16, maxLength: 1500 }),
        fc.nat({ max: 1_000_000 }),
        (bytes, packetNumber) => {
          const body = Buffer.from(bytes);
          const datagram = sealed(make(), packetNumber, body);
          assert.equal(datagram.indexOf(body), -1);
          assert.ok(make().open(datagram, datagram.length));
          assert.deepEqual(datagram.subarray(HEADER_LENGTH, HEADER_LENGTH + body.length), body);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('are what PROTOCOL.md says, for somebody who writes another client', () => {
    const packetNumber = KEY_EPOCH_PACKETS * 3 + 77;
    const datagram = sealed(make('server'), packetNumber, Buffer.from('hello'));
    const info = 'waybill fast transfer 1 server 3';
    const made = Buffer.from(hkdfSync('sha256', transfer.secret, transfer.connectionId, info, 44));
    const nonce = Buffer.from(made.subarray(32));
    const number = Buffer.alloc(12);
    number.writeBigUInt64BE(BigInt(packetNumber), 4);
    for (let index = 0; index < 12; index++) nonce[index] = (nonce[index] as number) ^ (number[index] as number);
    const decipher = createDecipheriv('aes-256-gcm', made.subarray(0, 32), nonce);
    decipher.setAAD(datagram.subarray(0, 16));
    decipher.setAuthTag(datagram.subarray(datagram.length - 16));
    const plain = Buffer.concat([decipher.update(datagram.subarray(16, -16)), decipher.final()]);
    assert.equal(plain.toString(), 'hello');
  });

  it('do not open with any bit changed, cut, extended, or sealed for the other direction; and stay as they were', () => {
    const datagram = sealed(make(), 5, Buffer.from('a few bytes of a file'));
    const keys = make();
    for (let bit = 0; bit < datagram.length * 8; bit++) {
      const copy = Buffer.from(datagram);
      copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
      const before = Buffer.from(copy);
      assert.equal(keys.open(copy, copy.length), false);
      assert.deepEqual(copy, before);
    }
    const longer = Buffer.concat([datagram, Buffer.alloc(4)]);
    for (let length = OVERHEAD; length <= longer.length; length++) {
      if (length !== datagram.length) assert.equal(keys.open(longer, length), false);
    }
    assert.equal(make('server').open(Buffer.from(datagram), datagram.length), false);
    assert.ok(keys.open(datagram, datagram.length));
  });

  it('change keys with the packet number, also out of order over the border', () => {
    const sealing = make();
    const opening = make();
    const border = KEY_EPOCH_PACKETS;
    const order = [border - 2, border + 1, border - 1, border, border + 5];
    for (const packetNumber of order) {
      const datagram = sealed(sealing, packetNumber, Buffer.from('x'));
      assert.ok(opening.open(datagram, datagram.length), `number ${packetNumber - border} from the border`);
    }
  });

  it('of a far epoch derive nothing: a forger gets one derivation at the most', () => {
    let made = 0;
    const keys = new DirectionKeys(transfer, 'client', (key) => {
      made++;
      return nodeCipher(key);
    });
    const datagram = Buffer.alloc(OVERHEAD + 10);
    for (let epoch = 0; epoch < 50; epoch++) {
      writeHeader(datagram, KIND.data, 0, epoch * KEY_EPOCH_PACKETS, transfer.connectionId);
      assert.equal(keys.open(datagram, datagram.length), false);
    }
    assert.equal(made, 2);
    assert.equal(TAG_LENGTH, 16);
  });
});

describe('the replay window', () => {
  it('takes each number once, in any order within it, and none behind it', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 400 }), (numbers) => {
        const window = new ReplayWindow(4096);
        const taken = new Set<number>();
        let highest = -1;
        for (const number of numbers) {
          const expected = !taken.has(number) && number > highest - 4096;
          assert.equal(window.isNew(number), expected);
          if (!expected) continue;
          window.take(number);
          taken.add(number);
          highest = Math.max(highest, number);
        }
      }),
    );
  });

  it('works at numbers of 48 bits', () => {
    const window = new ReplayWindow();
    const far = 2 ** 48 - 10;
    window.take(3);
    window.take(far);
    assert.equal(window.isNew(far), false);
    assert.equal(window.isNew(far - 1), true);
    assert.equal(window.isNew(3), false);
    window.take(far - 1);
    assert.equal(window.isNew(far - 1), false);
  });
});
