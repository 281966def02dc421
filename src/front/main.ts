/**
 * Entry of a front process, which the broker starts under the permissions of broker/front-permissions.ts. It joins the
 * link, the SSH engine, SFTP and transfer. It lives as long as its link: without the broker it can do nothing.
 */
import { Socket } from 'node:net';
import { createLog } from '../base/log.ts';
import type { FrontCalls, HostKey } from '../broker/calls.ts';
import { callerOver, Link } from '../broker/link.ts';
import { endAtOnce } from './confine.ts';
import { ConnectionTable } from './connection-table.ts';

/** See LINK_DESCRIPTOR in broker/front-process.ts. */
const LINK_DESCRIPTOR = 4;

const log = createLog('debug');

process.on('uncaughtException', (err) => {
  // What state the connections are in is unknown: end them all, the broker starts another front.
  log.error({ err }, 'a front failed');
  end();
});

let table: ConnectionTable | null = null;
const link = new Link(new Socket({ fd: LINK_DESCRIPTOR, readable: true, writable: true }), {
  event: (name, body) => {
    if (name === 'session.ended') {
      const { connection, reason } = body as { connection: string; reason: string };
      table?.end(connection, reason);
    } else if (name === 'hostkeys.changed') {
      table?.changeHostKeys((body as { hostKeys: HostKey[] }).hostKeys);
    } else if (name === 'shutdown') void shutdown();
  },
  closed: () => {
    end();
  },
});
const broker = callerOver<FrontCalls>(link);
const configuration = await broker.call('hello', {});
table = new ConnectionTable({ broker, configuration, log });

/** Sockets come beside messages of the broker; see Handover in broker/front-process.ts. */
process.on('message', (message: unknown, socket: unknown) => {
  if (socket instanceof Socket) table.take(message as Parameters<ConnectionTable['take']>[0], socket);
});

// Signals are for the broker, which tells us; Ctrl-C in a terminal goes to the whole group.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('SIGHUP', () => undefined);

async function shutdown(): Promise<void> {
  await table?.shutdown();
  await link.flushed();
  end();
}

/**
 * At once. process.exit() first joins V8's threads, and one that waits for the main thread to collect garbage never comes
 * back: the front would stay for ever, and with it the connections of its clients. The log is written already.
 */
function end(): void {
  endAtOnce();
}
