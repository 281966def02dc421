/**
 * Spans that wait to be sent: few, in memory, and given up rather than kept. Traces are for looking at how the server
 * does; what must not be lost is in the ledger.
 */
import type { TraceAnswer } from '../calls.ts';
import type { Span } from './span.ts';

export const SPANS_MAX = 8192;
const BATCH = 512;
const PAUSE_MS = 1000;
const BACKOFF_FIRST = 1000;
const BACKOFF_MOST = 60_000;

export interface SpoolParts {
  readonly send: (spans: readonly Span[]) => Promise<TraceAnswer>;
  readonly report: (dropped: number, why: string) => void;
}

export class Spool {
  private readonly parts: SpoolParts;
  private waiting: Span[] = [];
  private timer: NodeJS.Timeout | null = null;
  private failures = 0;
  private stopped = false;
  /** The batch under way. */
  private sending: Promise<void> | null = null;
  sent = 0;
  dropped = 0;

  constructor(parts: SpoolParts) {
    this.parts = parts;
  }

  add(span: Span): void {
    if (this.stopped) return;
    this.waiting.push(span);
    if (this.waiting.length > SPANS_MAX) this.drop(this.waiting.splice(0, BATCH).length, 'too many wait');
    this.wake(PAUSE_MS);
  }

  /** Sends what waits once more, and then nothing. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    await this.sending;
    if (this.waiting.length > 0 && this.failures === 0) await this.flush();
  }

  private wake(milliseconds: number): void {
    if (this.timer !== null || this.stopped) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.sending = this.flush().finally(() => {
        this.sending = null;
      });
    }, milliseconds);
    this.timer.unref();
  }

  private async flush(): Promise<void> {
    const batch = this.waiting.splice(0, BATCH);
    if (batch.length === 0) return;
    let answer: TraceAnswer = { outcome: 'later', rejected: 0, retryAfter: null };
    try {
      answer = await this.parts.send(batch);
    } catch {
      // The process that sends is gone, and comes again.
    }
    this.judge(batch, answer);
    if (this.waiting.length > 0) this.wake(this.pause(answer));
  }

  private judge(batch: readonly Span[], { outcome, rejected }: TraceAnswer): void {
    if (outcome === 'later') {
      this.failures++;
      this.waiting = [...batch, ...this.waiting];
      return;
    }
    this.failures = 0;
    const lost = outcome === 'refused' ? batch.length : Math.min(rejected, batch.length);
    this.sent += batch.length - lost;
    if (lost > 0) this.drop(lost, 'the collector refused them');
  }

  private pause({ retryAfter }: TraceAnswer): number {
    if (this.failures === 0) return this.waiting.length >= BATCH ? 0 : PAUSE_MS;
    return Math.max(retryAfter ?? 0, Math.min(BACKOFF_FIRST * 2 ** (this.failures - 1), BACKOFF_MOST));
  }

  private drop(count: number, why: string): void {
    this.dropped += count;
    this.parts.report(count, why);
  }
}
