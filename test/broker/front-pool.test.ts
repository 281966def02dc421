import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterEach, suite, test } from 'node:test';
import { createLog } from '../../src/base/log.ts';
import { Connections } from '../../src/broker/connections.ts';
import { FrontPool } from '../../src/broker/front-pool.ts';

const ENTRY = path.join(import.meta.dirname, 'hostile-front.ts');
const ARRIVAL = { address: '192.0.2.1', port: 4000, source: '192.0.2.1', profile: 'default' } as const;

const pools: FrontPool[] = [];

interface Line {
  readonly msg: string;
  readonly attack?: boolean;
  readonly said?: { readonly text?: string };
}

function scene(mode: string, size = 1) {
  const lines: Line[] = [];
  const waiting: { matches: (line: Line) => boolean; resolve: () => void }[] = [];
  const log = createLog('debug', (text) => {
    const line = JSON.parse(text) as Line;
    lines.push(line);
    for (const one of waiting) if (one.matches(line)) one.resolve();
  });
  const logged = (matches: (line: Line) => boolean): Promise<void> =>
    lines.some(matches) ? Promise.resolve() : new Promise((resolve) => waiting.push({ matches, resolve }));
  const ignore = (): undefined => undefined;
  const connections = new Connections({ startupOver: ignore, sessionOver: ignore, gone: ignore }, log);
  const dispatch = () => () => Promise.resolve({});
  const pool = new FrontPool({ size, numbersAfter: 0, args: [ENTRY, mode], log, connections, dispatch });
  pools.push(pool);
  return { pool, connections, lines, logged };
}

suite('the pool of fronts', () => {
  afterEach(() => {
    for (const pool of pools.splice(0)) pool.kill();
  });

  test('kills and replaces a front that breaks the form of messages', async () => {
    const { pool, logged } = scene('garbage');
    assert.equal(await pool.start(), false);
    await logged(({ attack }) => attack === true);
    await logged(({ msg }) => msg.includes('is replaced'));
  });

  test('cuts what a front floods the log with', async () => {
    const { pool, lines, logged } = scene('flood');
    assert.equal(await pool.start(), true);
    await logged(({ said }) => said?.text?.startsWith('xxx') === true);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const said = lines.flatMap((line) => line.said?.text ?? []);
    assert.ok(said.length < 1500, `${said.length} lines`);
    for (const text of said) assert.ok(text.length <= 8192);
  });

  for (const mode of ['no JSON', 'an odd handle', 'an arrival of nothing', 'a message', 'a line without end']) {
    test(`ends a front that sends ${mode} over the channel of sockets`, async () => {
      const { pool, logged } = scene(mode);
      assert.equal(await pool.start(), true);
      await logged(({ attack, msg }) => attack === true && msg.includes('channel of sockets'));
      await logged(({ msg }) => msg.includes('is replaced'));
    });
  }

  test('gives connections to the front with the fewest, and ends those of one that dies', async () => {
    const { pool, connections, logged } = scene('quiet', 2);
    assert.equal(await pool.start(), true);
    const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const clients = [];
    for (let i = 0; i < 4; i++) {
      clients.push(connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined));
      const [socket] = (await once(server, 'connection')) as [Parameters<typeof pool.give>[0]];
      assert.equal(pool.give(socket, ARRIVAL), true);
    }
    assert.deepEqual(
      pool.processes.map((front) => front.connections.size),
      [2, 2],
    );
    pool.processes[0]?.kill();
    await logged(({ msg }) => msg.includes('is replaced'));
    assert.equal(connections.count, 2);
    server.close();
    for (const client of clients) client.destroy();
  });
});
