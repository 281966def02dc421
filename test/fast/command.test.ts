/** waybill put, get and sync against a real server: trees, resuming after kill -9, what is refused, exit codes, lines of JSON. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { isEvent, isThrough, runClient } from './client.ts';
import { openFastScene } from './scene.ts';
import type { FastScene } from './scene.ts';

const MiB = 2 ** 20;
const LARGE = 40 * MiB + 4321;

suite('waybill put, get and sync', () => {
  let scene: FastScene;
  let here = '';
  let there = '';
  const large = randomBytes(LARGE);

  before(async () => {
    scene = await openFastScene();
    here = scene.server.temporary;
    there = `:${scene.server.folder}`;
    writeFileSync(path.join(here, 'large'), large);
    mkdirSync(path.join(here, 'tree', 'in', 'deep'), { recursive: true });
    mkdirSync(path.join(here, 'tree', 'nothing'));
    writeFileSync(path.join(here, 'tree', 'empty'), '');
    writeFileSync(path.join(here, 'tree', 'in', 'one'), 'one');
    for (let at = 0; at < 300; at++)
      writeFileSync(path.join(here, 'tree', 'in', 'deep', `f${at}`), randomBytes(at * 7));
    symlinkSync('/etc/hostname', path.join(here, 'tree', 'link'));
  });
  after(() => scene.close());

  const run = (...words: string[]) => runClient(scene, words).ended;
  const at = (...names: string[]): string => path.join(here, ...names);
  const contents = (top: string): Record<string, string> =>
    Object.fromEntries(
      readdirSync(top, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => path.join(entry.parentPath, entry.name))
        .map((file) => [path.relative(top, file), readFileSync(file).toString('base64')]),
    );

  test('a tree goes up and comes down as it is, empty directories too; links are left out and named', async () => {
    const up = await run('put', at('tree'), `${there}/`);
    assert.equal(up.code, 0, up.errors);
    const left = up.lines.find(isEvent('skipped'));
    assert.deepEqual([left?.['name'], left?.['code']], [at('tree', 'link'), null]);
    assert.equal(up.lines.filter(isEvent('file')).length, 302);
    const done = up.lines.find(isEvent('done'));
    assert.deepEqual([done?.['files'], done?.['way']], [302, 'udp']);
    const down = await run('get', `${there}/tree`, at('back'));
    assert.equal(down.code, 0, down.errors);
    const sent = contents(at('tree'));
    delete sent['link'];
    assert.deepEqual(contents(at('back')), sent);
    assert.ok(statSync(at('back', 'nothing')).isDirectory());
    assert.equal(
      readdirSync(at('back')).some((name) => name.includes('waybill')),
      false,
    );
  });

  test('--follow sends what a link points at', async () => {
    const up = await run('put', at('tree'), `${there}/followed/`, '--follow');
    assert.equal(up.lines.find(isEvent('done'))?.['files'], 303, up.errors);
  });

  test('an upload killed in the middle goes on where the server has it', async () => {
    const words = ['put', at('large'), `${there}/large`];
    const first = runClient(scene, [...words, '--limit', '120M']);
    await first.until(isThrough(20 * MiB));
    first.child.kill('SIGKILL');
    assert.equal((await first.ended).code, 'SIGKILL');
    const second = await run(...words);
    assert.equal(second.code, 0, second.errors);
    assert.equal(second.lines.find(isEvent('done'))?.['bytes'], LARGE);
    assert.ok(Number(second.lines.find(isEvent('resumed'))?.['bytes']) >= 16 * MiB, JSON.stringify(second.lines));
  });

  test('a download killed in the middle goes on, what was damaged meanwhile is fetched again', async () => {
    const words = ['get', `${there}/large`, at('copy')];
    // Slow enough that it says how far it is between there and its end.
    const first = runClient(scene, [...words, '--limit', '60M']);
    await first.until(isThrough(28 * MiB));
    first.child.kill('SIGKILL');
    await first.ended;
    assert.ok(!existsSync(at('copy')));
    const part = readFileSync(at('.copy.waybill-part'));
    const noted = readFileSync(at('.copy.waybill-state'), 'utf8').split('\n').length - 2;
    assert.ok(noted >= 2, `${noted} segments`);
    part.writeUInt8(part.readUInt8(9 * MiB) ^ 1, 9 * MiB);
    writeFileSync(at('.copy.waybill-part'), part);
    const second = await run(...words);
    assert.equal(second.code, 0, second.errors);
    assert.ok(Number(second.lines.find(isEvent('resumed'))?.['bytes']) >= 8 * MiB);
    assert.ok(readFileSync(at('copy')).equals(large));
    assert.ok(!existsSync(at('.copy.waybill-part')) && !existsSync(at('.copy.waybill-state')));
  });

  test('another version there: nothing of the old one is kept', async () => {
    const first = runClient(scene, ['get', `${there}/large`, at('newer'), '--limit', '120M']);
    await first.until(isThrough(10 * MiB));
    first.child.kill('SIGKILL');
    await first.ended;
    const other = randomBytes(LARGE);
    writeFileSync(at('other'), other);
    assert.equal((await run('put', at('other'), `${there}/large`)).code, 0);
    const again = await run('get', `${there}/large`, at('newer'));
    assert.deepEqual([again.code, again.lines.find(isEvent('resumed'))], [0, undefined], again.errors);
    assert.ok(readFileSync(at('newer')).equals(other));
  });

  test('Ctrl-C ends in order with 130, and the same command goes on', async () => {
    const first = runClient(scene, ['get', `${there}/large`, at('stopped'), '--limit', '120M']);
    await first.until(isThrough(10 * MiB));
    first.child.kill('SIGINT');
    assert.equal((await first.ended).code, 130);
    assert.ok(existsSync(at('.stopped.waybill-state')));
    assert.equal((await run('get', `${there}/large`, at('stopped'))).code, 0);
  });

  test('--limit limits, in every policy and both ways; progress knows loss and round trip at both ends', async () => {
    writeFileSync(at('limited'), large.subarray(0, 12 * MiB));
    assert.equal((await run('put', at('limited'), `${there}/limited`)).code, 0);
    const paced = (policy: string): string[] => ['--limit', '64M', '--policy', policy];
    const timed = await Promise.all([
      ...['low', 'high', 'fixed'].map((policy) => run('get', `${there}/limited`, at(policy), ...paced(policy))),
      run('put', at('limited'), `${there}/limited-up`, ...paced('fair')),
    ]);
    for (const { code, lines, errors } of timed) {
      assert.equal(code, 0, errors);
      // 12 MiB are 1.57 s of it; what is added to each datagram is in the limit, too.
      const { seconds } = lines.find(isEvent('done')) as unknown as { seconds: number };
      assert.ok(seconds >= 1.5, `${seconds} s`);
      const progress = lines.filter(isEvent('progress')).at(-1);
      assert.ok(
        typeof progress?.['roundTrip'] === 'number' && typeof progress['loss'] === 'number',
        JSON.stringify(lines),
      );
    }
    const small = await run('get', `${there}/limited`, at('window'), '--window', '1M');
    assert.equal(small.code, 0, small.errors);
    assert.ok(readFileSync(at('window')).equals(large.subarray(0, 12 * MiB)));
    const wrong = [
      ['--policy', 'fixed'],
      ['--window', '1K'],
    ];
    const codes = await Promise.all(wrong.map((words) => run('get', `${there}/limited`, at('x'), ...words)));
    assert.deepEqual(
      codes.map(({ code }) => code),
      wrong.map(() => 2),
    );
  });

  test('what is refused has its exit code', async () => {
    const codes = await Promise.all([
      run('get', 'somebody-else:/x', at('x')),
      run('get', `${there}/not-there`, at('x')),
      run('get', 'no-place', at('x')),
      run('put', at('not-here'), `${there}/`),
      run('put', at('large'), `${there}/large/below`),
      run('get', `${there}/large`, at('x'), '--udp-only', '--https-only'),
    ]);
    assert.deepEqual(
      codes.map(({ code }) => code),
      [5, 3, 2, 3, 4, 2],
      codes.map(({ errors }) => errors).join(''),
    );
    const said = JSON.parse(codes[0].errors) as { event: string; code: string; message: string };
    assert.deepEqual([said.event, said.code], ['error', 'permission-denied']);
    assert.match(said.message, /somebody-else/);
  });

  test('links in the target lead nowhere', async () => {
    mkdirSync(at('outside'));
    mkdirSync(at('trap', 'tree'), { recursive: true });
    symlinkSync(at('outside'), at('trap', 'tree', 'in'));
    const down = await run('get', `${there}/tree`, at('trap'));
    assert.equal(down.code, 4, down.errors);
    assert.ok(existsSync(at('trap', 'tree', 'empty')), 'the others came');
    assert.deepEqual(readdirSync(at('outside'), { recursive: true }), []);
    symlinkSync(at('outside', 'victim'), at('.linked.waybill-part'));
    assert.notEqual((await run('get', `${there}/large`, at('linked'))).code, 0);
    assert.ok(!existsSync(at('outside', 'victim')));
  });

  test('sync sends what differs, removes when it is asked to, and never all by mistake', async () => {
    mkdirSync(at('mirror'));
    writeFileSync(at('mirror', 'a'), 'a');
    writeFileSync(at('mirror', 'b'), 'b');
    const old = new Date('2026-01-02T03:04:05Z');
    for (const name of ['a', 'b']) utimesSync(at('mirror', name), old, old);
    const files = async (...words: string[]) => {
      const { code, lines, errors } = await run('sync', ...words);
      assert.equal(code, 0, errors);
      return lines.filter(isEvent('file')).map((line) => path.posix.basename(String(line['path'])));
    };
    assert.deepEqual(await files(at('mirror'), `${there}/mirror/`), ['a', 'b']);
    assert.deepEqual(await files(at('mirror'), `${there}/mirror/`), []);
    writeFileSync(at('mirror', 'a'), 'A');
    utimesSync(at('mirror', 'a'), old, old);
    assert.deepEqual(await files(at('mirror'), `${there}/mirror/`), [], 'as large, and not newer');
    assert.deepEqual(await files(at('mirror'), `${there}/mirror/`, '--checksum'), ['a']);
    rmSync(at('mirror', 'b'));
    const gone = await run('sync', at('mirror'), `${there}/mirror/`, '--delete', '--dry-run');
    assert.deepEqual(gone.lines.find(isEvent('plan')), { event: 'plan', send: [], remove: ['b'] });
    assert.deepEqual(await files(at('mirror'), `${there}/mirror/`, '--delete'), []);
    assert.deepEqual(await files(`${there}/mirror`, at('mirrored')), ['a']);
    assert.equal(readFileSync(at('mirrored', 'a'), 'utf8'), 'A');
    assert.deepEqual(await files(`${there}/mirror`, at('mirrored')), []);
    mkdirSync(at('unmounted'));
    const empty = await run('sync', at('unmounted'), `${there}/mirror/`, '--delete');
    assert.equal(empty.code, 2);
    assert.match(empty.errors, /--force/);
    assert.equal((await run('sync', at('unmounted'), `${there}/mirror/`, '--delete', '--force')).code, 0);
    assert.deepEqual(await files(`${there}/mirror`, at('mirrored'), '--delete', '--force'), []);
    assert.deepEqual(readdirSync(at('mirrored')), []);
  });
});
