import { writeFileSync } from 'node:fs';
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
  // A file, because psftp cannot open a standard input that is a socket.
  const file = join(server.temporary, 'psftp.script');
  writeFileSync(file, commands.join('\n') + '\nquit\n');
  return run(
    'psftp',
    ['-batch', '-P', String(server.port), '-i', ppk(server), ...hostKeys, '-b', file, `${server.login}@${server.host}`],
    { env: { HOME: server.temporary } },
  );
}

const quoted = (path: string): string => `"${path.replaceAll('"', '""')}"`;

interop({
  name: "PuTTY psftp (WinSCP's engine)",
  program: 'psftp',
  prepare: (server) => run('puttygen', [server.key, '-o', ppk(server)], { env: { HOME: server.temporary } }),
  put: (server, local, remote) => psftp(server, [`put ${quoted(local)} ${quoted(remote)}`]),
  get: (server, remote, local) => psftp(server, [`get ${quoted(remote)} ${quoted(local)}`]),
  list: async (server, directory) => {
    const lines = (await psftp(server, [`ls ${quoted(directory)}`])).split('\n');
    // "-rw-r--r--    1 0   0    10 Jan  1 12:00 name": the name is what follows eight fields.
    return lines
      .map((line) => /^[-d][rwx-]{9}(?:\s+\S+){7}\s(.*)$/.exec(line.trimEnd())?.[1])
      .filter((name) => name !== undefined);
  },
  rename: (server, from, to) => psftp(server, [`mv ${quoted(from)} ${quoted(to)}`]),
  remove: (server, path) => psftp(server, [`rm ${quoted(path)}`]),
  resumePut: (server, local, remote) => psftp(server, [`reput ${quoted(local)} ${quoted(remote)}`]),
  resumeGet: (server, remote, local) => psftp(server, [`reget ${quoted(remote)} ${quoted(local)}`]),
} satisfies RealClient);
