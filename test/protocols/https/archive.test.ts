import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { zipName } from '../../../src/protocols/https/zip-names.ts';
import { ZipWriter } from '../../../src/protocols/https/zip.ts';
import { Scene } from './scene.ts';

/** Python reads it with code that has nothing of ours, and follows the central directory. */
const READ = `
import sys, zipfile, json, hashlib
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
print(json.dumps(len(archive.infolist()) if len(archive.infolist()) > 1000 else {i.filename: [i.file_size, hashlib.sha256(archive.read(i)).hexdigest()] for i in archive.infolist()}))
`;

suite('archives', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'waybill-zip-'));
  let scene: Scene;
  before(async () => {
    scene = await Scene.open();
    await scene.person();
  });
  after(async () => {
    await scene.close();
    rmSync(folder, { recursive: true });
  });

  const read = (bytes: Buffer): Record<string, [number, string]> => {
    const file = path.join(folder, 'a.zip');
    writeFileSync(file, bytes);
    return JSON.parse(execFileSync('python3', ['-c', READ, file]).toString()) as Record<string, [number, string]>;
  };

  test('a directory comes as it is, and other programs can read it', async () => {
    const big = randomBytes(5 * 2 ** 20 + 3);
    for (const directory of ['/in/d', '/in/d/e'])
      await scene.ask('POST', '/api/v1/mkdir', {
        body: JSON.stringify({ path: directory }),
        headers: { 'content-type': 'application/json' },
      });
    for (const [name, body] of Object.entries({ 'd/empty': '', 'd/big': big, 'd/e/ü': 'small' }))
      assert.equal(
        (await scene.ask('PUT', `/api/v1/content/in/${name.split('/').map(encodeURIComponent).join('/')}`, { body }))
          .status,
        201,
      );
    const { status, headers, body } = await scene.ask('GET', '/api/v1/archive/in/d');
    assert.equal(status, 200);
    assert.equal(headers['content-disposition'], `attachment; filename="d.zip"; filename*=UTF-8''d.zip`);
    assert.deepEqual(
      Object.entries(read(body)).map(([name, [size]]) => [name, size]),
      [
        ['big', big.length],
        ['e/', 0],
        ['e/ü', 5],
        ['empty', 0],
      ],
    );
    execFileSync('unzip', ['-q', '-o', path.join(folder, 'a.zip'), '-d', path.join(folder, 'out')]);
    assert.ok(readFileSync(path.join(folder, 'out', 'big')).equals(big));
    assert.equal((await scene.ask('GET', '/api/v1/archive/in/d/big')).status, 404);
  });

  test('names cannot lead out of the folder that is unpacked into', () => {
    assert.equal(zipName('plain name.txt'), 'plain name.txt');
    for (const name of ['..\\..\\x', 'C:\\x', 'C:x', '.. ', '...', 'nul', 'aux.txt', 'a:b', 'x.', 'a|b']) {
      const safe = zipName(name);
      assert.doesNotMatch(safe, /[\\/:*?"<>|]|^\.+ *$|[. ]$/, name);
      assert.notEqual(safe, name);
    }
    assert.notEqual(zipName('a:b'), zipName('a*b'));
  });

  test('more than 65,535 files', () => {
    const zip = new ZipWriter();
    const bytes: Buffer[] = [];
    for (let at = 0; at < 66_000; at++)
      bytes.push(zip.begin({ name: `f${at}`, directory: false, size: 0, modified: 1e9 }), zip.end());
    assert.equal(read(Buffer.concat([...bytes, ...zip.finish()])), 66_000);
  });
});
