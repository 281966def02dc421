/** RFC 4254 with a hostile client that has signed in: channels, windows, requests. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startServer, type TestServer } from '../interop/server.ts';
import { content, ssh2Session } from '../interop/suite.ts';
import { frontMemory } from './front-memory.ts';
import { join, MSG, RawClient, str, u32, u8 } from './raw-client.ts';
import { FXP, OPEN, RawSftp, STATUS } from './raw-sftp.ts';

describe('channels', () => {
  let server: TestServer;
  before(async () => {
    server = await startServer({
      args: ['--fronts', '1', '--max-startups', '500', '--max-startups-per-source', '500', '--penalties', 'false'],
    });
  });
  after(async () => {
    await server.remove();
  });

  const openChannel = (type: string, window: number, maxPacket: number, ...rest: Buffer[]): Buffer =>
    join(u8(MSG.channelOpen), str(type), u32(7), u32(window), u32(maxPacket), ...rest);

  for (const [type, rest] of [
    ['direct-tcpip', [str('127.0.0.1'), u32(22), str('127.0.0.1'), u32(1)]],
    ['forwarded-tcpip', [str('127.0.0.1'), u32(22), str('127.0.0.1'), u32(1)]],
    ['direct-streamlocal@openssh.com', [str('/run/x'), str(''), u32(0)]],
    ['x11', [str('127.0.0.1'), u32(1)]],
    ['auth-agent@openssh.com', []],
    ['tun@openssh.com', [u32(1), u32(0)]],
    ['no such type', []],
  ] as const) {
    test(`a channel of type ${type} is refused`, async () => {
      const client = await RawClient.signedIn(server);
      client.send(openChannel(type, 1 << 20, 32_768, ...rest));
      const answer = await client.expect(MSG.channelOpenFailure, MSG.channelOpenConfirmation);
      assert.equal(answer[0], MSG.channelOpenFailure);
      client.destroy();
    });
  }

  for (const [name, request] of [
    ['pty-req', [str('pty-req'), u8(1), str('xterm'), u32(80), u32(24), u32(0), u32(0), str('')]],
    ['x11-req', [str('x11-req'), u8(1), u8(0), str('a'), str('b'), u32(0)]],
    ['auth-agent-req@openssh.com', [str('auth-agent-req@openssh.com'), u8(1)]],
    ['subsystem netconf', [str('subsystem'), u8(1), str('netconf')]],
    ['subsystem ../sftp', [str('subsystem'), u8(1), str('../sftp')]],
    ['subsystem __proto__', [str('subsystem'), u8(1), str('__proto__')]],
  ] as const) {
    test(`${name} is refused`, async () => {
      const client = await RawClient.signedIn(server);
      client.send(openChannel('session', 1 << 20, 32_768));
      const theirs = (await client.expect(MSG.channelOpenConfirmation)).readUInt32BE(5);
      client.send(join(u8(MSG.channelRequest), u32(theirs), ...request));
      const answer = await client.expect(MSG.channelFailure, MSG.channelSuccess);
      assert.equal(answer[0], MSG.channelFailure);
      client.destroy();
    });
  }

  for (const [name, request] of [
    ['shell', [str('shell'), u8(1)]],
    ['exec of a command', [str('exec'), u8(1), str('id; cat /etc/passwd')]],
    ['exec of scp', [str('exec'), u8(1), str('scp -f /etc/passwd')]],
  ] as const) {
    test(`${name} runs nothing: a text says so, the exit status is 1, the channel is closed`, async () => {
      const client = await RawClient.signedIn(server);
      client.send(openChannel('session', 1 << 20, 32_768));
      const theirs = (await client.expect(MSG.channelOpenConfirmation)).readUInt32BE(5);
      client.send(join(u8(MSG.channelRequest), u32(theirs), ...request));
      const told = await client.expect(MSG.channelExtendedData, MSG.channelData);
      assert.equal(told[0], MSG.channelExtendedData);
      assert.match(told.toString(), /sftp connections only/);
      const status = await client.expect(MSG.channelRequest);
      assert.equal(status.readUInt32BE(status.length - 4), 1);
      await client.expect(MSG.channelClose);
      assert.ok(!client.seen.includes(MSG.channelData));
      client.destroy();
    });
  }

  for (const name of ['tcpip-forward', 'streamlocal-forward@openssh.com', 'no such request', 'keepalive@openssh.com']) {
    test(`global request ${name} is answered with failure`, async () => {
      const client = await RawClient.signedIn(server);
      client.send(join(u8(MSG.globalRequest), str(name), u8(1), str('127.0.0.1'), u32(2222)));
      const answer = await client.expect(MSG.requestFailure, MSG.requestSuccess);
      assert.equal(answer[0], MSG.requestFailure);
      client.destroy();
    });
  }

  for (const maxPacket of [0, 1, 8]) {
    test(`a channel with a maximum packet of ${maxPacket} cannot make the server spin`, async () => {
      const client = await RawClient.signedIn(server);
      client.send(openChannel('session', 1 << 20, maxPacket));
      const answer = await client.expect(MSG.channelOpenConfirmation, MSG.channelOpenFailure);
      if (answer[0] === MSG.channelOpenConfirmation) {
        const theirs = answer.readUInt32BE(5);
        client.send(join(u8(MSG.channelRequest), u32(theirs), str('subsystem'), u8(1), str('sftp')));
        client.send(join(u8(MSG.channelData), u32(theirs), str(join(u32(5), u8(FXP.init), u32(3)))));
      }
      const other = await RawClient.signedIn(server); // on the same front: it must be served
      other.destroy();
      client.destroy();
    });
  }

  test('with a window of 0 nothing is sent until it is opened', async () => {
    const client = await RawClient.signedIn(server);
    const channel = await client.openSftp(0);
    client.data(channel, join(u32(5), u8(FXP.init), u32(3)));
    client.send(join(u8(MSG.globalRequest), str('ping'), u8(1)));
    await client.expect(MSG.requestFailure);
    assert.ok(!client.seen.includes(MSG.channelData));
    client.send(join(u8(MSG.channelWindowAdjust), u32(channel), u32(100_000)));
    await client.expect(MSG.channelData);
    client.destroy();
  });

  for (const [name, messages] of [
    ['a window beyond 2^32', (channel: number) => [join(u8(MSG.channelWindowAdjust), u32(channel), u32(0xffffffff))]],
    ['data for a channel that does not exist', () => [join(u8(MSG.channelData), u32(99), str('x'))]],
    [
      'a data length of 0xFFFFFFFF',
      (channel: number) => [join(u8(MSG.channelData), u32(channel), u32(0xffffffff), Buffer.from('x'))],
    ],
    [
      'an unknown channel number in a request',
      () => [join(u8(MSG.channelRequest), u32(0xffffffff), str('exec'), u8(1), str('x'))],
    ],
    [
      'a confirmation nobody asked for',
      (channel: number) => [join(u8(MSG.channelOpenConfirmation), u32(channel), u32(0), u32(1), u32(1))],
    ],
  ] as const) {
    test(`${name} ends the connection`, async () => {
      const client = await RawClient.signedIn(server);
      const channel = await client.openSftp();
      for (const message of messages(channel)) client.send(message);
      await client.untilClosed();
    });
  }

  test('data past the window ends the connection before it is kept', async () => {
    const client = await RawClient.signedIn(server);
    const channel = await client.openSftp(0, 32_768);
    // The window to the server is never opened again, because an endless packet is never complete.
    const sftpHead = join(u32(200_000), u8(FXP.write), Buffer.alloc(100));
    client.data(channel, join(u32(5), u8(FXP.init), u32(3)));
    client.data(channel, sftpHead);
    const block = Buffer.alloc(32_000);
    for (let sent = 0; sent < 40 * 2 ** 20 && !client.socket.destroyed; sent += block.length) {
      client.data(channel, block);
      if (client.socket.writableNeedDrain)
        await Promise.race([new Promise((resolve) => client.socket.once('drain', resolve)), client.closed]);
    }
    await client.untilClosed();
  });

  test('channels per connection are limited', async () => {
    const client = await RawClient.signedIn(server);
    let refused = false;
    for (let n = 0; n < 200 && !refused; n++) {
      client.send(join(u8(MSG.channelOpen), str('session'), u32(n), u32(1 << 20), u32(32_768)));
      refused =
        (await client.expect(MSG.channelOpenConfirmation, MSG.channelOpenFailure))[0] === MSG.channelOpenFailure;
    }
    assert.ok(refused);
    client.destroy();
  });

  test('thousands of READs that are never drained cost bounded memory, and stall nobody', async () => {
    const { client: writer, sftp: writerSftp } = await ssh2Session(server);
    const bytes = content('reads', 4 << 20);
    await new Promise<void>((resolve, reject) => {
      writerSftp.writeFile(`${server.folder}/reads.bin`, bytes, (error) => {
        if (error) reject(error);
        else resolve();
      });
    });
    const before = frontMemory(server);
    const client = await RawClient.signedIn(server);
    const sftp = await RawSftp.start(client);
    const handle = await sftp.open(`${server.folder}/reads.bin`, OPEN.read);
    client.socket.pause();
    for (let n = 0; n < 5000 && !client.socket.destroyed; n++)
      sftp.request(FXP.read, str(handle), join(u32(0), u32((n * 32_768) % (4 << 20))), u32(261_120));
    // Somebody else reads the whole file meanwhile, on the same front.
    const other = await new Promise<Buffer>((resolve, reject) => {
      writerSftp.readFile(`${server.folder}/reads.bin`, (error, data) => {
        if (error) reject(error);
        else resolve(data);
      });
    });
    assert.ok(other.equals(bytes));
    assert.ok(
      frontMemory(server) - before < 64 * 2 ** 20,
      `memory grew by ${(frontMemory(server) - before) >> 20} MiB`,
    );
    writer.end();
    client.destroy();
  });

  test('a READ of 0xFFFFFFF0 bytes is cut down, not allocated', async () => {
    const client = await RawClient.signedIn(server);
    const sftp = await RawSftp.start(client);
    const handle = await sftp.open(`${server.folder}/reads.bin`, OPEN.read);
    const reply = await sftp.ask(FXP.read, str(handle), join(u32(0), u32(0)), u32(0xfffffff0));
    assert.equal(reply.type, FXP.data);
    assert.ok(reply.body.readUInt32BE() <= 261_120);
    client.destroy();
  });

  test('an SFTP packet that claims 0xFFFFFFFF bytes ends the channel', async () => {
    const client = await RawClient.signedIn(server);
    const sftp = await RawSftp.start(client);
    sftp.raw(join(u32(0xffffffff), Buffer.alloc(1000)));
    assert.equal(await sftp.packet(), null);
    client.destroy();
  });

  test('a WRITE flood without reading the answers is slowed, not stored up', async () => {
    const client = await RawClient.signedIn(server);
    const sftp = await RawSftp.start(client);
    const handle = await sftp.open(`${server.folder}/flood.bin`, OPEN.write | OPEN.create | OPEN.truncate);
    const before = frontMemory(server);
    client.socket.pause();
    const data = Buffer.alloc(30_000, 1);
    for (let n = 0; n < 1000 && !client.socket.destroyed; n++)
      sftp.request(FXP.write, str(handle), join(u32(0), u32(n * 30_000)), str(data));
    const other = await RawClient.signedIn(server);
    const otherSftp = await RawSftp.start(other);
    assert.equal(await otherSftp.status(FXP.stat, str('/no such')), STATUS.noSuchFile);
    assert.ok(
      frontMemory(server) - before < 64 * 2 ** 20,
      `memory grew by ${(frontMemory(server) - before) >> 20} MiB`,
    );
    other.destroy();
    client.destroy();
  });
});
