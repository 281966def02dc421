import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { childrenOf, end, firstWords, serve, serveFails, untilGone } from './server.ts';
import type { Served } from './server.ts';

suite('the server', { skip: existsSync('/proc/self/stat') ? false : 'needs /proc' }, () => {
  let folder = '';
  const running: Served[] = [];
  const sockets: Socket[] = [];
  const started = async (...words: string[]): Promise<Served> => {
    const served = await serve(folder, ...words);
    running.push(served);
    return served;
  };
  const greeting = async (port: number): Promise<string> => {
    const { text, socket } = await firstWords(port);
    sockets.push(socket);
    return text;
  };
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'waybill-server-'));
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const served of running.splice(0)) await end(served, 'SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });

  test('answers SSH, ends cleanly and leaves no process, with a client connected', async () => {
    const served = await started();
    assert.match(await greeting(served.port), /^SSH-2\.0-/);
    const fronts = childrenOf(served.process.pid ?? 0);
    assert.equal(fronts.length, 1);
    assert.equal(await end(served), 0);
    for (const pid of fronts) await untilGone(pid);
  });

  test('keeps everything of its own private', async () => {
    const served = await started();
    for (const [place, mode] of [
      ['', 0o700],
      ['keys', 0o700],
      ['keys/root.key', 0o600],
      ['keys/host_ed25519', 0o600],
      ['meta', 0o700],
      ['run', 0o700],
      ['run/admin.sock', 0o600],
      ['blobs', 0o700],
      ['incoming', 0o700],
      ['first/id_ed25519', 0o600],
    ] as const) {
      assert.equal(statSync(path.join(folder, place)).mode & 0o777, mode, place);
    }
    await end(served);
  });

  test('has a data folder for itself', async () => {
    await started();
    const second = await serveFails(folder);
    assert.notEqual(second.code, 0);
    assert.match(second.errors, /already-running/);
    assert.equal(second.output, '');
  });

  test('starts again after kill -9, and its fronts die with it', async () => {
    const first = await started();
    await greeting(first.port);
    const fronts = childrenOf(first.process.pid ?? 0);
    await end(first, 'SIGKILL');
    for (const pid of fronts) await untilGone(pid);
    const second = await started();
    assert.match(await greeting(second.port), /^SSH-2\.0-/);
  });

  test('replaces a front that dies', async () => {
    const served = await started();
    const [front = 0] = childrenOf(served.process.pid ?? 0);
    const { socket } = await firstWords(served.port);
    sockets.push(socket);
    const lost = once(socket, 'close');
    process.kill(front, 'SIGKILL');
    await lost;
    let text = '';
    while (!text.startsWith('SSH-2.0-')) text = await greeting(served.port);
    assert.ok(served.log.some((line) => line.includes('is replaced')));
  });

  test('refuses more start-ups of a source than it may have, in words that clients show', async () => {
    const served = await started('--max-startups-per-source', '2', '--penalties', 'false');
    for (let i = 0; i < 2; i++) assert.match(await greeting(served.port), /^SSH-2\.0-/);
    assert.equal(await greeting(served.port), 'Exceeded MaxStartups');
    for (const socket of sockets.splice(0)) socket.destroy();
    let text = 'Exceeded MaxStartups';
    while (text === 'Exceeded MaxStartups') text = await greeting(served.port);
    assert.match(text, /^SSH-2\.0-/);
  });

  test('refuses a source that breaks the protocol again and again', async () => {
    const served = await started();
    let text = 'SSH-2.0-';
    for (let tries = 0; tries < 20 && text.startsWith('SSH-2.0-'); tries++) {
      const { text: words, socket } = await firstWords(served.port);
      text = words;
      const closed = once(socket, 'close');
      socket.resume();
      socket.end('GET / HTTP/1.1\r\n\r\n');
      await closed;
    }
    assert.equal(text, 'Not allowed at this time');
  });

  test('serves several addresses at once, each with its profile', async () => {
    const served = await started('--sftp', '[::1]:0', '--sftp-legacy', '127.0.0.1:0', '--log-level', 'info');
    const ready = served.log
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .find(({ msg }) => msg === 'ready');
    const listeners = ready?.['listeners'] as { host: string; port: number; profile: string }[];
    assert.deepEqual(
      listeners.map(({ host, profile }) => [host, profile]),
      [
        ['127.0.0.1', 'default'],
        ['::1', 'default'],
        ['127.0.0.1', 'legacy'],
      ],
    );
    assert.match(await greeting(listeners[2]?.port ?? 0), /^SSH-2\.0-/);
  });

  for (const [what, words, expected] of [
    ['a bad address', ['--sftp', 'nowhere'], /--sftp is .*nowhere.*; allowed is ADDRESS:PORT/],
    ['a bad banner', ['--banner', '/nonexistent'], /--banner is .*\/nonexistent/],
    ['an address that is not of this machine', ['--sftp', '192.0.2.1:0'], /192\.0\.2\.1/],
  ] as const) {
    test(`with ${what} says so in one line and does not start`, async () => {
      const failed = await serveFails(folder, ...words);
      assert.equal(failed.code, 2);
      assert.match(failed.errors, expected);
      assert.equal(failed.output, '');
    });
  }

  test('leaves no data folder behind when only an option was wrong', async () => {
    const inner = path.join(folder, 'data');
    await serveFails(inner, '--fronts', '0');
    assert.equal(existsSync(inner), false);
  });

  test('says that its address is taken, and leaves the data folder free', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const failed = await serveFails(folder, '--sftp', `127.0.0.1:${port}`);
    assert.notEqual(failed.code, 0);
    assert.match(failed.errors, /address-in-use/);
    other.close();
    await started();
  });

  test('refuses a data folder that others can enter', async () => {
    chmodSync(folder, 0o755);
    const failed = await serveFails(folder);
    assert.match(failed.errors, /others can enter it \(mode 755\).*chmod 700/);
    chmodSync(folder, 0o700);
    writeFileSync(path.join(folder, 'keys'), '');
    assert.match((await serveFails(folder)).errors, /keys cannot be (made|used)/);
  });

  test('two signals in one moment are one wish: it ends cleanly', async () => {
    const served = await started();
    await greeting(served.port);
    const exit = once(served.process, 'exit');
    served.process.kill('SIGTERM');
    served.process.kill('SIGINT');
    assert.deepEqual(await exit, [0, null]);
  });

  test('at a second signal it does not wait for fronts any longer', async () => {
    const served = await started();
    await greeting(served.port);
    const fronts = childrenOf(served.process.pid ?? 0);
    assert.ok(fronts.length > 0);
    // It does not hear that it should end.
    for (const front of fronts) process.kill(front, 'SIGSTOP');
    const exit = once(served.process, 'exit');
    served.process.kill('SIGTERM');
    // Later than what counts as the same wish.
    await pause(1200);
    const asked = performance.now();
    served.process.kill('SIGINT');
    assert.deepEqual(await exit, [0, null]);
    const waited = performance.now() - asked;
    assert.ok(waited < 4000, `${waited} ms`);
    for (const front of fronts) assert.throws(() => process.kill(front, 0), { code: 'ESRCH' });
  });
});
