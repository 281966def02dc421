/** The policies by name. */
import { Bbr } from './bbr.ts';
import type { Controller } from './controller.ts';
import { FixedRate } from './fixed.ts';
import { LowPriority } from './low-priority.ts';
import { FAIR_GAINS, HIGH_GAINS } from './policies.ts';

export const POLICIES = ['fair', 'low', 'high', 'fixed'] as const;
export type PolicyName = (typeof POLICIES)[number];

export interface ControllerOptions {
  /** Bytes of a full datagram. */
  readonly mss: number;
  readonly random: () => number;
  readonly now: number;
  readonly rttGuess?: number;
  /** Of `fixed`: bytes per microsecond. */
  readonly target?: number;
}

export function makeController(policy: PolicyName, options: ControllerOptions): Controller {
  if (policy === 'low') return new LowPriority(options);
  if (policy === 'fixed') {
    if (options.target === undefined || !(options.target > 0)) throw new RangeError('the policy fixed needs a rate');
    return new FixedRate({ ...options, target: options.target });
  }
  return new Bbr({ ...options, gains: policy === 'high' ? HIGH_GAINS : FAIR_GAINS });
}
