/**
 * Runs in the place of a front, under a front's real permissions, tries what a front must not be able to do, and tells
 * on standard output what came of it. Arguments: the data folder, and a port of this machine that listens.
 */
import child from 'node:child_process';
import { createHook } from 'node:async_hooks';
import dgram from 'node:dgram';
import dns from 'node:dns/promises';
import fs from 'node:fs';
import http from 'node:http';
import { createRequire } from 'node:module';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import v8 from 'node:v8';
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

const secret = path.join(folder, 'keys', 'root.key');
const incoming = path.join(folder, 'incoming');

/** An object that the C++ side takes for a request: any of those that Node makes itself will do. */
async function anyRequest(): Promise<object> {
  let found: { constructor: new () => object } | null = null;
  const hook = createHook({
    init(_id, type, _trigger, resource) {
      if (type === 'FSREQCALLBACK') found ??= resource as NonNullable<typeof found>;
    },
  }).enable();
  await new Promise((resolve) => {
    fs.stat(import.meta.filename, resolve);
  });
  hook.disable();
  const { constructor: Request } = found as unknown as { constructor: new () => object };
  return new Request();
}

interface RawPipe {
  bind(name: string): number;
  connect(request: object, name: string): number;
}

/** The class of a pipe, from a stream that a front has by right. */
function rawPipe(): RawPipe {
  const { _handle } = process.stdout as unknown as { _handle: { constructor: new (kind: number) => RawPipe } };
  return new _handle.constructor(0);
}

function raw(name: string): unknown {
  return (process as unknown as Record<string, (of: string) => unknown>)[name]?.('fs') ?? absent();
}

function absent(): never {
  throw new Error('absent');
}

/** What was found later, by going through everything that Node offers. */
const FURTHER: Readonly<Record<string, () => unknown>> = {
  'read the root key by the way of incoming': () => fs.readFileSync(`${incoming}/../keys/root.key`),
  'read the root key by a path of bytes': () => fs.readFileSync(Buffer.from(`${incoming}/../keys/root.key`)),
  'read the root key from a working directory': () => {
    process.chdir(incoming);
    fs.readFileSync('../keys/root.key');
  },
  'read the root key as a Blob': () => fs.openAsBlob(secret),
  'copy the root key': () => {
    fs.copyFileSync(secret, path.join(incoming, 'copy'));
  },
  'copy the root key as a tree': () => {
    fs.cpSync(secret, path.join(incoming, 'tree'));
  },
  'watch the keys': () => {
    fs.watch(path.join(folder, 'keys')).close();
  },
  'link to a key with a relative link': () => {
    fs.symlinkSync('../keys/root.key', path.join(incoming, 'relative'));
  },
  'write the memory of the broker': () => fs.openSync(`/proc/${process.ppid}/mem`, 'r+'),
  'list the descriptors of the broker': () => fs.readdirSync(`/proc/${process.ppid}/fd`),
  'list its own descriptors': () => fs.readdirSync('/proc/self/fd'),
  'have a report written over the root key': () => {
    // On a fatal error it is written without asking: setting this up is the attack.
    Object.assign(process.report, { directory: path.dirname(secret), filename: 'x', reportOnFatalError: true });
  },
  'set options of V8': () => {
    v8.setFlagsFromString('--trace-turbo-path=/tmp');
  },
  'have heap snapshots written': () => {
    v8.setHeapSnapshotNearHeapLimit(1);
  },
  'have events traced into files': () => {
    (require('node:trace_events') as typeof import('node:trace_events')).createTracing({ categories: ['x'] });
  },
  'write a compile cache': () => {
    (require('node:module') as typeof import('node:module')).enableCompileCache(path.join(folder, 'cache'));
  },
  'read a file as environment': () => {
    process.loadEnvFile('/etc/os-release');
  },
  'signal the broker': () => process.kill(process.ppid, 0),
  'signal the broker by the inner name': () => {
    const { _kill } = process as unknown as { _kill?: (pid: number, signal: number) => number };
    if (_kill === undefined) absent();
    assert(_kill(process.ppid, 0) === 0);
  },
  'slow the broker down': () => {
    os.setPriority(process.ppid, os.getPriority(process.ppid));
  },
  'use process.binding': () => raw('binding'),
  'use an inner inspector session': () => {
    const { Session } = require('node:inspector') as typeof import('node:inspector');
    new Session().connect();
  },
  'run WASI': () => {
    const { WASI } = require('node:wasi') as typeof import('node:wasi');
    new WASI({ version: 'preview1', preopens: { '/': '/' } });
  },
  'send a datagram': () =>
    new Promise((resolve, reject) => {
      process.once('uncaughtException', reject);
      const socket = dgram.createSocket('udp4').once('error', reject);
      socket.send('x', port, '127.0.0.1', (error) => {
        if (error === null) resolve(undefined);
        else reject(error);
      });
    }),
  'ask over HTTP': () => fetched(http.get({ port, host: '127.0.0.1' })),
  'resolve a name': () => dns.lookup('localhost'),
  'listen on a local socket': () => settled(net.createServer().listen(path.join(incoming, 's')), 'listening'),
  'start a process by the inner handle': () => {
    const { _handle } = new child.ChildProcess() as unknown as { _handle: { spawn(...options: unknown[]): number } };
    const stdio = Array(3).fill({ type: 'ignore' });
    assert(_handle.spawn('/bin/true', ['/bin/true'], undefined, undefined, stdio, 0, undefined, undefined) === 0);
  },
  'read certificates from a file': () => {
    process.env['NODE_EXTRA_CA_CERTS'] = secret;
    const { length } = tls.getCACertificates('extra');
    delete process.env['NODE_EXTRA_CA_CERTS'];
    assert(length > 0);
  },
  'bind a raw pipe': () => {
    assert(rawPipe().bind(path.join(incoming, 'raw')) === 0);
  },
  'connect a raw pipe to the administration socket': async () => {
    const request = await anyRequest();
    const done = new Promise<number>((resolve) => Object.assign(request, { oncomplete: resolve }));
    assert(rawPipe().connect(request, path.join(folder, 'run', 'admin.sock')) === 0);
    assert((await done) === 0);
  },
};

function assert(value: boolean): void {
  if (!value) throw new Error('refused');
}

/** The listener of the test closes at once: that it was reached is what counts. */
function fetched(request: http.ClientRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    request.once('response', () => {
      resolve();
    });
    request.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET') resolve();
      else reject(error);
    });
  });
}

function settled(emitter: net.Socket | net.Server, event: string): Promise<void> {
  return new Promise((resolve, reject) => {
    emitter.once(event, resolve);
    emitter.once('error', reject);
    // A refused listen() is thrown where nobody can catch it.
    process.once('uncaughtException', reject);
  });
}

const results: Record<string, string> = {};
for (const [name, attempt] of Object.entries({ ...ATTEMPTS, ...FURTHER })) {
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
