/** Names, paths, offsets and handles that try to reach what is not theirs. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { startServer, type TestServer, waybill } from '../interop/server.ts';
import { join, RawClient, str, u32, u64 } from './raw-client.ts';
import { FXP, OPEN, RawSftp, STATUS } from './raw-sftp.ts';

describe('paths, offsets, handles', () => {
  let server: TestServer;
  let client: RawClient;
  let sftp: RawSftp;
  before(async () => {
    server = await startServer({ args: ['--penalties', 'false'] });
    // Another tenant whose folder's name begins like ours, to be reached by nobody here.
    await waybill(server, ['tenant', 'add', 'other-bank']);
    await waybill(server, ['folder', 'add', `other-bank${server.folder}-secret`]);
    client = await RawClient.signedIn(server);
    sftp = await RawSftp.start(client);
  });
  after(async () => {
    await server.remove();
  });

  const create = OPEN.write | OPEN.create | OPEN.truncate;
  const openStatus = (path: string | Buffer, flags: number): Promise<number> =>
    sftp.status(FXP.open, str(path), u32(flags), u32(0));

  for (const path of [
    '/../../../../etc/passwd',
    '../../etc/passwd',
    '/etc/passwd',
    '/proc/self/environ',
    '//etc//passwd',
    '/./../etc/passwd',
    'C:\\Windows\\win.ini',
    '..\\..\\etc\\passwd',
  ]) {
    test(`${path} is no file of this server`, async () => {
      assert.equal(await openStatus(path, OPEN.read), STATUS.noSuchFile);
    });
  }

  test("another tenant's folder is not there, by its name or by a prefix", async () => {
    const other = `${server.folder}-secret`;
    for (const path of [
      other,
      `${other}/x`,
      `${server.folder}/../${other.slice(1)}`,
      `${server.folder}/..${other}/x`,
    ]) {
      assert.equal(await sftp.status(FXP.stat, str(path)), STATUS.noSuchFile, path);
      assert.notEqual(await openStatus(path, create), -FXP.handle, path);
    }
  });

  for (const [name, bytes] of [
    ['NUL', Buffer.from('a\0b')],
    ['a line break', Buffer.from('a\nb')],
    ['an escape sequence', Buffer.from('a\x1b[2Jb')],
    ['DEL', Buffer.from('a\x7fb')],
    ['a C1 control', Buffer.from('a\u0085b')],
    ['bytes that are not UTF-8', Buffer.of(0x61, 0xff, 0x62)],
    ['an overlong slash', Buffer.of(0x61, 0xc0, 0xaf, 0x62)],
    ['a surrogate', Buffer.of(0xed, 0xa0, 0x80)],
    ['256 bytes', Buffer.alloc(256, 0x61)],
  ] as const) {
    test(`a name with ${name} is refused with a text that says so`, async () => {
      const reply = await sftp.ask(
        FXP.open,
        str(Buffer.concat([Buffer.from(`${server.folder}/`), bytes])),
        u32(create),
        u32(0),
      );
      assert.equal(reply.type, FXP.status);
      assert.notEqual(reply.body.readUInt32BE(), STATUS.ok);
      assert.match(reply.body.subarray(8).toString(), /name|path/i);
      assert.notEqual(
        await sftp.status(FXP.mkdir, str(Buffer.concat([Buffer.from(`${server.folder}/`), bytes])), u32(0)),
        STATUS.ok,
      );
    });
  }

  test('two names that look the same (NFC and NFD) cannot both exist', async () => {
    const handle = await sftp.open(`${server.folder}/caf\u00e9`, create);
    assert.equal(await sftp.status(FXP.close, str(handle)), STATUS.ok);
    const twin = await sftp.ask(FXP.open, str(`${server.folder}/cafe\u0301`), u32(create), u32(0));
    assert.equal(twin.type, FXP.status);
  });

  test('a path of 100,000 bytes is refused', async () => {
    assert.notEqual(await openStatus(`/${'a/'.repeat(15_000)}`, OPEN.read), -FXP.handle);
  });

  test('the root and the mounted folders can be neither removed nor renamed nor made into files', async () => {
    for (const path of ['/', server.folder, `${server.folder}/.`, `${server.folder}/x/..`]) {
      assert.notEqual(await sftp.status(FXP.rmdir, str(path)), STATUS.ok, path);
      assert.notEqual(await sftp.status(FXP.remove, str(path)), STATUS.ok, path);
      assert.notEqual(await sftp.status(FXP.rename, str(path), str(`${server.folder}/moved`)), STATUS.ok, path);
      assert.notEqual(await openStatus(path, create), -FXP.handle, path);
    }
    assert.notEqual(await openStatus('/new-at-the-root', create), -FXP.handle);
    assert.notEqual(await sftp.status(FXP.mkdir, str('/new-folder'), u32(0)), STATUS.ok);
  });

  test('a directory cannot be moved into itself', async () => {
    assert.equal(await sftp.status(FXP.mkdir, str(`${server.folder}/a`), u32(0)), STATUS.ok);
    assert.notEqual(await sftp.status(FXP.rename, str(`${server.folder}/a`), str(`${server.folder}/a/b`)), STATUS.ok);
    assert.equal(await sftp.status(FXP.rmdir, str(`${server.folder}/a`)), STATUS.ok);
  });

  test('links are not made', async () => {
    assert.equal(await sftp.status(FXP.symlink, str('/etc/passwd'), str(`${server.folder}/link`)), STATUS.unsupported);
  });

  for (const offset of [2n ** 63n, -1n, 2n ** 64n - 1n, 2n ** 53n]) {
    test(`offset ${offset} is refused, for reading and for writing`, async () => {
      const handle = await sftp.open(`${server.folder}/offsets`, create | OPEN.read);
      assert.notEqual(await sftp.status(FXP.write, str(handle), u64(offset), str('x')), STATUS.ok);
      const read = await sftp.ask(FXP.read, str(handle), u64(offset), u32(10));
      assert.equal(read.type, FXP.status);
      assert.notEqual(read.body.readUInt32BE(), STATUS.ok);
      assert.equal(await sftp.status(FXP.close, str(handle)), STATUS.ok);
    });
  }

  test('a size of 2^63 is refused', async () => {
    const handle = await sftp.open(`${server.folder}/offsets`, create);
    assert.notEqual(await sftp.status(FXP.fsetstat, str(handle), u32(1), u64(2n ** 63n)), STATUS.ok);
    assert.equal(await sftp.status(FXP.close, str(handle)), STATUS.ok);
  });

  test('a handle is dead after CLOSE, and one of another session was never alive', async () => {
    const handle = await sftp.open(`${server.folder}/offsets`, OPEN.read);
    const second = await RawClient.signedIn(server);
    const other = await RawSftp.start(second);
    assert.equal(await other.status(FXP.fstat, str(handle)), STATUS.failure);
    second.destroy();
    assert.equal(await sftp.status(FXP.close, str(handle)), STATUS.ok);
    for (const [type, fields] of [
      [FXP.read, [u64(0n), u32(1)]],
      [FXP.write, [u64(0n), str('x')]],
      [FXP.fstat, []],
      [FXP.close, []],
      [FXP.readdir, []],
    ] as const) {
      assert.equal(await sftp.status(type, str(handle), ...fields), STATUS.failure);
    }
    for (const wrong of ['', '\0\0\0\0', 'x'.repeat(256), '__proto__'])
      assert.equal(await sftp.status(FXP.close, str(wrong)), STATUS.failure);
  });

  test('open handles are limited', async () => {
    let opened = 0;
    let status = 0;
    for (; opened < 5000; opened++) {
      const reply = await sftp.ask(FXP.open, str(`${server.folder}/offsets`), u32(OPEN.read), u32(0));
      if (reply.type !== FXP.handle) {
        status = reply.body.readUInt32BE();
        break;
      }
    }
    assert.equal(status, STATUS.failure);
    assert.ok(opened > 10);
  });

  test('a login with slashes or quotes is not an account', async () => {
    for (const login of ['../x', 'a/b', 'a"b', "a'b", 'a b', ''])
      await assert.rejects(waybill(server, ['account', 'add', login, '--tenant', server.tenant]));
    assert.ok(join().length === 0);
  });
});
