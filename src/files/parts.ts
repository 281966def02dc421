import type { BoundedMap } from '../base/bounded-map.ts';
import type { Keys } from '../keys/keys.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Grants } from '../policy/grants.ts';
import type { BlobStore } from './blobs.ts';
import type { Changes } from './changes.ts';
import type { Contents } from './contents.ts';
import type { Retries } from '../base/retries.ts';
import type { Room } from './room.ts';
import type { Quota } from './quota.ts';
import type { FileSession } from './session.ts';
import type { FileStore } from './store.ts';
import type { UploadRegistry } from './upload-registry.ts';
import type { View } from './view.ts';

/** What is counted of a release; see policy/budgets. */
export interface ReleaseAsk {
  readonly folder: string | null;
  readonly version: string | null;
  readonly path: string;
  /** Of plaintext that this lets out for the first time. */
  readonly bytes: number;
  /** 1 when it is the first of its reading. */
  readonly files: number;
}

export interface ListingAsk {
  readonly folder: string;
  readonly path: string;
  readonly directory: number;
}

/** In the budgets, and real with `write`. */
export interface Reserved {
  /** In place of the store's own: a write that fails gives back what was reserved. */
  write<T>(store: Pick<FileStore, 'write'>, action: () => T): Promise<T>;
}

/**
 * The one way out: what leaves is reserved first, in one step without a wait. Throws `held` with a reference, or
 * `release-refused`; nothing may be handed out then.
 */
export interface Egress {
  release(who: FileSession, ask: ReleaseAsk): Promise<Reserved>;
  listing(who: FileSession, ask: ListingAsk): Promise<Reserved>;
}

/** For what needs no room in any budget. */
export const REAL: Reserved = { write: (store, action) => store.write(action) };
/** Nothing is counted. */
export const UNLIMITED: Egress = { release: () => Promise.resolve(REAL), listing: () => Promise.resolve(REAL) };

/** What the parts of files/ share; made once, by class Files. */
export interface Parts {
  readonly store: FileStore;
  readonly blobs: BlobStore;
  readonly keys: Keys;
  readonly grants: Grants;
  readonly ledger: Ledger;
  readonly egress: Egress;
  readonly view: View;
  readonly quota: Quota;
  readonly room: Room;
  /** For what must be written down although the disk is full just now. */
  readonly retries: Retries;
  readonly contents: Contents;
  readonly changes: Changes;
  readonly uploads: UploadRegistry;
  /**
   * Sessions that have ended: a call of theirs that was still under way must not leave anything open; one that was
   * ended by the operator must change nothing any more.
   */
  readonly ended: BoundedMap<string, 'by itself' | 'by the operator'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}
