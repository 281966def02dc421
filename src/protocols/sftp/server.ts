/**
 * SFTP version 3 over any stream of bytes. What a client can make the server hold is bounded:
 *
 * - Bytes that it sends are given back to its window (`consumed`) only when their request has started, those of a WRITE
 *   when it is done. Nothing is parsed ahead of the first request that cannot start, so the channel's window bounds
 *   what waits. The window must be larger than PACKET_BYTES_MAX, or a full WRITE could never arrive.
 * - At most `requests` run at once, and those that hold content hold at most `memory` bytes together, an answer included
 *   until the channel has taken it.
 * - While the channel's queue is over its bound no request starts, so unread answers stop the session and nothing else.
 */
import type { ByteChannel, ByteChannelListener } from '../../base/byte-channel.ts';
import type { ErrorCode } from '../../base/errors.ts';
import type { Log } from '../../base/log.ts';
import type { Session } from '../../broker/calls.ts';
import type { SessionFiles } from '../../transfer/transfer.ts';
import * as answers from './answers.ts';
import { ownerColumn } from './attributes.ts';
import { PageKeeper } from './directory.ts';
import { ADVERTISED } from './extension-requests.ts';
import { HandleTable } from './handles.ts';
import { OrderedAnswers } from './ordered-answers.ts';
import { nextPacket, type Packet } from './packet.ts';
import { PacketQueue } from './packet-queue.ts';
import type { Context } from './request.ts';
import { rowFor } from './requests.ts';
import { makeRequest, RunningRequests, type Request } from './running.ts';
import { asFailure, statusOf } from './status.ts';
import { FXP, SFTP_VERSION } from './wire.ts';

export interface SftpLimits {
  readonly handlesPerSession: number;
  /** Requests under way at once; more wait in the channel's window. */
  readonly requests?: number;
  /** Bytes of content that requests under way may hold together. */
  readonly memory?: number;
}

export interface SftpOptions {
  readonly channel: ByteChannel;
  readonly files: SessionFiles;
  readonly session: Session;
  readonly limits: SftpLimits;
  readonly log: Log;
}

/** Failures that the person has to know the text of: it names whom to ask, and by which reference. */
const NOTICED: ReadonlySet<ErrorCode> = new Set(['held', 'release-refused', 'tenant-shredded']);
const NOTICES_MAX = 20;
const REQUESTS = 64;
const MEMORY = 2 * 1024 * 1024;
/** Requests that start before other sessions get their turn. */
const REQUESTS_PER_TURN = 128;

export function serveSftp(options: SftpOptions): ByteChannelListener {
  return new SftpServer(options);
}

class SftpServer implements ByteChannelListener {
  private readonly channel: ByteChannel;
  private readonly log: Log;
  private readonly context: Context;
  private readonly queue = new PacketQueue();
  private readonly running: RunningRequests;
  private readonly ordered = new OrderedAnswers();
  /** The first request that may not start yet; nothing behind it is looked at. */
  private waiting: Request | null = null;
  private readonly noticed = new Set<string>();
  private initialised = false;
  /** The channel's queue is over its bound. */
  private blocked = false;
  /** The rest of the turn is left to others. */
  private yielded = false;
  private peerEnded = false;
  private over = false;
  private exitStatus: number | null = null;
  private left = false;

  constructor({ channel, files, session, limits, log }: SftpOptions) {
    this.channel = channel;
    this.log = log;
    this.running = new RunningRequests({ requests: limits.requests ?? REQUESTS, memory: limits.memory ?? MEMORY });
    this.context = {
      files,
      session,
      handles: new HandleTable(limits.handlesPerSession),
      pages: new PageKeeper(),
      handlesMax: limits.handlesPerSession,
      owner: ownerColumn(session.tenant),
      now: () => Math.floor(Date.now() / 1000),
      over: () => this.over,
    };
  }

  data(chunk: Buffer): void {
    if (this.over) {
      this.channel.consumed(chunk.length);
      return;
    }
    this.queue.push(chunk);
    this.pump();
  }

  end(): void {
    this.peerEnded = true;
    this.pump();
  }

  close(): void {
    this.stop(null);
  }

  /** Starts what may start. Called whenever something arrived, was finished or was drained. */
  private pump(): void {
    for (let started = 0; !this.over && !this.blocked && !this.yielded; started++) {
      if (started === REQUESTS_PER_TURN) {
        this.yieldTurn();
        return;
      }
      if (!this.startNext()) break;
    }
    if (this.peerEnded && this.idle()) this.stop(0);
  }

  /** Whether all that came has been answered. */
  private idle(): boolean {
    return !this.yielded && !this.blocked && this.waiting === null && this.running.count === 0;
  }

  private yieldTurn(): void {
    this.yielded = true;
    setImmediate(() => {
      this.yielded = false;
      this.pump();
    });
  }

