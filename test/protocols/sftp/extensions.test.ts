import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts';
import { FX, FXF, FXP } from '../../../src/protocols/sftp/wire.ts';
import { Client, namesOf, statusOf, text, type Reply } from './client.ts';

function bodyOf(reply: Reply): ByteReader {
  if (reply.type !== FXP.EXTENDED_REPLY) assert.fail(JSON.stringify(statusOf(reply)));
  return new ByteReader(reply.bytes, 9);
}

function sizesOf(reply: Reply): number[] {
  const reader = bodyOf(reply);
  const values: number[] = [];
  while (reader.remaining > 0) values.push(Number(reader.u64()));
  return values;
}

void describe('OpenSSH extensions', () => {
  it('limits', async () => {
    const limits = sizesOf(await Client.ready().extended('limits@openssh.com'));
    assert.deepEqual(limits, [262144, 261120, 261120, 16]);
  });

  it('statvfs and fstatvfs show the quota', async () => {
    const client = Client.ready();
    const handle = await client.open('hello.txt', FXF.READ);
    const wanted = [4096, 4096, 244140, 146484, 146484, 0, 0, 0, 0, 2, 255];
    assert.deepEqual(sizesOf(await client.extended('statvfs@openssh.com', text('/'))), wanted);
    assert.deepEqual(sizesOf(await client.extended('fstatvfs@openssh.com', text(handle))), wanted);
    assert.equal(statusOf(await client.extended('statvfs@openssh.com', text('none'))).code, FX.NO_SUCH_FILE);
  });

  it('fsync', async () => {
    const client = Client.ready();
    const handle = await client.open('n', FXF.WRITE | FXF.CREAT);
    assert.equal(statusOf(await client.extended('fsync@openssh.com', text(handle))).code, FX.OK);
    assert.ok(client.files.calls.includes('sync /inbox/n'));
  });

  it('lsetstat', async () => {
    const client = Client.ready();
    const reply = await client.extended('lsetstat@openssh.com', text('hello.txt').u32(8).u32(1).u32(2));
    assert.equal(statusOf(reply).code, FX.OK);
    assert.equal(client.files.node('/inbox/hello.txt').mtime, 2);
  });

  it('expand-path and home-directory know the own home alone', async () => {
    const client = Client.ready();
    const expand = async (path: string) => {
      const reply = await client.extended('expand-path@openssh.com', text(path));
      return reply.type === FXP.NAME ? namesOf(reply)[0]?.name : statusOf(reply).code;
    };
    assert.equal(await expand('~'), '/inbox');
    assert.equal(await expand('~/a/../b'), '/inbox/b');
    assert.equal(await expand('~maria/x'), '/inbox/x');
    assert.equal(await expand('~//x'), '/inbox/x');
    assert.equal(await expand('~root/x'), FX.NO_SUCH_FILE);
    assert.equal(await expand('a/~'), '/inbox/a/~');
    assert.equal(await expand('/y'), '/y');
    const home = async (user: string) => client.extended('home-directory', text(user));
    assert.equal(namesOf(await home('maria'))[0]?.name, '/inbox');
    assert.equal(namesOf(await home(''))[0]?.name, '/inbox');
    assert.equal(statusOf(await home('root')).code, FX.NO_SUCH_FILE);
  });

  it('users-groups-by-id names the tenant', async () => {
    const client = Client.ready();
    const ids = (...values: number[]) => values.reduce((list, id) => list.u32(id), new ByteWriter()).finish();
    const name = 'users-groups-by-id@openssh.com';
    const reader = bodyOf(await client.extended(name, text(ids(0, 1000)).string(ids(1000))));
    const users = new ByteReader(reader.string());
    assert.deepEqual([users.utf8(), users.utf8(), users.remaining], ['', 'acme_bank', 0]);
    assert.equal(new ByteReader(reader.string()).utf8(), 'acme_bank');
    assert.equal(statusOf(await client.extended(name, text(Buffer.alloc(8192)).string(''))).code, FX.BAD_MESSAGE);
    assert.equal(statusOf(await client.extended(name, text(Buffer.alloc(3)).string(''))).code, FX.BAD_MESSAGE);
  });
});

