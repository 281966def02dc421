/** The room's front door: one method for each call of FRONT_CALLS from `files.stat` to `upload.discard`. */
import { BoundedMap } from '../base/bounded-map.ts';
import { isFull } from '../base/errors.ts';
import { Retries } from '../base/retries.ts';
import type { Request, Response } from '../broker/calls.ts';
import type { Keys } from '../keys/keys.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Grants } from '../policy/grants.ts';
import type { BlobStore } from './blobs.ts';
import { Changes } from './changes.ts';
import { Committing } from './commit.ts';
import { Contents } from './contents.ts';
import { removeDelivered } from './deliveries.ts';
import { Namespace } from './namespace.ts';
import { UNLIMITED } from './parts.ts';
import type { Egress, Parts } from './parts.ts';
import { Quota } from './quota.ts';
import { Readings } from './readings.ts';
import { recover } from './recovery.ts';
import type { Recovered } from './recovery.ts';
import { Room } from './room.ts';
import { Renaming } from './rename.ts';
import { removeContents } from './shredded-contents.ts';
import type { FileSession } from './session.ts';
import type { FileStore } from './store.ts';
import { UploadOpening } from './upload-open.ts';
import { UploadRegistry } from './upload-registry.ts';
import { Uploads } from './uploads.ts';
import { View } from './view.ts';

export interface FilesOptions {
  readonly store: FileStore;
  readonly blobs: BlobStore;
  readonly keys: Keys;
  readonly grants: Grants;
  readonly ledger: Ledger;
  /** Nothing is counted when left out. */
  readonly egress?: Egress;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Hears of failures of work that no caller waits for. */
  readonly report: (error: unknown) => void;
  /** Bytes of the file system that content leaves to the metadata; room.ts says how much at the most. */
  readonly reserve?: number;
  readonly retries?: Retries;
  /** Days after which an upload that nobody takes up is discarded. */
  readonly uploadExpiryDays?: number;
}

/** Far more than can have a call under way. */
const ENDED_REMEMBERED = 50_000;
const EXPIRY_DAYS = 7;
const DAY_MS = 86_400_000;

type Handler<N extends keyof CallTypes> = (who: FileSession, request: CallTypes[N][0]) => MaybePromise<CallTypes[N][1]>;
type MaybePromise<T> = T | Promise<T>;
/** The calls that this room answers. */
type CallTypes = {
  [
    N in
      | 'files.stat'
      | 'files.list'
      | 'files.mkdir'
      | 'files.rmdir'
      | 'files.remove'
      | 'files.rename'
      | 'files.set-times'
      | 'files.quota'
      | 'file.open-read'
      | 'release'
      | 'file.close'
      | 'upload.open'
      | 'upload.persist'
      | 'upload.keys'
      | 'upload.progress'
      | 'upload.commit'
      | 'upload.discard'
  ]: [Request<N>, Response<N>];
};
export type FileHandlers = { readonly [N in keyof CallTypes]: Handler<N> };

export class Files {
  /** By the name of the call; the broker's table of handlers takes them as they are. */
  readonly handlers: FileHandlers;
  readonly recovered: Recovered;
  private readonly parts: Parts;
  private readonly readings: Readings;
  private readonly uploads: Uploads;
  private readonly expiryMs: number;

  private constructor(parts: Parts, readings: Readings, uploads: Uploads, recovered: Recovered, expiryMs: number) {
    this.parts = parts;
    this.readings = readings;
    this.uploads = uploads;
    this.recovered = recovered;
    this.expiryMs = expiryMs;
    this.handlers = handlersOf(parts, readings, uploads);
  }

