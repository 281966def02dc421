/**
 * Answers a question from the entries of one log, in their order, in one pass. The builder of a pack and whoever
 * verifies it run this same code over the same proven entries, so the list in a pack is never taken on trust.
 *
 * Nothing is understated: a session without a sign-in in the log counts as one that was asked about; what was released
 * and never reported counts as possibly sent; a reading counts from its first release until something says that it ended.
 */
import type { ByteRange, Json } from '../../core/fields.ts';
import type { UnknownEntry } from '../../core/entry.ts';
import type { Entry, EntryOf } from '../../core/kinds.ts';
import { releasedRange, union } from '../../core/ranges.ts';
import { momentText, SessionMatcher } from './question.ts';
import type { PackQuestion } from './question.ts';

/** Sessions that ended, whose last reports may still come. */
const ENDED_KEPT = 4096;
/** Ranges of one file that are kept before they are joined. */
const RANGES_KEPT = 256;
const NEVER = Number.MAX_SAFE_INTEGER;

interface Reading {
  readonly folder: string | null;
  readonly file: string | null;
  readonly version: string | null;
  readonly path: string | null;
  readonly first: number;
  last: number;
  readonly releases: { readonly time: number; readonly range: ByteRange; readonly bytes: number }[];
}

interface Session {
  readonly id: string;
  readonly signIn: EntryOf<'sign-in'> | null;
  /** Null: not one that was asked about; nothing of it is kept. */
  readonly row: SessionRow | null;
  readonly readings: Map<string, Reading>;
  gap: boolean;
}

interface SessionRow {
  first: number;
  last: number;
  ended: number | null;
  endReason: string | null;
  gap: boolean;
  /** Something of it is in the period and the folders that were asked about. */
  there: boolean;
  listings: number;
  changes: number;
  releasedBytes: number;
  sentBytes: number;
  possiblySentBytes: number;
}

interface FileRow {
  readonly folder: string | null;
  readonly file: string | null;
  readonly version: string | null;
  path: string | null;
  first: number;
  last: number;
  readonly sessions: Set<string>;
  readings: number;
  releasedBytes: number;
  sentBytes: number;
  possiblySentBytes: number;
  readonly released: RangeSet;
  readonly sent: RangeSet;
  readonly possiblySent: RangeSet;
}

/** Joined now and then, so that a file that is read over and over takes no memory for it. */
class RangeSet {
  private ranges: ByteRange[] = [];
  private limit = RANGES_KEPT;

  add(more: readonly ByteRange[]): void {
    this.ranges.push(...more);
    if (this.ranges.length <= this.limit) return;
    this.ranges = union(this.ranges);
    this.limit = Math.max(RANGES_KEPT, this.ranges.length * 2);
  }

  joined(): ByteRange[] {
    return union(this.ranges);
  }
}

type Outcome = { readonly time: number; readonly report: EntryOf<'sent'> | null };

export class ScopeAnswer {
  private readonly from: number;
  private readonly to: number;
  private readonly folders: ReadonlySet<string> | null;
  private readonly matcher: SessionMatcher;
  private readonly sessions = new Map<string, Session>();
  private readonly ended = new Set<string>();
  private readonly rows = new Map<string, { readonly signIn: EntryOf<'sign-in'> | null; readonly row: SessionRow }>();
  private readonly files = new Map<string, FileRow>();
  private readonly listed = new Map<
    string,
    { folder: string | null; path: string; times: number; names: number; first: number; last: number }
  >();
  private readonly events: { [key: string]: Json }[] = [];
  private readonly folderNames = new Map<string, string>();
  private readonly gaps = { 'no-sign-in': 0, 'not-reported': 0, 'unknown-entries': 0, stray: 0, 'node-died': 0 };
  private signIns = 0;

  constructor(question: PackQuestion) {
    this.from = question.from ?? 0;
    this.to = question.to ?? NEVER;
    this.folders = question.folder === null ? null : new Set(question.folder);
    this.matcher = new SessionMatcher(question);
  }

