/**
 * Whether a refused token is a guess. A program with a token that has expired sends it on all of its connections at once:
 * that is one refusal of its source, not one for each connection, which would shut out everybody behind the same address.
 * Nothing is learned by trying the same one again, so it costs only once in a while. Pure: time comes in as an argument.
 */
import { createHash } from 'node:crypto';

/** As long as one refusal is owed; see penalties.ts. */
const SAME_MILLISECONDS = 5000;
/** Oftener it is not a program that starts, but one that hammers. */
const SAME_MOST = 16;
const SOURCES_MAX = 4096;

interface Refused {
  readonly digest: string;
  readonly until: number;
  times: number;
}

export class RefusedTokens {
  private readonly last = new Map<string, Refused>();

  get size(): number {
    return this.last.size;
  }

  /** True when its source is to be penalized. Of each source the last one is known, and of a token its digest alone. */
  isGuess(source: string, token: string, now: number): boolean {
    const digest = createHash('sha256').update(token).digest('base64url');
    const known = this.last.get(source);
    if (known?.digest === digest && now < known.until && known.times < SAME_MOST) {
      known.times++;
      return false;
    }
    this.last.delete(source);
    this.last.set(source, { digest, until: now + SAME_MILLISECONDS, times: 1 });
    const [oldest] = this.last.keys();
    if (this.last.size > SOURCES_MAX && oldest !== undefined) this.last.delete(oldest);
    return true;
  }
}
