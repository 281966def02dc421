/** The real `sftp` client: -D starts a program and speaks SFTP with it, without SSH between. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';

const run = promisify(execFile);
const installed = await run('sftp', ['-h']).then(
  () => true,
  (error: unknown) => (error as { code?: unknown }).code !== 'ENOENT',
);

async function batch(
  lines: (folder: string) => string[],
): Promise<{ folder: string; stdout: string; clean: () => Promise<void> }> {
  const folder = await mkdtemp(path.join(tmpdir(), 'waybill-sftp-'));
  const script = path.join(folder, 'server');
  const server = path.join(import.meta.dirname, 'stdio-server.ts');
  await writeFile(script, `#!/bin/sh\nexec '${process.execPath}' '${server}'\n`);
  await chmod(script, 0o700);
  await writeFile(path.join(folder, 'large'), randomBytes(3_000_001));
  await writeFile(path.join(folder, 'batch'), lines(folder).join('\n'));
  const { stdout } = await run('sftp', ['-b', path.join(folder, 'batch'), '-D', script], {
    timeout: 30_000,
    cwd: folder,
  });
  return { folder, stdout, clean: () => rm(folder, { recursive: true }) };
}

void describe('OpenSSH sftp', { skip: installed ? false : 'sftp is not installed' }, () => {
  it('puts, lists, gets back, resumes, renames and removes', async () => {
    const { folder, stdout, clean } = await batch(() => [
      'pwd',
      'put -p large',
      'ls -la',
      'get large back',
      'put batch short',
      '!head -c 1000000 large > part',
      'get -a large part',
      'put large half',
      'rename half renamed',
      'rename renamed large',
      'mkdir folder',
      'put batch folder/x',
      'rm folder/x',
      'ls folder',
      'rmdir folder',
      'df',
      'cd ..',
      'pwd',
    ]);
    try {
      assert.match(stdout, /Remote working directory: \/inbox\n/);
      assert.match(stdout, /Remote working directory: \/\n/);
      assert.match(stdout, /-rw-r-----.*3000001.*large/);
      const large = await readFile(path.join(folder, 'large'));
      assert.ok(large.equals(await readFile(path.join(folder, 'back'))));
      assert.ok(large.equals(await readFile(path.join(folder, 'part'))));
    } finally {
      await clean();
    }
  });
});
