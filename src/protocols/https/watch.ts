/**
 * Time-outs of one door, looked at by one timer: clients that neither send nor take, and connections that nobody signs
 * in on. A front that keeps such a connection past the broker's own time is ended (Broker.endStuckFronts).
 */
import type { IncomingMessage } from 'node:http';
import type { BodyWatch } from './body.ts';
import type { Connection } from './connection.ts';

export interface WatchLimits {
  /** A connection without a session. */
  readonly graceMilliseconds: number;
  /** A body of which nothing comes, or an answer of which nothing is taken. */
  readonly stallMilliseconds: number;
  /** Bytes a second that a body must have on average after a first stall time. */
  readonly bodyRate: number;
}

const LOOK_MILLISECONDS = 500;

interface Body {
  readonly request: IncomingMessage;
  started: number;
  received: number;
  last: number;
}

export class Watch {
  private readonly limits: WatchLimits;
  private readonly connections: Set<Connection>;
  private readonly bodies = new Set<Body>();
  private readonly timer: NodeJS.Timeout;

  constructor(limits: WatchLimits, connections: Set<Connection>) {
    this.limits = limits;
    this.connections = connections;
    this.timer = setInterval(() => {
      this.look(Date.now());
    }, LOOK_MILLISECONDS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** From here on the body has to come. */
  body(request: IncomingMessage): BodyWatch {
    const body: Body = { request, started: Date.now(), received: 0, last: Date.now() };
    let paused = 0;
    this.bodies.add(body);
    return {
      count: (bytes) => {
        body.received += bytes;
        body.last = Date.now();
      },
      pause: () => {
        paused = Date.now();
        this.bodies.delete(body);
      },
      resume: () => {
        body.last = Date.now();
        body.started += body.last - paused;
        this.bodies.add(body);
      },
      end: () => {
        this.bodies.delete(body);
      },
    };
  }

  private look(now: number): void {
    for (const body of this.bodies) if (this.slow(body, now)) body.request.destroy();
    for (const connection of this.connections) this.lookAt(connection, now);
  }

  private slow({ started, received, last }: Body, now: number): boolean {
    const { stallMilliseconds, bodyRate } = this.limits;
    if (now - last > stallMilliseconds) return true;
    const seconds = (now - started - stallMilliseconds) / 1000;
    return seconds > 0 && received < seconds * bodyRate;
  }

  private lookAt(connection: Connection, now: number): void {
    const { socket } = connection;
    if (!connection.signedIn && now - connection.opened > this.limits.graceMilliseconds) {
      // Not in the middle of a step: a page for signing in may stand for long, and takes another connection then.
      connection.closing = true;
      if (connection.active === 0) socket.destroySoon();
    }
    if (socket.writableLength === 0 || socket.bytesWritten !== connection.written) {
      connection.written = socket.bytesWritten;
      connection.since = now;
    } else if (now - connection.since > this.limits.stallMilliseconds) socket.destroy();
  }
}
