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
  finish: (server) => run('fusermount3', ['-u', mount(server)]).catch(() => run('fusermount3', ['-uz', mount(server)])),
  put: (server, local, remote) => shell('cp -- "$1" "$2"', local, at(server, remote)),
  get: (server, remote, local) => shell('cp -- "$1" "$2"', at(server, remote), local),
  list: async (server, directory) =>
    (await shell('ls -1 -- "$1"', at(server, directory))).split('\n').filter((line) => line !== ''),
  rename: (server, from, to) => shell('mv -- "$1" "$2"', at(server, from), at(server, to)),
  remove: (server, path) => shell('rm -- "$1"', at(server, path)),
  // What rsync --append does: the rest is written after what is there.
  resumePut: (server, local, remote) =>
    shell('size=$(stat -c %s -- "$2"); tail -c +$((size + 1)) -- "$1" >> "$2"', local, at(server, remote)),
  resumeGet: (server, remote, local) =>
    shell('size=$(stat -c %s -- "$2"); tail -c +$((size + 1)) -- "$1" >> "$2"', at(server, remote), local),
} satisfies RealClient);
