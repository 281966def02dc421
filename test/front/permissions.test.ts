/** A process under the real permissions of a front, against a real data folder with a running server. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { frontArguments, frontEnvironment } from '../../src/broker/front-permissions.ts';
import type { Door } from '../../src/broker/calls.ts';
import { readOptions } from '../../src/config/read-options.ts';
import { startServer } from '../../src/main.ts';
import type { RunningServer } from '../../src/main.ts';

const PROBE = path.join(import.meta.dirname, 'probe.ts');
const BLOB = '0'.repeat(32);
const run = promisify(execFile);

interface Report {
  readonly results: Readonly<Record<string, string>>;
  readonly environment: readonly string[];
}

async function probe(folder: string, port: number, guarded: boolean, door: Door = 'ssh'): Promise<Report> {
  const folders = { blobs: path.join(folder, 'blobs'), incoming: path.join(folder, 'incoming') };
  const args = guarded ? frontArguments(folders, PROBE, door) : [PROBE];
  if (guarded) args.splice(1, 0, `--allow-fs-read=${PROBE}`);
  const { stdout } = await run(process.execPath, [...args, folder, String(port)], {
    env: guarded ? frontEnvironment() : process.env,
    timeout: 30_000,
  });
  return JSON.parse(stdout) as Report;
}

suite('a process with the permissions of a front', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'waybill front '));
  const listener = createServer((socket) => socket.destroy());
  let server: RunningServer | null = null;
  let report: Report = { results: {}, environment: [] };

  before(async () => {
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    server = await startServer(
      readOptions({ data: folder, sftp: '127.0.0.1:0', https: 'none', fronts: '1', 'log-level': 'silent' }, {}),
    );
    writeFileSync(path.join(folder, 'blobs', BLOB), 'content');
    report = await probe(folder, (listener.address() as AddressInfo).port, true);
  });
  after(async () => {
    await server?.stop();
    listener.close();
    rmSync(folder, { recursive: true });
  });

  test('can do what a front is for', () => {
    for (const [name, result] of Object.entries(report.results)) {
      if (name.startsWith('may: ')) assert.equal(result, 'possible', name);
    }
  });

  test('can do nothing else that was tried', () => {
    const forbidden = Object.entries(report.results).filter(([name]) => !name.startsWith('may: '));
    assert.ok(forbidden.length > 20);
    for (const [name, result] of forbidden) assert.notEqual(result, 'possible', name);
    assert.equal(readFileSync(path.join(folder, 'blobs', BLOB), 'utf8'), 'content');
  });

  test('of the HTTPS door is stopped by the same', async () => {
    const { results } = await probe(folder, (listener.address() as AddressInfo).port, true, 'https');
    for (const [name, result] of Object.entries(results))
      assert.equal(result === 'possible', name.startsWith('may: '), `${name}: ${result}`);
  });

  test('is stopped by its permissions, not by chance', () => {
    for (const name of ['read the root key', 'read the metadata', 'start a process', 'connect', 'listen']) {
      assert.match(report.results[name] ?? '', /^ERR_ACCESS_DENIED|EPERM|EACCES/, name);
    }
    assert.match(report.results['open metadata with SQLite'] ?? '', /^ERR_UNKNOWN_BUILTIN_MODULE|MODULE_NOT_FOUND/);
  });

  test('sees nothing of the environment of the operator', () => {
    // What we set ourselves, and nothing else.
    const set = ['MALLOC_MMAP_THRESHOLD_', 'MALLOC_TOP_PAD_', 'MALLOC_TRIM_THRESHOLD_', 'NODE_ENV', 'TZ'];
    assert.deepEqual(report.environment, set);
  });

  test('could do it all without them, so the attempts are real', async () => {
    const free = await probe(folder, (listener.address() as AddressInfo).port, false);
    // Root of a container may lack the rights or the modules for these.
    const uncertain = new Set([
      'load an add-on',
      'read certificates from a file',
      'load FFI',
      'read the environment of the broker',
      'move a committed blob out',
      'change a committed blob through a descriptor',
      'change the mode of a committed blob',
      'open the inspector',
    ]);
    for (const [name, result] of Object.entries(free.results)) {
      if (!uncertain.has(name) && !name.startsWith('may: ')) assert.equal(result, 'possible', name);
    }
  });
});
