/** What the engine asks of congestion control. Time in microseconds, volumes in bytes, rates in bytes per microsecond. */
import type { RateSample } from './delivery-rate.ts';

export interface Controller {
  /** How fast to send, and how much may be on the way. */
  readonly pacingRate: number;
  readonly window: number;
  readonly minRtt: number;
  /** What the link loses by itself, as far as it is known. */
  readonly lossBaseline: number;
  /** The state's name, for people who look. */
  readonly phase: string;
  /** A packet was declared lost: the bytes on the way when it was sent, those lost since, whether the one before was lost too. */
  onLost(size: number, txInFlight: number, lostSince: number, isAppLimited: boolean, isRun: boolean): void;
  /** Feedback was taken in; `sample` is complete. */
  onFeedback(sample: RateSample): void;
  /** Something is sent after nothing was on the way. */
  onRestartFromIdle(now: number): void;
  /** No feedback for so long that what is known of the path may be wrong. */
  onSilence(now: number): void;
  /** The window was used up since the last feedback. */
  isWindowLimited: boolean;
  /** The circuit breaker: why the transfer must end, or null. */
  readonly tripped: string | null;
}
