/**
 * Clients that have nothing of ours move one file up and down, are stopped in the middle, and go on: tus-js-client in a
 * process that is killed, curl, wget, python-requests. The same suite for a small file and, in test/long, for 300 MB.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, statSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, suite, test } from 'node:test';
import { promisify } from 'node:util';
import { RealServer } from '../../api/real-server.ts';
import { skipWithout } from '../../interop/suite.ts';

const PYTHON = '/usr/bin/python3';
const HERE = import.meta.dirname;
const run = promisify(execFile);

async function sha256(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** A way to the server that stands still after so many bytes, until it is freed. */
class Way {
  readonly port: number;
  readonly halted: Promise<void>;
  private readonly server: Server;
  private limit: number;
  private readonly standing: Socket[] = [];

  static async open(to: number, limit: number): Promise<Way> {
    let tell = (): void => undefined;
    const halted = new Promise<void>((resolve) => (tell = resolve));
    const server = createServer((client) => {
      const onward = connect(to, '127.0.0.1');
      for (const [one, other] of [
        [client, onward],
        [onward, client],
      ] as const)
        one.on('error', () => other.destroy()).on('close', () => other.destroy());
      onward.pipe(client);
      let sent = 0;
      client.on('data', (bytes: Buffer) => {
        sent += bytes.length;
        onward.write(bytes);
        if (sent < way.limit) return;
        client.pause();
        way.standing.push(client);
        tell();
      });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const way: Way = new Way(server, limit, halted);
    return way;
  }

  private constructor(server: Server, limit: number, halted: Promise<void>) {
    this.server = server;
    this.port = (server.address() as AddressInfo).port;
    this.limit = limit;
    this.halted = halted;
  }

  /** What stands still is gone: who does not read does not hear that its client was killed. */
  free(): void {
    this.limit = Infinity;
    for (const client of this.standing) client.destroy();
  }

  close(): void {
    this.server.close();
  }
}

export function transfers(size: number): void {
  suite(`${size} bytes by clients of others`, () => {
    let server: RealServer;
    let token = '';
    let sum = '';
    let file = '';
    const at = (name: string): string => path.join(server.server.temporary, name);
    const address = (name: string): string => `https://localhost:${server.port}/api/v1/content/exchange/${name}`;
    const certificate = (): string => path.join(server.server.data, 'keys', 'tls.crt');
    const environment = (): NodeJS.ProcessEnv => ({ ...process.env, TOKEN: token });
    const curl = (...args: string[]): string[] => [
      ...['-sS', '--fail-with-body', '--cacert', certificate(), '-H', `Authorization: Bearer ${token}`],
      ...args,
    ];

    before(async () => {
      // Each client is new to the server, and so has a tenth of the budget.
      server = await RealServer.open({ args: ['--budget-initial', '1T,100000,10000'] });
      token = (await server.token('first')).bearer;
      file = at('file');
      const hash = createHash('sha256');
      for (let written = 0; written < size; written += 2 ** 22) {
        const chunk = randomBytes(Math.min(2 ** 22, size - written));
        hash.update(chunk);
        writeFileSync(file, chunk, { flag: 'a' });
      }
      sum = hash.digest('hex');
    });
    after(() => server.close());

    /** Nothing of it in memory: by the server's own reading, and by another client. */
    const isWhole = async (name: string): Promise<void> => {
      const { text } = await server.ask('GET', `/api/v1/checksum/exchange/${name}`, { by: { bearer: token } });
      assert.equal((JSON.parse(text) as { sha256: string }).sha256, sum);
      await run('curl', curl('-o', at(`${name}.back`), address(name)));
      assert.equal(await sha256(at(`${name}.back`)), sum);
    };

    test('tus-js-client, killed in the middle, goes on where it was', async () => {
      // The client tells too seldom how far it is: what it sends stands still in the middle by another's will.
      const way = await Way.open(server.port, size / 2);
      const start = (): ChildProcess => {
        const place = `https://localhost:${way.port}/api/v1/tus`;
        const args = [path.join(HERE, 'tus-client.ts'), place, file, '/exchange/tus', certificate(), at('tus.json')];
        return spawn(process.execPath, args, { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
      };
      const first = start();
      first.stdout?.resume();
      const killed = once(first, 'exit');
      await way.halted;
      first.kill('SIGKILL');
      assert.deepEqual(await killed, [null, 'SIGKILL']);
      way.free();
      const second = start();
      assert.ok(second.stdout !== null);
      const exit = once(second, 'exit');
      const lines: string[] = [];
      for await (const line of createInterface(second.stdout)) lines.push(line);
      assert.deepEqual(await exit, [0, null]);
      assert.equal(lines[0], '1 known');
      assert.equal(lines.at(-1), 'done');
      // What it tells first is what the server had.
      assert.ok(Number(lines[1]) > size / 8 && Number(lines[1]) < size, `it went on at ${lines[1] ?? ''}`);
      way.close();
      await isWhole('tus');
    });

    test('curl, stopped in the middle of a download, goes on', async () => {
      await run('curl', curl('-T', file, address('curl')));
      const part = at('part');
      const slow = spawn('curl', curl('--limit-rate', String(size), '-o', part, address('curl')), { stdio: 'ignore' });
      while ((statSync(part, { throwIfNoEntry: false })?.size ?? 0) < size / 4)
        await new Promise((resolve) => setTimeout(resolve, 20));
      slow.kill('SIGKILL');
      await once(slow, 'exit');
      assert.ok(statSync(part).size < size);
      const { stdout } = await run('curl', curl('-C', '-', '-o', part, '-w', '%{http_code}', address('curl')));
      assert.equal(stdout, '206');
      assert.equal(await sha256(part), sum);
      // Nothing is missing: the range begins behind the end.
      const code = await run('curl', curl('-C', '-', '-o', part, '-w', '%{http_code}', address('curl'))).then(
        () => 'none',
        (error: unknown) => String((error as { stdout?: unknown }).stdout),
      );
      assert.match(code, /^(416|none)/);
      assert.equal(await sha256(part), sum);
    });

    test('wget -c goes on with half a file', { skip: skipWithout('wget') }, async () => {
      await run('curl', curl('-T', file, address('wget')));
      await run('cp', [file, at('half')]);
      truncateSync(at('half'), Math.floor(size / 2));
      const headers = [`--ca-certificate=${certificate()}`, `--header=Authorization: Bearer ${token}`];
      await run('wget', ['-q', '-c', ...headers, '-O', at('half'), address('wget')]);
      assert.equal(await sha256(at('half')), sum);
    });

    test('python-requests puts, gets, goes on and takes ranges', { skip: skipWithout(PYTHON) }, async () => {
      const client = (command: string, local: string): Promise<unknown> =>
        run(PYTHON, [path.join(HERE, 'requests_client.py'), command, address('python'), local, certificate()], {
          env: environment(),
        });
      await client('put', file);
      for (const command of ['get', 'ranges']) {
        await client(command, at(command));
        assert.equal(await sha256(at(command)), sum);
      }
      truncateSync(at('get'), Math.floor(size / 3));
      await client('resume', at('get'));
      assert.equal(await sha256(at('get')), sum);
    });
  });
}
