import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { interop, type RealClient } from './suite.ts';
import { run, type TestServer } from './server.ts';

const mount = (server: TestServer): string => join(server.temporary, 'mount');
const at = (server: TestServer, path: string): string => join(mount(server), path);

/** The mount is used through programs of their own: a blocking file call in this process would also block the server's log. */
const shell = (script: string, ...args: string[]): Promise<string> => run('sh', ['-c', script, 'sh', ...args]);

interop({
  name: 'sshfs',
  program: existsSync('/dev/fuse') ? 'sshfs' : '/dev/fuse',
  prepare: async (server) => {
    mkdirSync(mount(server));
    await run('sshfs', [
      `${server.login}@${server.host}:/`,
      mount(server),
      '-p',
      String(server.port),
      '-F',
      '/dev/null',
      '-o',
      `IdentityFile=${server.key}`,
      '-o',
      'IdentitiesOnly=yes',
      '-o',
      'StrictHostKeyChecking=no',
      '-o',
      'UserKnownHostsFile=/dev/null',
      '-o',
      'dir_cache=no',
      '-o',
      'attr_timeout=0',
      '-o',
      'entry_timeout=0',
    ]);
  },
  finish: async (server) =>
    void (await run('fusermount3', ['-u', mount(server)]).catch(() => run('fusermount3', ['-uz', mount(server)]))),
  put: async (server, local, remote) => void (await shell('cp -- "$1" "$2"', local, at(server, remote))),
  get: async (server, remote, local) => void (await shell('cp -- "$1" "$2"', at(server, remote), local)),
  list: async (server, directory) =>
    (await shell('ls -1 -- "$1"', at(server, directory))).split('\n').filter((line) => line !== ''),
  rename: async (server, from, to) => void (await shell('mv -- "$1" "$2"', at(server, from), at(server, to))),
  remove: async (server, path) => void (await shell('rm -- "$1"', at(server, path))),
  // What rsync --append does: the rest is written after what is there.
  resumePut: async (server, local, remote) =>
    void (await shell('size=$(stat -c %s -- "$2"); tail -c +$((size + 1)) -- "$1" >> "$2"', local, at(server, remote))),
  resumeGet: async (server, remote, local) =>
    void (await shell('size=$(stat -c %s -- "$2"); tail -c +$((size + 1)) -- "$1" >> "$2"', at(server, remote), local)),
} satisfies RealClient);