  /** Each entry of the log, from the first. */
  take(entry: Entry | UnknownEntry, index: number): void {
    switch (entry.kind) {
      case 'unknown':
        if (this.inPeriod(entry.time)) this.gaps['unknown-entries']++;
        return;
      case 'sign-in':
        this.signIn(entry);
        return;
      case 'session-end':
        this.end(entry);
        return;
      case 'release':
        this.release(entry);
        return;
      case 'sent':
        this.sent(entry);
        return;
      case 'changed':
        this.nameFolder(entry);
        this.other(entry, index);
        return;
      default:
        this.other(entry, index);
    }
  }

  private inPeriod(time: number): boolean {
    return time >= this.from && time < this.to;
  }

  private inFolders(folder: string | null): boolean {
    return this.folders === null || (folder !== null && this.folders.has(folder));
  }

  private signIn(entry: EntryOf<'sign-in'>): void {
    if (this.inPeriod(entry.time)) this.signIns++;
    const id = entry.session ?? '';
    const matches = this.matcher.matches(entry);
    // A second sign-in of one session cannot be; if there is one, either counts.
    const before = this.sessions.get(id);
    if (before?.row !== null && before !== undefined) return;
    this.addSession(id, entry, matches, entry.time);
  }

  private addSession(id: string, signIn: EntryOf<'sign-in'> | null, matches: boolean, time: number): Session {
    const row = matches ? newRow(time) : null;
    const session: Session = { id, signIn, row, readings: new Map(), gap: false };
    this.sessions.set(id, session);
    if (row !== null) this.rows.set(id, { signIn, row });
    return session;
  }

  private sessionOf(id: string | null, time: number): Session {
    const session = this.sessions.get(id ?? '') ?? this.addSession(id ?? '', null, true, time);
    if (session.row !== null) session.row.last = Math.max(session.row.last, Math.min(time, this.to - 1));
    return session;
  }

  private end(entry: EntryOf<'session-end'>): void {
    const session = this.sessionOf(entry.session, entry.time);
    if (session.row !== null) {
      session.row.ended = entry.time;
      session.row.endReason = entry.reason;
      session.row.gap = entry.gap;
    }
    this.ended.add(session.id);
    if (this.ended.size <= ENDED_KEPT) return;
    for (const id of [...this.ended].slice(0, 1)) {
      this.close(this.sessions.get(id));
      this.ended.delete(id);
      this.sessions.delete(id);
    }
  }

  /** Nobody reports on its readings any more. */
  private close(session: Session | undefined): void {
    if (session === undefined) return;
    const time = session.row?.ended ?? NEVER;
    for (const reading of session.readings.values()) this.count(session, reading, { time, report: null });
    session.readings.clear();
    const { row } = session;
    // With no folder named, to be signed in is enough.
    if (row !== null && this.folders === null && row.first < this.to && Math.max(time, row.last) >= this.from)
      row.there = true;
    if (row?.there === false) this.rows.delete(session.id);
  }

  private release(entry: EntryOf<'release'>): void {
    const session = this.sessionOf(entry.session, entry.time);
    if (session.row === null) return;
    const { reading: id, folder, file, version, path, time, first, count, bytes } = entry;
    const key = `${id ?? ''}${file ?? ''}${version ?? ''}`;
    const reading: Reading = session.readings.get(key) ?? {
      folder,
      file,
      version,
      path,
      first: time,
      last: time,
      releases: [],
    };
    session.readings.set(key, reading);
    reading.last = time;
    if (time < this.to) reading.releases.push({ time, range: releasedRange(first, count, bytes), bytes });
  }

  private sent(entry: EntryOf<'sent'>): void {
    const session = this.sessionOf(entry.session, entry.time);
    if (session.row === null) return;
    const key = `${entry.reading ?? ''}${entry.file ?? ''}${entry.version ?? ''}`;
    const reading = session.readings.get(key);
    session.readings.delete(key);
    if (reading !== undefined) {
      this.count(session, reading, { time: entry.time, report: entry });
      return;
    }
    if (entry.time < this.from) return;
    this.gaps.stray++;
    const { file, version, time } = entry;
    this.count(
      session,
      { folder: null, file, version, path: null, first: time, last: time, releases: [] },
      { time, report: entry },
    );
  }

