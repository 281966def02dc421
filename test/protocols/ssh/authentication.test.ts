import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts';
import type { Response } from '../../../src/broker/calls.ts';
import { WaybillError } from '../../../src/base/errors.ts';
import {
  CONNECTION_ID,
  failureOf,
  harness,
  HOST_KEYS,
  keyBlob,
  LIMITS,
  numbers,
  REFUSAL,
  request,
  settle,
  text,
  WELCOME,
} from './connection-harness.ts';
import type { Handlers, Harness } from './connection-harness.ts';

const ED25519 = keyBlob('ssh-ed25519');

async function started(handlers: Handlers = {}): Promise<Harness> {
  const made = harness(handlers);
  await made.deliver(request.service('ssh-userauth'));
  made.transport.sent.length = 0;
  return made;
}

async function disconnects(made: Harness, payload: Buffer, reason = 2): Promise<void> {
  await made.deliver(payload);
  assert.equal(made.transport.disconnected?.reason, reason);
  assert.equal((await made.closed).offence, 'protocol');
}

describe('services', () => {
  it('accepts ssh-userauth', async () => {
    const made = harness();
    await made.deliver(request.service('ssh-userauth'));
    assert.deepEqual(made.transport.sent, [new ByteWriter().u8(6).string('ssh-userauth').finish()]);
  });

  for (const name of ['ssh-connection', 'nonsense', '']) {
    it(`disconnects at "${name}" before sign-in`, async () => {
      await disconnects(harness(), request.service(name), 7);
    });
  }

  it('disconnects at a request to sign in before the service was asked for', async () => {
    await disconnects(harness(), request.none('ada'));
  });
});

describe('sign-in', () => {
  it('passes none on and answers with the methods of the broker', async () => {
    const made = await started();
    await made.deliver(request.none('ada'));
    assert.deepEqual(made.broker.calls, [{ name: 'signin.none', request: { connection: CONNECTION_ID, user: 'ada' } }]);
    assert.deepEqual(failureOf(made.transport.sent[0]), { methods: REFUSAL.methods, partial: false });
  });

  it('passes a password on and signs in at success alone', async () => {
    let answer: Response<'signin.password'> = REFUSAL;
    const made = await started({ 'signin.password': () => answer });
    await made.deliver(request.password('ada', 'wrong'));
    assert.equal(made.transport.isSignedIn, false);
    answer = WELCOME;
    await made.deliver(request.password('ada', 'right'));
    assert.deepEqual(made.broker.calls[1]?.request['password'], text('right'));
    assert.equal(made.transport.isSignedIn, true);
    assert.deepEqual(numbers(made.transport), [51, 52, 80]);
  });

  it('wipes the password once the broker has answered', async () => {
    let seen: Buffer | null = null;
    const made = await started({
      'signin.password': ({ password }) => {
        seen = password;
        return REFUSAL;
      },
    });
    await made.deliver(request.password('ada', 'secret'));
    assert.deepEqual(seen, Buffer.alloc(6));
  });

  it('refuses a change of password without looking at it', async () => {
    const made = await started();
    const fields = new ByteWriter().boolean(true).string('old').string('new').finish();
    await made.deliver(request.auth('ada', 'password', fields));
    assert.deepEqual(made.broker.names(), ['signin.none']);
    assert.deepEqual(numbers(made.transport), [51]);
  });

  it('tells partial success and what is left', async () => {
    const made = await started({
      'signin.publickey': () => ({ result: 'failure', methods: ['keyboard-interactive'], partial: true }),
    });
    await made.deliver(request.publicKey('ada', 'ssh-ed25519', ED25519, text('signature')));
    assert.deepEqual(failureOf(made.transport.sent[0]), { methods: ['keyboard-interactive'], partial: true });
    assert.equal(made.transport.isSignedIn, false);
  });

  it('answers methods that it does not know with those that can go on', async () => {
    const made = await started();
    await made.deliver(request.auth('ada', 'gssapi-with-mic', text('anything')));
    assert.deepEqual(made.broker.names(), ['signin.none']);
    assert.deepEqual(numbers(made.transport), [51]);
  });

  it('sends the banner once, before the first answer', async () => {
    const made = harness({}, { configuration: { hostKeys: HOST_KEYS, limits: LIMITS, banner: 'Welcome\n' } });
    await made.deliver(request.service('ssh-userauth'));
    await made.deliver(request.none('ada'));
    await made.deliver(request.none('ada'));
    assert.deepEqual(numbers(made.transport), [6, 53, 51, 51]);
    assert.deepEqual(made.transport.sent[1], new ByteWriter().u8(53).string('Welcome\n').string('').finish());
  });

  it('disconnects when the broker says so, which is no offence of its own', async () => {
    const made = await started({ 'signin.password': () => ({ result: 'disconnect', reason: 'too many tries' }) });
    await made.deliver(request.password('ada', 'wrong'));
    assert.deepEqual(made.transport.disconnected, { reason: 14, text: 'too many tries' });
    assert.deepEqual(await made.closed, { reason: 'too many tries', offence: 'none' });
  });

  it('disconnects when the broker fails', async () => {
    const made = await started({
      'signin.password': () => Promise.reject(new WaybillError('broker-unavailable', 'gone')),
    });
    await made.deliver(request.password('ada', 'right'));
    assert.equal(made.transport.disconnected?.reason, 11);
    assert.equal((await made.closed).offence, 'none');
  });

  it('ignores requests after success, and disconnects at what only a server sends', async () => {
    const made = await started({ 'signin.password': () => WELCOME });
    await made.deliver(request.password('ada', 'right'));
    const { length } = made.transport.sent;
    await made.deliver(request.password('eve', 'guess'));
    assert.equal(made.transport.sent.length, length);
    assert.deepEqual(made.broker.names(), ['signin.password']);
    await disconnects(made, Buffer.of(52));
  });
});