void describe('copy-data', () => {
  it('copies ranges from file to file', async () => {
    const client = Client.ready();
    const content = Buffer.alloc(700_000, 'waybill ');
    client.files.put('/inbox/from', content);
    const from = await client.open('from', FXF.READ);
    const to = await client.open('to', FXF.WRITE | FXF.CREAT);
    const copy = (start: bigint, length: bigint, target: Buffer, at: bigint) =>
      client.extended('copy-data', text(from).u64(start).u64(length).string(target).u64(at));
    assert.equal(statusOf(await copy(0n, 0n, to, 0n)).code, FX.OK);
    assert.ok(client.files.content('/inbox/to').equals(content));
    assert.equal(statusOf(await copy(8n, 7n, to, 1n)).code, FX.OK);
    assert.equal(client.files.content('/inbox/to').subarray(0, 9).toString(), 'wwaybillw');
    assert.equal(statusOf(await copy(0n, 2n ** 53n - 1n, to, 1n)).code, FX.FAILURE);
    const same = await client.open('from', FXF.WRITE);
    assert.equal(statusOf(await copy(0n, 1n, same, 0n)).code, FX.FAILURE);
  });
});

void describe('check-file', () => {
  const content = Buffer.alloc(600_000, 'some content ');
  const sha = (bytes: Buffer, algorithm = 'sha256') => createHash(algorithm).update(bytes).digest('hex');
  const range = (body: ByteWriter, algorithms: string, start: number, length: number, block: number) =>
    body.string(algorithms).u64(BigInt(start)).u64(BigInt(length)).u32(block);

  async function ready() {
    const client = Client.ready();
    client.files.put('/inbox/f', content);
    return { client, handle: await client.open('f', FXF.READ) };
  }

  it('hashes a whole file by handle and by name', async () => {
    const { client, handle } = await ready();
    for (const [name, subject] of [
      ['check-file-handle', handle],
      ['check-file-name', Buffer.from('f')],
    ] as const) {
      const reader = bodyOf(await client.extended(name, range(text(subject), 'md5,sha512,sha256', 0, 0, 0)));
      assert.equal(reader.ascii(), 'sha512');
      assert.equal(reader.rest().toString('hex'), sha(content, 'sha512'));
    }
    assert.equal(client.files.open_.size, 1);
  });

  it('hashes blocks of a range; the last may be short', async () => {
    const { client, handle } = await ready();
    const reader = bodyOf(await client.extended('check-file-handle', range(text(handle), 'sha256', 100, 1000, 300)));
    reader.ascii();
    const digests = reader.rest().toString('hex');
    const starts = [100, 400, 700, 1000];
    assert.equal(digests, starts.map((at) => sha(content.subarray(at, Math.min(1100, at + 300)))).join(''));
  });

  it('puts the name in front for "check-file" alone, as its clients expect', async () => {
    const { client, handle } = await ready();
    const reader = bodyOf(await client.extended('check-file', range(text(handle), 'sha256', 0, 5, 0)));
    assert.deepEqual([reader.ascii(), reader.ascii()], ['check-file', 'sha256']);
    assert.equal(reader.rest().toString('hex'), sha(content.subarray(0, 5)));
  });

  it('goes to the end of the file and no further', async () => {
    const { client, handle } = await ready();
    const hash = async (start: number, length: number) => {
      const reader = bodyOf(await client.extended('check-file', range(text(handle), 'sha256', start, length, 0)));
      reader.ascii();
      reader.ascii();
      return reader.rest().toString('hex');
    };
    assert.equal(await hash(599_000, 5_000_000), sha(content.subarray(599_000)));
    assert.equal(await hash(700_000, 0), sha(Buffer.alloc(0)));
  });

  it('refuses weak hashes, tiny blocks and answers beyond a packet', async () => {
    const { client, handle } = await ready();
    const check = async (algorithms: string, block: number) =>
      statusOf(await client.extended('check-file-handle', range(text(handle), algorithms, 0, 0, block))).code;
    assert.equal(await check('md5,sha1', 0), FX.OP_UNSUPPORTED);
    assert.equal(await check('sha256', 255), FX.FAILURE);
    client.files.put('/inbox/huge', Buffer.alloc(2_200_000));
    const huge = await client.open('huge', FXF.READ);
    const reply = await client.extended('check-file-handle', range(text(huge), 'sha256', 0, 0, 256));
    assert.match(statusOf(reply).message, /larger blocks/);
  });

  it('stops when the client is gone', async () => {
    const { client, handle } = await ready();
    const reads: string[] = [];
    let release = (): void => undefined;
    client.files.gate = (what) => {
      reads.push(what);
      return new Promise((resolve) => (release = resolve));
    };
    void client.extended('check-file-handle', range(text(handle), 'sha256', 0, 0, 0));
    client.channel.closed = true;
    client.listener.close();
    assert.equal(client.files.abandoned, 0);
    release();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(reads.length, 1);
    assert.equal(client.files.abandoned, 1);
  });
});
