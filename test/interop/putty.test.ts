import { join } from 'node:path';
import { interop, type RealClient } from './suite.ts';
import { run, type TestServer } from './server.ts';

const ppk = (server: TestServer): string => join(server.temporary, 'key.ppk');

function psftp(server: TestServer, commands: string[]): Promise<string> {
  const hostKeys = server.fingerprints.flatMap((fingerprint) => [
    '-hostkey',
    fingerprint.replace(/^.*(SHA256:\S+).*$/, '$1'),
  ]);
  // -bc echoes commands, -be goes on after an error would hide it: neither; PuTTY keeps its files below HOME.
  return run(
    'psftp',
    [
      '-batch',
      '-P',
      String(server.port),
      '-i',
      ppk(server),
      ...hostKeys,
      '-b',
      '/dev/stdin',
      `${server.login}@${server.host}`,
    ],
    {
      input: commands.join('\n') + '\nquit\n',
      env: { HOME: server.temporary },
    },
  );
}

const quoted = (path: string): string => `"${path.replaceAll('"', '""')}"`;

interop({
  name: "PuTTY psftp (WinSCP's engine)",
  program: 'psftp',
  prepare: async (server) =>
    void (await run('puttygen', [server.key, '-o', ppk(server)], { env: { HOME: server.temporary } })),
  put: async (server, local, remote) => void (await psftp(server, [`put ${quoted(local)} ${quoted(remote)}`])),
  get: async (server, remote, local) => void (await psftp(server, [`get ${quoted(remote)} ${quoted(local)}`])),
  list: async (server, directory) => {
    const lines = (await psftp(server, [`ls ${quoted(directory)}`])).split('\n');
    // "-rw-r--r--    1 0   0    10 Jan  1 12:00 name": the name is what follows eight fields.
    return lines
      .map((line) => /^[-d][rwx-]{9}(?:\s+\S+){7}\s(.*)$/.exec(line.trimEnd())?.[1])
      .filter((name) => name !== undefined);
  },
  rename: async (server, from, to) => void (await psftp(server, [`mv ${quoted(from)} ${quoted(to)}`])),
  remove: async (server, path) => void (await psftp(server, [`rm ${quoted(path)}`])),
  resumePut: async (server, local, remote) => void (await psftp(server, [`reput ${quoted(local)} ${quoted(remote)}`])),
  resumeGet: async (server, remote, local) => void (await psftp(server, [`reget ${quoted(remote)} ${quoted(local)}`])),
} satisfies RealClient);
