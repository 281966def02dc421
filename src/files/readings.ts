/**
 * Readings: a version pinned for one session, and the one way to its keys. A release checks the rights again, writes a
 * durable record, and derives the keys only after that.
 */
import { WaybillError } from '../base/errors.ts';
import { addRange } from '../base/ranges.ts';
import type { ByteRange } from '../base/ranges.ts';
import type { Request, Response, SegmentRun } from '../broker/calls.ts';
import type { FileKey } from '../keys/keys.ts';
import { Counted } from '../policy/budgets/counted.ts';
import type { Grant } from '../policy/grants.ts';
import type { Pickups } from '../policy/pickups.ts';
import type { Parts, ReleaseAsk } from './parts.ts';
import { plainBytes, runAt, segmentBytes, segmentCount } from './runs.ts';
import { withinFolder } from './session.ts';
import type { FileSession } from './session.ts';
import type { Content, Version } from './store.ts';
import { attributesOf, need, notFound, seesNames, withVersion } from './view.ts';

export interface Reading {
  /** Of the session's choice, or made here for an upload's base; another session's may be the same. */
  readonly id: string;
  readonly who: FileSession;
  readonly folder: string;
  readonly path: string;
  /** Null for a new file that is being uploaded: there is nothing to release. */
  readonly version: Version | null;
  readonly key: FileKey;
  released: boolean;
  /** It has been counted as a file that was read. */
  begun: boolean;
  readonly counted: Counted;
}

/** A front that was taken over must not fill the broker's memory; honest ones have a far lower bound of their own. */
const READINGS_PER_SESSION = 10_000;
/** Each reading keeps the runs of its version, and a front may commit versions of thousands. */
const RUNS_PER_SESSION = 1_000_000;

/** How runs travel: a content that is wholly the inline frame has none. */
export function runsBeside(inline: { blob: string } | null, runs: readonly SegmentRun[]): SegmentRun[] {
  return inline !== null && runs.some((run) => run.blob === inline.blob) ? [] : [...runs];
}

export class Readings {
  private readonly parts: Parts;
  /** By session, then by id: what a session names can only be its own, and it learns nothing of the ids of others. */
  private readonly bySession = new Map<string, Map<string, Reading>>();

  constructor(parts: Parts) {
    this.parts = parts;
  }

  openRead(who: FileSession, { path, reading: id }: Request<'file.open-read'>): Response<'file.open-read'> {
    const { store, view, uploads } = this.parts;
    if (this.bySession.get(who.session)?.has(id))
      throw new WaybillError('request-invalid', 'the reading is open already');
    const place = view.find(who, path);
    if (place.at !== 'below') throw new WaybillError('is-a-directory', `${path} is a directory`);
    const { node, grant } = place;
    const visible = seesNames(grant.rights);
    if (node === null) {
      if (uploads.own(place.parent.id, place.name, who.account) !== undefined)
        throw new WaybillError('in-use', `the upload of ${path} is not complete; its content cannot be read yet`);
      throw notFound(path);
    }
    if (!visible) throw notFound(path);
    if (node.kind === 'directory') throw new WaybillError('is-a-directory', `${path} is a directory`);
    need(grant, 'read', path);
    const content = node.version === null ? null : store.content(node.version);
    if (content === null) throw new WaybillError('content-missing', `${path}: the version is gone`);
    const { version } = content;
    const inline = this.inlineOf(version, path);
    this.add(id, who, { folder: grant.folder, path, key: content.key }, content);
    const runs = runsBeside(inline, version.runs);
    return { version: version.id, attributes: withVersion(attributesOf(node, grant.rights), version.id), runs, inline };
  }

  inlineOf(version: Version, path: string): { blob: string; bytes: Buffer } | null {
    if (version.inlineBlob === null) return null;
    const bytes = this.parts.store.inline(version.id);
    if (bytes === null)
      throw new WaybillError('content-missing', `${path}: the content of version ${version.id} is gone`);
    return { blob: version.inlineBlob, bytes };
  }

  /** Pins the content, if any, for as long as the reading lives. `id` is free in the session. */
  add(id: string, who: FileSession, place: Pick<Reading, 'folder' | 'path' | 'key'>, content: Content | null): Reading {
    if (this.parts.ended.get(who.session) !== undefined)
      throw new WaybillError('session-ended', 'the session has ended');
    let own = this.bySession.get(who.session);
    if (own === undefined) this.bySession.set(who.session, (own = new Map<string, Reading>()));
    if (own.size >= READINGS_PER_SESSION)
      throw new WaybillError('too-many-handles', `a session may have ${READINGS_PER_SESSION} files open`);
    let runs = content?.version.runs.length ?? 0;
    for (const { version } of own.values()) runs += version?.runs.length ?? 0;
    if (runs > RUNS_PER_SESSION)
      throw new WaybillError('too-many-handles', 'the open files of the session have too many parts');
    const untouched = { released: false, begun: false, counted: new Counted() };
    const reading = { id, who, ...place, version: content?.version ?? null, ...untouched };
    if (content !== null) this.parts.contents.pin(content.version.id);
    own.set(id, reading);
    return reading;
  }

