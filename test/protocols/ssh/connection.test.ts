import assert from 'node:assert/strict';
import { describe, it, mock } from 'node:test';
import fc from 'fast-check';
import { ByteReader, ByteWriter, MalformedBytes } from '../../../src/base/bytes.ts';
import type { Response } from '../../../src/broker/calls.ts';
import * as authentication from '../../../src/protocols/ssh/authentication-messages.ts';
import * as connection from '../../../src/protocols/ssh/connection-messages.ts';
import { proofAlgorithm } from '../../../src/protocols/ssh/global-requests.ts';
import { PartQueue } from '../../../src/protocols/ssh/part-queue.ts';
import { harness, HOST_KEYS, LIMITS, numbers, request, settle, signedIn, text, WELCOME } from './connection-harness.ts';

const blobs = (...items: Buffer[]): Buffer => {
  const writer = new ByteWriter();
  for (const item of items) writer.string(item);
  return writer.finish();
};

describe('global requests', () => {
  for (const name of ['keepalive@openssh.com', 'tcpip-forward', 'streamlocal-forward@openssh.com', 'anything']) {
    it(`refuses ${name}, in silence when no answer is wanted`, async () => {
      const made = await signedIn();
      await made.deliver(request.global(name, true, text('fields')));
      await made.deliver(request.global(name, false, text('fields')));
      assert.deepEqual(made.transport.sent, [Buffer.of(82)]);
    });
  }

  it('tells all host keys right after sign-in', async () => {
    const made = harness({ 'signin.password': () => WELCOME });
    await made.deliver(request.service('ssh-userauth'));
    await made.deliver(request.password('ada', 'secret'));
    const keys = blobs(...HOST_KEYS.map((key) => key.blob));
    assert.deepEqual(made.transport.sent.at(-1), request.global('hostkeys-00@openssh.com', false, keys));
  });

  it('proves host keys through the broker, other answers waiting behind', async () => {
    const pending = Promise.withResolvers<Response<'hostkey.prove'>>();
    const made = await signedIn({ 'hostkey.prove': () => pending.promise });
    const [ed25519, rsa] = HOST_KEYS.map((key) => key.blob);
    assert.ok(ed25519 && rsa);
    await made.deliver(request.global('hostkeys-prove-00@openssh.com', true, blobs(rsa, ed25519)));
    await made.deliver(request.global('keepalive@openssh.com', true));
    assert.equal(made.transport.sent.length, 0);
    pending.resolve({ signature: text('signed') });
    await settle();
    assert.deepEqual(made.transport.sent, [
      new ByteWriter().u8(81).string('signed').string('signed').finish(),
      Buffer.of(82),
    ]);
    assert.deepEqual(
      made.broker.calls.filter((call) => call.name === 'hostkey.prove').map((call) => call.request['algorithm']),
      ['rsa-sha2-512', 'ssh-ed25519'],
    );
  });

  it('proves nothing that is not ours, nothing twice, and not for ever', async () => {
    let proofs = 0;
    const made = await signedIn({
      'hostkey.prove': () => {
        proofs += 1;
        return { signature: text('signed') };
      },
    });
    const ours = HOST_KEYS[0]?.blob ?? Buffer.alloc(0);
    const prove = (fields: Buffer) => made.deliver(request.global('hostkeys-prove-00@openssh.com', true, fields));
    for (const fields of [blobs(text('other')), blobs(ours, ours), blobs(ours, text('x'), ours), Buffer.alloc(0)]) {
      await prove(fields);
    }
    assert.equal(proofs, 0);
    await prove(blobs(ours));
    assert.equal(proofs, 0);
    assert.deepEqual(new Set(numbers(made.transport)), new Set([82]));
  });

  it('answers a failed proof with failure', async () => {
    const made = await signedIn({ 'hostkey.prove': () => Promise.reject(new Error('no')) });
    await made.deliver(request.global('hostkeys-prove-00@openssh.com', true, blobs(HOST_KEYS[0]?.blob ?? text(''))));
    assert.deepEqual(made.transport.sent, [Buffer.of(82)]);
  });

  it('disconnects when too many wait behind a proof', async () => {
    const made = await signedIn({ 'hostkey.prove': () => Promise.withResolvers<Response<'hostkey.prove'>>().promise });
    await made.deliver(request.global('hostkeys-prove-00@openssh.com', true, blobs(HOST_KEYS[0]?.blob ?? text(''))));
    for (let index = 0; index < 65; index++) made.connection.packet(request.global('keepalive@openssh.com', true));
    assert.equal(made.transport.disconnected?.reason, 2);
  });

  it('chooses the algorithm of a proof as clients check it', () => {
    const rsa = ['rsa-sha2-512-cert-v01@openssh.com', 'rsa-sha2-256', 'rsa-sha2-512'];
    assert.equal(proofAlgorithm(rsa, 'rsa-sha2-256'), 'rsa-sha2-256');
    assert.equal(proofAlgorithm(rsa, 'rsa-sha2-256-cert-v01@openssh.com'), 'rsa-sha2-256');
    assert.equal(proofAlgorithm(rsa, 'ssh-ed25519'), 'rsa-sha2-512');
    assert.equal(proofAlgorithm(['ssh-ed25519'], 'rsa-sha2-256'), 'ssh-ed25519');
  });
});

