import type { PacketTransport } from './packet-transport.ts';

/** Answers that may wait for a peer that does not read before we stop reading its questions. */
const MOST_BEHIND = 32 * 1024;

/**
 * Sends what the peer can make us send without paying for it (answers to requests). A peer that asks and never reads
 * would grow the transport's queue without end; past a bound we read nothing more from it until it has read.
 */
export class ControlSender {
  private readonly transport: PacketTransport;
  private behind = 0;
  private paused = false;

  constructor(transport: PacketTransport) {
    this.transport = transport;
  }

  send(payload: Buffer): void {
    const { transport } = this;
    if (transport.closed) return;
    if (transport.send([payload])) {
      this.behind = 0;
      return;
    }
    // An answer occupies more than its payload once padded and queued.
    this.behind += payload.length + 64;
    if (this.behind > MOST_BEHIND && !this.paused) void this.pause();
  }

  private async pause(): Promise<void> {
    this.paused = true;
    this.transport.pauseReading();
    await this.transport.drained();
    this.paused = false;
    this.behind = 0;
    this.transport.resumeReading();
  }
}
