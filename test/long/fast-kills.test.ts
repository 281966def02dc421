/** One file up and down again while its client or a front of the server is killed ten times each way: it arrives identical. */
import assert from 'node:assert/strict';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { createReadStream, readdirSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { after, before, suite, test } from 'node:test';
import { isEvent, runClient } from '../fast/client.ts';
import { openFastScene } from '../fast/scene.ts';
import type { FastScene } from '../fast/scene.ts';

/** WAYBILL_TEST_GB=5 for the size that the issue names. */
const SIZE = Number(process.env['WAYBILL_TEST_GB'] ?? '1') * 2 ** 30 + 12_345;
const KILLS = 10;
/** Slow enough that it says several times in each part how far it is: a kill falls into every part. */
const LIMIT = `${Math.ceil((SIZE * 8) / 40e6)}M`;

suite('ten kills of either end', () => {
  let scene: FastScene;
  let there = '';
  const at = (name: string): string => path.join(scene.server.temporary, name);
  before(async () => {
    scene = await openFastScene();
    there = `:${scene.server.folder}/large`;
    const handle = await open(at('large'), 'w');
    const block = randomBytes(1 << 20);
    for (let left = SIZE; left > 0; left -= block.length) {
      block.writeUInt32LE(randomInt(2 ** 32 - 1), 0);
      await handle.write(block, 0, Math.min(left, block.length));
    }
    await handle.close();
  });
  after(() => scene.close());

  for (const direction of ['put', 'get'] as const)
    test(direction, { timeout: 900_000 }, async () => {
      const words = direction === 'put' ? ['put', at('large'), there] : ['get', there, at('back')];
      const resumed: number[] = [];
      let kills = 0;
      for (;;) {
        const client = runClient(scene, [...words, '--limit', LIMIT]);
        while (kills < KILLS) {
          const next = Math.floor((SIZE / (KILLS + 1)) * (kills + randomInt(200, 800) / 1000));
          const reached = await client
            .until((line) => through([line]) >= next && line.event === 'progress')
            .catch(() => null);
          if (reached === null) break;
          kills++;
          if (kills % 2 === 0) process.kill(await frontOf(scene), 'SIGKILL');
          else {
            client.child.kill('SIGKILL');
            break;
          }
        }
        const { code, lines, errors } = await client.ended;
        resumed.push(...lines.filter(isEvent('resumed')).map((line) => Number(line['bytes'])));
        if (code === 'SIGKILL') continue;
        assert.equal(code, 0, errors);
        break;
      }
      assert.equal(kills, KILLS);
      assert.ok(Math.max(...resumed) > SIZE / 4, `it went on, and did not begin anew: ${resumed.join()}`);
      if (direction === 'get') assert.equal(await digestOf(at('back')), await digestOf(at('large')));
    });
});

function through(lines: readonly { readonly event: string; readonly [name: string]: unknown }[]): number {
  return Math.max(0, ...lines.filter(isEvent('progress')).map((line) => Number(line['bytes'])));
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

/** One that is killed again and again comes back more slowly each time. */
async function frontOf(scene: FastScene): Promise<number> {
  for (let tries = 0; tries < 300; tries++) {
    const front = frontNow(scene);
    if (front !== null) return front;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the front of fast transfers did not come back');
}

function frontNow({ server }: FastScene): number | null {
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    try {
      const parent = Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]);
      const words = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      if (parent === server.child.pid && words.includes('fast-main')) return Number(name);
    } catch {
      continue;
    }
  }
  return null;
}