describe('public keys', () => {
  it('answers a question with PK_OK, and never signs in by one', async () => {
    const made = await started({ 'signin.publickey-query': () => ({ acceptable: true, answer: REFUSAL }) });
    await made.deliver(request.publicKey('ada', 'ssh-ed25519', ED25519, null));
    assert.deepEqual(made.transport.sent, [new ByteWriter().u8(60).string('ssh-ed25519').string(ED25519).finish()]);
    assert.equal(made.transport.isSignedIn, false);
  });

  it('takes no success from a question', async () => {
    const made = await started({ 'signin.publickey-query': () => ({ acceptable: false, answer: WELCOME }) });
    await made.deliver(request.publicKey('ada', 'ssh-ed25519', ED25519, null));
    assert.equal(made.transport.isSignedIn, false);
    assert.equal(made.transport.disconnected?.reason, 11);
  });

  it('passes on what was signed and by which key, whatever was asked before', async () => {
    const made = await started({
      'signin.publickey-query': () => ({ acceptable: true, answer: REFUSAL }),
      'signin.publickey': () => REFUSAL,
    });
    const other = new ByteWriter().string('ssh-ed25519').string('another').finish();
    await made.deliver(request.publicKey('ada', 'ssh-ed25519', ED25519, null));
    await made.deliver(request.publicKey('ada', 'ssh-ed25519', other, text('signature')));
    assert.deepEqual(made.broker.calls[1], {
      name: 'signin.publickey',
      request: {
        connection: CONNECTION_ID,
        user: 'ada',
        algorithm: 'ssh-ed25519',
        blob: other,
        signature: text('signature'),
      },
    });
  });

  it('passes the host key of a hostbound request on', async () => {
    const made = await started({ 'signin.publickey': () => WELCOME });
    await made.deliver(request.hostbound('ada', 'ssh-ed25519', ED25519, text('host key'), text('signature')));
    assert.deepEqual(made.broker.calls[0]?.request['hostKey'], text('host key'));
    assert.equal(made.transport.isSignedIn, true);
  });

  const FITS: [string, string, boolean][] = [
    ['ssh-ed25519', 'ssh-ed25519', true],
    ['rsa-sha2-512', 'ssh-rsa', true],
    ['rsa-sha2-256-cert-v01@openssh.com', 'ssh-rsa-cert-v01@openssh.com', true],
    ['sk-ssh-ed25519@openssh.com', 'sk-ssh-ed25519@openssh.com', true],
    ['ssh-rsa', 'ssh-rsa', false],
    ['rsa-sha2-512', 'ssh-rsa-cert-v01@openssh.com', false],
    ['rsa-sha2-512', 'ssh-ed25519', false],
    ['ssh-ed25519', 'ecdsa-sha2-nistp256', false],
    ['ssh-ed25519', 'sk-ssh-ed25519@openssh.com', false],
  ];
  for (const [algorithm, type, fits] of FITS) {
    it(`${fits ? 'takes' : 'refuses'} ${algorithm} with a key of type ${type}`, async () => {
      const made = await started({ 'signin.publickey': () => REFUSAL });
      await made.deliver(request.publicKey('ada', algorithm, keyBlob(type), text('signature')));
      assert.deepEqual(made.broker.names(), [fits ? 'signin.publickey' : 'signin.none']);
      assert.deepEqual(numbers(made.transport), [51]);
    });
  }
});

