import { statSync, createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import type ssh2 from 'ssh2';
import type { TestServer } from './server.ts';
import { interop, ssh2Session, type RealClient } from './suite.ts';

async function session<T>(server: TestServer, work: (sftp: ssh2.SFTPWrapper) => Promise<T>): Promise<T> {
  const { client, sftp } = await ssh2Session(server);
  try {
    return await work(sftp);
  } finally {
    client.end();
  }
}

interop({
  name: 'npm ssh2',
  program: null,
  put: (server, local, remote) =>
    session(server, (sftp) =>
      promisify(
        sftp.fastPut.bind(sftp) as never as (a: string, b: string, done: (error?: Error | null) => void) => void,
      )(local, remote),
    ),
  get: (server, remote, local) =>
    session(server, (sftp) =>
      promisify(
        sftp.fastGet.bind(sftp) as never as (a: string, b: string, done: (error?: Error | null) => void) => void,
      )(remote, local),
    ),
  list: (server, directory) =>
    session(server, async (sftp) =>
      (await promisify(sftp.readdir.bind(sftp))(directory)).map(({ filename }) => filename),
    ),
  rename: (server, from, to) => session(server, (sftp) => promisify(sftp.rename.bind(sftp))(from, to)),
  remove: (server, path) => session(server, (sftp) => promisify(sftp.unlink.bind(sftp))(path)),
  resumePut: (server, local, remote) =>
    session(server, async (sftp) => {
      const { size } = await promisify(sftp.stat.bind(sftp))(remote);
      await pipeline(
        createReadStream(local, { start: size }),
        sftp.createWriteStream(remote, { flags: 'r+', start: size }),
      );
    }),
  resumeGet: (server, remote, local) =>
    session(server, async (sftp) => {
      await pipeline(
        sftp.createReadStream(remote, { start: statSync(local).size }),
        createWriteStream(local, { flags: 'a' }),
      );
    }),
} satisfies RealClient);
