/** UDP that does not get through, or stops to in the middle: HTTPS by itself, and the same files. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isEvent, isThrough, runClient } from './client.ts';
import { openRelay } from './relay.ts';
import { openFastScene } from './scene.ts';
import type { FastScene } from './scene.ts';

const MiB = 2 ** 20;
/** Clients are sent there: another address of this machine, where at first nobody is. */
const ELSEWHERE = '127.0.0.2';

suite('UDP is blocked', () => {
  let scene: FastScene;
  let there = '';
  const large = randomBytes(40 * MiB + 77);
  const at = (...names: string[]): string => path.join(scene.server.temporary, ...names);

  before(async () => {
    scene = await openFastScene(['--fast-host', ELSEWHERE]);
    there = `:${scene.server.folder}`;
    writeFileSync(at('large'), large);
    mkdirSync(at('tree'));
    for (let one = 0; one < 50; one++) writeFileSync(at('tree', `f${one}`), randomBytes(one * 100));
  });
  after(() => scene.close());

  test('from the beginning: said once, within seconds, and everything comes up and down', async () => {
    const up = await runClient(scene, ['put', at('large'), at('tree'), `${there}/`]).ended;
    assert.equal(up.code, 0, up.errors);
    const said = up.lines.filter(isEvent('fallback'));
    assert.deepEqual(
      said.map((line) => line['port']),
      [Number(scene.url.port)],
    );
    assert.deepEqual(up.lines.find(isEvent('done'))?.['way'], 'https');
    const down = await runClient(scene, ['get', `${there}/large`, `${there}/tree`, `${at('down')}/`]).ended;
    assert.equal(down.code, 0, down.errors);
    assert.equal(down.lines.filter(isEvent('fallback')).length, 1);
    assert.ok(readFileSync(at('down', 'large')).equals(large));
    assert.equal(down.lines.filter(isEvent('file')).length, 51);
  });

  test('--udp-only gives up after its patience', async () => {
    const words = ['get', `${there}/large`, at('never'), '--udp-only', '--patience', '1s'];
    const { code, lines } = await runClient(scene, words).ended;
    assert.equal(code, 1);
    assert.equal(lines.find(isEvent('fallback')), undefined);
  });

  test('in the middle of an upload: HTTPS takes it up where the server has it', async () => {
    const port = Number(scene.url.port);
    const relay = await openRelay(ELSEWHERE, port, { host: '127.0.0.1', port });
    try {
      const words = ['put', at('large'), `${there}/taken-up`, '--limit', '100M', '--silence', '2s'];
      const up = runClient(scene, words);
      await up.until(isThrough(18 * MiB));
      relay.block();
      const { code, lines, errors } = await up.ended;
      assert.equal(code, 0, errors);
      assert.equal(lines.filter(isEvent('fallback')).length, 1);
      const [resumed, ...more] = lines.filter(isEvent('resumed')).map((line) => Number(line['bytes']));
      assert.ok(resumed !== undefined && resumed >= 16 * MiB && more.length === 0, JSON.stringify(lines));
      assert.deepEqual(lines.find(isEvent('done'))?.['bytes'], large.length);
      const after = lines.slice(lines.findIndex(isEvent('fallback'))).filter(isEvent('progress'));
      for (const line of after) assert.ok(Number(line['bytes']) >= 16 * MiB, 'what is there is not sent again');
      const down = await runClient(scene, ['get', `${there}/taken-up`, at('taken-up'), '--https-only']).ended;
      assert.equal(down.code, 0, down.errors);
      assert.ok(readFileSync(at('taken-up')).equals(large));
    } finally {
      await relay.close();
    }
  });

  test('a NAT that changes the port in the middle, either way: nobody notices', async () => {
    const port = Number(scene.url.port);
    const relay = await openRelay(ELSEWHERE, port, { host: '127.0.0.1', port });
    try {
      const words = [
        ['get', `${there}/large`, at('rebound')],
        ['put', at('large'), `${there}/rebound`],
      ];
      for (const [at, line] of words.entries()) {
        const command = runClient(scene, [...line, '--limit', '100M', '--udp-only']);
        await command.until(isThrough(10 * MiB));
        relay.rebind();
        const { code, lines, errors } = await command.ended;
        assert.equal(code, 0, errors);
        assert.equal(lines.find(isEvent('retry')), undefined, JSON.stringify(lines));
        assert.equal(relay.ports(), 2 * (at + 1));
      }
      assert.ok(readFileSync(at('rebound')).equals(large));
    } finally {
      await relay.close();
    }
  });

  test('in the middle: goes on over HTTPS from what is verified', async () => {
    const port = Number(scene.url.port);
    const relay = await openRelay(ELSEWHERE, port, { host: '127.0.0.1', port });
    try {
      const words = ['get', `${there}/large`, at('middle'), '--limit', '100M', '--silence', '3s'];
      const down = runClient(scene, words);
      await down.until(isThrough(18 * MiB));
      relay.block();
      const { code, lines, errors } = await down.ended;
      assert.equal(code, 0, errors);
      assert.equal(lines.filter(isEvent('fallback')).length, 1);
      assert.ok(Number(lines.find(isEvent('resumed'))?.['bytes']) >= 16 * MiB, JSON.stringify(lines));
      assert.ok(readFileSync(at('middle')).equals(large));
      assert.ok(relay.passed() >= 16 * MiB);
    } finally {
      await relay.close();
    }
  });
});
