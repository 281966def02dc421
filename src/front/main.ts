/**
 * Entry of a front process, which the broker starts under the permissions of broker/front-permissions.ts. It joins the
 * link, the SSH engine, SFTP and transfer. It lives as long as its link: without the broker it can do nothing.
 */
import { Socket } from 'node:net';
import { createLog } from '../base/log.ts';
import type { FrontCalls } from '../broker/calls.ts';
import { callerOver, Link } from '../broker/link.ts';
import { ConnectionTable } from './connection-table.ts';

/** See LINK_DESCRIPTOR in broker/front-process.ts. */
const LINK_DESCRIPTOR = 4;

const log = createLog('debug');

process.on('uncaughtException', (err) => {
  // What state the connections are in is unknown: end them all, the broker starts another front.
  log.error({ err }, 'a front failed');
  process.exit(1);
});

let table: ConnectionTable | null = null;
const link = new Link(new Socket({ fd: LINK_DESCRIPTOR, readable: true, writable: true }), {
  event: (name, body) => {
    if (name === 'session.ended') {
      const { connection, reason } = body as { connection: string; reason: string };
      table?.end(connection, reason);
    } else if (name === 'shutdown') void shutdown();
  },
  closed: () => {
    process.exit(0);
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
  process.exit(0);
}
