/** The pure parts of the client, and what lies on disk between two commands. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { TRANSFER_BODY_MAX, TRANSFER_ITEMS_MAX } from '../../src/api/transfers.ts';
import { besideNames, checkLocalName } from '../../src/client/local/names.ts';
import { OpenTransfers } from '../../src/client/local/open-transfers.ts';
import { PartFile } from '../../src/client/local/part-file.ts';
import { parsePlace } from '../../src/client/remote/place.ts';
import { batchesOf } from '../../src/client/transfer/batches.ts';
import { Backlog, pool } from '../../src/client/transfer/pool.ts';
import { planSync } from '../../src/client/transfer/sync-plan.ts';
import { parseRate } from '../../src/cli/transfer/options.ts';

const MiB = 2 ** 20;

describe('places', () => {
  it('are of the server with a colon before the first slash', () => {
    assert.deepEqual(parsePlace(':/a/b'), { tenant: null, path: '/a/b', isDirectory: false });
    assert.deepEqual(parsePlace('acme:/a/'), { tenant: 'acme', path: '/a', isDirectory: true });
    assert.deepEqual(parsePlace(':/'), { tenant: null, path: '/', isDirectory: true });
    for (const local of ['a', './a:/b', '/a:/b', 'C:\\a', 'a:b', '.']) assert.equal(parsePlace(local), null, local);
    for (const unfit of [':/a/../b', ':/a//b', ':/a/\u0000', ':/./a']) assert.throws(() => parsePlace(unfit), unfit);
  });
});

describe('names here', () => {
  it('cannot be what would lead elsewhere or pass for a transfer under way', () => {
    for (const name of ['..', '.', '', 'a/b', 'a\u0000', 'a\u001b[2J', '.x.waybill-part', 'x.waybill-state'])
      assert.throws(() => {
        checkLocalName(name, 'linux');
      }, name);
    for (const name of ['CON', 'nul.txt', 'com1', 'a:b', 'a ', 'a.', 'a\\b']) {
      assert.throws(() => {
        checkLocalName(name, 'win32');
      }, name);
      checkLocalName(name, 'linux');
    }
  });

  it('have room for what lies beside them', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 255 }), (length) => {
        const { part, state } = besideNames('n'.repeat(length));
        assert.ok(Buffer.byteLength(part) <= 255 && Buffer.byteLength(state) <= 255);
      }),
    );
    assert.notEqual(besideNames('a'.repeat(255)).part, besideNames(`b${'a'.repeat(254)}`).part);
  });
});

describe('batches', () => {
  it('hold everything in its order, and fit what a transfer takes', () => {
    const all = Array.from({ length: 20_000 }, (_, at) => ({
      path: `/${'\u00e4"'.repeat(at % 60)}${at}`,
      size: at % 500 === 0 ? 9 * MiB : 10,
    }));
    const batches = [...batchesOf(all)];
    assert.deepEqual(batches.flat(), all);
    for (const batch of batches) {
      assert.ok(batch.length <= TRANSFER_ITEMS_MAX);
      const files = batch.map((one) => ({ ...one, version: 'v'.repeat(64), size: Number.MAX_SAFE_INTEGER, start: 0 }));
      assert.ok(Buffer.byteLength(JSON.stringify({ files })) <= TRANSFER_BODY_MAX);
    }
  });
});

describe('what sync does', () => {
  const side = (size: number, modified: number) => ({ size, modified });
  it('follows size and time, or leaves what is as large to a comparison', () => {
    const from = new Map([
      ['same', side(1, 5)],
      ['newer', side(1, 9)],
      ['larger', side(2, 1)],
      ['new', side(1, 1)],
    ]);
    const to = new Map([
      ['same', side(1, 5)],
      ['newer', side(1, 5)],
      ['larger', side(1, 5)],
      ['gone', side(1, 1)],
    ]);
    assert.deepEqual(planSync(from, to, 'upload', 'time'), {
      send: ['newer', 'larger', 'new'],
      compare: [],
      remove: ['gone'],
    });
    assert.deepEqual(planSync(from, to, 'download', 'checksum').compare, ['same', 'newer']);
    assert.deepEqual(planSync(new Map([['a', side(1, 2)]]), new Map([['a', side(1, 3)]]), 'upload', 'time').send, []);
    assert.deepEqual(planSync(new Map([['a', side(1, 2)]]), new Map([['a', side(1, 3)]]), 'download', 'time').send, [
      'a',
    ]);
  });
});

describe('--limit', () => {
  it('is in bits per second', () => {
    assert.deepEqual(
      ['100M', '2.5G', '64k', '10000'].map((text) => parseRate('--limit', text)),
      [1e8, 2.5e9, 64_000, 10_000],
    );
    for (const text of ['', '0', '1', '1T', '-5M', '100MB']) assert.throws(() => parseRate('--limit', text), text);
  });
});

describe('work at once', () => {
  it('is bounded, and the first failure ends it after what was under way', async () => {
    let [under, most, begun] = [0, 0, 0];
    const work = async (one: number): Promise<void> => {
      begun++;
      most = Math.max(most, ++under);
      await new Promise(setImmediate);
      under--;
      if (one === 20) throw new Error('twenty');
    };
    await assert.rejects(
      pool(
        4,
        Array.from({ length: 100 }, (_, at) => at),
        work,
      ),
      /twenty/,
    );
    assert.deepEqual([most, under], [4, 0]);
    assert.ok(begun < 30);
    const backlog = new Backlog(3, 100);
    await backlog.add(60, () => Promise.resolve());
    await backlog.add(60, () => Promise.reject(new Error('disk')));
    await assert.rejects(backlog.finish(), /disk/);
  });
});

describe('what lies between two commands', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'waybill-client-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const content = randomBytes(20 * MiB + 5);
  const sha256 = (from: number, to: number): Buffer => createHash('sha256').update(content.subarray(from, to)).digest();
  const identity = { server: 'https://s', path: '/f', version: 'v1', size: content.length, modified: 1_700_000_000 };

  async function fetchTwo(target: string): Promise<void> {
    const part = await PartFile.open(target, identity);
    await part.write(0, content.subarray(0, 16 * MiB));
    await part.verified(0, sha256(0, 8 * MiB));
    await part.verified(1, sha256(8 * MiB, 16 * MiB));
    await part.close();
  }

  it('is believed as far as its bytes are what was noted', async () => {
    const target = path.join(folder, 'a');
    await fetchTwo(target);
    // The last line was cut short by a crash, and one is of nothing.
    await appendFile(path.join(folder, '.a.waybill-state'), '{"n":7,"sha256":"aa"}\n{"n":2,"sha');
    const again = await PartFile.open(target, identity);
    assert.equal(again.prefix, 16 * MiB);
    await again.write(16 * MiB, content.subarray(16 * MiB));
    await again.verified(2, sha256(16 * MiB, content.length));
    await again.finish();
    assert.ok((await readFile(target)).equals(content));
    assert.equal((await stat(target)).mtimeMs, identity.modified * 1000);
  });

  it('is nothing when the bytes are gone, or of another version', async () => {
    const target = path.join(folder, 'b');
    await fetchTwo(target);
    await truncate(path.join(folder, '.b.waybill-part'), 10 * MiB);
    const shorter = await PartFile.open(target, identity);
    assert.equal(shorter.prefix, 8 * MiB);
    await shorter.close();
    const other = await PartFile.open(target, { ...identity, version: 'v2' });
    assert.equal(other.prefix, 0);
    await other.close();
    assert.equal((await stat(path.join(folder, '.b.waybill-part'))).size, 0);
  });

  it('names the transfers of commands that are gone, once, and no others', async () => {
    const of = { server: 'https://s', account: 'a' };
    const own = new OpenTransfers(folder, of);
    const id = (digit: string): string => digit.repeat(32);
    await own.begin(id('1'));
    assert.deepEqual(await own.takeLeft(), [], 'this process lives');
    const noted = JSON.parse(await readFile(path.join(folder, 'transfers', `${id('1')}.json`), 'utf8')) as object;
    const write = (digit: string, other: object) =>
      writeFile(path.join(folder, 'transfers', `${id(digit)}.json`), JSON.stringify({ ...noted, ...other }));
    await write('2', { pid: 2 ** 22 + 1 });
    await write('3', { pid: 2 ** 22 + 1, host: 'another-machine' });
    await write('4', { pid: 2 ** 22 + 1, account: 'b' });
    assert.deepEqual(await own.takeLeft(), [id('2')]);
    assert.deepEqual(await own.takeLeft(), []);
  });
});
