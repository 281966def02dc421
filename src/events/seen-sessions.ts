import type { UnknownEntry } from '../ledger/core/entry.ts';
import type { Entry } from '../ledger/core/kinds.ts';
import type { Context, SeenSession } from './ocsf-objects.ts';

/** Some 200 bytes each. A receiver that is far behind sees the name again when the reading passes the sign-in. */
const KEPT = 20_000;

/** Who a session is, as its `sign-in` said: other entries name the session alone. */
export class SeenSessions implements Context {
  private readonly seen = new Map<string, SeenSession>();

  session(session: string): SeenSession | null {
    return this.seen.get(session) ?? null;
  }

  note(entry: Entry | UnknownEntry): void {
    if (entry.kind !== 'sign-in' || entry.session === null || this.seen.has(entry.session)) return;
    const { login, account, address } = entry;
    this.seen.set(entry.session, { login, account, address });
    if (this.seen.size <= KEPT) return;
    for (const oldest of this.seen.keys()) {
      this.seen.delete(oldest);
      return;
    }
  }
}