describe('keyboard-interactive', () => {
  const asks: Response<'signin.interactive'> = {
    result: 'prompt',
    instruction: 'Two things',
    prompts: [
      { text: 'Password: ', echo: false },
      { text: 'Code: ', echo: true },
    ],
  };

  it('asks several prompts and passes the answers on', async () => {
    const made = await started({ 'signin.interactive': () => asks, 'signin.answers': () => WELCOME });
    await made.deliver(request.interactive('ada'));
    const reader = new ByteReader(made.transport.sent[0] ?? Buffer.alloc(0));
    assert.equal(reader.u8(), 60);
    assert.deepEqual([reader.utf8(), reader.utf8(), reader.utf8()], ['', 'Two things', '']);
    assert.equal(reader.u32(), 2);
    assert.deepEqual([reader.utf8(), reader.boolean()], ['Password: ', false]);
    assert.deepEqual([reader.utf8(), reader.boolean()], ['Code: ', true]);
    reader.done();
    await made.deliver(request.answers(['secret', '123456']));
    assert.deepEqual(made.broker.calls[1]?.request['answers'], [text('secret'), text('123456')]);
    assert.equal(made.transport.isSignedIn, true);
  });

  it('goes on with further prompts, also none at all', async () => {
    let round = 0;
    const made = await started({
      'signin.interactive': () => asks,
      'signin.answers': () => (round++ === 0 ? { result: 'prompt', instruction: 'Wait', prompts: [] } : WELCOME),
    });
    await made.deliver(request.interactive('ada'));
    await made.deliver(request.answers(['a', 'b']));
    await made.deliver(request.answers([]));
    assert.deepEqual(numbers(made.transport).slice(0, 3), [60, 60, 52]);
  });

  for (const answers of [[], ['one'], ['1', '2', '3']]) {
    it(`fails ${answers.length} answers to two prompts without looking at them`, async () => {
      const made = await started({ 'signin.interactive': () => asks });
      await made.deliver(request.interactive('ada'));
      await made.deliver(request.answers(answers));
      assert.deepEqual(made.broker.names(), ['signin.interactive', 'signin.none']);
      assert.deepEqual(numbers(made.transport), [60, 51]);
      await disconnects(made, request.answers(['a', 'b']));
    });
  }

  it('is aborted by a new request', async () => {
    const made = await started({ 'signin.interactive': () => asks, 'signin.password': () => REFUSAL });
    await made.deliver(request.interactive('ada'));
    await made.deliver(request.password('ada', 'x'));
    assert.deepEqual(numbers(made.transport), [60, 51]);
    await disconnects(made, request.answers(['a', 'b']));
  });

  it('disconnects at answers to nothing', async () => {
    await disconnects(await started(), request.answers(['a']));
  });

  for (const count of [17, 0xffffffff]) {
    it(`disconnects at ${count} answers`, async () => {
      const made = await started({ 'signin.interactive': () => asks });
      await made.deliver(request.interactive('ada'));
      await disconnects(made, request.answers(['a'], count));
    });
  }
});

