import assert from 'node:assert/strict';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { content, interop, skipWithout, type RealClient } from './suite.ts';
import { run, startServer, type TestServer } from './server.ts';

const remoteName = (server: TestServer, path: string): string =>
  `:sftp,host=${server.host},port=${server.port},user=${server.login},key_file='${server.key}',shell_type=none,md5sum_command=none,sha1sum_command=none:${path}`;

function rclone(server: TestServer, args: string[]): Promise<string> {
  return run('rclone', [...args, '--config', '/dev/null', '--retries', '1', '--low-level-retries', '1'], {
    env: { HOME: server.temporary },
  });
}

const put = (server: TestServer, local: string, remote: string): Promise<unknown> =>
  rclone(server, ['copyto', '--ignore-times', local, remoteName(server, remote)]);
const get = (server: TestServer, remote: string, local: string): Promise<unknown> =>
  rclone(server, ['copyto', '--ignore-times', remoteName(server, remote), local]);

interop({
  name: 'rclone',
  program: 'rclone',
  put,
  get,
  list: async (server, directory) =>
    (await rclone(server, ['lsf', remoteName(server, directory)])).split('\n').filter((line) => line !== ''),
  rename: (server, from, to) => rclone(server, ['moveto', remoteName(server, from), remoteName(server, to)]),
  remove: (server, path) => rclone(server, ['deletefile', remoteName(server, path)]),
  // rclone has no resume over SFTP: running the copy again over what a lost connection left is its way.
  resumePut: put,
  resumeGet: get,
} satisfies RealClient);

describe("rclone's own check", { skip: skipWithout('rclone') }, () => {
  let server: TestServer;
  before(async () => {
    server = await startServer();
  });
  after(async () => {
    await server.remove();
  });

  test('a tree copied up is the same by rclone check --download, by sync and after changes', async () => {
    const tree = join(server.temporary, 'tree');
    for (let folder = 0; folder < 4; folder++) {
      mkdirSync(join(tree, `folder ${folder}`), { recursive: true });
      for (let file = 0; file < 12; file++)
        writeFileSync(join(tree, `folder ${folder}`, `file-${file}`), content(`${folder}/${file}`, file * 9_001));
    }
    const remote = remoteName(server, `${server.folder}/tree`);
    await rclone(server, ['copy', '--transfers', '4', tree, remote]);
    await rclone(server, ['check', '--download', tree, remote]);
    rmSync(join(tree, 'folder 1'), { recursive: true });
    writeFileSync(join(tree, 'folder 2', 'file-3'), content('changed', 50_000));
    await rclone(server, ['sync', tree, remote]);
    await rclone(server, ['check', '--download', tree, remote]);
    const seen = await rclone(server, ['lsf', '-R', remote]);
    assert.ok(!seen.includes('folder 1/'));
  });
});
