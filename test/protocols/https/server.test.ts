/** A real server with its fronts under their real permissions; real clients: curl, fetch, tus-js-client. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { ReadStream } from 'node:fs';
import { createReadStream, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { connect } from 'node:tls';
import * as tus from 'tus-js-client';
import { hashApiToken, newApiToken } from '../../../src/accounts/web/api-token.ts';
import { newId } from '../../../src/base/ids.ts';
import { SqliteAccounts } from '../../../src/store/sqlite/accounts.ts';
import { Database } from '../../../src/store/sqlite/database.ts';
import { SqliteWeb } from '../../../src/store/sqlite/web.ts';

const COMMAND = path.join(import.meta.dirname, '..', '..', '..', 'src', 'cli', 'waybill.ts');
const LARGE = 110 * 2 ** 20;
const run = promisify(execFile);

interface Ready {
  readonly https: readonly { readonly port: number }[];
}

function sha256(content: Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

suite('a real server over HTTPS', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'waybill-https-'));
  const data = path.join(folder, 'data');
  const token = newApiToken();
  const large = path.join(folder, 'large');
  const content = randomBytes(LARGE);
  let server: ChildProcess | null = null;
  let port = 0;
  let log = '';

  const start = async (...words: string[]): Promise<Ready> => {
    const where = ['--data', data, '--sftp', '127.0.0.1:0', '--https', 'none'];
    const args = [COMMAND, 'serve', '--json', ...where, '--fronts', '1', ...words];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    server = child;
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
    const [line] = (await Promise.race([
      once(createInterface(child.stdout), 'line'),
      once(child, 'exit').then(() => Promise.reject(new Error(log))),
    ])) as [string];
    return JSON.parse(line) as Ready;
  };
  const startHttps = async (at = '127.0.0.1:0', ...words: string[]): Promise<void> => {
    const { https } = await start('--https', at, ...words);
    port = https[0]?.port ?? 0;
  };
  const stop = async (signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    const child = server;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const exit = once(child, 'exit');
    child.kill(signal);
    await exit;
  };
  const certificate = (): string => path.join(data, 'keys', 'tls.crt');
  const url = (of: string): string => `https://localhost:${port}${of}`;
  const curl = async (...args: string[]): Promise<string> => {
    const bearer = ['-H', `Authorization: Bearer ${token}`];
    return (await run('curl', ['-sS', '--fail-with-body', '--cacert', certificate(), ...bearer, ...args])).stdout;
  };

  before(async () => {
    writeFileSync(large, content);
    await start();
    await stop();
    // As an administrator adds it, without the server in the way.
    const database = new Database(path.join(data, 'meta', 'waybill.db'));
    const account = new SqliteAccounts(database).accountByLogin('first');
    const hash = hashApiToken(token);
    assert.ok(account !== null && hash !== null);
    await database.write(() => {
      new SqliteWeb(database).addToken({
        lastUsed: null,
        suspended: null,
        successor: null,
        id: newId(),
        account: account.id,
        label: 'test',
        hash,
        scopes: ['files:list', 'files:read', 'files:write'],
        addresses: null,
        created: Date.now(),
        expires: null,
      });
    });
    database.close();
    await startHttps();
  });
  after(async () => {
    await stop();
    rmSync(folder, { recursive: true });
  });

  test('curl: up, down, ranges, resuming a download, a listing, an archive', async () => {
    await curl('-T', large, url('/api/v1/content/exchange/large'));
    const whole = path.join(folder, 'whole');
    await curl('-o', whole, url('/api/v1/content/exchange/large'));
    assert.ok(readFileSync(whole).equals(content));
    const part = path.join(folder, 'part');
    writeFileSync(part, content.subarray(0, 50_000_000));
    await curl('-C', '-', '-o', part, url('/api/v1/content/exchange/large'));
    assert.ok(readFileSync(part).equals(content));
    const listing = JSON.parse(await curl(url('/api/v1/files/exchange'))) as { entries: { name: string }[] };
    assert.ok(listing.entries.some(({ name }) => name === 'large'));
    const sum = JSON.parse(await curl(url('/api/v1/checksum/exchange/large'))) as { sha256: string };
    assert.equal(sum.sha256, sha256(content));
    const zip = path.join(folder, 'all.zip');
    await curl('-o', zip, url('/api/v1/archive/exchange'));
    await run('unzip', ['-tq', zip]);
    await curl('-X', 'DELETE', url('/api/v1/files/exchange/large'));
  });

  test('a second client: requests over one connection, chunked and streamed', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(certificate()) });
    const ask = (method: string, of: string, body?: ReadStream): Promise<[number, Buffer]> =>
      new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${token}` };
        const sent = request(url(of), { method, agent, headers }, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', reject);
          response.on('end', () => {
            resolve([response.statusCode ?? 0, Buffer.concat(chunks)]);
          });
        });
        sent.on('error', reject);
        if (body === undefined) sent.end();
        else body.pipe(sent);
      });
    const [status] = await ask('PUT', '/api/v1/content/exchange/chunked', createReadStream(large));
    assert.equal(status, 201);
    const [, got] = await ask('GET', '/api/v1/content/exchange/chunked');
    assert.ok(got.equals(content));
    for (let at = 0; at < 50; at++) assert.equal((await ask('GET', '/api/v1/files/exchange'))[0], 200);
    agent.destroy();
  });

  const uploading = (done: Partial<tus.UploadOptions>): tus.Upload =>
    new tus.Upload(createReadStream(large), {
      endpoint: url('/api/v1/tus'),
      uploadSize: LARGE,
      chunkSize: 8 * 2 ** 20,
      metadata: { path: '/exchange/resumed' },
      headers: { Authorization: `Bearer ${token}` },
      retryDelays: [0, 100, 300],
      httpStack: new tus.DefaultHttpStack({ agent: new Agent({ ca: readFileSync(certificate()) }) }),
      ...done,
    });

  test('tus-js-client: stopped, the server killed, and taken up where it was', async () => {
    const location = await new Promise<string>((resolve, reject) => {
      const upload = uploading({
        onError: reject,
        onProgress: (sent) => {
          if (sent < 40 * 2 ** 20) return;
          void upload.abort().then(() => {
            resolve(upload.url ?? '');
          });
        },
      });
      upload.start();
    });
    await stop('SIGKILL');
    await startHttps();
    const at = new URL(location).pathname;
    const head = await run('curl', [
      '-sSI',
      '--cacert',
      certificate(),
      '-H',
      `Authorization: Bearer ${token}`,
      '-H',
      'Tus-Resumable: 1.0.0',
      url(at),
    ]);
    const offset = Number(/upload-offset: (\d+)/i.exec(head.stdout)?.[1]);
    assert.ok(offset >= 8 * 2 ** 20 && offset < LARGE, head.stdout);
    let first = -1;
    await new Promise<void>((resolve, reject) => {
      uploading({
        uploadUrl: url(at),
        onError: reject,
        onProgress: (sent) => {
          if (first < 0) first = sent;
        },
        onSuccess: () => {
          resolve();
        },
      }).start();
    });
    assert.ok(first >= offset);
    const got = path.join(folder, 'resumed');
    await curl('-o', got, url('/api/v1/content/exchange/resumed'));
    assert.equal(statSync(got).size, LARGE);
    assert.equal(sha256(readFileSync(got)), sha256(content));
  });

  test('a stop ends requests in order', async () => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: readFileSync(certificate()) });
    await once(socket, 'secureConnect');
    socket.write('GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'data');
    socket.resume();
    const ended = once(socket, 'end');
    const began = Date.now();
    await stop();
    await ended;
    assert.ok(Date.now() - began < 6000);
    assert.doesNotMatch(log, /"level":"error"/);
    socket.destroy();
  });

  test('files of the operator are used, and read again when they change', async () => {
    const [cert, key] = [path.join(folder, 'own.crt'), path.join(folder, 'own.key')];
    const make = (name: string): Promise<unknown> =>
      run('openssl', [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-keyout',
        key,
        '-out',
        cert,
        '-days',
        '2',
        '-subj',
        `/CN=${name}`,
      ]);
    const served = async (): Promise<string> => {
      const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      const name = String(socket.getPeerCertificate().subject.CN);
      socket.destroy();
      return name;
    };
    await make('first.example');
    await startHttps('127.0.0.1:0', '--tls-cert', cert, '--tls-key', key);
    assert.equal(await served(), 'first.example');
    await make('second.example');
    for (let tries = 0; tries < 150 && (await served()) !== 'second.example'; tries++)
      await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(await served(), 'second.example');
  });
});
