/** Large files up over HTTPS: how many segments go at once, in which order they end, and what a server that keeps none does to it. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import { WaybillError } from '../../src/base/errors.ts';
import { openUploadLog } from '../../src/client/local/upload-log.ts';
import { HttpsPut } from '../../src/client/transfer/https-put.ts';

const SEGMENT = 8 * 2 ** 20;

/** A server that writes in order. `keeps`: parts that come before their turn wait there. */
class Server {
  readonly hash = createHash('sha256');
  readonly keeps: boolean;
  begun = 0;
  taken: unknown[] = [];
  at = 0;
  most = 0;
  refused = 0;
  /** The answer to the part there is a failure. */
  failsAt = -1;
  /** So many must be on their way before the first one is let in. */
  together = 1;
  private under = 0;
  private readonly waiting: (() => void)[] = [];

  constructor(keeps: boolean) {
    this.keeps = keeps;
  }

  beginUpload = (): Promise<string> => {
    this.begun++;
    return Promise.resolve('/api/v1/tus/a');
  };
  takeUp = (...asked: unknown[]): Promise<string> => {
    this.taken.push(asked);
    return Promise.resolve('/api/v1/tus/b');
  };
  uploaded = (): Promise<number> => Promise.resolve(this.at);
  append = async (_address: string, offset: number, body: Buffer, digest: Buffer, stop?: AbortSignal) => {
    this.most = Math.max(this.most, ++this.under);
    try {
      for (const wake of this.waiting.splice(0)) wake();
      while (offset === 0 && this.under < this.together) await this.change();
      await new Promise((resolve) => setTimeout(resolve, 5));
      if (offset === this.failsAt) throw new WaybillError('server-unreachable', 'gone');
      if (offset > this.at && !this.keeps) {
        this.refused++;
        throw new WaybillError('offset-invalid', 'not yet');
      }
      while (offset > this.at && stop?.aborted !== true) await this.change(stop);
      if (offset !== this.at) throw new WaybillError('offset-invalid', 'elsewhere');
      assert.deepEqual(createHash('sha256').update(body).digest(), digest);
      this.hash.update(body);
      this.at += body.length;
      return this.at;
    } finally {
      this.under--;
      for (const wake of this.waiting.splice(0)) wake();
    }
  };

  private change(stop?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      stop?.addEventListener('abort', () => {
        resolve();
      });
    });
  }
}

suite('large files up over HTTPS', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'waybill-put-'));
  const local = path.join(folder, 'large');
  const content = randomBytes(5 * SEGMENT + 99);
  before(() => {
    writeFileSync(local, content);
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  const put = async (server: Server, more: { upload?: string; start?: number } = {}) => {
    const { size, mtimeMs: modified } = statSync(local);
    const of = { server: 'https://x', account: 'a', path: '/f', local, size, modified };
    const { log } = await openUploadLog(folder, of);
    const [began, sent]: [number[], number[]] = [[], []];
    const large = { path: '/f', local, size, modified, log, upload: null, start: 0, ...more };
    await new HttpsPut(server)
      .put(
        large,
        (at) => began.push(at),
        (bytes) => sent.push(bytes),
      )
      .finally(() => log.remove());
    return { began, sent: sent.reduce((sum, one) => sum + one, 0) };
  };
  const whole = createHash('sha256').update(content).digest('hex');

  test('several segments are on their way at once', async () => {
    const server = new Server(true);
    server.together = 4;
    assert.deepEqual(await put(server), { began: [0], sent: content.length });
    assert.deepEqual([server.begun, server.most, server.refused], [1, 4, 0]);
    assert.equal(server.hash.digest('hex'), whole);
  });

  test('a server that keeps none gets them one after the other', async () => {
    const server = new Server(false);
    assert.deepEqual(await put(server), { began: [0], sent: content.length });
    assert.ok(server.refused <= 3, `${server.refused} refused`);
    assert.equal(server.hash.digest('hex'), whole);
  });

  test('what began by another way is taken up, and nothing of it is sent again', async () => {
    const server = new Server(true);
    server.at = 2 * SEGMENT;
    const { began, sent } = await put(server, { upload: 'u', start: 2 * SEGMENT });
    assert.deepEqual([began, sent, server.begun], [[2 * SEGMENT], content.length - 2 * SEGMENT, 0]);
    assert.deepEqual(server.taken, [['/f', content.length, 'u', 2 * SEGMENT]]);
  });

  test('a failure ends those that wait for it, and is what is told', async () => {
    const server = new Server(true);
    server.failsAt = SEGMENT;
    await assert.rejects(put(server), { code: 'server-unreachable' });
    assert.equal(server.at, SEGMENT);
  });

  test('a file that changes meanwhile is not mixed of both', async () => {
    const server = new Server(true);
    const { mtimeMs } = statSync(local);
    const of = { server: 'https://x', account: 'a', path: '/f', local, size: content.length, modified: mtimeMs - 1 };
    const { log } = await openUploadLog(folder, of);
    const large = { path: '/f', local, size: content.length, modified: mtimeMs - 1, log, upload: null, start: 0 };
    const none = (): void => undefined;
    await assert.rejects(new HttpsPut(server).put(large, none, none), { code: 'changed-meanwhile' });
    assert.equal(server.at, 0);
    await log.remove();
  });
});
