/** The whole server is killed while commands run, and started again: they go on by themselves. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isEvent, isThrough, runClient } from '../fast/client.ts';
import { openFastScene } from '../fast/scene.ts';
import type { FastScene } from '../fast/scene.ts';
import { startServer } from '../interop/server.ts';

const MiB = 2 ** 20;

suite('the whole server is killed', () => {
  const large = randomBytes(48 * MiB);
  let scene: FastScene;
  let there = '';
  const at = (name: string): string => path.join(scene.server.temporary, name);
  before(async () => {
    scene = await openFastScene();
    there = `:${scene.server.folder}/large`;
    writeFileSync(at('large'), large);
    assert.equal((await runClient(scene, ['put', at('large'), there]).ended).code, 0);
  });
  after(() => scene.close());

  test('uploads and downloads go on when it is back', async () => {
    const commands = [
      runClient(scene, ['get', there, at('back'), '--limit', '100M']),
      runClient(scene, ['put', at('large'), `${there}-again`, '--limit', '100M']),
    ];
    await Promise.all(commands.map((one) => one.until(isThrough(18 * MiB))));
    await scene.server.stop('SIGKILL');
    await Promise.all(commands.map((one) => one.until(isEvent('retry'))));
    const args = ['--https', scene.url.host, '--fronts', '1'];
    const back = await startServer({ args, temporary: scene.server.temporary });
    try {
      const [down, up] = await Promise.all(commands.map((one) => one.ended));
      assert.deepEqual([down?.code, up?.code], [0, 0], `${down?.errors}${up?.errors}`);
      assert.ok(Number(down?.lines.find(isEvent('resumed'))?.['bytes']) >= 8 * MiB);
      assert.deepEqual(up?.lines.filter(isEvent('fallback')), [], 'a server that is away is not UDP that is blocked');
      assert.ok(readFileSync(at('back')).equals(large));
      assert.equal((await runClient(scene, ['get', `${there}-again`, at('again')]).ended).code, 0);
      assert.ok(readFileSync(at('again')).equals(large));
    } finally {
      await back.stop();
    }
  });
});