  async release(who: FileSession, request: Request<'release'>): Promise<Response<'release'>> {
    const { reading: id, first, count } = request;
    const reading = this.own(who, id);
    const { version } = reading;
    if (version === null || first + count > segmentCount(version.size))
      throw new WaybillError('offset-invalid', 'the version has no such segment');
    const reserved = await this.parts.egress.release(who, askOf(reading, version, first, count));
    reading.begun = true;
    await reserved.write(this.parts.store, () => {
      // In the same turn as the commit: a session or a right that ended a moment ago releases nothing.
      if (!this.open(reading)) throw new WaybillError('session-ended', 'the reading has ended');
      const grant = this.parts.grants.requireFrom(who, reading.folder, 'read');
      this.parts.grants.pickups.admit(grant, { reading, version: version.id, first, count });
      this.parts.ledger.append(who.tenant, {
        kind: 'release',
        session: who.session,
        reading: reading.id,
        folder: reading.folder,
        file: version.file,
        version: version.id,
        first,
        count,
        bytes: plainBytes(version.size, first, count),
        path: withinFolder(reading.path),
      });
    });
    reading.released = true;
    reading.counted.add(first, count);
    this.notePickup(reading, (grant, pickups) => {
      pickups.note(grant, { reading, version: version.id, first, count });
    });
    const keys = [];
    for (let segment = first; segment < first + count; segment++) {
      const blob = runAt(version.runs, segment)?.blob ?? null;
      if (blob !== null) keys.push({ segment, key: this.parts.keys.segmentKey(reading.key, blob, segment) });
    }
    return { keys };
  }

  /** The record of what was sent joins the next group commit; nobody waits for it: the release before it is durable. */
  close(who: FileSession, request: Request<'file.close'>): Response<'file.close'> {
    const reading = this.own(who, request.reading);
    this.end(reading, request.sent);
    return {};
  }

  /** Null sent = unknown: the front or its connection is gone. */
  endSession(session: string): void {
    for (const reading of [...(this.bySession.get(session)?.values() ?? [])]) this.end(reading, null);
  }

  /** Also for uploads, whose base is released through a reading of their own. Ending again does nothing. */
  end(reading: Reading, sent: readonly ByteRange[] | null): void {
    if (!this.open(reading)) return;
    const { who, version } = reading;
    const own = this.bySession.get(who.session);
    own?.delete(reading.id);
    if (own?.size === 0) this.bySession.delete(who.session);
    if (version === null) return;
    const last = this.parts.contents.unpin(version.id);
    if (!last && !reading.released) return;
    this.parts.changes.later((change) => {
      if (reading.released) {
        const { session, tenant } = who;
        const told = sentOf(version, sent);
        this.parts.ledger.append(tenant, { kind: 'sent', session, reading: reading.id, ...told });
        if (told.ranges.some(([offset, length]) => offset + length >= version.size))
          this.notePickup(reading, (grant, pickups) => {
            pickups.endSent(grant, version.id, version.runs);
          });
      }
      if (last) this.parts.contents.dropReplaced(change, version.id, who.session);
    });
  }

  /** Under the grant as it is now; where there is none any more, there is nothing to count. */
  private notePickup({ who, folder }: Reading, note: (grant: Grant, pickups: Pickups) => void): void {
    const grant = this.parts.grants.find(who.account, folder);
    if (grant !== undefined) note(grant, this.parts.grants.pickups);
  }

  private open(reading: Reading): boolean {
    return this.bySession.get(reading.who.session)?.get(reading.id) === reading;
  }

  private own(who: FileSession, id: string): Reading {
    const reading = this.bySession.get(who.session)?.get(id);
    if (reading === undefined) throw new WaybillError('handle-invalid', 'the reading has ended');
    return reading;
  }
}

/** Segments that this reading was given before, and zeros that are stored nowhere, let nothing new out. */
function askOf(reading: Reading, version: Version, first: number, count: number): ReleaseAsk {
  let bytes = 0;
  for (let segment = first; segment < first + count; segment++)
    if (!reading.counted.has(segment) && (runAt(version.runs, segment)?.blob ?? null) !== null)
      bytes += segmentBytes(version.size, segment);
  const { folder, path, begun } = reading;
  return { folder, version: version.id, path: withinFolder(path), bytes, files: begun ? 0 : 1 };
}

/** As the front reports it, and no more than the version holds; ranges that are out of order or overlap become plain ones. */
function sentOf({ file, id, size }: Version, reported: readonly ByteRange[] | null) {
  let ranges: ByteRange[] = [];
  for (const [offset, length] of reported ?? [])
    if (offset < size) ranges = addRange(ranges, offset, Math.min(length, size - offset));
  const bytes = ranges.reduce((sum, [, length]) => sum + length, 0);
  return { file, version: id, known: reported !== null, bytes, ranges };
}
