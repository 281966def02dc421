/**
 * Syslog over TLS (RFC 5425). The protocol has no acknowledgement, and what was written to a socket may never be read.
 * So each delivery is a connection of its own that ends in order: we end our side after the last byte, and the receiver,
 * when it has read up to there, ends its own. A receiver that died, or closed with bytes unread, resets the connection,
 * or has ended it before us; then nothing of the delivery counts, and all of it is sent again.
 */
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { isIP } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { DeliverAnswer, OutgoingEvent, OutgoingTarget } from '../calls.ts';
import { parseHostPort } from '../target-address.ts';
import { destinationOf } from './destination.ts';
import type { Resolve } from './destination.ts';
import { syslogFrame } from './rfc5424.ts';
import { whyOf } from './why.ts';

const WITHIN_MS = 30_000;
/** Between the last byte and our end: who has gone away in the meantime is heard of before the end is a confirmation. */
const LINGER_MS = 100;

export interface SyslogParts {
  readonly allow: readonly string[];
  readonly hostname: string;
  readonly resolve?: Resolve;
  readonly within?: number;
}

export class Syslog {
  private readonly parts: SyslogParts;

  constructor(parts: SyslogParts) {
    this.parts = parts;
  }

  /** All or nothing. */
  async deliver(target: OutgoingTarget, events: readonly OutgoingEvent[]): Promise<DeliverAnswer> {
    try {
      const socket = connect(await this.connectionTo(target));
      await this.send(socket, events);
      return { delivered: events.length, failure: null, retryAfter: null };
    } catch (error) {
      return { delivered: 0, failure: whyOf(error), retryAfter: null };
    }
  }

  private async connectionTo({ address, ca, certificate, clientKey }: OutgoingTarget): Promise<ConnectionOptions> {
    const { host, port } = parseHostPort(address);
    const { address: found } = await destinationOf(host, this.parts.allow, this.parts.resolve);
    return {
      host: found,
      port,
      minVersion: 'TLSv1.2',
      // The certificate is for the name, or for the address where one was given.
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(ca === null ? {} : { ca }),
      ...(certificate === null || clientKey === null ? {} : { cert: certificate, key: clientKey }),
    };
  }

  private async send(socket: TLSSocket, events: readonly OutgoingEvent[]): Promise<void> {
    const timer = setTimeout(() => {
      socket.destroy(new Error('not confirmed in time'));
    }, this.parts.within ?? WITHIN_MS);
    const peer = peerOf(socket);
    // It is awaited below, after what may fail first.
    peer.closed.catch(() => undefined);
    try {
      await Promise.race([peer.secure, peer.closed]);
      await Promise.race([this.writeAll(socket, events), peer.closed]);
      await Promise.race([wait(LINGER_MS), peer.closed]);
      if (peer.ended()) throw new Error('the receiver ended the connection before it had everything');
      socket.end();
      await peer.closed;
      if (!peer.ended()) throw new Error('the receiver did not end the connection in order');
    } finally {
      clearTimeout(timer);
      socket.destroy();
    }
  }

  private async writeAll(socket: TLSSocket, events: readonly OutgoingEvent[]): Promise<void> {
    for (const event of events) {
      if (socket.destroyed) return;
      if (socket.write(syslogFrame(event, this.parts.hostname))) continue;
      await new Promise<void>((resolve) => {
        socket.once('drain', resolve);
        socket.once('close', resolve);
      });
    }
    await new Promise<void>((resolve, reject) => {
      socket.write('', (error) => {
        if (error === null || error === undefined) resolve();
        else reject(error);
      });
    });
  }
}

interface Peer {
  /** The handshake is done and the certificate is right. */
  readonly secure: Promise<void>;
  /** Resolves when the connection has ended without an error, rejects with it. */
  readonly closed: Promise<void>;
  ended(): boolean;
}

function peerOf(socket: TLSSocket): Peer {
  let ended = false;
  socket.once('end', () => {
    ended = true;
  });
  // Whatever it says: syslog goes one way.
  socket.resume();
  const secure = new Promise<void>((resolve) => {
    socket.once('secureConnect', resolve);
  });
  const closed = new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => {
      resolve();
    });
  });
  return { secure, closed, ended: () => ended };
}
