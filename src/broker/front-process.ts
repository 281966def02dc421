/**
 * One front process from the broker's side. What comes from it is not trusted: messages on the link pass the dispatch,
 * what it prints is cut and logged as its words, and what it says over the channel that carries sockets is not read.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import type { Log } from '../base/log.ts';
import type { Dispatch } from './dispatch.ts';
import type { Connection, FrontEnd } from './connections.ts';
import { frontEnvironment } from './front-permissions.ts';
import { Link } from './link.ts';
import { SocketChannel } from './socket-channel.ts';

/** The file descriptor of the link in a front; 0-2 are standard, 3 is the channel that carries sockets. */
export const LINK_DESCRIPTOR = 4;
const LINE_MAX = 8192;
const LINES_PER_SECOND = 200;

/** What is sent beside a socket. Private to broker and front. */
export interface Handover {
  readonly connection: string;
  readonly address: string;
  readonly port: number;
  readonly profile: Connection['profile'];
  /** For the server's first KEXINIT, in hexadecimal digits; see exchange.ts. */
  readonly cookie: string;
}

export interface FrontProcessParts {
  readonly number: number;
  /** Node's arguments; see front-permissions.ts. */
  readonly args: readonly string[];
  readonly log: Log;
  dispatch(front: FrontProcess): Dispatch;
  /** The process is gone, once, whatever the reason; `ready` tells whether it had ever said hello. */
  gone(front: FrontProcess, reason: string): void;
}

/** With its answer to one of these a front is ready for connections. */
const READY_CALLS: ReadonlySet<string> = new Set(['hello', 'https.hello', 'fast.listening']);

export class FrontProcess implements FrontEnd {
  readonly number: number;
  readonly connections = new Set<string>();
  readonly started = Date.now();
  /** Resolves with true when it has said hello, with false when it died before. */
  readonly ready: Promise<boolean>;
  isReady = false;
  private readonly child: ChildProcess;
  private readonly sockets: SocketChannel;
  private readonly link: Link;
  private readonly log: Log;
  private readonly exit: Promise<void>;
  /** Given to the front, but not yet by the system. */
  private readonly inTransit = new Set<Socket>();

  constructor(parts: FrontProcessParts) {
    this.number = parts.number;
    this.log = parts.log;
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc', 'pipe'] as const;
    this.child = spawn(process.execPath, [...parts.args], { stdio: [...stdio], env: frontEnvironment(), cwd: '/' });
    this.sockets = new SocketChannel(this.child, (reason) => {
      this.log.error({ attack: true, front: this.number, reason }, 'a front broke the channel of sockets');
    });
    for (const stream of [this.child.stdout, this.child.stderr]) if (stream !== null) this.relay(stream);
    const hello = Promise.withResolvers<boolean>();
    this.ready = hello.promise;
    const dispatch = parts.dispatch(this);
    this.link = new Link(this.child.stdio[LINK_DESCRIPTOR] as Duplex, {
      request: async (call, body) => {
        const answer = await dispatch(call, body);
        if (READY_CALLS.has(call)) {
          this.isReady = true;
          hello.resolve(true);
        }
        return answer;
      },
      closed: (fault) => {
        if (fault !== null) this.log.error({ attack: true, front: this.number, err: fault }, 'a front broke the link');
        this.child.kill('SIGKILL');
      },
    });
    this.exit = this.watch((reason) => {
      this.isReady = false;
      hello.resolve(false);
      this.link.close();
      for (const socket of this.inTransit) socket.destroy();
      parts.gone(this, reason);
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Hands the socket over; the broker never reads from it. */
  give(connection: Connection, socket: Socket, failed: () => void): void {
    const { id, address, port, profile, cookie } = connection;
    const message: Handover = { connection: id, address, port, profile, cookie: cookie.toString('hex') };
    // Otherwise Node would count the socket in its listener for as long as the front says that it lives.
    Object.assign(socket, { server: null });
    socket.on('error', () => undefined);
    if (!this.child.connected) {
      socket.destroy();
      failed();
      return;
    }
    this.inTransit.add(socket);
    this.sockets.sent();
    // keepOpen: our copy stays ours to close, also when the front dies before the socket has reached it.
    this.child.send(message, socket, { keepOpen: true }, (error) => {
      this.inTransit.delete(socket);
      socket.destroy();
      if (error !== null) failed();
    });
  }

  sessionEnded(connection: string, reason: string, session?: string): void {
    this.link.event('session.ended', { connection, reason, ...(session === undefined ? {} : { session }) });
  }

  /** One of FRONT_EVENTS. */
  event(name: string, body: unknown): void {
    this.link.event(name, body);
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }

  /** Lets it end what is open; kills it when it takes longer. */
  async stop(milliseconds: number): Promise<void> {
    this.link.event('shutdown', {});
    const timer = setTimeout(() => {
      this.kill();
    }, milliseconds);
    await this.exit;
    clearTimeout(timer);
  }

  private watch(gone: (reason: string) => void): Promise<void> {
    return new Promise((resolve) => {
      const once = (reason: string): void => {
        gone(reason);
        resolve();
      };
      let over = false;
      const end = (reason: string): void => {
        if (over) return;
        over = true;
        once(reason);
      };
      this.child.once('error', (error) => {
        end(error.message);
      });
      this.child.once('exit', (code, signal) => {
        end(signal ?? `exit code ${code ?? 'unknown'}`);
      });
    });
  }

  /** Lines of the front's log, under its number; a front that floods is cut short. */
  private relay(stream: Readable): void {
    let rest = '';
    let second = 0;
    let lines = 0;
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = (parts.pop() ?? '').slice(0, LINE_MAX);
      for (const line of parts) {
        const now = Math.floor(Date.now() / 1000);
        if (now !== second) [second, lines] = [now, 0];
        if (++lines <= LINES_PER_SECOND) this.tell(line.slice(0, LINE_MAX));
      }
    });
  }

  private tell(line: string): void {
    const said = asRecord(line);
    const level = said['level'];
    const known = level === 'debug' || level === 'info' || level === 'warn' ? level : 'error';
    this.log[known]({ front: this.number, said }, 'front');
  }
}

function asRecord(line: string): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(line);
    if (typeof parsed === 'object' && parsed !== null) return { ...parsed };
  } catch {
    // Not a line of its log: a warning or a crash report of Node.
  }
  return { text: line };
}
