/** Every request of version 3, packet by packet. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts';
import { FX, FXF, FXP } from '../../../src/protocols/sftp/wire.ts';
import { attributesOf, Client, dataOf, handleOf, namesOf, packet, statusOf, text } from './client.ts';

const CREATE = FXF.WRITE | FXF.CREAT | FXF.TRUNC;

void describe('INIT', () => {
  it('is answered with version 3 and the extensions', () => {
    const { replies, channel, sentBytes } = Client.ready();
    const reader = new ByteReader(replies[0]?.bytes ?? Buffer.alloc(0), 4);
    assert.equal(reader.u8(), FXP.VERSION);
    assert.equal(reader.u32(), 3);
    const extensions = new Map<string, string>();
    while (reader.remaining > 0) extensions.set(reader.ascii(), reader.string().toString('latin1'));
    const versions = {
      'posix-rename@openssh.com': '1',
      'statvfs@openssh.com': '2',
      'fstatvfs@openssh.com': '2',
      'fsync@openssh.com': '1',
      'lsetstat@openssh.com': '1',
      'limits@openssh.com': '1',
      'expand-path@openssh.com': '1',
      'copy-data': '1',
      'home-directory': '1',
      'users-groups-by-id@openssh.com': '1',
    };
    for (const [name, value] of Object.entries(versions)) assert.equal(extensions.get(name), value, name);
    assert.ok(extensions.has('vendor-id'));
    assert.ok(extensions.has('check-file-name'));
    assert.ok(!extensions.has('hardlink@openssh.com'));
    assert.equal(channel.consumedBytes, sentBytes);
  });

  const broken = {
    'a second INIT': [packet(FXP.INIT, Buffer.from([0, 0, 0, 3])), packet(FXP.INIT, Buffer.from([0, 0, 0, 3]))],
    'a request before INIT': [packet(FXP.STAT, Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 0x2f]))],
    'a version below 3': [packet(FXP.INIT, Buffer.from([0, 0, 0, 2]))],
    'a packet of length 0': [Buffer.alloc(4)],
    'a packet of length 0xffffffff': [Buffer.alloc(4, 0xff)],
    'a packet just over the bound': [Buffer.from([0, 4, 4, 1])],
  };
  for (const [name, chunks] of Object.entries(broken)) {
    it(`${name} ends the channel`, async () => {
      const client = new Client();
      const ended = new Promise<void>((resolve) => (client.channel.onEnd = resolve));
      for (const chunk of chunks) client.feed(chunk);
      await ended;
      assert.equal(client.channel.exitStatus, 1);
      assert.equal(client.files.abandoned, 1);
    });
  }
});

void describe('files', () => {
  it('are written, read, and told of', async () => {
    const client = Client.ready();
    const handle = await client.open('new.bin', CREATE | FXF.READ);
    assert.equal(statusOf(await client.write(handle, 0, Buffer.from('abcdef'))).code, FX.OK);
    assert.equal(statusOf(await client.write(handle, 4, Buffer.from('XYZ'))).code, FX.OK);
    assert.equal(dataOf(await client.read(handle, 1, 4)).toString(), 'bcdX');
    assert.equal(dataOf(await client.read(handle, 0, 0xfffffff0)).toString(), 'abcdXYZ');
    assert.equal(statusOf(await client.read(handle, 7, 10)).code, FX.EOF);
    assert.equal(statusOf(await client.read(handle, Number.MAX_SAFE_INTEGER, 10)).code, FX.EOF);
    const found = await client.request(FXP.FSTAT, text(handle));
    assert.equal(found.type, FXP.ATTRS);
    const attributes = attributesOf(found.reader);
    assert.equal(attributes.size, 7);
    assert.equal(attributes.mode, 0o100640);
    assert.equal(await client.status(FXP.CLOSE, text(handle)), FX.OK);
    assert.equal(client.files.content('/inbox/new.bin').toString(), 'abcdXYZ');
    assert.equal(client.files.open_.size, 0);
  });

  it('a READ above the bound is cut down to 255 KiB', async () => {
    const client = Client.ready();
    client.files.put('/inbox/large', Buffer.alloc(600_000, 7));
    const handle = await client.open('large', FXF.READ);
    assert.equal(dataOf(await client.read(handle, 0, 0xffffffff)).length, 255 * 1024);
  });

  it('a WRITE of 256 KiB and its head fit into a packet', async () => {
    const client = Client.ready();
    const handle = await client.open('large', CREATE);
    assert.equal(statusOf(await client.write(handle, 0, Buffer.alloc(256 * 1024, 1))).code, FX.OK);
    assert.equal(client.files.content('/inbox/large').length, 256 * 1024);
  });

  it('OPEN flags mean what the draft says', async () => {
    const client = Client.ready();
    assert.equal(await client.status(FXP.OPEN, text('none').u32(FXF.READ).u32(0)), FX.NO_SUCH_FILE);
    assert.equal(await client.status(FXP.OPEN, text('none').u32(FXF.WRITE).u32(0)), FX.NO_SUCH_FILE);
    const exclusive = FXF.WRITE | FXF.CREAT | FXF.EXCL;
    assert.equal(await client.status(FXP.OPEN, text('hello.txt').u32(exclusive).u32(0)), FX.FAILURE);
    assert.equal(await client.status(FXP.OPEN, text('hello.txt').u32(0).u32(0)), FX.BAD_MESSAGE);
    assert.equal(
      await client.status(
        FXP.OPEN,
        text('x')
          .u32(FXF.READ | FXF.CREAT)
          .u32(0),
      ),
      FX.OP_UNSUPPORTED,
    );
    assert.equal(await client.status(FXP.OPEN, text('/inbox').u32(FXF.READ).u32(0)), FX.FAILURE);
    const append = await client.open('hello.txt', FXF.APPEND | FXF.WRITE);
    assert.equal(statusOf(await client.write(append, 0, Buffer.from('more'))).code, FX.OK);
    assert.equal(client.files.content('/inbox/hello.txt').toString(), 'hello\nmore');
  });

  it('OPEN takes attributes and ignores them', async () => {
    const client = Client.ready();
    const body = text('with').u32(CREATE).u32(0x8000000f).u64(5n).u32(1).u32(2).u32(0o600).u32(3).u32(4);
    handleOf(await client.request(FXP.OPEN, body.u32(1).string('name').string('value')));
    assert.equal(client.files.content('/inbox/with').length, 0);
    const many = text('with').u32(CREATE).u32(0x80000000).u32(0xffffffff);
    assert.equal(await client.status(FXP.OPEN, many), FX.BAD_MESSAGE);
  });

  it('handles keep to what they were opened for', async () => {
    const client = Client.ready();
    const reading = await client.open('hello.txt', FXF.READ);
    const writing = await client.open('other', CREATE);
    assert.equal(statusOf(await client.write(reading, 0, Buffer.from('x'))).code, FX.FAILURE);
    assert.equal(statusOf(await client.read(writing, 0, 1)).code, FX.FAILURE);
    const sized = new ByteWriter().string(reading).u32(1).u64(0n);
    assert.equal(await client.status(FXP.FSETSTAT, sized), FX.FAILURE);
    const directory = handleOf(await client.request(FXP.OPENDIR, text('/inbox')));
    assert.equal(statusOf(await client.read(directory, 0, 1)).code, FX.FAILURE);
    assert.equal(await client.status(FXP.READDIR, text(reading)), FX.NO_SUCH_FILE);
  });

  it('closed, foreign and malformed handles are refused', async () => {
    const client = Client.ready();
    const handle = await client.open('hello.txt', FXF.READ);
    assert.equal(await client.status(FXP.CLOSE, text(handle)), FX.OK);
    const other = await Client.ready().open('hello.txt', FXF.READ);
    for (const bad of [handle, other, Buffer.alloc(0), Buffer.alloc(8), Buffer.alloc(256, 1)]) {
      const refusal = statusOf(await client.read(bad, 0, 1));
      assert.equal(refusal.code, FX.FAILURE);
      assert.match(refusal.message, /Open the file again/);
      assert.equal(await client.status(FXP.CLOSE, text(bad)), FX.FAILURE);
    }
    assert.equal(await client.status(FXP.CLOSE, text(Buffer.alloc(257))), FX.BAD_MESSAGE);
    // The place of a closed handle is used again under another name.
    const again = await client.open('hello.txt', FXF.READ);
    assert.notDeepEqual(again, handle);
    assert.equal(statusOf(await client.read(handle, 0, 1)).code, FX.FAILURE);
    assert.equal(dataOf(await client.read(again, 0, 1)).toString(), 'h');
  });

  it('requests sent in one go with a CLOSE before them find the handle closed', async () => {
    const client = Client.ready();
    const handle = await client.open('hello.txt', FXF.READ);
    const closed = client.status(FXP.CLOSE, text(handle));
    const read = client.read(handle, 0, 1);
    assert.equal(await closed, FX.OK);
    assert.equal(statusOf(await read).code, FX.FAILURE);
  });

  it('more handles than allowed are refused, and closing one makes room', async () => {
    const client = Client.ready({ limits: { handlesPerSession: 2 } });
    const opens = [1, 2, 3].map(() => client.request(FXP.OPEN, text('hello.txt').u32(FXF.READ).u32(0)));
    const [first, , third] = await Promise.all(opens);
    assert.ok(first && third);
    assert.match(statusOf(third).message, /too many files open/);
    assert.equal(await client.status(FXP.OPENDIR, text('/')), FX.FAILURE);
    assert.equal(await client.status(FXP.OPEN, text('none').u32(FXF.READ).u32(0)), FX.FAILURE);
    assert.equal(await client.status(FXP.CLOSE, text(handleOf(first))), FX.OK);
    assert.equal(await client.status(FXP.OPEN, text('none').u32(FXF.READ).u32(0)), FX.NO_SUCH_FILE);
    await client.open('hello.txt', FXF.READ);
  });

  it('offsets that no file can have are a clear error', async () => {
    const client = Client.ready();
    const reading = await client.open('hello.txt', FXF.READ);
    const writing = await client.open('w', CREATE);
    for (const offset of [2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]) {
      const refusal = statusOf(await client.read(reading, offset, 1));
      assert.deepEqual([refusal.code, /below 2\^53/.test(refusal.message)], [FX.FAILURE, true]);
      assert.equal(statusOf(await client.write(writing, offset, Buffer.from('x'))).code, FX.FAILURE);
    }
    const end = BigInt(Number.MAX_SAFE_INTEGER);
    assert.equal(statusOf(await client.write(writing, end, Buffer.from('xy'))).code, FX.FAILURE);
    assert.equal(
      await client.status(
        FXP.SETSTAT,
        text('hello.txt')
          .u32(1)
          .u64(2n ** 63n),
      ),
      FX.FAILURE,
    );
  });
});

void describe('attributes', () => {
  it('STAT and LSTAT show size, times and permissions', async () => {
    const client = Client.ready();
    for (const type of [FXP.STAT, FXP.LSTAT]) {
      const file = attributesOf((await client.request(type, text('hello.txt'))).reader);
      assert.deepEqual(file, { size: 6, uid: 1000, gid: 1000, mode: 0o100640, atime: 17e8, mtime: 17e8 });
      assert.equal(attributesOf((await client.request(type, text('/'))).reader).mode, 0o040750);
      assert.equal(await client.status(type, text('none')), FX.NO_SUCH_FILE);
      assert.equal(await client.status(type, text('hello.txt/x')), FX.NO_SUCH_FILE);
    }
  });

  it('SETSTAT sets size and times, and takes permissions and owner', async () => {
    const client = Client.ready();
    assert.equal(await client.status(FXP.SETSTAT, text('hello.txt').u32(8).u32(11).u32(22)), FX.OK);
    assert.ok(client.files.calls.includes('setTimes /inbox/hello.txt 22 11'));
    assert.equal(await client.status(FXP.SETSTAT, text('hello.txt').u32(1).u64(3n)), FX.OK);
    assert.equal(client.files.content('/inbox/hello.txt').toString(), 'hel');
    assert.equal(await client.status(FXP.SETSTAT, text('hello.txt').u32(6).u32(0).u32(0).u32(0o777)), FX.OK);
    assert.equal(await client.status(FXP.SETSTAT, text('none').u32(4).u32(0o777)), FX.NO_SUCH_FILE);
  });

  it('FSETSTAT sets size and times of what is being written', async () => {
    const client = Client.ready();
    const handle = await client.open('n', CREATE);
    await client.write(handle, 0, Buffer.from('abcdef'));
    assert.equal(await client.status(FXP.FSETSTAT, text(handle).u32(9).u64(2n).u32(5).u32(6)), FX.OK);
    const node = client.files.node('/inbox/n');
    assert.deepEqual([client.files.content('/inbox/n').toString(), node.atime, node.mtime], ['ab', 5, 6]);
    const reading = await client.open('hello.txt', FXF.READ);
    assert.equal(await client.status(FXP.FSETSTAT, text(reading).u32(8).u32(7).u32(8)), FX.OK);
    assert.ok(client.files.calls.includes('setTimes /inbox/hello.txt 8 7'));
    const directory = handleOf(await client.request(FXP.OPENDIR, text('/inbox')));
    assert.equal(await client.status(FXP.FSETSTAT, text(directory).u32(1).u64(1n)), FX.FAILURE);
    assert.equal((await client.request(FXP.FSTAT, text(directory))).type, FXP.ATTRS);
  });
});

void describe('directories', () => {
  it('are made, listed page by page, and removed', async () => {
    const client = Client.ready();
    assert.equal(await client.status(FXP.MKDIR, text('many').u32(0)), FX.OK);
    assert.equal(await client.status(FXP.MKDIR, text('many').u32(0)), FX.FAILURE);
    const wanted = ['.', '..'];
    for (let i = 1000; i < 1733; i++) {
      client.files.put(`/inbox/many/f${i}`, 'x');
      wanted.push(`f${i}`);
    }
    const handle = handleOf(await client.request(FXP.OPENDIR, text('many')));
    const seen: string[] = [];
    for (;;) {
      const reply = await client.request(FXP.READDIR, text(handle));
      if (reply.type === FXP.STATUS) break;
      const rows = namesOf(reply);
      assert.ok(rows.length > 0 && rows.length <= 100);
      assert.ok(reply.bytes.length < 256 * 1024);
      seen.push(...rows.map((row) => row.name));
    }
    assert.deepEqual(seen, wanted);
    assert.equal(await client.status(FXP.READDIR, text(handle)), FX.EOF);
    assert.equal(await client.status(FXP.CLOSE, text(handle)), FX.OK);
    assert.equal(await client.status(FXP.RMDIR, text('many')), FX.FAILURE);
    assert.equal(await client.status(FXP.MKDIR, text('empty').u32(4).u32(0o700)), FX.OK);
    assert.equal(await client.status(FXP.RMDIR, text('empty')), FX.OK);
  });

  it('many open at once keep their places though few keep a page', async () => {
    const client = Client.ready();
    for (let i = 100; i < 500; i++) client.files.put(`/inbox/d/f${i}`, '');
    const opened = Array.from({ length: 8 }, () => client.request(FXP.OPENDIR, text('d')));
    const handles = (await Promise.all(opened)).map(handleOf);
    const seen = handles.map((): string[] => []);
    for (let round = 0; round < 10; round++) {
      for (const [i, handle] of handles.entries()) {
        const reply = await client.request(FXP.READDIR, text(handle));
        if (reply.type === FXP.NAME) seen[i]?.push(...namesOf(reply).map((row) => row.name));
      }
    }
    // Each first page, and every page again that was forgotten in between.
    assert.ok(client.files.calls.filter((call) => call.startsWith('list')).length > 24);
    for (const names of seen) {
      assert.equal(names.length, 402);
      assert.equal(new Set(names).size, 402);
    }
  });

  it('two READDIRs in one go answer different names', async () => {
    const client = Client.ready();
    for (let i = 100; i < 350; i++) client.files.put(`/inbox/d/f${i}`, '');
    const handle = handleOf(await client.request(FXP.OPENDIR, text('d')));
    const pages = await Promise.all([1, 2, 3].map(() => client.request(FXP.READDIR, text(handle))));
    const names = pages.flatMap((page) => namesOf(page).map((row) => row.name));
    assert.equal(new Set(names).size, 252);
  });

  it('OPENDIR of a file or of nothing fails', async () => {
    const client = Client.ready();
    assert.equal(await client.status(FXP.OPENDIR, text('hello.txt')), FX.NO_SUCH_FILE);
    assert.equal(await client.status(FXP.OPENDIR, text('none')), FX.NO_SUCH_FILE);
  });

  it('lines look like those of ls -l', async () => {
    const client = Client.ready();
    const handle = handleOf(await client.request(FXP.OPENDIR, text('.')));
    const [dot, , file] = namesOf(await client.request(FXP.READDIR, text(handle)));
    assert.match(dot?.longName ?? '', /^drwxr-x--- +1 acme_bank acme_bank +0 Nov 14 {2}2023 \.$/);
    assert.match(file?.longName ?? '', /^-rw-r----- +1 acme_bank acme_bank +6 Nov 14 {2}2023 hello\.txt$/);
  });
});

void describe('names', () => {
  it('REALPATH resolves from home', async () => {
    const client = Client.ready();
    const real = async (path: string) => namesOf(await client.request(FXP.REALPATH, text(path)))[0]?.name;
    assert.equal(await real('.'), '/inbox');
    assert.equal(await real(''), '/inbox');
    assert.equal(await real('a/./b//../c'), '/inbox/a/c');
    assert.equal(await real('../../../..'), '/');
    assert.equal(await real('/x/y/'), '/x/y');
  });

  it('RENAME refuses a name that is taken; posix-rename replaces it', async () => {
    const client = Client.ready();
    client.files.put('/inbox/b', 'b');
    assert.equal(await client.status(FXP.RENAME, text('hello.txt').string('b')), FX.FAILURE);
    const reply = await client.extended('posix-rename@openssh.com', text('hello.txt').string('b'));
    assert.equal(statusOf(reply).code, FX.OK);
    assert.equal(client.files.content('/inbox/b').toString(), 'hello\n');
    assert.equal(await client.status(FXP.RENAME, text('b').string('c')), FX.OK);
    assert.equal(await client.status(FXP.REMOVE, text('c')), FX.OK);
    assert.equal(await client.status(FXP.REMOVE, text('c')), FX.NO_SUCH_FILE);
    assert.equal(await client.status(FXP.REMOVE, text('/inbox')), FX.FAILURE);
  });

  it('links are unsupported', async () => {
    const client = Client.ready();
    assert.equal(await client.status(FXP.READLINK, text('hello.txt')), FX.OP_UNSUPPORTED);
    assert.equal(await client.status(FXP.SYMLINK, text('a').string('b')), FX.OP_UNSUPPORTED);
  });

  const bad = {
    'invalid UTF-8': Buffer.from([0x61, 0xff]),
    'an overlong slash': Buffer.from([0x2e, 0x2e, 0xc0, 0xaf]),
    NUL: Buffer.from('a\0b'),
    'a newline': Buffer.from('a\nb'),
    'an escape': Buffer.from('a\x1b[2Jb'),
    'a C1 control': Buffer.from('a\u0085b'),
    'a long name': Buffer.alloc(256, 0x61),
    'a long path': Buffer.from('a/'.repeat(2049)),
  };
  for (const [what, path] of Object.entries(bad)) {
    it(`${what} in a path is refused before files see it`, async () => {
      const client = Client.ready();
      for (const type of [FXP.STAT, FXP.REMOVE, FXP.OPENDIR, FXP.REALPATH])
        assert.equal(await client.status(type, text(path)), FX.FAILURE);
      assert.equal(await client.status(FXP.OPEN, text(path).u32(CREATE).u32(0)), FX.FAILURE);
      assert.deepEqual(client.files.calls, []);
    });
  }

  it('a backslash may be looked for but not created', async () => {
    const client = Client.ready();
    assert.equal(await client.status(FXP.STAT, text('a\\b')), FX.NO_SUCH_FILE);
    assert.equal(await client.status(FXP.OPEN, text('..\\evil').u32(CREATE).u32(0)), FX.FAILURE);
    assert.equal(await client.status(FXP.MKDIR, text('a\\b').u32(0)), FX.FAILURE);
    assert.equal(await client.status(FXP.RENAME, text('hello.txt').string('a\\b')), FX.FAILURE);
  });
});

void describe('malformed requests', () => {
  it('are answered BAD_MESSAGE and the session goes on', async () => {
    const client = Client.ready();
    const handle = await client.open('w', CREATE | FXF.READ);
    const cases: [number, ByteWriter][] = [
      [FXP.STAT, new ByteWriter()],
      [FXP.STAT, new ByteWriter().u32(0xffffffff)],
      [FXP.STAT, text('hello.txt').u8(0)],
      [FXP.READ, text(handle).u32(0)],
      [FXP.WRITE, new ByteWriter()],
      [FXP.WRITE, new ByteWriter().u32(0xffffffff).raw(Buffer.alloc(30))],
      [FXP.WRITE, text(handle).u64(0n)],
      [FXP.WRITE, text(handle).u64(0n).u32(10).raw(Buffer.alloc(9))],
      [FXP.EXTENDED, new ByteWriter().u32(5)],
      [FXP.EXTENDED, text('a\0b')],
    ];
    for (const [type, body] of cases) assert.equal(await client.status(type, body), FX.BAD_MESSAGE);
    assert.equal(await client.status(FXP.STAT, text('none')), FX.NO_SUCH_FILE);
    assert.equal(client.channel.consumedBytes, client.sentBytes);
  });

  it('what follows the data of a WRITE in its packet is nothing (rclone 1.60 sends such)', async () => {
    const client = Client.ready();
    const handle = await client.open('w', CREATE | FXF.READ);
    const write = text(handle).u64(0n).u32(10).raw(Buffer.alloc(25, 7));
    assert.equal(await client.status(FXP.WRITE, write), FX.OK);
    assert.equal(await client.status(FXP.READ, text(handle).u64(10n).u32(1)), FX.EOF);
  });

  it('unknown types and extensions are unsupported', async () => {
    const client = Client.ready();
    for (const type of [0, 2, 21, 101, 199, 201, 255])
      assert.equal(await client.status(type, new ByteWriter()), FX.OP_UNSUPPORTED);
    assert.equal(statusOf(await client.extended('nobody@example.com')).code, FX.OP_UNSUPPORTED);
    assert.equal(
      statusOf(await client.extended('hardlink@openssh.com', text('a').string('b'))).code,
      FX.OP_UNSUPPORTED,
    );
  });
});
