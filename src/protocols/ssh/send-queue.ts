/**
 * The upper layers' way to the writer: straight through, or, while a key exchange holds it (RFC 4253 section 7.1),
 * kept in order until our NEWKEYS is out.
 */
import { OUTPUT_BOUND, type PacketWriter } from './packet-writer.ts';

/** Senders are told to wait at OUTPUT_BOUND. One that does not is an error of ours, and must not eat the memory. */
const WAITING_MAX = 16 * OUTPUT_BOUND;

export class SendQueue {
  private readonly writer: PacketWriter;
  /** Null while nothing holds the way. */
  private waiting: (readonly Buffer[])[] | null = null;
  private waitingBytes = 0;
  private readonly waiters: (() => void)[] = [];
  private ended = false;

  constructor(writer: PacketWriter) {
    this.writer = writer;
  }

  get overrun(): boolean {
    return this.waitingBytes > WAITING_MAX;
  }

  /** False when the sender should wait for `drained`. */
  send(parts: readonly Buffer[]): boolean {
    if (this.waiting === null) {
      this.writer.packet(parts);
      return !this.writer.full;
    }
    this.waiting.push(parts);
    for (const part of parts) this.waitingBytes += part.length;
    return this.waitingBytes <= OUTPUT_BOUND;
  }

  block(): void {
    this.waiting ??= [];
  }

  open(): void {
    const waiting = this.waiting ?? [];
    this.waiting = null;
    this.waitingBytes = 0;
    for (const parts of waiting) this.writer.packet(parts);
    this.wake();
  }

  async drained(): Promise<void> {
    while (this.waitingBytes > OUTPUT_BOUND / 2 && !this.ended) {
      await new Promise<void>((resolve) => this.waiters.push(resolve));
    }
    await this.writer.drained();
  }

  end(): void {
    this.ended = true;
    this.waiting = null;
    this.waitingBytes = 0;
    this.writer.end();
    this.wake();
  }

  private wake(): void {
    for (const resolve of this.waiters.splice(0)) resolve();
  }
}