  /** False if there is nothing to start now. */
  private startNext(): boolean {
    if (this.waiting === null) {
      const packet = nextPacket(this.queue);
      if (packet === null) return false;
      if (packet === 'too-long' || packet === 'too-short') {
        this.violation(`packet ${packet}`);
        return false;
      }
      this.waiting = this.accept(packet);
      if (this.waiting === null) return true;
    }
    const request = this.waiting;
    if (!this.running.mayStart(request)) return false;
    this.waiting = null;
    this.start(request);
    return true;
  }

  /** Makes a request of a packet; null if it was answered at once. */
  private accept(packet: Packet): Request | null {
    if (packet.type === FXP.INIT || !this.initialised) {
      this.initialise(packet);
      return null;
    }
    const { id, reader } = packet;
    try {
      const row = rowFor(packet.type, reader);
      return makeRequest(id, row, row.parse(reader, this.context, packet.body), packet.bytes);
    } catch (thrown) {
      this.channel.consumed(packet.bytes);
      this.send(this.failed(id, `type ${packet.type}`, thrown));
      return null;
    }
  }

  /** INIT has a version where others have an id, and no answer is defined for one that comes late or never. */
  private initialise({ type, id: clientVersion, bytes }: Packet): void {
    if (type !== FXP.INIT) this.violation('request before INIT');
    else if (this.initialised) this.violation('second INIT');
    else if (clientVersion < SFTP_VERSION) this.violation(`client speaks version ${clientVersion} only`);
    else {
      this.initialised = true;
      this.channel.consumed(bytes);
      this.send(answers.version(ADVERTISED));
    }
  }

  private start(request: Request): void {
    const { row, args, id } = request;
    this.running.add(request);
    if (row.inOrder && args.handle !== undefined) this.ordered.expect(args.handle, request);
    let result;
    try {
      result = row.handle(args, id, this.context);
    } catch (thrown) {
      result = this.failed(id, row.name, thrown);
    }
    if (!row.keepsPacket) this.channel.consumed(request.packetBytes);
    if (!(result instanceof Promise)) {
      this.finish(request, result);
      return;
    }
    result.then(
      (answer) => {
        this.finish(request, answer);
        this.pump();
      },
      (thrown: unknown) => {
        this.finish(request, this.failed(id, row.name, thrown));
        this.pump();
      },
    );
  }

  private finish(request: Request, answer: answers.Answer): void {
    if (request.row.keepsPacket) this.channel.consumed(request.packetBytes);
    if (request.row.inOrder && request.args.handle !== undefined) {
      request.answer = answer;
      for (const ready of this.ordered.ready(request.args.handle)) this.release(ready, ready.answer);
    } else {
      this.release(request, answer);
    }
    if (this.over) this.leaveWhenQuiet();
  }

  private release(request: Request, answer: answers.Answer | null): void {
    this.running.remove(request);
    if (answer !== null) this.send(answer);
  }

  private send(answer: answers.Answer): void {
    if (this.exitStatus !== null || this.channel.closed) return;
    if (this.channel.write(answer) || this.blocked) return;
    this.blocked = true;
    void this.channel.drained().then(() => {
      this.blocked = false;
      this.pump();
    });
  }

  private failed(id: number, request: string, thrown: unknown): answers.Answer {
    const error = asFailure(thrown);
    if (error.code === 'internal') this.log.error({ request, err: error.cause ?? error }, 'sftp request failed');
    const status = statusOf(error);
    if (NOTICED.has(error.code)) this.notice(status.message);
    return answers.status(id, status);
  }

  /** Once each: a client that fetches a tree meets the same hold with every file. */
  private notice(text: string): void {
    if (this.noticed.has(text) || this.noticed.size >= NOTICES_MAX) return;
    this.noticed.add(text);
    this.channel.notice?.(`waybill: ${text}`);
  }

  private violation(reason: string): void {
    this.log.warn({ reason }, 'sftp client broke the protocol');
    this.stop(1);
  }

  /** Takes nothing more. What is under way ends first, so that no file is used after it was abandoned. */
  private stop(exitStatus: number | null): void {
    if (this.over) return;
    this.over = true;
    this.exitStatus = exitStatus;
    this.waiting = null;
    this.queue.clear();
    this.leaveWhenQuiet();
  }

  private leaveWhenQuiet(): void {
    if (this.left || this.running.count > 0) return;
    this.left = true;
    void this.leave();
  }

  private async leave(): Promise<void> {
    const { files, handles } = this.context;
    handles.clear();
    try {
      await files.abandon();
    } catch (err) {
      this.log.error({ err }, 'sftp session could not leave its files');
    }
    if (this.exitStatus !== null && !this.channel.closed) this.channel.end(this.exitStatus);
  }
}
