/** What somebody without any credential can try: RFC 4253 and 4252 broken in every way the first messages allow. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { startServer, type TestServer } from '../interop/server.ts';
import { frontMemory } from './front-memory.ts';
import { join, MSG, RawClient, str, u32, u8 } from './raw-client.ts';

describe('before sign-in', () => {
  let server: TestServer;
  before(async () => {
    // Penalties and start-up limits have tests of their own; here every connection is an attack from one address.
    server = await startServer({
      args: ['--max-startups', '500', '--max-startups-per-source', '500', '--penalties', 'false'],
    });
  });
  after(async () => {
    await server.remove();
  });

  /** The server still signs a client in: it neither crashed nor hangs. */
  async function alive(): Promise<void> {
    const client = await RawClient.signedIn(server);
    client.destroy();
    await client.closed;
    assert.equal(server.child.exitCode, null);
    assert.ok(!server.log().includes('front ended'), server.log());
  }

  /** The server closes by itself, without any of these messages. */
  async function closesWithout(client: RawClient, ...forbidden: number[]): Promise<void> {
    const seen = await client.untilClosed();
    for (const number of forbidden) assert.ok(!seen.includes(number), `message ${number} in ${seen.join(' ')}`);
    client.destroy();
  }

  for (const number of [
    MSG.userauthFailure,
    MSG.userauthSuccess,
    MSG.userauthPkOk,
    MSG.infoResponse,
    80,
    MSG.channelOpen,
    MSG.channelData,
    MSG.channelClose,
    127,
  ]) {
    test(`message ${number} instead of a sign-in gives nothing and ends the connection`, async () => {
      const client = await RawClient.secured(server);
      await client.service('ssh-userauth');
      client.send(join(u8(number), str('session'), u32(0), u32(1 << 20), u32(32_768)));
      await closesWithout(client, MSG.userauthSuccess, MSG.channelOpenConfirmation, MSG.requestSuccess);
    });

    test(`message ${number} before the service request gives nothing and ends the connection`, async () => {
      const client = await RawClient.secured(server);
      client.send(join(u8(number), str('session'), u32(0), u32(1 << 20), u32(32_768)));
      await closesWithout(client, MSG.userauthSuccess, MSG.channelOpenConfirmation, MSG.requestSuccess);
    });
  }

  for (const [name, publicValue] of [
    ['all zero', Buffer.alloc(32)],
    ['of order 1', Buffer.from('01'.padEnd(64, '0'), 'hex')],
    ['of order 8', Buffer.from('e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800', 'hex')],
    ['short', Buffer.alloc(31, 7)],
    ['long', Buffer.alloc(33, 7)],
    ['empty', Buffer.alloc(0)],
    ['giant', Buffer.alloc(30_000, 7)],
  ] as const) {
    test(`an X25519 value that is ${name} is refused`, async () => {
      const client = await RawClient.open(server);
      await client.versions();
      await assert.rejects(client.keyExchange({ publicValue }), /disconnected|closed/);
      assert.ok(!client.seen.includes(MSG.newKeys));
      client.destroy();
    });
  }

  for (const [name, payload] of [
    ['IGNORE', join(u8(MSG.ignore), str('x'))],
    ['DEBUG', join(u8(MSG.debug), u8(0), str('x'), str(''))],
    ['EXT_INFO', join(u8(MSG.extInfo), u32(0))],
    ['UNIMPLEMENTED', join(u8(MSG.unimplemented), u32(0))],
  ] as const) {
    test(`${name} inside a strict key exchange ends the connection (CVE-2023-48795)`, async () => {
      const client = await RawClient.open(server);
      await client.versions();
      await assert.rejects(client.keyExchange({ inside: [payload] }), /disconnected|closed/);
      assert.ok(!client.seen.includes(MSG.newKeys));
      client.destroy();
    });
  }

  for (const length of [0, 1, 5, 0x7fffffff, 0xffffffff, 300_000, 150 * 1024 * 1024]) {
    test(`a first packet that claims ${length} bytes ends the connection before they are taken`, async () => {
      const client = await RawClient.open(server);
      await client.versions();
      client.sendRaw(join(u32(length), randomBytes(64)));
      await closesWithout(client, MSG.newKeys);
    });

    test(`an encrypted packet that claims ${length} bytes ends the connection`, async () => {
      const client = await RawClient.secured(server);
      client.sendRaw(client.packet(Buffer.alloc(64, 2), { length }));
      await closesWithout(client, MSG.serviceAccept);
    });
  }

  test('a bad length followed by 150 MiB leaves the memory of the fronts where it was', async () => {
    await alive();
    const first = frontMemory(server);
    const client = await RawClient.open(server);
    await client.versions();
    client.sendRaw(u32(150 * 1024 * 1024));
    const block = Buffer.alloc(1 << 20);
    for (let sent = 0; sent < 150 && !client.socket.destroyed; sent++) {
      if (!client.socket.write(block))
        await Promise.race([new Promise((resolve) => client.socket.once('drain', resolve)), client.closed]);
    }
    await client.closed;
    assert.ok(frontMemory(server) - first < 30 * 2 ** 20, 'memory grew');
    await alive();
  });

  for (const [name, sendIt] of [
    ['padding longer than the packet', (client: RawClient) => client.packet(Buffer.alloc(20, 2), { padding: 255 })],
    ['no padding', (client: RawClient) => client.packet(Buffer.alloc(20, 2), { padding: 0 })],
    [
      'a flipped bit',
      (client: RawClient) => {
        const packet = client.packet(Buffer.alloc(20, 2));
        packet[8] = (packet[8] ?? 0) ^ 1;
        return packet;
      },
    ],
  ] as const) {
    test(`a packet with ${name} ends the connection`, async () => {
      const client = await RawClient.secured(server);
      client.sendRaw(sendIt(client));
      await closesWithout(client, MSG.serviceAccept);
    });
  }

  for (const [name, bytes] of [
    ['a version line without an end', Buffer.alloc(100_000, 0x41)],
    ['SSH 1', Buffer.from('SSH-1.5-old\r\n')],
    ['HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['NUL in the version', Buffer.from('SSH-2.0-a\0b\r\n')],
    ['nothing but zeros', Buffer.alloc(4096)],
  ] as const) {
    test(`${name} instead of a version ends the connection`, async () => {
      const client = await RawClient.open(server);
      client.sendRaw(bytes);
      await client.closed;
    });
  }

  for (const [name, payload] of [
    [
      'string lengths of 0xFFFFFFFF in KEXINIT',
      join(u8(MSG.kexInit), randomBytes(16), u32(0xffffffff), Buffer.alloc(64)),
    ],
    ['an empty KEXINIT', u8(MSG.kexInit)],
    [
      'a KEXINIT with no common algorithm',
      join(u8(MSG.kexInit), randomBytes(16), ...Array.from({ length: 10 }, () => str('nothing')), u8(0), u32(0)),
    ],
    ['NEWKEYS at once', u8(MSG.newKeys)],
    ['KEXECDH_INIT without KEXINIT', join(u8(MSG.kexEcdhInit), str(Buffer.alloc(32, 9)))],
    [
      'a name-list that is not ASCII',
      join(u8(MSG.kexInit), randomBytes(16), ...Array.from({ length: 10 }, () => str('ü')), u8(0), u32(0)),
    ],
  ] as const) {
    test(`${name} ends the connection`, async () => {
      const client = await RawClient.open(server);
      await client.versions();
      client.send(payload);
      await closesWithout(client, MSG.newKeys);
    });
  }

  test('a second KEXINIT inside the key exchange ends the connection', async () => {
    const client = await RawClient.open(server);
    await client.versions();
    client.send(client.kexInit());
    client.send(client.kexInit());
    await closesWithout(client, MSG.newKeys);
  });

  for (const [name, payload] of [
    ['a user name of 0xFFFFFFFF bytes', join(u8(MSG.userauthRequest), u32(0xffffffff), Buffer.from('x'))],
    [
      'a user name of 100 KB',
      join(u8(MSG.userauthRequest), str(Buffer.alloc(30_000, 0x61)), str('ssh-connection'), str('none')),
    ],
    [
      'a key blob of 0xFFFFFFFF bytes',
      join(
        u8(MSG.userauthRequest),
        str('a'),
        str('ssh-connection'),
        str('publickey'),
        u8(0),
        str('ssh-ed25519'),
        u32(0xffffffff),
      ),
    ],
    [
      'an RSA key with a giant modulus',
      join(
        u8(MSG.userauthRequest),
        str('a'),
        str('ssh-connection'),
        str('publickey'),
        u8(0),
        str('rsa-sha2-256'),
        str(join(str('ssh-rsa'), str(Buffer.of(3)), str(Buffer.alloc(15_000, 0x55)))),
      ),
    ],
    [
      'an RSA key with modulus zero',
      join(
        u8(MSG.userauthRequest),
        str('a'),
        str('ssh-connection'),
        str('publickey'),
        u8(1),
        str('rsa-sha2-256'),
        str(join(str('ssh-rsa'), str(Buffer.alloc(0)), str(Buffer.alloc(0)))),
        str(join(str('rsa-sha2-256'), str(Buffer.alloc(256)))),
      ),
    ],
    [
      'an EC point that is not on the curve',
      join(
        u8(MSG.userauthRequest),
        str('a'),
        str('ssh-connection'),
        str('publickey'),
        u8(1),
        str('ecdsa-sha2-nistp256'),
        str(join(str('ecdsa-sha2-nistp256'), str('nistp256'), str(Buffer.concat([Buffer.of(4), Buffer.alloc(64, 1)])))),
        str(Buffer.alloc(10)),
      ),
    ],
    [
      'an infinite EC point',
      join(
        u8(MSG.userauthRequest),
        str('a'),
        str('ssh-connection'),
        str('publickey'),
        u8(1),
        str('ecdsa-sha2-nistp256'),
        str(join(str('ecdsa-sha2-nistp256'), str('nistp256'), str(Buffer.of(0)))),
        str(Buffer.alloc(10)),
      ),
    ],
    [
      'the service "ssh-userauth" as the wanted service',
      join(u8(MSG.userauthRequest), str('a'), str('ssh-userauth'), str('none')),
    ],
    ['an unknown method', join(u8(MSG.userauthRequest), str('a'), str('ssh-connection'), str('gssapi-with-mic'))],
    [
      'hostbased',
      join(
        u8(MSG.userauthRequest),
        str('a'),
        str('ssh-connection'),
        str('hostbased'),
        str('ssh-rsa'),
        str(''),
        str('h'),
        str('u'),
        str(''),
      ),
    ],
    [
      'a user name with slashes, quotes and NUL',
      join(u8(MSG.userauthRequest), str('../../"\'\0;`x`'), str('ssh-connection'), str('none')),
    ],
    [
      'a user name that is not UTF-8',
      join(u8(MSG.userauthRequest), str(Buffer.of(0xff, 0xfe)), str('ssh-connection'), str('none')),
    ],
  ] as const) {
    test(`a sign-in with ${name} is refused`, async () => {
      const client = await RawClient.secured(server);
      await client.service('ssh-userauth');
      client.send(payload);
      const answer = await client.next();
      assert.ok(
        answer === null ||
          answer[0] === MSG.userauthFailure ||
          answer[0] === MSG.disconnect ||
          answer[0] === MSG.userauthBanner ||
          answer[0] === MSG.extInfo,
        `answer ${String(answer?.[0])}`,
      );
      client.destroy();
    });
  }

  test('a disconnect at every byte of the first exchange leaves the server well', async () => {
    const template = await RawClient.open(server);
    await template.versions();
    const whole = join(
      Buffer.from('SSH-2.0-RawTest_1\r\n'),
      template.packet(template.kexInit()),
      template.packet(join(u8(MSG.kexEcdhInit), str(randomBytes(32)))),
    );
    template.destroy();
    for (let cut = 0; cut < whole.length; cut += 7) {
      const client = await RawClient.open(server);
      client.sendRaw(whole.subarray(0, cut));
      client.socket.end();
      client.destroy();
    }
    await alive();
  });

  test('after all of this the server signs in as ever', alive);
});

