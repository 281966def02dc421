/** Real sockets of this kernel: what is accepted has what its listening socket was given. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { createLog, SILENT } from '../../src/base/log.ts';
import { Listener } from '../../src/broker/listener.ts';
import { Startups } from '../../src/broker/penalties.ts';
import { descriptorOf } from '../../src/broker/proxy-reader.ts';
import { readOptions } from '../../src/config/read-options.ts';
import { startServer } from '../../src/main.ts';
import { CongestionOption, openListeningSockets } from '../../src/tcp/listening-sockets.ts';
import type { ListeningSockets } from '../../src/tcp/listening-sockets.ts';
import { kernelOffer } from '../../src/tcp/kernel-offer.ts';
import { openArena } from '../../src/udp/native/open-arena.ts';
import { openSystem } from '../../src/udp/socket/libc.ts';

const offer = kernelOffer();
/** Not what sockets have anyway. */
const other = offer?.allowed.find((name) => name !== offer.usual) ?? null;
const noOther = other === null && 'this kernel lets nothing be chosen but what sockets have anyway';

async function optionOf(): Promise<CongestionOption> {
  const { arena, without } = await openArena(256);
  assert.ok(arena !== null, without ?? '');
  return new CongestionOption(await openSystem(arena));
}

/** What connections to a listener have, in the process that accepts them. */
async function accepted(sockets: ListeningSockets | null, host: string): Promise<string | null> {
  const option = await optionOf();
  const taken = Promise.withResolvers<Socket>();
  const listener = new Listener({
    ...{ host, port: 0, profile: 'default', penalties: null, log: SILENT },
    startups: new Startups({ all: 10, perSource: 10 }),
    opened: (descriptor) => {
      sockets?.opened(descriptor);
    },
    full: () => false,
    give: (socket) => {
      taken.resolve(socket);
      return true;
    },
  });
  const { port } = await listener.listen();
  const client = connect(port, host);
  const socket = await taken.promise;
  try {
    return option.get(descriptorOf(socket) ?? -1);
  } finally {
    for (const one of [client, socket]) one.destroy();
    listener.close();
  }
}

describe('connections that are accepted', () => {
  test('have the congestion control of their listener', { skip: noOther }, async () => {
    const sockets = await openListeningSockets(other ?? '', SILENT);
    for (const host of ['127.0.0.1', '::1']) assert.equal(await accepted(sockets, host), other, host);
    assert.equal(sockets?.control, other);
    assert.equal(await accepted(null, '127.0.0.1'), offer?.usual);
  });

  test(
    'are served as before where the kernel refuses, and the log says so once',
    { skip: offer === null },
    async () => {
      const lines: string[] = [];
      const sockets = await openListeningSockets(
        'nosuch',
        createLog('info', (line) => lines.push(line)),
      );
      assert.equal(await accepted(sockets, '127.0.0.1'), offer?.usual);
      assert.equal(await accepted(sockets, '127.0.0.1'), offer?.usual);
      assert.equal(sockets?.control, null);
      assert.equal(lines.length, 1);
      const { level, wish, because } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
      assert.deepEqual([level, wish], ['warn', 'nosuch']);
      assert.match(String(because), /module tcp_nosuch/);
    },
  );

  const noSs = spawnSync('ss', ['-V']).status !== 0 && 'ss (iproute2) is not installed';
  test('keep it in the fronts of SFTP and HTTPS', { skip: noOther === false ? noSs : noOther }, async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'waybill-tcp-'));
    const server = await startServer(
      readOptions(
        {
          ...{ data: folder, sftp: '127.0.0.1:0', https: ['127.0.0.1:0'], fronts: '1', 'log-level': 'silent' },
          'tcp-congestion': other ?? '',
        },
        {},
      ),
    );
    try {
      assert.equal(server.ready.tcpCongestion, other);
      assert.deepEqual(server.ready.listeners.map(({ profile }) => profile).sort(), ['default', 'https']);
      for (const { port, profile } of server.ready.listeners) {
        const client = connect(port, '127.0.0.1');
        // SSH speaks first: its front has it then. The HTTPS door waits for the client, the kernel has accepted it.
        await once(client, profile === 'https' ? 'connect' : 'data');
        const established = ['state', 'established', 'sport', '=', `:${port}`];
        const told = execFileSync('ss', ['-Htin', ...established], { encoding: 'utf8' });
        assert.match(told, new RegExp(String.raw`\s${other ?? ''}\s`), `${profile}: ${told}`);
        client.destroy();
      }
    } finally {
      await server.stop();
      rmSync(folder, { recursive: true });
    }
  });
});
