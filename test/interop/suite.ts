/**
 * One behaviour suite, every real client: put, list, get back identical, resume both ways, rename, delete. A client that is
 * not installed is named as skipped; .ci/run installs all of them and sets WAYBILL_TEST_ALL=1, which makes a missing one a failure.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { delimiter, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import ssh2 from 'ssh2';
import { startServer, type TestServer } from './server.ts';

export interface RealClient {
  readonly name: string;
  /** The program that must be there; null = comes with the tests. */
  readonly program: string | null;
  /** It knows none of the default profile's algorithms: it gets a listener of the legacy profile beside. */
  readonly legacy?: true;
  /** Once per server, before the first command (key conversion, mounting). */
  prepare?(server: TestServer): Promise<unknown>;
  finish?(server: TestServer): Promise<unknown>;
  put(server: TestServer, local: string, remote: string): Promise<unknown>;
  get(server: TestServer, remote: string, local: string): Promise<unknown>;
  list(server: TestServer, directory: string): Promise<string[]>;
  rename(server: TestServer, from: string, to: string): Promise<unknown>;
  remove(server: TestServer, path: string): Promise<unknown>;
  /** Continues an upload of which a first part is on the server; clients without such a command upload again. */
  resumePut(server: TestServer, local: string, remote: string): Promise<unknown>;
  /** Continues a download of which a first part is in `local`. */
  resumeGet(server: TestServer, remote: string, local: string): Promise<unknown>;
}

export function findProgram(program: string): string | null {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, program);
    if (existsSync(path)) return path;
  }
  return (
    ['/usr/bin', '/usr/sbin', '/usr/local/bin']
      .map((folder) => join(folder, program))
      .find((path) => existsSync(path)) ?? null
  );
}

/** Text that says why a test is skipped, or false. In CI nothing may be skipped. */
export function skipWithout(program: string | null): string | false {
  if (program === null || (program.startsWith('/') ? existsSync(program) : findProgram(program) !== null)) return false;
  if (process.env['WAYBILL_TEST_ALL'] === '1') throw new Error(`${program} must be installed here`);
  return `skipped: ${program} is not installed`;
}

/** Deterministic bytes that do not repeat within a file: test data made from the name, as seed. */
export function content(seed: string, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let block = createHash('sha256').update(seed).digest();
  for (let at = 0; at < length; at += 32) {
    block.copy(bytes, at);
    block = createHash('sha256').update(block).digest();
  }
  return bytes;
}

/** Signs in with npm ssh2 and gives its sftp session. */
export function ssh2Session(server: TestServer): Promise<{ client: ssh2.Client; sftp: ssh2.SFTPWrapper }> {
  return new Promise((resolve, reject) => {
    const client = new ssh2.Client();
    client.on('error', reject);
    // A disconnect "by application" is no error to ssh2; without this a refused session would never be heard of.
    client.on('close', () => {
      reject(new Error('the connection was closed'));
    });
    client.on('ready', () => {
      client.sftp((error, sftp) => {
        if (error) reject(error);
        else resolve({ client, sftp });
      });
    });
    client.connect({
      host: server.host,
      port: server.port,
      username: server.login,
      privateKey: readFileSync(server.key),
    });
    // ssh2 sends a packet in two pieces; Nagle's algorithm holds the second one until the first is acknowledged (40 ms).
    client.setNoDelay(true);
  });
}

/** Leaves an upload in progress: writes a first part and drops the connection without CLOSE. */
export async function interruptedUpload(server: TestServer, remote: string, firstPart: Buffer): Promise<void> {
  const { client, sftp } = await ssh2Session(server);
  const handle = await new Promise<Buffer>((resolve, reject) => {
    sftp.open(remote, 'w', (error, value) => {
      if (error) reject(error);
      else resolve(value);
    });
  });
  for (let at = 0; at < firstPart.length; at += 32_768) {
    const part = firstPart.subarray(at, at + 32_768);
    await new Promise<void>((resolve, reject) => {
      sftp.write(handle, part, 0, part.length, at, (error?: Error | null) => {
        if (error) reject(error);
        else resolve();
      });
    });
  }
  const closed = new Promise<void>((resolve) => {
    client.on('close', resolve);
  });
  client.destroy();
  await closed;
  await settled(server, remote, firstPart.length);
}

/** The upload is visible to its uploader with the whole first part (its front has let go of it). */
async function settled(server: TestServer, remote: string, size: number): Promise<void> {
  const { client, sftp } = await ssh2Session(server);
  const deadline = Date.now() + 10_000;
  const look = (): Promise<number> =>
    new Promise((resolve) => {
      sftp.stat(remote, (error, stats) => {
        resolve(error ? -1 : stats.size);
      });
    });
  while ((await look()) !== size) assert.ok(Date.now() < deadline, `the upload never showed ${size} bytes`);
  client.end();
}

export function interop(client: RealClient): void {
  describe(client.name, { skip: skipWithout(client.program) }, () => {
    let server: TestServer;
    let local: string;
    const at = (name: string): string => `${server.folder}/${name}`;
    const make = (name: string, bytes: Buffer): string => {
      writeFileSync(join(local, name), bytes);
      return join(local, name);
    };
    before(async () => {
      server = await startServer(client.legacy ? { args: ['--sftp-legacy', '127.0.0.1:0'] } : {});
      local = join(server.temporary, 'local');
      mkdirSync(local);
      await client.prepare?.(server);
    });
    after(async () => {
      await client.finish?.(server);
      await server.remove();
    });

    const files = [
      ['big file.bin', 9_000_123],
      ['frame.bin', 65_536],
      ['Überweisung ¥ 2026.csv', 10],
      ['empty', 0],
    ] as const;
    for (const [name, length] of files) {
      test(`puts, lists and gets ${name} (${length} bytes) back identical`, async () => {
        const bytes = content(name, length);
        await client.put(server, make(name, bytes), at(name));
        const names = await client.list(server, server.folder);
        assert.ok(names.includes(name), `${name} in ${names.join(', ')}`);
        const back = join(local, `${name}.back`);
        await client.get(server, at(name), back);
        assert.ok(readFileSync(back).equals(bytes), 'same bytes');
      });
    }

    test('puts over an existing file', async () => {
      const bytes = content('second', 70_001);
      await client.put(server, make('frame.bin', bytes), at('frame.bin'));
      await client.get(server, at('frame.bin'), join(local, 'second.back'));
      assert.ok(readFileSync(join(local, 'second.back')).equals(bytes));
    });

    test('resumes an upload whose connection was lost', async () => {
      const bytes = content('resume', 2_500_000);
      await interruptedUpload(server, at('resume.bin'), bytes.subarray(0, 1_300_000));
      await client.resumePut(server, make('resume.bin', bytes), at('resume.bin'));
      await client.get(server, at('resume.bin'), join(local, 'resume.back'));
      assert.ok(readFileSync(join(local, 'resume.back')).equals(bytes));
    });

    test('resumes a download', async () => {
      const bytes = content('resume', 2_500_000);
      const half = make('half.back', bytes.subarray(0, 1_000_000));
      await client.resumeGet(server, at('resume.bin'), half);
      assert.ok(readFileSync(half).equals(bytes));
    });

    test('renames and deletes', async () => {
      await client.rename(server, at('resume.bin'), at('renamed.bin'));
      let names = await client.list(server, server.folder);
      assert.ok(names.includes('renamed.bin') && !names.includes('resume.bin'), names.join(', '));
      await client.remove(server, at('renamed.bin'));
      names = await client.list(server, server.folder);
      assert.ok(!names.includes('renamed.bin'), names.join(', '));
    });
  });
}
