import { interop, type RealClient } from './suite.ts';
import { run, type TestServer } from './server.ts';
import { sshOptions } from './ssh-options.ts';

function sftp(server: TestServer, commands: string[]): Promise<string> {
  return run('sftp', ['-q', ...sshOptions(server), '-b', '-', `${server.login}@${server.host}`], {
    input: commands.join('\n'),
  });
}

/** sftp's own quoting: double quotes around, backslash before what is special in them. */
const quoted = (path: string): string => `"${path.replaceAll(/["\\]/g, '\\$&')}"`;

export const openssh: RealClient = {
  name: 'OpenSSH sftp',
  program: 'sftp',
  put: (server, local, remote) => sftp(server, [`put ${quoted(local)} ${quoted(remote)}`]),
  get: (server, remote, local) => sftp(server, [`get ${quoted(remote)} ${quoted(local)}`]),
  list: async (server, directory) => {
    const lines = (await sftp(server, [`cd ${quoted(directory)}`, 'ls -1'])).split('\n');
    return lines.filter((line) => line !== '' && !line.startsWith('sftp>'));
  },
  rename: (server, from, to) => sftp(server, [`rename ${quoted(from)} ${quoted(to)}`]),
  remove: (server, path) => sftp(server, [`rm ${quoted(path)}`]),
  resumePut: (server, local, remote) => sftp(server, [`reput ${quoted(local)} ${quoted(remote)}`]),
  resumeGet: (server, remote, local) => sftp(server, [`reget ${quoted(remote)} ${quoted(local)}`]),
};

interop(openssh);