describe('abuse', () => {
  it('stops reading from a peer that asks and does not read', async () => {
    const made = await signedIn();
    made.transport.open = false;
    for (let index = 0; index < 1000; index++) made.connection.packet(request.global('keepalive@openssh.com', true));
    assert.equal(made.transport.paused, 1);
    made.transport.reopen();
    await settle();
    assert.equal(made.transport.paused, 0);
  });

  it('answers unknown messages as unimplemented', async () => {
    const made = await signedIn();
    for (const number of [8, 61, 79, 83, 101, 255]) await made.deliver(Buffer.of(number));
    const expected = new ByteWriter().u8(3).u32(42).finish();
    assert.deepEqual(made.transport.sent, Array<Buffer>(6).fill(expected));
  });

  it('disconnects at the end of the grace time', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const made = harness();
      mock.timers.tick(LIMITS.loginGraceSeconds * 1000);
      assert.equal(made.transport.disconnected?.reason, 11);
      assert.equal((await made.closed).offence, 'grace');
    } finally {
      mock.timers.reset();
    }
  });

  it('stops the grace time at sign-in', async () => {
    mock.timers.enable({ apis: ['setTimeout'] });
    try {
      const made = await signedIn();
      mock.timers.tick(LIMITS.loginGraceSeconds * 2000);
      assert.equal(made.transport.disconnected, null);
    } finally {
      mock.timers.reset();
    }
  });

  it('asks a silent peer and gives up on a dead one', async () => {
    mock.timers.enable({ apis: ['setInterval'] });
    try {
      const limits = { ...LIMITS, idleSeconds: 40 };
      const made = await signedIn({}, { configuration: { hostKeys: HOST_KEYS, limits, banner: null } });
      const alive = request.global('keepalive@openssh.com', true);
      mock.timers.tick(10_000);
      assert.deepEqual(made.transport.sent, []);
      mock.timers.tick(10_000);
      assert.deepEqual(made.transport.sent, [alive]);
      await made.deliver(Buffer.of(82));
      mock.timers.tick(40_000);
      assert.deepEqual(made.transport.sent, [alive, alive, alive, alive]);
      assert.equal(made.transport.closed, false);
      mock.timers.tick(10_000);
      assert.equal(made.transport.disconnected?.reason, 11);
      assert.equal((await made.closed).offence, 'none');
    } finally {
      mock.timers.reset();
    }
  });
});

