/** Sign-ins that are almost right. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { startServer, type TestServer, waybill } from '../interop/server.ts';
import { sshOptions } from '../interop/ssh-options.ts';
import { writeFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { run } from '../interop/server.ts';
import { join, MSG, RawClient, str, u32, u8 } from './raw-client.ts';

describe('sign-in', () => {
  let server: TestServer;
  let otherKey: string;
  before(async () => {
    server = await startServer({
      args: ['--max-startups', '500', '--max-startups-per-source', '500', '--penalties', 'false'],
    });
    otherKey = joinPath(server.temporary, 'other_key');
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', otherKey]);
  });
  after(async () => {
    await server.remove();
  });

  async function atAuthentication(): Promise<RawClient> {
    const client = await RawClient.secured(server);
    await client.service('ssh-userauth');
    return client;
  }

  async function refused(client: RawClient): Promise<void> {
    const answer = await client.next();
    assert.ok(
      answer === null || answer[0] === MSG.userauthFailure || answer[0] === MSG.disconnect,
      `answer ${String(answer?.[0])}`,
    );
    client.destroy();
  }

  test('the honest sign-in works', async () => {
    const client = await atAuthentication();
    await client.publickey(server.login, server.key);
    client.destroy();
  });

  for (const [name, lies] of [
    ['over another session', { sessionId: randomBytes(32) }],
    ['over an empty session identifier', { sessionId: Buffer.alloc(0) }],
    ['for another user', { signedUser: 'somebody' }],
    ['for another service', { signedService: 'ssh-userauth' }],
    ['of zeros', { signature: join(str('ssh-ed25519'), str(Buffer.alloc(64))) }],
    ['that is empty', { signature: Buffer.alloc(0) }],
    ['with a length of 0xFFFFFFFF', { signature: join(str('ssh-ed25519'), u32(0xffffffff)) }],
    ['that names another algorithm', { signature: join(str('ssh-rsa'), str(Buffer.alloc(64))) }],
  ] as const) {
    test(`a signature ${name} is refused`, async () => {
      const client = await atAuthentication();
      client.send(client.publickeyRequest(server.login, server.key, lies));
      await refused(client);
    });
  }

  test('a query for key A does not let key B in', async () => {
    const client = await atAuthentication();
    const good = client.publickeyRequest(server.login, server.key);
    // The query is the same request with FALSE and no signature.
    const flag = good.indexOf('publickey') + 'publickey'.length;
    const query = Buffer.from(good);
    query[flag] = 0;
    const keyEnd = flag + 1 + 4 + 'ssh-ed25519'.length + 4 + 51;
    client.send(query.subarray(0, keyEnd));
    await client.expect(MSG.userauthPkOk);
    client.send(client.publickeyRequest(server.login, otherKey));
    await client.expect(MSG.userauthFailure);
    client.destroy();
  });

  test('a request for a shell or a channel between a query and a sign-in ends the connection', async () => {
    const client = await atAuthentication();
    client.send(join(u8(MSG.userauthRequest), str(server.login), str('ssh-connection'), str('none')));
    await client.expect(MSG.userauthFailure);
    client.send(join(u8(MSG.channelOpen), str('session'), u32(0), u32(1 << 20), u32(32_768)));
    const seen = await client.untilClosed();
    assert.ok(!seen.includes(MSG.channelOpenConfirmation));
  });

  /** What an unknown login looks like follows from its name: one that looks as this server's account does. */
  async function lookalike(methods: string): Promise<string> {
    for (let n = 0; n < 100; n++) {
      const user = `nobody-${n}`;
      const client = await atAuthentication();
      client.send(join(u8(MSG.userauthRequest), str(user), str('ssh-connection'), str('none')));
      const told = (await client.expect(MSG.userauthFailure)).toString('hex');
      client.destroy();
      if (told === methods) return user;
    }
    throw new Error('no unknown login looks as the known one');
  }

  test('unknown and known users get the same answers', async () => {
    const known = await atAuthentication();
    known.send(join(u8(MSG.userauthRequest), str(server.login), str('ssh-connection'), str('none')));
    const methods = (await known.expect(MSG.userauthFailure)).toString('hex');
    known.destroy();
    const unknown = await lookalike(methods);
    const answers: string[] = [];
    for (const user of [server.login, unknown, unknown]) {
      const client = await atAuthentication();
      let told = '';
      client.send(join(u8(MSG.userauthRequest), str(user), str('ssh-connection'), str('none')));
      told += (await client.expect(MSG.userauthFailure)).toString('hex');
      const key = client.publickeyRequest(user, otherKey);
      client.send(key);
      told += (await client.expect(MSG.userauthFailure)).toString('hex');
      client.send(
        join(u8(MSG.userauthRequest), str(user), str('ssh-connection'), str('password'), u8(0), str('wrong password')),
      );
      told += (await client.expect(MSG.userauthFailure)).toString('hex');
      client.send(
        join(u8(MSG.userauthRequest), str(user), str('ssh-connection'), str('keyboard-interactive'), str(''), str('')),
      );
      told += (await client.expect(MSG.userauthFailure, MSG.userauthPkOk)).toString('hex');
      answers.push(told);
      client.destroy();
    }
    assert.equal(answers[1], answers[0]);
    assert.equal(answers[2], answers[0]);
  });

  test('tries are counted, and the connection ends', async () => {
    const client = await atAuthentication();
    for (let n = 0; n < 50 && !client.socket.destroyed; n++) {
      client.send(
        join(
          u8(MSG.userauthRequest),
          str(server.login),
          str('ssh-connection'),
          str('password'),
          u8(0),
          str(`guess ${n}`),
        ),
      );
    }
    const seen = await client.untilClosed();
    assert.ok(seen.filter((number) => number === MSG.userauthFailure).length <= 10, seen.join(' '));
  });

  test('a second sign-in after success is ignored, and changes nobody', async () => {
    const client = await RawClient.signedIn(server);
    client.send(client.publickeyRequest('root', otherKey));
    const channel = await client.openSftp();
    assert.equal(channel >= 0, true);
    assert.ok(!client.seen.slice(-3).includes(MSG.userauthFailure));
    client.destroy();
  });

  test('partial success does not carry over to another user', async () => {
    // Two accounts that demand key + code; the attacker owns one of them and knows the code of nobody.
    for (const login of ['victim', 'attacker']) {
      await waybill(server, ['account', 'add', login, '--tenant', server.tenant]);
      await waybill(server, ['account', 'require', login, 'publickey+totp']);
      await waybill(server, ['account', 'totp', login]);
    }
    await waybill(server, ['key', 'add', 'attacker', `${otherKey}.pub`]);
    const client = await atAuthentication();
    client.send(client.publickeyRequest('attacker', otherKey));
    const partial = await client.expect(MSG.userauthFailure);
    assert.equal(partial.at(-1), 1, 'partial success');
    client.send(join(u8(MSG.userauthRequest), str('victim'), str('ssh-connection'), str('none')));
    const answer = await client.next();
    assert.ok(
      answer === null || answer[0] === MSG.disconnect || (answer[0] === MSG.userauthFailure && answer.at(-1) === 0),
    );
    if (answer?.[0] === MSG.userauthFailure)
      assert.match(answer.toString('latin1'), /publickey/, 'starts anew with the first step');
    client.destroy();
  });

  test("a key that is on nobody's list, of any kind, is refused", async () => {
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(joinPath(server.temporary, 'rsa.pem'), rsa.privateKey.export({ format: 'pem', type: 'pkcs1' }), {
      mode: 0o600,
    });
    await assert.rejects(
      run(
        'sftp',
        [
          '-b',
          '-',
          ...sshOptions({ ...server, key: joinPath(server.temporary, 'rsa.pem') }),
          `${server.login}@${server.host}`,
        ],
        { input: 'pwd\n' },
      ),
      /Permission denied/,
    );
  });
});
