/** A store without space: a clear status, the server lives, nothing acknowledged is lost, and it goes on when there is room again. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { content, ssh2Session } from '../interop/suite.ts';
import { startServer, waybill, type TestServer } from '../interop/server.ts';
import type ssh2 from 'ssh2';

/** A small file system of its own needs the right to mount one. */
function mountSmall(place: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=48M', 'none', place]).status === 0;
}

const place = mkdtempSync(join(tmpdir(), 'waybill-full-'));
const mounted = mountSmall(place);
if (!mounted && process.env['WAYBILL_TEST_ALL'] === '1') throw new Error('a tmpfs must be mountable here');

describe('a full disk', { skip: mounted ? false : 'skipped: no right to mount a small file system' }, () => {
  let server: TestServer;
  before(async () => {
    server = await startServer({ temporary: place });
  });
  after(async () => {
    await server.stop();
    spawnSync('umount', [place]);
    rmSync(place, { recursive: true, force: true });
  });

  const session = async <T>(work: (sftp: ssh2.SFTPWrapper) => Promise<T>): Promise<T> => {
    const { client, sftp } = await ssh2Session(server);
    try {
      return await work(sftp);
    } finally {
      client.end();
    }
  };
  const put = (sftp: ssh2.SFTPWrapper, name: string, bytes: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      sftp.writeFile(`${server.folder}/${name}`, bytes, (error?: Error | null) => {
        if (error) reject(error);
        else resolve();
      });
    });
  const get = (sftp: ssh2.SFTPWrapper, name: string): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      sftp.readFile(`${server.folder}/${name}`, (error, bytes) => {
        if (error) reject(error);
        else resolve(bytes);
      });
    });
  const remove = (sftp: ssh2.SFTPWrapper, name: string): Promise<void> =>
    new Promise((resolve, reject) => {
      sftp.unlink(`${server.folder}/${name}`, (error?: Error | null) => {
        if (error) reject(error);
        else resolve();
      });
    });

  test('an upload that does not fit fails with a text that says why, and what was acknowledged stays', async () => {
    await session((sftp) => put(sftp, 'kept', content('kept', 5_000_000)));
    await session(async (sftp) => {
      await assert.rejects(put(sftp, 'too big', content('too big', 60_000_000)), /space/);
    });
    await session(async (sftp) => {
      assert.ok((await get(sftp, 'kept')).equals(content('kept', 5_000_000)));
    });
    assert.equal(server.child.exitCode, null);
  });

  test('with not one block left, reading and removing still work or fail clearly, and service resumes by itself', async () => {
    await session((sftp) => remove(sftp, 'too big').catch(() => undefined));
    const filler = join(place, 'filler');
    spawnSync('sh', ['-c', `head -c 100M /dev/zero > "${filler}"`]);
    await session(async (sftp) => {
      for (const size of [10, 100_000, 9_000_000])
        await assert.rejects(put(sftp, `no room ${size}`, content('x', size)));
    }).catch((error: unknown) => {
      // A sign-in itself needs a durable record: refusing it is right, hanging is not.
      assert.match(String(error), /authentication|closed|hang up|ECONN|failed/i);
    });
    writeFileSync(filler, '');
    await session(async (sftp) => {
      assert.ok((await get(sftp, 'kept')).equals(content('kept', 5_000_000)));
      await put(sftp, 'after', content('after', 3_000_000));
      assert.ok((await get(sftp, 'after')).equals(content('after', 3_000_000)));
    });
    await waybill(server, ['check']);
  });
});