describe('order', () => {
  for (const number of [6, 51, 52, 53, 60, 62, 63, 80, 81, 90, 94, 98, 100, 192, 255]) {
    it(`disconnects at message ${number} before sign-in`, async () => {
      await disconnects(await started(), Buffer.of(number, 0, 0, 0, 0));
    });
  }

  it('disconnects at channel messages while the broker still thinks about a sign-in', async () => {
    const pending = Promise.withResolvers<Response<'signin.password'>>();
    const made = await started({ 'signin.password': () => pending.promise });
    await made.deliver(request.password('ada', 'right'));
    await made.deliver(request.open());
    assert.equal(made.transport.disconnected?.reason, 2);
    pending.resolve(WELCOME);
    await made.closed;
    assert.equal(made.transport.isSignedIn, false);
    assert.deepEqual(made.broker.names(), ['signin.password', 'connection.closed']);
  });

  it('answers requests sent ahead one after another', async () => {
    const made = await started({
      'signin.password': async () => {
        await settle();
        return REFUSAL;
      },
    });
    for (let index = 0; index < 4; index++) made.connection.packet(request.password('ada', `guess ${index}`));
    while (made.transport.sent.length < 4) await settle();
    assert.equal(made.broker.mostAtOnce, 1);
    assert.deepEqual(
      made.broker.calls.map((call) => String(call.request['password'])),
      ['guess 0', 'guess 1', 'guess 2', 'guess 3'],
    );
  });

  it('disconnects a client that sends too far ahead', async () => {
    const pending = Promise.withResolvers<Response<'signin.password'>>();
    const made = await started({ 'signin.password': () => pending.promise });
    for (let index = 0; index < 10; index++) made.connection.packet(request.password('ada', 'guess'));
    assert.equal(made.transport.disconnected?.reason, 2);
    pending.resolve(REFUSAL);
    assert.equal((await made.closed).offence, 'protocol');
  });

  it('disconnects a client that asks for ever', async () => {
    const made = await started();
    for (let index = 0; index < 128; index++) await made.deliver(request.none('ada'));
    assert.equal(made.transport.disconnected, null);
    await disconnects(made, request.none('ada'), 14);
  });

  it('drops what was sent ahead of a success', async () => {
    const made = await started({ 'signin.password': () => WELCOME });
    made.connection.packet(request.password('ada', 'right'));
    made.connection.packet(request.password('eve', 'other'));
    await settle();
    assert.deepEqual(made.broker.names(), ['signin.password']);
    assert.equal(made.transport.disconnected, null);
  });

  it('disconnects at a change of user, also after a step that succeeded', async () => {
    const made = await started({
      'signin.password': () => ({ result: 'failure', methods: ['keyboard-interactive'], partial: true }),
    });
    await made.deliver(request.password('ada', 'right'));
    await disconnects(made, request.interactive('eve'));
    assert.deepEqual(made.broker.names(), ['signin.password', 'connection.closed']);
  });

  it('disconnects at another service', async () => {
    await disconnects(await started(), request.auth('ada', 'none', Buffer.alloc(0), 'ssh-other'), 7);
  });
});

describe('malformed requests', () => {
  const long = 'x'.repeat(1025);
  const CASES: Record<string, Buffer> = {
    'a user that is not UTF-8': new ByteWriter()
      .u8(50)
      .string(Buffer.of(0xff, 0xfe))
      .string('ssh-connection')
      .string('none')
      .finish(),
    'a user of 257 bytes': request.none('u'.repeat(257)),
    'a password of 1,025 bytes': request.password('ada', long),
    'bytes after the password': Buffer.concat([request.password('ada', 'x'), Buffer.of(0)]),
    'bytes after none': request.auth('ada', 'none', Buffer.of(1)),
    'a length of 0xFFFFFFFF': Buffer.concat([Buffer.of(50), Buffer.of(0xff, 0xff, 0xff, 0xff)]),
    'a key blob over the bound': request.publicKey('ada', 'ssh-ed25519', Buffer.alloc(16385), null),
    'a signature over the bound': request.publicKey('ada', 'ssh-ed25519', ED25519, Buffer.alloc(8193)),
    'nothing but the number': Buffer.of(50),
  };
  for (const [name, payload] of Object.entries(CASES)) {
    it(`disconnects at ${name}`, async () => {
      const made = await started();
      await disconnects(made, payload);
      assert.deepEqual(made.broker.names(), ['connection.closed']);
    });
  }
});
