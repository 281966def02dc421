/**
 * How long a datagram may be, found with padded probes whose loss is not taken for congestion (RFC 8899 in spirit: base,
 * search, black hole). 1,200 bytes work everywhere; 1,472 are tried first, because nearly every path carries them.
 */
import { DATAGRAM_BASE, DATAGRAM_ETHERNET } from '../wire/sizes.ts';

const TRIES = 3;
const STEP_LEAST = 16;
const SEARCH_AGAIN = 60_000_000;

export class PathMtu {
  size = DATAGRAM_BASE;
  private readonly most: number;
  private ceiling: number;
  private target: number;
  private tries = 0;
  private outstanding = -1;
  private searchAt = 0;

  constructor(most = DATAGRAM_ETHERNET) {
    this.most = most;
    this.ceiling = most + 1;
    this.target = Math.min(DATAGRAM_ETHERNET, most);
  }

  /** The length to probe with now; 0 for none. */
  wanted(now: number): number {
    if (this.outstanding >= 0) return 0;
    if (this.target <= this.size) {
      if (this.size >= this.most || now < this.searchAt) return 0;
      this.ceiling = this.most + 1;
      this.target = this.most;
    }
    return this.target;
  }

  onProbeSent(packetNumber: number): void {
    this.outstanding = packetNumber;
  }

  isProbe(packetNumber: number): boolean {
    return packetNumber === this.outstanding;
  }

  onProbeAcked(now: number): void {
    this.outstanding = -1;
    this.tries = 0;
    this.size = Math.max(this.size, this.target);
    this.searchAt = now + SEARCH_AGAIN;
    this.chooseNext(now);
  }

  onProbeLost(now: number): void {
    this.outstanding = -1;
    if (++this.tries < TRIES) return;
    this.tries = 0;
    this.ceiling = this.target;
    this.chooseNext(now);
  }

  private chooseNext(now: number): void {
    const room = this.ceiling - this.size;
    if (room <= STEP_LEAST || this.size >= this.most) {
      this.target = this.size;
      this.searchAt = now + SEARCH_AGAIN;
    } else {
      this.target = this.ceiling > this.most ? this.most : Math.floor((this.size + this.ceiling) / 2);
    }
  }

  /** Nothing comes back: perhaps because what is sent is too long for a path that changed. */
  onBlackHole(): void {
    if (this.size === DATAGRAM_BASE) return;
    this.size = DATAGRAM_BASE;
    this.outstanding = -1;
    this.tries = 0;
    this.ceiling = this.most + 1;
    this.target = Math.min(DATAGRAM_ETHERNET, this.most);
  }
}
