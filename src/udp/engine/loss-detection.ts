/**
 * When a packet is lost: three later ones arrived, feedback that covers it says that it did not, and it is overdue by more
 * than reordering explains (RFC 8985 and RFC 9002 section 6.1 in spirit). A packet that was declared lost and arrives
 * after all widens what reordering may explain; nothing waits for order, so being late to resend costs little.
 */
import { PACKET } from '../congestion/packet-log.ts';
import type { PacketLog } from '../congestion/packet-log.ts';
import type { RoundTrip } from '../congestion/round-trip.ts';

export const PACKET_THRESHOLD = 3;
const WINDOW_SHARE = 1 / 8;
const WINDOW_LEAST = 1000;
/** Learned reordering is forgotten by this share each time a round passes without any. */
const FORGET = 1 / 64;

export class LossDetection {
  private readonly roundTrip: RoundTrip;
  private learned = 0;
  /** When the next candidate becomes overdue; Infinity when none is. */
  dueAt = Infinity;
  /** Packets above which nothing may be declared lost: the highest acknowledged less the threshold. */
  private candidatesBelow = 0;
  /** Feedback said nothing of what is below: it waits for one that does. */
  private coveredFrom = Infinity;
  spurious = 0;

  constructor(roundTrip: RoundTrip) {
    this.roundTrip = roundTrip;
  }

  private get patience(): number {
    const { smoothed, latest, least, variation } = this.roundTrip;
    const shortest = least === Infinity ? smoothed : least;
    const window = Math.max(shortest * WINDOW_SHARE, Math.min(2 * variation, shortest), this.learned, WINDOW_LEAST);
    return Math.max(smoothed, latest) + window;
  }

  /** How long something declared lost may still be on its way. */
  get horizon(): number {
    return 2 * this.patience;
  }

  /** A packet sent at `sentAt` was declared lost and arrived at `at`. */
  onLateArrival(sentAt: number, at: number): void {
    this.spurious++;
    const late = at - sentAt - Math.max(this.roundTrip.smoothed, this.roundTrip.latest);
    this.learned = Math.min(Math.max(this.learned, late * 1.25), this.roundTrip.smoothed * 2);
  }

  onRound(): void {
    this.learned -= this.learned * FORGET;
  }

  /** Feedback covered `from` to `highest`. */
  onCovered(from: number, highest: number): void {
    this.candidatesBelow = Math.max(this.candidatesBelow, highest - PACKET_THRESHOLD + 1);
    this.coveredFrom = from;
  }

  /** Calls `lose` for each packet that is lost at `at`, and sets `dueAt` to when the next one may be. */
  detect(log: PacketLog, at: number, lose: (packetNumber: number, slot: number) => void): void {
    const { patience } = this;
    this.dueAt = Infinity;
    const end = Math.min(this.candidatesBelow, log.next);
    for (let packetNumber = Math.max(log.firstFlying(), this.coveredFrom); packetNumber < end; packetNumber++) {
      const slot = log.slot(packetNumber);
      if (log.state[slot] !== PACKET.flying) continue;
      const overdueAt = (log.sentAt[slot] as number) + patience;
      if (overdueAt > at) {
        // Packet numbers go with time: later ones are due later.
        this.dueAt = overdueAt;
        break;
      }
      lose(packetNumber, slot);
    }
  }
}
