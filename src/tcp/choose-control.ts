/** What the option says and the kernel offers, brought together. */
import type { KernelOffer } from './kernel-offer.ts';

/** `auto`, `system`, or a name of the kernel's. */
export type Wish = string;

export interface Choice {
  /** To be asked of the kernel; null: nothing is asked. */
  readonly control: string | null;
  /** Why nothing is asked although it was wished for; null: nothing was wished for, or it is asked. */
  readonly because: string | null;
}

export const BEST = 'bbr';
const LIST = 'net.ipv4.tcp_allowed_congestion_control';

/**
 * `auto` goes by the machine's own list of what processes may choose, also where this process could pass it by. A name is
 * asked for whatever the lists say: the kernel loads a module for who may, and its answer says why not (refusal).
 */
export function chooseControl(wish: Wish, offer: KernelOffer | null): Choice {
  if (wish === 'system') return { control: null, because: null };
  if (wish !== 'auto') return { control: wish, because: null };
  if (offer === null) return { control: null, because: 'this system does not tell what it offers' };
  if (offer.allowed.includes(BEST)) return { control: BEST, because: null };
  if (offer.available.includes(BEST)) return { control: null, because: `${LIST} does not have ${BEST}` };
  return { control: null, because: `the kernel does not have ${BEST} (module tcp_${BEST})` };
}

/** The kernel's answer to a name, for people. */
export function refusal(control: string, code: string): string {
  if (code === 'ENOENT') return `the kernel does not have ${control} (module tcp_${control})`;
  if (code === 'EPERM') return `${LIST} does not have ${control}`;
  return `the kernel does not set ${control} (${code})`;
}
