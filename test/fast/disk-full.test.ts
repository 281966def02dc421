/** No room for what comes, at either end: a clear word and code, both ends live, and with room it goes on from what is there. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isEvent, runClient } from './client.ts';
import { openFastScene } from './scene.ts';
import type { FastScene } from './scene.ts';

const MiB = 2 ** 20;
const place = mkdtempSync(path.join(tmpdir(), 'waybill-fast-full-'));
const mount = (at: string, size: string): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', at]).status === 0;
const [theirs, ours] = [path.join(place, 'server'), path.join(place, 'client')];
for (const folder of [theirs, ours]) mkdirSync(folder);
const unmount = (at: string): unknown => spawnSync('umount', [at]);
// Tried and taken down at once: what never comes to its end leaves nothing mounted.
const mayMount = mount(ours, '1m');
if (mayMount) unmount(ours);
if (!mayMount && process.env['WAYBILL_TEST_ALL'] === '1') throw new Error('a tmpfs must be mountable here');

suite('a full disk', { skip: mayMount ? false : 'no right to mount a small file system' }, () => {
  let scene: FastScene;
  let there = '';
  const large = randomBytes(20 * MiB + 5);
  const file = path.join(place, 'large');

  before(async () => {
    assert.ok(mount(theirs, '64m') && mount(ours, '12m'));
    writeFileSync(file, large);
    const temporary = path.join(theirs, 'server');
    mkdirSync(temporary);
    scene = await openFastScene([], temporary);
    there = `:${scene.server.folder}`;
  });
  after(async () => {
    await scene.close();
    for (const at of [theirs, ours]) unmount(at);
    rmSync(place, { recursive: true, force: true });
  });

  test('of the server: said, and with room the same command goes through', async () => {
    const filler = path.join(theirs, 'filler');
    writeFileSync(filler, Buffer.alloc(46 * MiB));
    const put = (): ReturnType<typeof runClient>['ended'] =>
      runClient(scene, ['put', file, `${there}/large`, '--udp-only', '--patience', '1s']).ended;
    const full = await put();
    assert.notEqual(full.code, 0);
    assert.match(full.errors + JSON.stringify(full.lines), /store-full|no space|disk-full/);
    rmSync(filler);
    const again = await put();
    assert.equal(again.code, 0, again.errors);
  });

  test('of the client: said, and with room the same command goes on', async () => {
    const target = path.join(ours, 'large');
    const get = (): ReturnType<typeof runClient>['ended'] =>
      runClient(scene, ['get', `${there}/large`, target, '--udp-only', '--patience', '1s']).ended;
    const full = await get();
    assert.notEqual(full.code, 0);
    assert.match(full.errors + JSON.stringify(full.lines), /ENOSPC|no space|store-full|disk-full/i);
    spawnSync('mount', ['-o', 'remount,size=40m', ours]);
    const again = await get();
    assert.equal(again.code, 0, again.errors);
    assert.ok(Number(again.lines.find(isEvent('resumed'))?.['bytes']) >= 8 * MiB, JSON.stringify(again.lines));
    assert.ok(readFileSync(target).equals(large));
  });
});
