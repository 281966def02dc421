/**
 * Runs in the place of a front, under a front's real permissions, tries what a front must not be able to do, and tells
 * on standard output what came of it. Arguments: the data folder, and a port of this machine that listens.
 */
import child from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import net from 'node:net';
import path from 'node:path';
import { Worker } from 'node:worker_threads';

const folder = process.argv[2] ?? '';
const port = Number(process.argv[3]);
const blob = '0'.repeat(32);
const require = createRequire(import.meta.url);

/** Each tries one thing and resolves when that was possible. */
const ATTEMPTS: Readonly<Record<string, () => unknown>> = {
  'read the root key': () => fs.readFileSync(path.join(folder, 'keys', 'root.key')),
  'list the key folder': () => fs.readdirSync(path.join(folder, 'keys')),
  'read the metadata': () => fs.readFileSync(path.join(folder, 'meta', 'waybill.db')),
  'list the data folder': () => fs.readdirSync(folder),
  'read the first account key': () => fs.readFileSync(path.join(folder, 'first', 'id_ed25519')),
  'read /etc/passwd': () => fs.readFileSync('/etc/passwd'),
  'read the environment of the broker': () => fs.readFileSync(`/proc/${process.ppid}/environ`),
  'link a key into incoming': () => {
    fs.symlinkSync(path.join(folder, 'keys', 'root.key'), path.join(folder, 'incoming', 'link'));
    fs.readFileSync(path.join(folder, 'incoming', 'link'));
  },
  'open metadata with SQLite': () => {
    const { DatabaseSync } = require('node:sqlite') as typeof import('node:sqlite');
    new DatabaseSync(path.join(folder, 'meta', 'waybill.db'));
  },
  'load FFI': () => require('node:ffi') as unknown,
  'load an add-on': () => {
    process.dlopen({ exports: {} }, path.join(folder, 'incoming', 'x.node'));
  },
  'start a process': () => child.execFileSync('/bin/true'),
  'fork a process': () => child.fork(import.meta.filename).kill(),
  'start a worker': () => new Worker('0', { eval: true }),
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- that is the question
  'make code of a string': () => new Function('return 1'),
  'link a committed blob into incoming': () => {
    fs.linkSync(path.join(folder, 'blobs', blob), path.join(folder, 'incoming', '2'.repeat(32)));
  },
  'link a committed blob into incoming softly': () => {
    fs.symlinkSync(path.join(folder, 'blobs', blob), path.join(folder, 'incoming', '3'.repeat(32)));
    fs.writeFileSync(path.join(folder, 'incoming', '3'.repeat(32)), 'y');
  },
  'copy over a committed blob': () => {
    fs.copyFileSync(path.join(folder, 'blobs', blob), path.join(folder, 'blobs', '4'.repeat(32)));
  },
  'write a committed blob': () => {
    fs.writeFileSync(path.join(folder, 'blobs', blob), 'x');
  },
  'remove a committed blob': () => {
    fs.unlinkSync(path.join(folder, 'blobs', blob));
  },
  'move a committed blob out': () => {
    fs.renameSync(path.join(folder, 'blobs', blob), path.join(folder, 'incoming', blob));
  },
  'change a committed blob through a descriptor': () => {
    const descriptor = fs.openSync(path.join(folder, 'blobs', blob), 'r+');
    fs.writeSync(descriptor, 'x');
  },
  'change the mode of a committed blob': () => {
    fs.chmodSync(path.join(folder, 'blobs', blob), 0o777);
  },
  'change its own code': () => {
    fs.appendFileSync(path.join(import.meta.dirname, '..', '..', 'src', 'front', 'main.ts'), '');
  },
  connect: () => settled(net.connect(port, '127.0.0.1'), 'connect'),
  'connect to the administration socket': () => settled(net.connect(path.join(folder, 'run', 'admin.sock')), 'connect'),
  listen: () => settled(net.createServer().listen(0, '127.0.0.1'), 'listening'),
  'open the inspector': async () => {
    const inspector = await import('node:inspector');
    inspector.open(0, '127.0.0.1');
  },
  // What a front is for: these must be possible.
  'may: read a committed blob': () => fs.readFileSync(path.join(folder, 'blobs', blob)),
  'may: write and read incoming': () => {
    fs.writeFileSync(path.join(folder, 'incoming', '1'.repeat(32)), 'x');
    fs.readFileSync(path.join(folder, 'incoming', '1'.repeat(32)));
  },
};

function settled(emitter: net.Socket | net.Server, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    emitter.once(event, resolve);
    emitter.once('error', reject);
    // A refused listen() is thrown where nobody can catch it.
    process.once('uncaughtException', reject);
  });
}

const results: Record<string, string> = {};
for (const [name, attempt] of Object.entries(ATTEMPTS)) {
  try {
    await attempt();
    results[name] = 'possible';
  } catch (error) {
    results[name] = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}
const environment = Object.keys(process.env).sort();
process.stdout.write(`${JSON.stringify({ results, environment })}\n`, () => {
  process.exit(0);
});