describe('limits on those who do not sign in', () => {
  test('the login grace time ends a connection that is slow with its bytes', async () => {
    const server = await startServer({ args: ['--login-grace', '1', '--penalties', 'false'] });
    try {
      const client = await RawClient.open(server);
      const drip = setInterval(() => {
        client.sendRaw(Buffer.from('S'));
      }, 100);
      await client.closed;
      clearInterval(drip);
      const second = await RawClient.secured(server); // key exchange done, then silence
      await second.untilClosed();
    } finally {
      await server.remove();
    }
  });

  test('start-ups per source are limited, and those signed in do not count', async () => {
    const server = await startServer({ args: ['--max-startups-per-source', '3', '--penalties', 'false'] });
    try {
      const signedIn = await RawClient.signedIn(server);
      const waiting = [await RawClient.open(server), await RawClient.open(server), await RawClient.open(server)];
      for (const client of waiting) await client.versions();
      const refused = await RawClient.open(server);
      await refused.closed;
      waiting[0]?.destroy();
      await waiting[0]?.closed;
      // The place is free as soon as the broker has heard of it.
      for (;;) {
        const next = await RawClient.open(server);
        if (
          await next.versions().then(
            () => true,
            () => false,
          )
        )
          break;
      }
      signedIn.destroy();
    } finally {
      await server.remove();
    }
  });

  test('a source that keeps failing is shut out for a while', async () => {
    const server = await startServer({ args: ['--max-startups-per-source', '1000'] });
    try {
      let refusedAt = -1;
      for (let n = 0; n < 200 && refusedAt < 0; n++) {
        const client = await RawClient.open(server);
        const greeted = await client.versions().then(
          () => true,
          () => false,
        );
        if (!greeted) refusedAt = n;
        client.sendRaw(u32(0xffffffff)); // a breach of protocol each time
        await client.closed;
      }
      assert.ok(refusedAt > 0, 'never refused');
    } finally {
      await server.remove();
    }
  });
});