  /** A reading that is over, or will never be reported on. */
  private count(session: Session, reading: Reading, { time, report }: Outcome): void {
    const { row } = session;
    const end = report === null ? Math.max(time, reading.last) : time;
    if (row === null || reading.first >= this.to || end < this.from) return;
    if (reading.folder !== null && !this.inFolders(reading.folder)) return;
    row.there = true;
    const known = report?.known === true;
    if (!known) this.gaps['not-reported']++;
    const released = reading.releases.reduce((sum, { bytes }) => sum + bytes, 0);
    const file = this.fileOf(reading);
    file.sessions.add(session.id);
    file.first = Math.min(file.first, reading.first);
    file.last = Math.max(file.last, Math.min(report?.time ?? reading.last, this.to - 1));
    file.readings++;
    const ranges = reading.releases.map(({ range }) => range);
    file.released.add(ranges);
    file.sent.add(report?.ranges ?? []);
    if (!known) file.possiblySent.add(ranges);
    for (const sums of [file, row]) {
      sums.releasedBytes += released;
      sums.sentBytes += report?.bytes ?? 0;
      if (!known) sums.possiblySentBytes += released;
    }
  }

  private fileOf({ folder, file, version, path, first }: Reading): FileRow {
    const key = `${folder ?? ''}/${file ?? ''}/${version ?? ''}`;
    const row = this.files.get(key) ?? {
      ...{ folder, file, version, path, first, last: first, sessions: new Set<string>() },
      ...{ readings: 0, releasedBytes: 0, sentBytes: 0, possiblySentBytes: 0 },
      ...{ released: new RangeSet(), sent: new RangeSet(), possiblySent: new RangeSet() },
    };
    // The name it had when it was read last.
    row.path = path ?? row.path;
    this.files.set(key, row);
    return row;
  }

  private nameFolder({ action, folder, detail }: EntryOf<'changed'>): void {
    if (folder !== null && action.startsWith('folder.') && typeof detail['name'] === 'string')
      this.folderNames.set(folder, detail['name']);
  }

  /** What else names a session: listings, changes of files, holds, alerts, what the platform did by itself. */
  private other(entry: Entry, index: number): void {
    if (!this.inPeriod(entry.time)) return;
    if (!('session' in entry) || entry.session === null) {
      if (this.isAsked(entry)) this.events.push(eventOf(entry, index, null));
      return;
    }
    const session = this.sessionOf(entry.session, entry.time);
    const folder = 'folder' in entry ? entry.folder : null;
    const elsewhere =
      folder !== null && !this.inFolders(folder) && !('toFolder' in entry && this.inFolders(entry.toFolder));
    if (session.row === null || elsewhere) return;
    session.row.there = true;
    if (entry.kind === 'listed') {
      session.row.listings++;
      this.list(entry);
      return;
    }
    if (CHANGES.has(entry.kind)) session.row.changes++;
    this.events.push(eventOf(entry, index, session.id));
  }

  /** Of no session: what administrators did, failed sign-ins. Only a question that names no sessions can mean the former. */
  private isAsked(entry: Entry): boolean {
    if (entry.kind === 'opened') return false;
    if (entry.kind === 'sign-in-failed') return this.folders === null && this.matcher.matchesFailed(entry);
    return (
      !this.matcher.asksForSessions && (this.folders === null || ('folder' in entry && this.inFolders(entry.folder)))
    );
  }

  private list({ folder, path, count, time }: EntryOf<'listed'>): void {
    const key = `${folder ?? ''}/${path}`;
    const row = this.listed.get(key) ?? { folder, path, times: 0, names: 0, first: time, last: time };
    row.times++;
    row.names = Math.max(row.names, count);
    row.last = time;
    this.listed.set(key, row);
  }

  /** After the last entry. The same entries and question give the same value, to the byte. */
  finish(): { readonly [key: string]: Json } {
    for (const session of this.sessions.values()) this.close(session);
    const there = [...this.rows].filter(([, { row }]) => row.there);
    this.gaps['no-sign-in'] = there.filter(([, { signIn }]) => signIn === null).length;
    this.gaps['node-died'] = there.filter(([, { row }]) => row.gap).length;
    const files = [...this.files.values()].map((file) => this.fileJson(file)).sort(byText);
    const listed = [...this.listed.values()].map((row) => this.listedJson(row)).sort(byText);
    return {
      touched: there.length > 0,
      signInsInPeriod: this.signIns,
      totals: {
        sessions: there.length,
        files: files.length,
        listings: sum(there.map(([, { row }]) => row.listings)),
        changes: sum(there.map(([, { row }]) => row.changes)),
        releasedBytes: sum(there.map(([, { row }]) => row.releasedBytes)),
        sentBytes: sum(there.map(([, { row }]) => row.sentBytes)),
        possiblySentBytes: sum(there.map(([, { row }]) => row.possiblySentBytes)),
      },
      sessions: there.map(([id, { signIn, row }]) => sessionJson(id, signIn, row)),
      files,
      listed,
      events: this.events.map((event) => ({ ...event, folderName: this.nameOf(event['folder'] as string | null) })),
      gaps: Object.fromEntries(Object.entries(this.gaps).filter(([, count]) => count > 0)),
    };
  }

