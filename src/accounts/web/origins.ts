/** Our own origins, as the operator has named them. */
import type { Origin } from '../../base/web-origin.ts';

export type { Origin } from '../../base/web-origin.ts';

/** Browsers keep what stands behind # to themselves: the secret reaches no log. */
export function enrolmentLink({ origin }: Origin, secret: string): string {
  return `${origin}/enrol#${secret}`;
}

export class Origins {
  private readonly known: Map<string, Origin>;

  constructor(origins: readonly Origin[]) {
    this.known = new Map(origins.map((one) => [one.origin, one]));
  }

  add(origins: readonly Origin[]): void {
    for (const one of origins) this.known.set(one.origin, one);
  }

  /** The front says which of ours the browser came to; another than ours is none. */
  find(origin: string): Origin | null {
    return this.known.get(origin) ?? null;
  }

  /** Where to send people: one that has passkeys, if any has. */
  get first(): Origin | null {
    const all = [...this.known.values()];
    return all.find(({ rpId }) => rpId !== null) ?? all[0] ?? null;
  }

  /** All that share the relying party. */
  of(rpId: string): string[] {
    return [...this.known.values()].filter((one) => one.rpId === rpId).map(({ origin }) => origin);
  }
}
