/** Fast transfers against a real server: what arrives, what is recorded, what is refused. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { FastLink } from '../../src/client/fast-link.ts';
import type { Pace } from '../../src/client/fast-link.ts';
import { receivePieces, sendPieces } from '../../src/client/pieces.ts';
import { childrenOf } from '../broker/server.ts';
import { openFastScene } from './scene.ts';
import type { FastScene } from './scene.ts';

const PACE: Pace = { policy: 'fair', rate: null, window: 8 * 2 ** 20 };
const MiB = 2 ** 20;

suite('fast transfers', () => {
  let scene: FastScene;
  let link: FastLink;
  let root = '';
  before(async () => {
    scene = await openFastScene();
    link = await FastLink.open(scene.control, 'best');
    root = scene.server.folder;
  });
  after(async () => {
    await link.close();
    await scene.close();
  });

  const put = async (files: Record<string, Buffer>): Promise<{ state: string; files: number; failure: unknown }> => {
    const entries = Object.entries(files);
    const items = entries.map(([name, { length }]) => ({ path: `${root}/${name}`, size: length, start: 0 }));
    const ticket = await scene.control.beginUpload(items, PACE);
    const stream = await link.send(ticket, PACE, {});
    await sendPieces(stream, items, {
      read: ({ item, end }, at, most) =>
        Promise.resolve((entries[item]?.[1] ?? Buffer.alloc(0)).subarray(at, Math.min(end, at + most))),
      sent: () => Promise.resolve(),
    });
    return scene.control.state(ticket.transfer, 20);
  };
  const get = async (
    files: Record<string, number>,
    start = 0,
    pace = PACE,
  ): Promise<{ got: Map<number, Buffer[]>; whole: boolean; reason: string }> => {
    const items = Object.entries(files).map(([name, size]) => ({
      path: `${root}/${name}`,
      version: null,
      size,
      start,
    }));
    const ticket = await scene.control.beginDownload(items, pace);
    const stream = await link.receive(ticket, pace, {});
    const got = new Map<number, Buffer[]>();
    const whole = await receivePieces(stream, items, {
      write: ({ item }, _at, bytes) => {
        got.set(item, [...(got.get(item) ?? []), Buffer.from(bytes)]);
        return Promise.resolve();
      },
      verified: () => Promise.resolve(),
    });
    const { reason } = await stream.ended;
    return { got, whole, reason };
  };

  const large = randomBytes(20 * MiB + 12_345);

  test('files go up and come down as they were', async () => {
    const files = { large, empty: Buffer.alloc(0), one: Buffer.from('x'), frame: randomBytes(64 * 1024) };
    const done = await put(files);
    assert.deepEqual([done.state, done.files, done.failure], ['done', 4, null]);
    const { got, whole, reason } = await get({ large: large.length, empty: 0, one: 1, frame: 65_536 });
    assert.deepEqual([whole, reason], [true, 'complete']);
    for (const [at, content] of Object.values(files).entries())
      assert.ok(Buffer.concat(got.get(at) ?? []).equals(content), String(at));
  });

  test('from a segment on', async () => {
    const { got, whole } = await get({ large: large.length }, 16 * MiB);
    assert.ok(whole);
    assert.ok(Buffer.concat(got.get(0) ?? []).equals(large.subarray(16 * MiB)));
  });

  test('a thousand small files are one stream', async () => {
    const files = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`small-${at}`, randomBytes(at % 4096)]));
    assert.deepEqual(await put(files).then(({ state, files: many }) => [state, many]), ['done', 1000]);
    const { got, whole } = await get(
      Object.fromEntries(Object.entries(files).map(([name, { length }]) => [name, length])),
    );
    assert.ok(whole);
    for (const [at, content] of Object.values(files).entries())
      assert.ok(Buffer.concat(got.get(at) ?? []).equals(content), String(at));
  });

  test('what left and what was stored is in the ledger, under sessions of their own', async () => {
    const { login } = scene.server;
    // It tells of what is sealed, which is about a second behind.
    let asked = '';
    for (let tries = 0; tries < 20 && !(asked.includes('"udp"') && asked.includes('large')); tries++)
      asked = await scene.command('investigate', '--account', login, '--json');
    assert.match(asked, /"protocol":"udp"/);
    assert.match(asked, /large/);
  });

  test('a file that is another one than was listed ends the transfer, and says so', async () => {
    const { whole, reason } = await get({ large: large.length - 1 });
    assert.deepEqual([whole, reason], [false, 'refused']);
  });

  test('bytes that are not what their digest says are not stored', async () => {
    const content = randomBytes(9 * MiB);
    const items = [{ path: `${root}/forged`, size: content.length, start: 0 }];
    const ticket = await scene.control.beginUpload(items, PACE);
    const stream = await link.send(ticket, PACE, {});
    await stream.write(content.subarray(0, 8 * MiB));
    await stream.write(Buffer.alloc(32));
    const { state, failure } = await scene.control.state(ticket.transfer, 20);
    assert.deepEqual([state, failure?.code], ['failed', 'checksum-mismatch']);
    await stream.ended;
    const { whole } = await get({ forged: content.length });
    assert.equal(whole, false);
  });

  test('what broke off is taken up at a segment', async () => {
    const content = randomBytes(19 * MiB);
    const path = `${root}/resumed`;
    const first = await scene.control.beginUpload([{ path, size: content.length, start: 0 }], PACE);
    const stream = await link.send(first, PACE, {});
    let sent = 0;
    await sendPieces(stream, [{ size: content.length, start: 0 }], {
      read: (_piece, at, most) => Promise.resolve(sent < 16 * MiB ? content.subarray(at, at + most) : Buffer.alloc(0)),
      sent: ({ end }) => {
        sent = end;
        return Promise.resolve();
      },
    }).catch(() => undefined);
    while ((await scene.control.state(first.transfer, 1)).bytes < 16 * MiB);
    await scene.control.end(first.transfer);
    await stream.ended;
    const items = [{ path, size: content.length, start: 16 * MiB }];
    let ticket = await scene.control.beginUpload(items, PACE);
    let state = 'failed';
    for (let tries = 0; tries < 20 && state !== 'done'; tries++) {
      if (tries > 0) ticket = await scene.control.beginUpload(items, PACE);
      const again = await link.send(ticket, PACE, {});
      await sendPieces(again, items, {
        read: (_piece, at, most) => Promise.resolve(content.subarray(at, at + most)),
        sent: () => Promise.resolve(),
      });
      ({ state } = await scene.control.state(ticket.transfer, 20));
    }
    assert.equal(state, 'done');
    const { got } = await get({ resumed: content.length });
    assert.ok(Buffer.concat(got.get(0) ?? []).equals(content));
  });

  test('a ticket is good for one stream with its own keys: others hear nothing, and take nothing from it', async () => {
    const items = [{ path: `${root}/large`, version: null, size: large.length, start: 0 }];
    const pace: Pace = { ...PACE, rate: 100e6 };
    const [mine, foreign] = [
      await scene.control.beginDownload(items, pace),
      await scene.control.beginDownload(items, pace),
    ];
    const heard = { forged: 0, twice: 0 };
    const told = new Set<string>();
    const figures = (who: keyof typeof heard) => ({
      figures: ({ receivedBytes }: { receivedBytes: number }) => {
        heard[who] = receivedBytes;
        told.add(who);
      },
    });
    const other = await FastLink.open(scene.control, 'dgram');
    const third = await FastLink.open(scene.control, 'dgram');
    try {
      // The keys of another transfer, from another address, under the name of mine.
      const forged = await other.receive({ ...mine, secret: foreign.secret }, pace, figures('forged'));
      const stream = await link.receive(mine, pace, {});
      const got: Buffer[] = [];
      let twice: Awaited<ReturnType<FastLink['receive']>> | null = null;
      const whole = await receivePieces(stream, items, {
        write: async (_piece, _at, bytes) => {
          // The very same ticket from another address while it is in use.
          twice ??= await third.receive(mine, pace, figures('twice'));
          got.push(Buffer.from(bytes));
        },
        verified: () => Promise.resolve(),
      });
      assert.deepEqual([whole, (await stream.ended).reason], [true, 'complete']);
      assert.ok(Buffer.concat(got).equals(large));
      assert.equal((await scene.control.state(mine.transfer, 20)).state, 'done');
      assert.deepEqual(heard, { forged: 0, twice: 0 });
      assert.deepEqual([...told].sort(), ['forged', 'twice']);
      // After its end, too.
      const late = await link.receive(mine, pace, figures('twice'));
      await setTimeout(600);
      late.end('cancelled', '');
      forged.end('cancelled', '');
      assert.deepEqual(heard, { forged: 0, twice: 0 });
    } finally {
      await Promise.all([other.close(100), third.close(100)]);
      await scene.control.end(foreign.transfer).catch(() => undefined);
    }
  });

  test('the front gives the memory of transfers back that are over', async () => {
    const isFast = (pid: number): boolean => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('fast-main.ts');
    const front = childrenOf(scene.server.child.pid ?? 0).find(isFast);
    const resident = (): number =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${front}/status`, 'utf8'))?.[1] ?? NaN) * 1024;
    const many = async (times: number): Promise<void> => {
      for (let time = 0; time < times; time++)
        assert.ok((await get({ large: large.length }, 0, { ...PACE, window: 48 * MiB })).whole);
    };
    await many(2);
    const before = resident();
    await many(12);
    const most = before + 4 * large.length;
    for (let waited = 0; waited < 100 && resident() > most; waited++) await setTimeout(100);
    assert.ok(resident() <= most, `${Math.round(before / MiB)} MiB before, ${Math.round(resident() / MiB)} after`);
  });

  test('other accounts, and whoever has no right, find nothing', async () => {
    const items = [{ path: '/nowhere/x', version: null, size: 1, start: 0 }];
    const { transfer } = await scene.control.beginDownload(items, PACE);
    const { state, failure } = await scene.control.state(transfer, 20);
    assert.deepEqual([state, failure?.code], ['failed', 'not-found']);
    await assert.rejects(scene.control.state('0'.repeat(32), 0), { code: 'not-found' });
    await assert.rejects(scene.control.end('x'), { code: 'not-found' });
  });
});