  /** Recovers first: when this resolves, rows and stored blobs agree. Only one process may have it open. */
  static async open(options: FilesOptions): Promise<Files> {
    const { store, blobs, keys, grants, ledger } = options;
    const now = options.now ?? Date.now;
    const uploadRegistry = new UploadRegistry();
    const parts: Parts = {
      store,
      blobs,
      keys,
      grants,
      ledger,
      egress: options.egress ?? UNLIMITED,
      now,
      view: new View(store, grants),
      quota: new Quota(store),
      room: new Room(blobs, uploadRegistry, options.reserve),
      retries: options.retries ?? new Retries({ again: isFull, report: options.report }),
      contents: new Contents(store, now),
      changes: new Changes(store, blobs, options.report),
      uploads: uploadRegistry,
      ended: new BoundedMap(ENDED_REMEMBERED),
    };
    const readings = new Readings(parts);
    const uploads = new Uploads(parts, readings);
    const recovered = await recover(parts, uploads);
    return new Files(parts, readings, uploads, recovered, (options.uploadExpiryDays ?? EXPIRY_DAYS) * DAY_MS);
  }

  /** Ends its readings; its uploads in progress wait for the next session, unless they were never durable. */
  async sessionEnded(session: string, how: 'by itself' | 'by the operator' = 'by itself'): Promise<void> {
    this.parts.ended.set(session, how);
    this.readings.endSession(session);
    await this.uploads.endSession(session);
  }

  /** To be called now and then: uploads in progress that nobody has taken up for too long, files that were delivered. */
  async sweep(): Promise<number> {
    const discarded = await this.uploads.sweep(this.parts.now() - this.expiryMs);
    return discarded + (await removeDelivered(this.parts));
  }

  /** Resolves when nothing is under way in the background; the store may be closed then. */
  async settled(): Promise<void> {
    await this.parts.changes.settled();
  }

  /** Bytes used by the tenant, uploads in progress included. */
  usage(tenant: string): { limit: number | null; used: number } {
    return this.parts.quota.usage(tenant);
  }

  /** Of a shredded tenant: names, versions, blobs, uploads in progress. Safe to begin again after a crash. */
  removeContents(tenant: string, stopped?: () => boolean): Promise<{ files: number; done: boolean }> {
    return removeContents(this.parts, this.uploads, tenant, stopped);
  }

  /** An upload in progress anywhere in this directory. */
  hasUploads(directory: number): boolean {
    return this.parts.uploads.hasAny(directory);
  }
}

function handlersOf(parts: Parts, readings: Readings, uploads: Uploads): FileHandlers {
  const namespace = new Namespace(parts, uploads);
  const renaming = new Renaming(parts, uploads);
  const opening = new UploadOpening(parts, readings, uploads);
  const committing = new Committing(parts, uploads);
  return onlyUsable(parts.keys, {
    'files.stat': (who, request) => namespace.stat(who, request),
    'files.list': (who, request) => namespace.list(who, request),
    'files.mkdir': (who, request) => namespace.mkdir(who, request),
    'files.rmdir': (who, request) => namespace.rmdir(who, request),
    'files.remove': (who, request) => namespace.remove(who, request),
    'files.rename': (who, request) => renaming.rename(who, request),
    'files.set-times': (who, request) => namespace.setTimes(who, request),
    'files.quota': (who, request) => namespace.quota(who, request),
    'file.open-read': (who, request) => readings.openRead(who, request),
    release: (who, request) => readings.release(who, request),
    'file.close': (who, request) => readings.close(who, request),
    'upload.open': (who, request) => opening.open(who, request),
    'upload.persist': (who, request) => uploads.persist(who, request),
    'upload.keys': (who, request) => uploads.keys(who, request),
    'upload.progress': (who, request) => uploads.progress(who, request),
    'upload.commit': (who, request) => committing.commit(who, request),
    'upload.discard': (who, request) => uploads.discard(who, request),
  });
}

/** Of a tenant whose keys are out of service nothing is answered, and the reason is plain. */
function onlyUsable(keys: Keys, handlers: FileHandlers): FileHandlers {
  const guarded = Object.entries(handlers).map(([name, handler]) => [
    name,
    (who: FileSession, request: never): unknown => {
      keys.requireUsable(who.tenant);
      return (handler as (who: FileSession, request: never) => unknown)(who, request);
    },
  ]);
  return Object.fromEntries(guarded) as FileHandlers;
}
