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
import type { FileStore } from './store.ts';
import type { UploadRegistry } from './upload-registry.ts';
import type { View } from './view.ts';

/** What the parts of files/ share; made once, by class Files. */
export interface Parts {
  readonly store: FileStore;
  readonly blobs: BlobStore;
  readonly keys: Keys;
  readonly grants: Grants;
  readonly ledger: Ledger;
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
