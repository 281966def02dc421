import { interop, type RealClient } from './suite.ts';
import { legacyPort, run, type TestServer } from './server.ts';

const url = (server: TestServer, path: string): string =>
  `sftp://${server.host}:${legacyPort(server)}${path.split('/').map(encodeURIComponent).join('/')}`;

async function curl(server: TestServer, args: string[]): Promise<string> {
  const publicKey = `${server.temporary}/curl.pub`;
  await run('sh', ['-c', 'ssh-keygen -y -f "$1" > "$2"', 'sh', server.key, publicKey]);
  return run('curl', [
    '--silent',
    '--show-error',
    '--insecure',
    '--user',
    `${server.login}:`,
    '--key',
    server.key,
    '--pubkey',
    publicKey,
    ...args,
  ]);
}

const quoted = (path: string): string => `"${path}"`;

interop({
  name: 'curl (libssh2)',
  program: 'curl',
  // libssh2 1.10 has no encrypt-then-MAC and no AEAD cipher.
  legacy: true,
  put: (server, local, remote) => curl(server, ['--upload-file', local, url(server, remote)]),
  get: (server, remote, local) => curl(server, ['--output', local, url(server, remote)]),
  list: async (server, directory) =>
    (await curl(server, ['--list-only', `${url(server, directory)}/`])).split('\n').filter((line) => line !== ''),
  rename: (server, from, to) =>
    curl(server, [
      '--output',
      '/dev/null',
      '--quote',
      `rename ${quoted(from)} ${quoted(to)}`,
      `${url(server, server.folder)}/`,
    ]),
  remove: (server, path) =>
    curl(server, ['--output', '/dev/null', '--quote', `rm ${quoted(path)}`, `${url(server, server.folder)}/`]),
  resumePut: (server, local, remote) =>
    curl(server, ['--continue-at', '-', '--upload-file', local, url(server, remote)]),
  resumeGet: (server, remote, local) => curl(server, ['--continue-at', '-', '--output', local, url(server, remote)]),
} satisfies RealClient);
