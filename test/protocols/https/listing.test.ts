/** A directory takes one call of the broker; what is no directory, or may not be listed, is told as before. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { isoSeconds } from '../../../src/base/iso-seconds.ts';
import { Scene } from './scene.ts';
import type { Person } from './scene.ts';

interface Page {
  readonly kind: string;
  readonly path: string;
  readonly entries?: { readonly name: string; readonly modified: string }[];
  readonly next?: string | null;
}

suite('listings', () => {
  let scene: Scene;
  let anna: Person;
  before(async () => {
    scene = await Scene.open();
    anna = await scene.person();
    for (const name of ['a', 'b', 'c']) await scene.ask('PUT', `/api/v1/content/in/${name}`, { body: name });
  });
  after(() => scene.close());

  const callsOf = async (target: string, by: Person = anna) => {
    scene.calls.length = 0;
    const answer = await scene.ask('GET', target, { by });
    return { answer, calls: scene.calls.map(({ call }) => call) };
  };

  test('a directory: one call, what it is and its entries', async () => {
    for (const [target, names] of [
      ['/api/v1/files/in', ['a', 'b', 'c']],
      ['/api/v1/files/', ['in']],
    ] as const) {
      const { answer, calls } = await callsOf(target);
      const page = answer.json<Page & Record<string, unknown>>();
      assert.deepEqual(calls, ['files.list']);
      assert.deepEqual(
        page.entries?.map(({ name }) => name),
        names,
      );
      assert.deepEqual([page.kind, page.next], ['directory', null]);
      const stat = await anna.client.call('files.stat', { path: page.path });
      assert.equal(page['modified'], new Date(stat.mtime * 1000).toISOString());
      assert.equal(page['mayRead'], true);
    }
  });

  test('pages of any size', async () => {
    const seen: string[] = [];
    for (let after: string | null = ''; after !== null;) {
      const at: string = after === '' ? '' : `&after=${after}`;
      const { answer, calls } = await callsOf(`/api/v1/files/in?limit=2${at}`);
      assert.deepEqual(calls, ['files.list']);
      assert.equal(scene.calls[0]?.request['limit'], 2);
      const page: Page = answer.json<Page & Record<string, unknown>>();
      seen.push(...(page.entries ?? []).map(({ name }) => name));
      after = page.next ?? null;
    }
    assert.deepEqual(seen, ['a', 'b', 'c']);
  });

  test('a file, what is not there, and a directory that may not be listed', async () => {
    const file = await callsOf('/api/v1/files/in/a');
    assert.deepEqual(file.calls, ['files.list', 'files.stat']);
    assert.deepEqual([file.answer.status, file.answer.json<Page & Record<string, unknown>>().kind], [200, 'file']);
    assert.equal((await callsOf('/api/v1/files/in/none')).answer.status, 404);
    for (const rights of ['read', 'write'] as const) {
      const blind = await scene.person([rights]);
      const { answer } = await callsOf('/api/v1/files/in', blind);
      assert.equal(answer.status, 403, rights);
      assert.equal(answer.json()['code'], 'permission-denied');
      assert.equal((await callsOf('/api/v1/files/in/a', blind)).answer.status, rights === 'read' ? 200 : 404);
    }
  });

  test('moments as Date writes them', () => {
    for (const seconds of [0, 1, -1, 951_782_400, 1_763_900_000, 4_294_967_295, 8_640_000_000_000])
      for (let twice = 0; twice < 2; twice++) assert.equal(isoSeconds(seconds), new Date(seconds * 1000).toISOString());
    for (let seconds = 0; seconds < 20_000; seconds++) isoSeconds(seconds);
    assert.equal(isoSeconds(3), '1970-01-01T00:00:03.000Z');
    assert.throws(() => isoSeconds(Infinity), RangeError);
  });
});