const PARSERS: Record<string, (bytes: Buffer) => unknown> = {
  parseServiceRequest: authentication.parseServiceRequest,
  parseAuthenticationRequest: authentication.parseAuthenticationRequest,
  parseInfoResponse: authentication.parseInfoResponse,
  algorithmFitsBlob: (bytes) => authentication.algorithmFitsBlob('ssh-ed25519', bytes),
  parseGlobalRequest: connection.parseGlobalRequest,
  parseKeyBlobs: (bytes) => connection.parseKeyBlobs(bytes, 3),
  parseChannelOpen: connection.parseChannelOpen,
  parseRecipient: connection.parseRecipient,
  parseWindowAdjust: connection.parseWindowAdjust,
  parseData: connection.parseData,
  parseExtendedData: connection.parseExtendedData,
  parseBare: connection.parseBare,
  parseChannelRequest: connection.parseChannelRequest,
  parseSubsystem: connection.parseSubsystem,
  parseCommand: connection.parseCommand,
};

describe('parsers', () => {
  const valid = [
    request.password('ada', 'x'),
    request.publicKey('ada', 'ssh-ed25519', text('blob'), text('signature')),
    request.hostbound('ada', 'ssh-ed25519', text('blob'), text('host'), text('signature')),
    request.interactive('ada'),
    request.answers(['a', 'b']),
    request.open(),
    request.subsystem(),
    request.data(text('data')),
  ];
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
    // Valid messages cut short or with one byte changed reach further than noise does.
    fc.tuple(fc.constantFrom(...valid), fc.nat(), fc.nat(255)).map(([payload, at, value]) => {
      const copy = Buffer.from(payload);
      copy[at % copy.length] = value;
      return copy;
    }),
    fc.tuple(fc.constantFrom(...valid), fc.nat()).map(([payload, at]) => payload.subarray(0, at % payload.length)),
  );

  for (const [name, parse] of Object.entries(PARSERS)) {
    it(`${name} throws MalformedBytes or nothing`, () => {
      fc.assert(
        fc.property(bytes, (payload) => {
          try {
            parse(payload);
          } catch (error) {
            assert.ok(error instanceof MalformedBytes);
          }
        }),
        { numRuns: 300 },
      );
    });
  }

  it('no message in any order throws out of a connection', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(bytes, { maxLength: 30 }), fc.boolean(), async (payloads, inside) => {
        const made = inside ? await signedIn() : harness();
        for (const payload of payloads) made.connection.packet(payload);
        made.transport.lose();
        await made.closed;
        const reports = made.broker.names().filter((name) => name === 'connection.closed');
        assert.equal(reports.length, 1);
      }),
      { numRuns: 100 },
    );
  });
});

describe('PartQueue', () => {
  it('gives back the same bytes in any cuts', () => {
    const steps = fc.array(fc.tuple(fc.array(fc.uint8Array({ maxLength: 20 })), fc.nat(100)), { maxLength: 60 });
    fc.assert(
      fc.property(steps, (all) => {
        const queue = new PartQueue();
        const put: Buffer[] = [];
        const got: Buffer[] = [];
        for (const [parts, count] of all) {
          queue.push(parts.map((part) => Buffer.from(part)));
          put.push(...parts.map((part) => Buffer.from(part)));
          queue.take(count, got);
        }
        queue.take(queue.length, got);
        assert.equal(queue.length, 0);
        assert.deepEqual(Buffer.concat(got), Buffer.concat(put));
        assert.ok(got.every((part) => part.length > 0));
      }),
    );
  });

  it('reads back a message written with it', () => {
    const queue = new PartQueue();
    queue.push([blobs(text('a'), text('b'))]);
    const into: Buffer[] = [];
    queue.take(3, into);
    queue.take(99, into);
    const reader = new ByteReader(Buffer.concat(into));
    assert.deepEqual([reader.utf8(), reader.utf8()], ['a', 'b']);
  });
});
