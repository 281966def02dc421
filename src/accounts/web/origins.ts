/** Our own origins, as the operator has named them. */
import type { Origin } from '../../base/web-origin.ts';

export type { Origin } from '../../base/web-origin.ts';

export class Origins {
  private readonly known: ReadonlyMap<string, Origin>;

  constructor(origins: readonly Origin[]) {
    this.known = new Map(origins.map((one) => [one.origin, one]));
  }

  /** The front says which of ours the browser came to; another than ours is none. */
  find(origin: string): Origin | null {
    return this.known.get(origin) ?? null;
  }

  /** All that share the relying party. */
  of(rpId: string): string[] {
    return [...this.known.values()].filter((one) => one.rpId === rpId).map(({ origin }) => origin);
  }
}
