/**
 * Delivery-rate samples (draft-ietf-ccwg-bbr, "Delivery Rate Samples"), with one difference: deliveries are timed by the
 * receiver's clock, brought to ours (receiver-clock.ts), so the way back cannot compress or stretch them.
 * Time is in microseconds, rates in bytes per microsecond.
 */
import { PACKET } from './packet-log.ts';
import type { PacketLog } from './packet-log.ts';

/** What one feedback said. One object for a whole transfer: it is filled again for each. */
export interface RateSample {
  now: number;
  /** 0 when there is none. */
  deliveryRate: number;
  /** Bytes delivered in the sample's interval, and `delivered` when its packet was sent. */
  delivered: number;
  priorDelivered: number;
  interval: number;
  /** Of the highest packet that is new; -1 when none is. */
  rtt: number;
  isAppLimited: boolean;
  txInFlight: number;
  lost: number;
  newlyAcked: number;
  newlyLost: number;
  /** Datagrams marked CE since the feedback before. */
  newlyMarked: number;
  inflight: number;
  hasData: boolean;
}

export class DeliveryRate {
  delivered = 0;
  deliveredAt = 0;
  firstSentAt = 0;
  inflight = 0;
  lost = 0;
  /** Losses are declared between feedbacks too. */
  private lostSinceSample = 0;
  private appLimitedUntil = 0;
  private newestSentAt = -1;
  private sendElapsed = 0;
  private ackElapsed = 0;
  readonly sample: RateSample = {
    now: 0,
    deliveryRate: 0,
    delivered: 0,
    priorDelivered: 0,
    interval: 0,
    rtt: -1,
    isAppLimited: false,
    txInFlight: 0,
    lost: 0,
    newlyAcked: 0,
    newlyLost: 0,
    newlyMarked: 0,
    inflight: 0,
    hasData: false,
  };

  get isAppLimited(): boolean {
    return this.appLimitedUntil !== 0;
  }

  onSent(log: PacketLog, slot: number, size: number, now: number): void {
    if (this.inflight === 0) {
      this.firstSentAt = now;
      this.deliveredAt = now;
    }
    this.inflight += size;
    log.state[slot] = PACKET.flying;
    log.size[slot] = size;
    log.sentAt[slot] = now;
    log.firstSentAt[slot] = this.firstSentAt;
    log.delivered[slot] = this.delivered;
    log.deliveredAt[slot] = this.deliveredAt;
    log.inflight[slot] = this.inflight;
    log.lost[slot] = this.lost;
    log.appLimited[slot] = this.appLimitedUntil === 0 ? 0 : 1;
  }

  begin(now: number): void {
    const { sample } = this;
    sample.now = now;
    sample.deliveryRate = 0;
    sample.delivered = 0;
    sample.rtt = -1;
    sample.newlyAcked = 0;
    sample.newlyMarked = 0;
    sample.hasData = false;
  }

  /** `deliveredAt` is when the receiver had it, on our clock. A packet that was held lost may still arrive. */
  onAcked(log: PacketLog, slot: number, deliveredAt: number): void {
    const size = log.size[slot] as number;
    if (log.state[slot] === PACKET.flying) this.inflight -= size;
    log.state[slot] = PACKET.acked;
    this.delivered += size;
    this.deliveredAt = deliveredAt;
    const { sample } = this;
    sample.newlyAcked += size;
    const sentAt = log.sentAt[slot] as number;
    if (sample.hasData && sentAt < this.newestSentAt) return;
    sample.hasData = true;
    this.newestSentAt = sentAt;
    sample.priorDelivered = log.delivered[slot] as number;
    sample.isAppLimited = log.appLimited[slot] === 1;
    sample.txInFlight = log.inflight[slot] as number;
    sample.lost = this.lost - (log.lost[slot] as number);
    this.sendElapsed = sentAt - (log.firstSentAt[slot] as number);
    this.ackElapsed = deliveredAt - (log.deliveredAt[slot] as number);
    this.firstSentAt = sentAt;
  }

  onLost(log: PacketLog, slot: number): void {
    const size = log.size[slot] as number;
    log.state[slot] = PACKET.lost;
    this.inflight -= size;
    this.lost += size;
    this.lostSinceSample += size;
  }

  /** Lost for a reason that is no congestion: a probe for a longer datagram, or an outage. */
  onUncountedLoss(log: PacketLog, slot: number): void {
    log.state[slot] = PACKET.lost;
    this.inflight -= log.size[slot] as number;
  }

  /** Completes the sample; `minRtt` bounds what interval is believed. */
  finish(minRtt: number): RateSample {
    const { sample } = this;
    sample.inflight = this.inflight;
    sample.newlyLost = this.lostSinceSample;
    this.lostSinceSample = 0;
    if (this.appLimitedUntil !== 0 && this.delivered > this.appLimitedUntil) this.appLimitedUntil = 0;
    if (!sample.hasData) return sample;
    sample.interval = Math.max(this.sendElapsed, this.ackElapsed);
    sample.delivered = this.delivered - sample.priorDelivered;
    // Half a millisecond of slack: the receiver's clock is brought to ours only so well.
    if (sample.interval > 0 && sample.interval >= minRtt - 500)
      sample.deliveryRate = sample.delivered / sample.interval;
    return sample;
  }

  markAppLimited(): void {
    this.appLimitedUntil = Math.max(this.delivered + this.inflight, 1);
  }
}
