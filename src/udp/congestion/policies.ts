/** The policies of docs/design/fast-transfer.md. What differs between `fair` and `high` is a row of this table. */

export interface Gains {
  readonly startupPacing: number;
  readonly startupWindow: number;
  readonly drainPacing: number;
  readonly downPacing: number;
  readonly cruisePacing: number;
  readonly upPacing: number;
  readonly upWindow: number;
  readonly window: number;
  /** What may be on the way, with some packets more, while a queue stands that does not go away; Infinity: as without one. */
  readonly standingWindow: number;
  readonly probeRttWindow: number;
  /** Share of inflight_longterm that is left to others while cruising. */
  readonly headroom: number;
  /** What is left of the short-term bounds after a round of too much loss. */
  readonly beta: number;
  /** Loss above the baseline that is taken for congestion, and when the queue grows too. */
  readonly lossAllowance: number;
  readonly lossAllowanceQueueing: number;
  /** Departures 1 and 2. Without them this is the draft. */
  readonly learnsBaseline: boolean;
  /** ProbeBW_UP ends before a queue that is long already, not only when bandwidth stops growing. */
  readonly upEndsAtQueue: boolean;
  readonly probeWait: readonly [least: number, spread: number];
  readonly probeRttInterval: number;
  /** How long ProbeRTT may be put off while the round trip is seen to be at its least anyway. */
  readonly probeRttIntervalMax: number;
}

const SECOND = 1_000_000;

/** draft-ietf-ccwg-bbr, "Summary of Control Behavior in the State Machine" and its parameters. */
export const DRAFT_GAINS: Gains = {
  startupPacing: 2.77,
  startupWindow: 2,
  drainPacing: 0.5,
  downPacing: 0.9,
  cruisePacing: 1,
  upPacing: 1.25,
  upWindow: 2.25,
  window: 2,
  standingWindow: Infinity,
  probeRttWindow: 0.5,
  headroom: 0.15,
  beta: 0.7,
  lossAllowance: 0.02,
  lossAllowanceQueueing: 0.02,
  learnsBaseline: false,
  upEndsAtQueue: false,
  probeWait: [2 * SECOND, SECOND],
  probeRttInterval: 5 * SECOND,
  probeRttIntervalMax: 5 * SECOND,
};

export const FAIR_GAINS: Gains = {
  ...DRAFT_GAINS,
  lossAllowanceQueueing: 0.01,
  learnsBaseline: true,
  standingWindow: 1.05,
  upEndsAtQueue: true,
  probeRttIntervalMax: 15 * SECOND,
};

/** For a link that is one's own: more loss is tolerated, less is left to others. */
export const HIGH_GAINS: Gains = {
  ...FAIR_GAINS,
  upPacing: 1.5,
  headroom: 0.02,
  beta: 0.85,
  lossAllowance: 0.05,
  lossAllowanceQueueing: 0.04,
  probeRttIntervalMax: 30 * SECOND,
};
