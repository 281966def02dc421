/** A RealClient by a Python library of Debian's python3, which need not be the first python3 on the PATH. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run, type TestServer } from './server.ts';
import type { RealClient } from './suite.ts';

const script = join(import.meta.dirname, 'python_client.py');

export function pythonClient(library: 'paramiko' | 'asyncssh'): RealClient {
  const operation = (server: TestServer, name: string, ...args: string[]): Promise<string> =>
    run('/usr/bin/python3', [
      '-B',
      script,
      library,
      server.host,
      String(server.port),
      server.login,
      server.key,
      name,
      ...args,
    ]);
  const installed = existsSync('/usr/bin/python3') && existsSync(`/usr/lib/python3/dist-packages/${library}`);
  return {
    name: library,
    program: installed ? '/usr/bin/python3' : `/usr/lib/python3/dist-packages/${library}`,
    put: (server, local, remote) => operation(server, 'put', local, remote),
    get: (server, remote, local) => operation(server, 'get', remote, local),
    list: async (server, directory) => JSON.parse(await operation(server, 'list', directory)) as string[],
    rename: (server, from, to) => operation(server, 'rename', from, to),
    remove: (server, path) => operation(server, 'remove', path),
    resumePut: (server, local, remote) => operation(server, 'resume-put', local, remote),
    resumeGet: (server, remote, local) => operation(server, 'resume-get', remote, local),
  };
}
