/** A data folder that is not what it should be: one clear error that names the file and what to do; nothing is made anew in its place. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { PROJECT, run, startServer, type TestServer } from '../interop/server.ts';
import { content, ssh2Session } from '../interop/suite.ts';

const temporary = mkdtempSync(join(tmpdir(), 'waybill-faults-'));
const data = join(temporary, 'data');
const rootKey = join(data, 'keys/root.key');

const failure = (args: string[] = []): Promise<string> =>
  run(process.execPath, [
    join(PROJECT, 'src/cli/waybill.ts'),
    'serve',
    '--data',
    data,
    '--sftp',
    '127.0.0.1:0',
    '--https',
    'none',
    '--json',
    ...args,
  ]).then(
    () => assert.fail('it started'),
    (error: unknown) => String(error),
  );

async function store(server: TestServer): Promise<void> {
  const { client, sftp } = await ssh2Session(server);
  await new Promise<void>((resolve, reject) => {
    sftp.writeFile(`${server.folder}/file`, content('file', 100_000), (error?: Error | null) => {
      if (error) reject(error);
      else resolve();
    });
  });
  client.end();
}

describe('data folder', () => {
  after(() => {
    rmSync(temporary, { recursive: true, force: true });
  });

  test('the first start makes it for its owner alone', async () => {
    const server = await startServer({ temporary });
    await store(server);
    assert.equal(statSync(data).mode & 0o077, 0);
    assert.equal(statSync(rootKey).mode & 0o177, 0);
    assert.equal(statSync(server.key).mode & 0o177, 0);
    const second = await failure();
    assert.match(second, /another server|already/i);
    await server.stop();
  });

  test('a missing root key is named, and no new one is made', async () => {
    renameSync(rootKey, join(temporary, 'root.key'));
    assert.match(await failure(), /root\.key/);
    assert.ok(!readdirSync(join(data, 'keys')).includes('root.key'));
    renameSync(join(temporary, 'root.key'), rootKey);
  });

  test('an altered root key is named', async () => {
    const text = readFileSync(rootKey, 'utf8');
    const at = text.trimEnd().length - 6;
    writeFileSync(rootKey, text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1));
    assert.match(await failure(), /root\.key/);
    writeFileSync(rootKey, text);
  });

  test('a root key that others can read is refused', async () => {
    chmodSync(rootKey, 0o644);
    assert.match(await failure(), /root\.key/);
    chmodSync(rootKey, 0o600);
  });

  test('a data folder that is a file is refused with its name', async () => {
    const file = join(temporary, 'file');
    writeFileSync(file, '');
    assert.match(await failure(['--data', file]), /file/);
  });

  test('with everything back in place the file is still there', async () => {
    const server = await startServer({ temporary });
    const { client, sftp } = await ssh2Session(server);
    const bytes = await new Promise<Buffer>((resolve, reject) => {
      sftp.readFile(`${server.folder}/file`, (error, value) => {
        if (error) reject(error);
        else resolve(value);
      });
    });
    assert.ok(bytes.equals(content('file', 100_000)));
    client.end();
    await server.stop();
  });
});