  private nameOf(folder: string | null): string | null {
    return folder === null ? null : (this.folderNames.get(folder) ?? null);
  }

  private fileJson(row: FileRow): { [key: string]: Json } {
    const { folder, path, file, version, readings, releasedBytes, sentBytes, possiblySentBytes } = row;
    return {
      ...{ folder, folderName: this.nameOf(folder), path, file, version, readings },
      ...{ releasedBytes, sentBytes, possiblySentBytes },
      first: momentText(row.first),
      last: momentText(row.last),
      sessions: [...row.sessions].sort(),
      released: row.released.joined(),
      sent: row.sent.joined(),
      possiblySent: row.possiblySent.joined(),
    };
  }

  private listedJson({
    folder,
    path,
    times,
    names,
    first,
    last,
  }: {
    folder: string | null;
    path: string;
    times: number;
    names: number;
    first: number;
    last: number;
  }): { [key: string]: Json } {
    return {
      folder,
      folderName: this.nameOf(folder),
      path,
      times,
      names,
      first: momentText(first),
      last: momentText(last),
    };
  }
}

function eventOf(entry: Entry, index: number, session: string | null): { [key: string]: Json } {
  const text = (name: string): string | null => {
    const value = (entry as unknown as Readonly<Record<string, Json>>)[name];
    return typeof value === 'string' && value !== '' ? value : null;
  };
  const { kind, time } = entry;
  const what = kind === 'sign-in-failed' ? `${entry.login} from ${entry.address}: ${entry.reason}` : null;
  return {
    ...{ entry: index, time: momentText(time), kind, session, folder: text('folder'), path: text('path') },
    ...{ what: what ?? text('action') ?? text('what') ?? text('outcome'), by: text('actor') },
    ...(kind === 'renamed' ? { toFolder: entry.toFolder, toPath: entry.toPath } : {}),
  };
}

const CHANGES: ReadonlySet<string> = new Set(['stored', 'made', 'renamed', 'removed']);

function newRow(time: number): SessionRow {
  return {
    ...{ first: time, last: time, ended: null, endReason: null, gap: false, there: false },
    ...{ listings: 0, changes: 0, releasedBytes: 0, sentBytes: 0, possiblySentBytes: 0 },
  };
}

function sessionJson(session: string, signIn: EntryOf<'sign-in'> | null, row: SessionRow): { [key: string]: Json } {
  const { first, last, ended, endReason, gap, listings, changes } = row;
  const { releasedBytes, sentBytes, possiblySentBytes } = row;
  const who =
    signIn === null
      ? { signIn: null }
      : {
          signIn: {
            ...{ account: signIn.account, login: signIn.login, protocol: signIn.protocol, address: signIn.address },
            ...{ client: signIn.client, node: signIn.node, software: signIn.software, factors: signIn.factors },
            ...{ credentials: signIn.credentials, descriptions: signIn.descriptions, firsts: signIn.firsts },
          },
        };
  const times = { first: momentText(first), last: momentText(last), ended: momentText(ended) };
  return {
    session,
    ...who,
    ...times,
    endReason,
    nodeDied: gap,
    listings,
    changes,
    ...{ releasedBytes, sentBytes, possiblySentBytes },
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

/** By folder, path, and what stands after. */
function byText(a: { [key: string]: Json }, b: { [key: string]: Json }): number {
  const [one, other] = [JSON.stringify([a['folder'], a['path'], a]), JSON.stringify([b['folder'], b['path'], b])];
  return one < other ? -1 : one > other ? 1 : 0;
}
