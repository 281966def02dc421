/** What stops a transfer while its command runs: a hold until it is approved, a front that is killed. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isEvent, isThrough, runClient } from './client.ts';
import type { Client } from './client.ts';
import { openFastScene } from './scene.ts';
import type { FastScene } from './scene.ts';

const MiB = 2 ** 20;

async function open(args: readonly string[], size: number) {
  const scene = await openFastScene(args);
  const large = randomBytes(size);
  const at = (name: string): string => path.join(scene.server.temporary, name);
  writeFileSync(at('large'), large);
  const there = `:${scene.server.folder}/large`;
  const up = await runClient(scene, ['put', at('large'), there]).ended;
  assert.equal(up.code, 0, up.errors);
  return { scene, large, at, there };
}

suite('held by a budget', () => {
  let opened: Awaited<ReturnType<typeof open>>;
  before(async () => {
    // 40 MiB in ten minutes.
    opened = await open(['--budget-initial', '160M,10000,1000'], 64 * MiB);
  });
  after(() => opened.scene.close());

  async function approve(client: Client, seen: Set<unknown>): Promise<void> {
    const { reference } = await client.until((line) => line.event === 'held' && !seen.has(line['reference']));
    seen.add(reference);
    await opened.scene.command('approve', String(reference), '--amount', '48M');
  }

  test('--no-wait ends with 10 and names the reference; waiting, it goes on by itself once it is approved', async () => {
    const { scene, at, there, large } = opened;
    const first = await runClient(scene, ['get', there, at('back'), '--no-wait']).ended;
    assert.equal(first.code, 10, first.errors);
    assert.match(first.errors, /H-[0-9A-Z]{5}-[0-9A-Z]{5}/);
    const second = runClient(scene, ['get', there, at('back')]);
    const seen = new Set<unknown>();
    await approve(second, seen);
    const { code, lines, errors } = await second.ended;
    assert.equal(code, 0, errors);
    assert.equal(lines.filter(isEvent('held')).length, seen.size, 'each is told once');
    assert.ok(Number(lines.find(isEvent('resumed'))?.['bytes']) >= 24 * MiB);
    assert.ok(readFileSync(at('back')).equals(large));
  });
});

suite('held by a budget, over HTTPS', () => {
  let opened: Awaited<ReturnType<typeof open>>;
  before(async () => {
    opened = await open(['--budget-initial', '160M,10000,1000'], 64 * MiB);
  });
  after(() => opened.scene.close());

  test('the reference is shown once, and it goes on from there when somebody approves', async () => {
    const { scene, at, there, large } = opened;
    const down = runClient(scene, ['get', there, at('back'), '--https-only']);
    const { reference } = await down.until(isEvent('held'));
    assert.match(String(reference), /^H-[0-9A-Z]{5}-[0-9A-Z]{5}$/);
    await scene.command('approve', String(reference), '--amount', '48M');
    const { code, lines, errors } = await down.ended;
    assert.equal(code, 0, errors);
    assert.equal(lines.filter(isEvent('held')).length, 1);
    assert.ok(lines.some(isEvent('released')));
    assert.deepEqual(lines.find(isEvent('done'))?.['way'], 'https');
    // Nothing is released that is not sent: 40 MiB are five segments.
    assert.ok(Number(lines.find(isEvent('resumed'))?.['bytes']) >= 40 * MiB, JSON.stringify(lines));
    assert.ok(readFileSync(at('back')).equals(large));
  });
});

suite('a night', () => {
  let opened: Awaited<ReturnType<typeof open>>;
  before(async () => {
    opened = await open([], 48 * MiB);
  });
  after(() => opened.scene.close());

  /** Longer than the server keeps a transfer: it ended it, and has forgotten. */
  async function sleep({ child }: Client): Promise<void> {
    const { scene, at } = opened;
    child.kill('SIGSTOP');
    const [note = ''] = readdirSync(path.join(at('cache'), 'waybill', 'transfers'));
    await scene.control.end(note.replace('.json', ''));
    child.kill('SIGCONT');
  }

  test('a command that slept for longer than its transfer lives goes on with another one, from what is verified', async () => {
    const { scene, at, there, large } = opened;
    const ends = [
      ['get', there, at('back')],
      ['put', at('large'), `${there}-again`],
    ];
    for (const words of ends) {
      const command = runClient(scene, [...words, '--limit', '100M']);
      await command.until(isThrough(18 * MiB));
      await sleep(command);
      const { code, lines, errors } = await command.ended;
      assert.equal(code, 0, errors);
      assert.ok(lines.some(isEvent('retry')), JSON.stringify(lines));
      assert.ok(Number(lines.find(isEvent('resumed'))?.['bytes']) >= 16 * MiB, JSON.stringify(lines));
      assert.deepEqual(lines.find(isEvent('done'))?.['way'], 'udp');
    }
    assert.ok(readFileSync(at('back')).equals(large));
  });
});

suite('a front is killed', () => {
  let opened: { scene: FastScene } & Awaited<ReturnType<typeof open>>;
  before(async () => {
    opened = await open([], 48 * MiB);
  });
  after(() => opened.scene.close());

  test('the command goes on when there is another', async () => {
    const { scene, at, there, large } = opened;
    const down = runClient(scene, ['get', there, at('back'), '--limit', '100M']);
    await down.until(isThrough(18 * MiB));
    const front = processOf(scene.server.child.pid ?? 0, 'fast-main');
    process.kill(front, 'SIGKILL');
    const { code, lines, errors } = await down.ended;
    assert.equal(code, 0, errors);
    assert.ok(lines.some(isEvent('retry')) || lines.some(isEvent('fallback')), JSON.stringify(lines));
    assert.ok(Number(lines.find(isEvent('resumed'))?.['bytes']) >= 16 * MiB);
    assert.ok(readFileSync(at('back')).equals(large));
  });
});

/** A child of the server by what its command line holds. */
function processOf(server: number, word: string): number {
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    try {
      const parent = Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1]);
      if (parent === server && readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(word)) return Number(name);
    } catch {
      continue;
    }
  }
  throw new Error(`the server has no process ${word}`);
}
