/**
 * Entry of the front of fast transfers: one UDP socket in a thread of its own. Before the first datagram it gives up the
 * permissions that opening the socket took (broker/front-permissions.ts); what it can be made to do then is what its open
 * socket, its link and the folders of ciphertext allow. Nothing that is not sealed with a transfer's key gets past the thread.
 */
import { Socket } from 'node:net';
import { createLog } from '../base/log.ts';
import type { FrontCalls } from '../broker/calls.ts';
import type { FastBegin } from '../broker/fast-calls.ts';
import { callerOver, Link } from '../broker/link.ts';
import { RunningTransfer } from '../protocols/fast/running.ts';
import { createSessionFiles } from '../transfer/session-files.ts';
import { FastSocket } from '../udp/driver/fast-socket.ts';
import type { StreamOptions } from '../udp/driver/fast-socket.ts';
import { endAtOnce } from './confine.ts';

/** See LINK_DESCRIPTOR in broker/front-process.ts. */
const LINK_DESCRIPTOR = 4;
const SHUTDOWN_MILLISECONDS = 5000;
const OPENING_PERMISSIONS = ['worker', 'net', 'ffi'] as const;
const BITS_PER_BYTE_MICROSECOND = 8e6;

const log = createLog('debug');

process.on('uncaughtException', (err) => {
  log.error({ err }, 'a front failed');
  endAtOnce();
});

const running = new Map<string, RunningTransfer>();
const link = new Link(new Socket({ fd: LINK_DESCRIPTOR, readable: true, writable: true }), {
  event: (name, body) => {
    if (name === 'fast.begin') begin(body as FastBegin);
    else if (name === 'fast.end') cancel(body as { connection: string });
    else if (name === 'session.ended') ended(body as { connection: string; reason: string });
    else if (name === 'shutdown') void shutdown();
  },
  closed: () => {
    endAtOnce();
  },
});
const broker = callerOver<FrontCalls>(link);
const { blobs, incoming, address, port, backend } = await broker.call('fast.hello', {});
const socket = await FastSocket.open({ address, port, backend });
for (const permission of OPENING_PERMISSIONS) process.permission.drop(permission);
socket.closed.then(endAtOnce, (err: unknown) => {
  log.error({ err }, 'the thread of the socket failed');
  endAtOnce();
});
const { backend: is, abilities, cipher, without } = socket.description;
log.info(socket.description, 'fast transfers');
await broker.call('fast.listening', {
  port: socket.description.port,
  backend:
    `${is} (${abilities}), ${cipher}${without === null ? '' : `; not the batches of the system: ${without}`}`.slice(
      0,
      200,
    ),
});

// Signals are for the broker, which tells us; Ctrl-C in a terminal goes to the whole group.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);
process.on('SIGHUP', () => undefined);

function begin(asked: FastBegin): void {
  const { connection, address: peerAddress, session, transfer, order, secret, connectionId } = asked;
  const options: StreamOptions = {
    ...{ side: 'server', secret, connectionId, peer: null, peerAddress },
    rttGuess: order.roundTrip === null ? null : order.roundTrip * 1000,
    ...{ end: order.length, window: order.window, policy: order.policy },
    rateLimit: order.rate === null ? null : order.rate / BITS_PER_BYTE_MICROSECOND,
  };
  const one = new RunningTransfer({
    begin: asked,
    files: createSessionFiles({ broker, session: session.session, blobs, incoming, log }),
    send: () => socket.send(options),
    receive: () => socket.receive(options),
    report: async (state) => {
      await broker.call('fast.report', { session: session.session, transfer, ...state });
    },
    log,
  });
  running.set(connection, one);
  void one.done
    .catch((err: unknown) => {
      log.error({ err }, 'a fast transfer could not be put away');
    })
    .then(() => {
      running.delete(connection);
      return broker.call('connection.closed', { connection, reason: 'the transfer is over', offence: 'none' });
    })
    .catch(() => undefined);
}

function cancel({ connection }: { connection: string }): void {
  running.get(connection)?.end('cancelled', 'ended by its owner');
}

function ended({ connection, reason }: { connection: string; reason: string }): void {
  running.get(connection)?.end('session-ended', reason.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200));
}

async function shutdown(): Promise<void> {
  for (const one of running.values()) one.end('session-ended', 'the server is stopping; try again');
  const late = new Promise((resolve) => setTimeout(resolve, SHUTDOWN_MILLISECONDS));
  await Promise.race([Promise.allSettled([...running.values()].map(({ done }) => done)), late]);
  await link.flushed();
  endAtOnce();
}
