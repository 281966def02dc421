/** A store without space: a clear status, the server lives, nothing acknowledged is lost, and it goes on when there is room again. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { content, ssh2Session } from '../interop/suite.ts';
import { startServer, waybill, waybillProcess, type TestServer } from '../interop/server.ts';
import { entriesOfKind } from '../ledger/reading.ts';
import type ssh2 from 'ssh2';

/** A small file system of its own needs the right to mount one. */
function mountSmall(place: string): boolean {
  return spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${SIZE}`, 'none', place]).status === 0;
}

const SIZE = 48 * 2 ** 20;
/** 5 % of the file system. */
const RESERVE = Math.floor(SIZE / 20);
const TOO_BIG = Buffer.alloc(60_000_000, 'too big');

function promised<T = void>(start: (done: (error?: Error | null, value?: T) => void) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(error);
      else resolve(value as T);
    });
  });
}

/** For what happens on the disk, of which nobody tells. */
async function until(holds: () => boolean | Promise<boolean>, otherwise: string): Promise<void> {
  const deadline = Date.now() + 5000;
  while (!(await holds())) {
    assert.ok(Date.now() < deadline, otherwise);
    await setTimeout(20);
  }
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

  const filler = join(place, 'filler');
  const fill = (): void => void spawnSync('sh', ['-c', `head -c 100M /dev/zero > "${filler}"`]);
  const unfill = (): void => {
    rmSync(filler);
  };
  const freeBytes = (): number => {
    const { bavail, bsize } = statfsSync(place);
    return bavail * bsize;
  };
  const incomingBytes = (): number => {
    const folder = join(server.data, 'incoming');
    return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
  };
  /** What the client is told to have left, and what there is. */
  const space = async (sftp: ssh2.SFTPWrapper): Promise<{ told: number; real: number }> => {
    const found = await promised<{ f_bavail: number; f_frsize: number }>((done) => {
      sftp.ext_openssh_statvfs(server.folder, done);
    });
    return { told: found.f_bavail * found.f_frsize, real: freeBytes() };
  };

  const session = async <T>(work: (sftp: ssh2.SFTPWrapper) => Promise<T>): Promise<T> => {
    const { client, sftp } = await ssh2Session(server);
    try {
      return await work(sftp);
    } finally {
      client.end();
    }
  };
  const put = (sftp: ssh2.SFTPWrapper, name: string, bytes: Buffer): Promise<void> =>
    promised((done) => {
      sftp.writeFile(`${server.folder}/${name}`, bytes, done);
    });
  const get = (sftp: ssh2.SFTPWrapper, name: string): Promise<Buffer> =>
    promised((done) => {
      sftp.readFile(`${server.folder}/${name}`, done);
    });
  const remove = (sftp: ssh2.SFTPWrapper, name: string): Promise<void> =>
    promised((done) => {
      sftp.unlink(`${server.folder}/${name}`, done);
    });

  test('an upload that does not fit fails with a text that says why, and what was acknowledged stays', async () => {
    await session((sftp) => put(sftp, 'kept', content('kept', 5_000_000)));
    await session(async (sftp) => {
      await assert.rejects(put(sftp, 'too big', TOO_BIG), /space/);
    });
    await session(async (sftp) => {
      assert.ok((await get(sftp, 'kept')).equals(content('kept', 5_000_000)));
    });
    assert.equal(server.child.exitCode, null);
  });

  test('uploads leave the reserve alone, and statvfs does not promise it', async () => {
    await session(async (sftp) => {
      await assert.rejects(put(sftp, 'too big again', TOO_BIG), /space/);
      const { told, real } = await space(sftp);
      assert.ok(told > 0 && told <= real - RESERVE, `${told} of ${real}`);
    });
    assert.deepEqual(readdirSync(join(server.data, 'incoming')), []);
  });

  test('a write that meets the end of the disk gives its room back before the client closes', async () => {
    await session(async (sftp) => {
      const handle = await promised<Buffer>((done) => {
        sftp.open(`${server.folder}/cut`, 'w', done);
      });
      const part = content('part', 32_768);
      let at = 0;
      const write = (): Promise<void> =>
        promised((done) => {
          sftp.write(handle, part, 0, part.length, at, done);
          at += part.length;
        });
      while (at < 3_000_000) await write();
      fill();
      await assert.rejects(async () => {
        while (at < 30_000_000) await write();
      }, /space/);
      await until(() => incomingBytes() === 0, 'the file of the failed upload was not cut');
      await assert.rejects(
        promised((done) => {
          sftp.close(handle, done);
        }),
        /space/,
      );
    });
    unfill();
    assert.deepEqual(readdirSync(join(server.data, 'incoming')), []);
  });

  test('with not one block left people sign in, read and remove, and what was removed is room', async () => {
    await session(async (sftp) => {
      await put(sftp, 'small', content('small', 1000));
      await put(sftp, 'removed', content('removed', 6_000_000));
    });
    fill();
    // One commit may meet the end of the disk, and is told; room inside the store's own files is there for all others.
    let refused = 0;
    const look = async (sftp: ssh2.SFTPWrapper): Promise<void> => {
      assert.ok((await get(sftp, 'small')).equals(content('small', 1000)));
    };
    for (let times = 0; times < 100; times++)
      await session(look).catch((error: unknown) => {
        assert.match(String(error), /space/);
        refused++;
      });
    assert.ok(refused <= 1, `${refused} were refused`);
    await session(async (sftp) => {
      for (const size of [10, 100_000, 9_000_000])
        await assert.rejects(put(sftp, `no room ${size}`, content('x', size)), /space/);
      assert.equal((await space(sftp)).told, 0);
      assert.ok((await get(sftp, 'kept')).equals(content('kept', 5_000_000)));
      await remove(sftp, 'removed');
      await until(() => freeBytes() >= 6_000_000, 'removing made no room');
      await until(async () => (await space(sftp)).told > 0, 'the room is not told');
      await put(sftp, 'after', content('after', 1_000_000));
      assert.ok((await get(sftp, 'after')).equals(content('after', 1_000_000)));
    });
    assert.equal(server.child.exitCode, null);
  });

  let readWhileFull = 0;

  test('when nothing more can be recorded nothing more is released, and the client is told', async () => {
    // The tiles cannot grow, so entries stay in the metadata store, until the room inside its own files is used up too.
    await session(async (sftp) => {
      const refused = async (): Promise<boolean> => {
        try {
          assert.ok((await get(sftp, 'small')).equals(content('small', 1000)));
          readWhileFull++;
          return false;
        } catch (error) {
          assert.match(String(error), /space/);
          return true;
        }
      };
      fill();
      let inARow = 0;
      for (let tries = 0; inARow < 20 && tries < 50_000; tries++) inARow = (await refused()) ? inARow + 1 : 0;
      assert.equal(inARow, 20, `${readWhileFull} reads were recorded, and it goes on`);
    });
    assert.equal(server.child.exitCode, null);
  });

  test('service resumes by itself, and every session that began is recorded with its end', async () => {
    unfill();
    await session(async (sftp) => {
      assert.ok((await get(sftp, 'kept')).equals(content('kept', 5_000_000)));
      await put(sftp, 'later', content('later', 3_000_000));
      assert.ok((await get(sftp, 'later')).equals(content('later', 3_000_000)));
    });
    await waybill(server, ['check']);
    await server.stop();
    const sessions = (kind: 'sign-in' | 'session-end'): unknown[] =>
      entriesOfKind(join(server.data, 'ledger'), kind)
        .map(({ session }) => session)
        .sort();
    const [begun, ended] = [sessions('sign-in'), sessions('session-end')];
    assert.ok(begun.length > 20);
    assert.deepEqual(ended, begun);
    const ledger = join(server.data, 'ledger');
    const released = entriesOfKind(ledger, 'release').filter(({ path }) => path === '/small').length;
    assert.ok(released >= readWhileFull, `${readWhileFull} reads, ${released} releases`);
    await waybill(server, ['verify', ledger, '--key', join(ledger, 'vkey')]);
  });

  test('a server does not start where it cannot record anything, and says why; with room it does', async () => {
    fill();
    await assert.rejects(waybillProcess(server, ['serve', '--json', '--sftp', '127.0.0.1:0']), /store-full/);
    unfill();
    server = await startServer({ temporary: place });
    await session(async (sftp) => {
      assert.ok((await get(sftp, 'later')).equals(content('later', 3_000_000)));
    });
  });
});
