/**
 * One session channel of RFC 4254: windows both ways, end-of-file and close, and the ByteChannel that a subsystem
 * writes to. It knows nothing of what runs on it.
 */
import type { ByteChannel, ByteChannelListener } from '../../base/byte-channel.ts';
import * as messages from './connection-messages.ts';
import { ProtocolViolation } from './disconnect-reasons.ts';
import { PartQueue } from './part-queue.ts';

const { CONNECTION_MESSAGE: MESSAGE } = messages;

/** What a peer may send ahead of `consumed`, and so the most that a channel holds of incoming data. */
export const RECEIVE_WINDOW = 2 * 1024 * 1024;
/** Most data of one packet from the peer; the transport's bound on a packet leaves room for its head. */
export const RECEIVE_PACKET = 256 * 1024 - 1024;
/** The window grows in steps of this size: few messages, and a sender over a long link still never sees it closed. */
const ADJUST_STEP = 256 * 1024;
/** Most data that we put into one packet, however much a peer says it takes. */
const SEND_PACKET = RECEIVE_PACKET;
/** A writer is asked to wait above this, and may go on below half of it. */
const SEND_QUEUE = 1024 * 1024;

export interface ChannelHost {
  /** One message as parts; false when the transport holds too much. */
  send(parts: readonly Buffer[]): boolean;
  /** The channel has something that its peer's window lets it send: give it turns. */
  ready(channel: Channel): void;
  /** Whether the client shows what comes as standard error. OpenSSH's sftp does, and does not show texts of failures. */
  readonly showsNotices: boolean;
  /** The listener threw: the fault is ours, and ends this channel alone. */
  faulted(channel: Channel, error: unknown): void;
}

export class Channel implements ByteChannel {
  readonly local: number;
  private readonly peer: number;
  private readonly host: ChannelHost;
  private readonly peerMaxPacket: number;
  private peerWindow: number;
  private receiveWindow = RECEIVE_WINDOW;
  /** Handed to the listener and not yet consumed. */
  private held = 0;
  /** Consumed and not yet told to the peer. */
  private uncredited = 0;
  private readonly queue = new PartQueue();
  private waiters: PromiseWithResolvers<undefined> | null = null;
  private listener: ByteChannelListener | null = null;
  private exitStatus: number | null = null;
  private eofReceived = false;
  private closeSent = false;
  /** Both sides have closed, or the connection is over. */
  private gone = false;

  constructor(host: ChannelHost, local: number, open: messages.ChannelOpen) {
    this.host = host;
    this.local = local;
    this.peer = open.peer;
    this.peerWindow = open.window;
    this.peerMaxPacket = Math.min(open.maxPacket, SEND_PACKET);
  }

  // ---- ByteChannel: what the subsystem does ------------------------------------------------------------------------

  get closed(): boolean {
    return this.closeSent || this.gone || this.exitStatus !== null;
  }

  write(parts: readonly Buffer[]): boolean {
    if (this.closed) return true;
    this.queue.push(parts);
    this.announce();
    return this.queue.length < SEND_QUEUE;
  }

  notice(text: string): void {
    if (this.host.showsNotices) this.writeStderr(`${text}\r\n`);
  }

  drained(): Promise<void> {
    if (this.closed || this.queue.length < SEND_QUEUE) return Promise.resolve();
    this.waiters ??= Promise.withResolvers<undefined>();
    return this.waiters.promise;
  }

  consumed(count: number): void {
    const credit = Math.min(count, this.held);
    this.held -= credit;
    this.credit(credit);
  }

  end(exitStatus: number): void {
    if (this.closed) return;
    this.exitStatus = exitStatus;
    this.release();
    this.announce();
  }

  // ---- sending, in turns with the other channels -------------------------------------------------------------------

  canSend(): boolean {
    if (this.closeSent || this.gone) return false;
    return this.queue.length > 0 ? this.peerWindow > 0 : this.exitStatus !== null;
  }

  /** Whether waiting could not make the next packet any fuller. */
  hasFullPacket(): boolean {
    return this.canSend() && this.queue.length >= Math.min(this.peerWindow, this.peerMaxPacket);
  }

  /** One packet of data, or what ends the channel. False when the transport holds too much. */
  sendTurn(): boolean {
    if (this.queue.length === 0) return this.sendEnd();
    const length = Math.min(this.queue.length, this.peerWindow, this.peerMaxPacket);
    const parts = [messages.dataHead(this.peer, length)];
    this.queue.take(length, parts);
    this.peerWindow -= length;
    const open = this.host.send(parts);
    if (this.queue.length <= SEND_QUEUE / 2) this.release();
    return open;
  }

