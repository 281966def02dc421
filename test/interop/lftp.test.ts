import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { interop, type RealClient } from './suite.ts';
import { run, type TestServer } from './server.ts';

function lftp(server: TestServer, commands: string[]): Promise<string> {
  const ssh = `ssh -a -x -F /dev/null -i ${server.key} -o IdentitiesOnly=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR`;
  const script = [
    'set cmd:fail-exit yes',
    'set net:max-retries 1',
    'set net:timeout 20',
    'set sftp:charset UTF-8',
    'set file:charset UTF-8',
    `set sftp:connect-program "${ssh}"`,
    `open -u ${server.login},unused -p ${server.port} sftp://${server.host}`,
    ...commands,
    'bye',
  ];
  // A file, because lftp cannot open a standard input that is a socket.
  const file = join(server.temporary, 'lftp.script');
  writeFileSync(file, script.join('\n') + '\n');
  return run('lftp', ['--norc', '-f', file], {
    env: { HOME: server.temporary, LC_ALL: 'C.UTF-8' },
  });
}

const quoted = (path: string): string => `"${path}"`;

interop({
  name: 'lftp',
  program: 'lftp',
  put: (server, local, remote) => lftp(server, [`put ${quoted(local)} -o ${quoted(remote)}`]),
  get: (server, remote, local) => lftp(server, [`get ${quoted(remote)} -o ${quoted(local)}`]),
  list: async (server, directory) =>
    (await lftp(server, [`cd ${quoted(directory)}`, 'cls -1 --quiet'])).split('\n').filter((line) => line !== ''),
  rename: (server, from, to) => lftp(server, [`mv ${quoted(from)} ${quoted(to)}`]),
  remove: (server, path) => lftp(server, [`rm ${quoted(path)}`]),
  resumePut: (server, local, remote) => lftp(server, [`put -c ${quoted(local)} -o ${quoted(remote)}`]),
  resumeGet: (server, remote, local) => lftp(server, [`get -c ${quoted(remote)} -o ${quoted(local)}`]),
} satisfies RealClient);