  private sendEnd(): boolean {
    this.closeSent = true;
    this.host.send([messages.exitStatus(this.peer, this.exitStatus ?? 0)]);
    this.host.send([messages.bare(MESSAGE.CHANNEL_EOF, this.peer)]);
    return this.host.send([messages.bare(MESSAGE.CHANNEL_CLOSE, this.peer)]);
  }

  private announce(): void {
    if (this.canSend()) this.host.ready(this);
  }

  /** Wakes whoever waits in `drained`. */
  private release(): void {
    this.waiters?.resolve(undefined);
    this.waiters = null;
  }

  // ---- what the peer sends -----------------------------------------------------------------------------------------

  adjust(payload: Buffer): void {
    const window = this.peerWindow + messages.parseWindowAdjust(payload);
    if (window > 0xffffffff) throw new ProtocolViolation('window adjusted past 2^32');
    this.peerWindow = window;
    this.announce();
  }

  data(payload: Buffer): void {
    const data = messages.parseData(payload);
    this.receive(data.length);
    const { listener } = this;
    // Before a subsystem has started there is nobody to read; the window bounds what is thrown away.
    if (listener === null || this.closed || data.length === 0) return;
    this.held += data.length;
    this.deliver(() => {
      // A view: the payload is ours to keep, see PacketListener.
      listener.data(data);
    });
  }

  /** Nothing that runs here has a second input: the bytes are dropped, and the peer may go on. */
  extendedData(payload: Buffer): void {
    const { length } = messages.parseExtendedData(payload);
    this.receive(length);
    this.credit(length);
  }

  eof(payload: Buffer): void {
    messages.parseBare(payload);
    if (this.eofReceived) return;
    this.eofReceived = true;
    const { listener } = this;
    if (listener !== null && !this.closed) {
      this.deliver(() => {
        listener.end();
      });
    }
  }

  /** The peer's CLOSE. Answers it unless ours is already out; what was queued is dropped, as RFC 4254 section 5.3 has it. */
  close(payload: Buffer): void {
    messages.parseBare(payload);
    if (!this.closeSent) {
      this.closeSent = true;
      this.host.send([messages.bare(MESSAGE.CHANNEL_CLOSE, this.peer)]);
    }
    this.vanish();
  }

  private receive(length: number): void {
    if (this.eofReceived) throw new ProtocolViolation('channel data after end-of-file');
    if (length > RECEIVE_PACKET) throw new ProtocolViolation('channel data over the maximum packet size');
    if (length > this.receiveWindow) throw new ProtocolViolation('channel data past the window');
    this.receiveWindow -= length;
  }

  private credit(count: number): void {
    this.uncredited += count;
    if (this.uncredited < ADJUST_STEP || this.closed || this.eofReceived) return;
    this.receiveWindow += this.uncredited;
    const step = this.uncredited;
    this.uncredited = 0;
    this.host.send([messages.windowAdjust(this.peer, step)]);
  }

  // ---- requests on the channel, as channel-requests.ts decides them ------------------------------------------------

  /** Whether something runs, or ran, here: a channel serves once. */
  started = false;

  /** CHANNEL_SUCCESS or CHANNEL_FAILURE; null after our CLOSE, when nothing may be sent. */
  reply(succeeded: boolean): Buffer | null {
    if (this.closeSent || this.gone) return null;
    return messages.bare(succeeded ? MESSAGE.CHANNEL_SUCCESS : MESSAGE.CHANNEL_FAILURE, this.peer);
  }

  /** Text for the person at the other end, as far as the window takes it. */
  writeStderr(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    if (this.closed || bytes.length > Math.min(this.peerWindow, this.peerMaxPacket)) return;
    this.peerWindow -= bytes.length;
    this.host.send([messages.stderrHead(this.peer, bytes.length), bytes]);
  }

  /** Everything that comes from now on goes to what `start` returns. */
  run(start: (channel: ByteChannel) => ByteChannelListener): void {
    this.deliver(() => {
      this.listener = start(this);
    });
    // It may have gone while it started; the listener must still hear of it.
    if (this.gone) this.notify();
  }

  // ---- the end -----------------------------------------------------------------------------------------------------

  /** The channel is over for both sides, or its connection is. Idempotent. */
  vanish(): void {
    if (this.gone) return;
    this.gone = true;
    this.queue.clear();
    this.release();
    this.notify();
  }

  /** Ends a channel whose listener failed, without what it had still queued. */
  abort(): void {
    this.queue.clear();
    this.exitStatus ??= 1;
    this.release();
    this.announce();
  }

  private deliver(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.host.faulted(this, error);
    }
  }

  /** Later, not now: this may run inside a call that the listener itself made. */
  private notify(): void {
    const { listener } = this;
    if (listener === null) return;
    this.listener = null;
    queueMicrotask(() => {
      this.deliver(() => {
        listener.close();
      });
    });
  }
}
