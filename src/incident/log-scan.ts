/**
 * Reads the entries of one log, in order, into rows of the index. The kinds that make up nearly all of a ledger are
 * read straight from their bytes; where anything about them is unusual, and for all other kinds, decodeEntry reads. Both
 * ways take and refuse the same entries (a property test compares).
 *
 * Nothing of an entry is passed over: what is unknown or malformed gets a row of its own, and the answers name it.
 */
import { decodeEntry } from '../ledger/core/entry.ts';
import type { UnknownEntry } from '../ledger/core/entry.ts';
import { LIST_LENGTH, TEXT_BYTES } from '../ledger/core/fields.ts';
import { KINDS } from '../ledger/core/kinds.ts';
import type { Entry, EventOf } from '../ledger/core/kinds.ts';
import { hexOfWords, IdTable, wordsAt, wordsEqual, wordsOfHex } from './id-table.ts';
import type { Identified, IdWords } from './id-table.ts';
import { PathHash } from './path-hash.ts';
import { NEVER, NOWHERE, placeOf } from './places.ts';
import { RowWriter } from './row-writer.ts';
import type { RowTarget } from './row-writer.ts';
import { EMPTY_STATE } from './scan-state.ts';
import type { Reading, ScanState, Session, SignIn } from './scan-state.ts';
import { MALFORMED_KIND, NO_FOLDER, OUTCOME, SESSION_STATE, UNKNOWN_KIND } from './tables.ts';

/** Ended sessions whose last `sent` may still come, before their rows are written. */
export const ENDED_KEPT = 256;
/** Open sessions of one log; the oldest beyond it is let go of. */
export const OPEN_KEPT = 100_000;
const SAFE_HIGH = 2 ** 21;
const HEADER = 10;
/** Readings without an end that are kept at once; of the session that opens one more, the oldest is let go of. */
const OPEN_READINGS_KEPT = 500_000;

export interface Opened {
  readonly tenant: string | null;
  readonly name: string;
  readonly salt: string;
}

interface FolderNumber extends Identified {
  readonly number: number;
}

export class LogScan {
  /** Entry 0, once it has been read. */
  opened: Opened | null = null;
  private readonly log: number;
  private readonly write: RowWriter;
  private readonly hash: PathHash;
  private readonly sessions = new IdTable<Session>();
  private readonly readings = new IdTable<Reading>();
  private readonly order = new Set<Session>();
  private readonly ended = new Set<Session>();
  private readonly folders = new Map<string, number>();
  private readonly foldersById = new IdTable<FolderNumber>();
  private view: DataView = new DataView(new ArrayBuffer(0));
  /** decodeEntry has read this entry already. */
  private checked = false;

  constructor(log: number, target: RowTarget, seeds: readonly [number, number], state: ScanState = EMPTY_STATE) {
    this.log = log;
    this.write = new RowWriter(target);
    this.hash = new PathHash(...seeds);
    for (const id of state.folders) this.addFolder(id);
    for (const session of state.sessions) {
      this.sessions.add(session);
      this.order.add(session);
      for (const reading of session.readings) this.readings.add(reading);
    }
    for (const at of state.ended) this.ended.add(state.sessions[at] as Session);
  }

  /** All entries of a bundle follow after this. */
  start(bytes: Buffer): void {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  entry(bytes: Buffer, start: number, end: number, index: number): void {
    const place = placeOf(this.log, index);
    if (end - start >= HEADER && bytes[start] === 1) {
      const time = this.u64(start + 2);
      switch (bytes[start + 1]) {
        case KINDS.release.number:
          if (time >= 0 && this.release(bytes, start, end, place, time)) return;
          break;
        case KINDS.sent.number:
          if (time >= 0 && this.sent(bytes, start, end, place, time)) return;
          break;
        case KINDS.listed.number:
          if (time >= 0 && this.listed(bytes, start, end, place, time)) return;
          break;
        case KINDS.stored.number:
          if (time >= 0 && this.stored(bytes, start, end, place, time)) return;
          break;
        default:
      }
    }
    this.other(bytes.subarray(start, end), place);
  }

  /** Writes what may still change to the tail tables. */
  finish(): ScanState {
    const sessions = [...this.order];
    for (const session of sessions) {
      for (const reading of session.readings) this.write.reading('readingsTail', reading, ...endOf(reading));
      this.write.session('sessionsTail', session);
    }
    this.write.flush();
    const ended = sessions.flatMap((session, at) => (this.ended.has(session) ? [at] : []));
    return { sessions, ended, folders: [...this.folders.keys()] };
  }

  // ---- straight from the bytes: each answers false, having done nothing, when decodeEntry has to look ---------------

  private release(bytes: Buffer, start: number, end: number, place: number, time: number): boolean {
    const fixed = start + HEADER;
    if (end - fixed < 98 || !this.textFits(bytes, fixed + 96, end)) return false;
    const released = this.u64(fixed + 88);
    if (released < 0 || !(this.hash.directoryOf(bytes, fixed + 98, end) || this.checked)) return false;
    const session = this.session(fixed, place, time);
    const reading = this.reading(fixed, session, place, time);
    reading.lastTime = time;
    reading.releases++;
    reading.released += released;
    session.releases++;
    session.released += released;
    session.firstRead = Math.min(session.firstRead, time);
    session.lastRead = time;
    const first = this.view.getUint32(fixed + 80);
    const count = this.view.getUint32(fixed + 84);
    this.write.rows.releases.u64(place).u64(time).u64(reading.place).u32(first).u32(count).u64(released).end();
    return true;
  }

  private sent(bytes: Buffer, start: number, end: number, place: number, time: number): boolean {
    const at = start + HEADER;
    if (end - at < 75) return false;
    const known = bytes[at + 64] as number;
    const sentBytes = this.u64(at + 65);
    const count = this.view.getUint16(at + 73);
    if (known > 1 || sentBytes < 0 || count > LIST_LENGTH || end - at !== 75 + 16 * count) return false;
    for (let word = at + 75; word < end; word += 8) if (this.u64(word) < 0) return false;
    const session = this.session(at, place, time);
    const reading = this.takeReading(at, session) ?? this.stray(at, session, place, time);
    const outcome = reading.releases === 0 ? OUTCOME.stray : known === 1 ? OUTCOME.sent : OUTCOME.unknown;
    session.sentBytes += sentBytes;
    if (outcome === OUTCOME.unknown) {
      session.unknownBytes += reading.released;
      session.unknownReadings++;
    } else if (outcome === OUTCOME.stray) {
      session.readingCount++;
      session.strays++;
    }
    session.firstRead = Math.min(session.firstRead, reading.firstTime);
    session.lastRead = Math.max(session.lastRead, reading.lastTime);
    const [offset, length] = count === 0 ? [0, 0] : [this.u64(at + 75), this.u64(at + 83)];
    this.write.reading('readings', reading, outcome, time, sentBytes, count, offset, length);
    for (let range = 1; range < count; range++) {
      const from = at + 75 + 16 * range;
      this.write.rows.sentRanges
        .u64(reading.place)
        .u64(this.u64(from))
        .u64(this.u64(from + 8))
        .end();
    }
    return true;
  }

  private listed(bytes: Buffer, start: number, end: number, place: number, time: number): boolean {
    const at = start + HEADER;
    if (end - at < 38 || !this.textFits(bytes, at + 36, end)) return false;
    if (!(this.hash.directory(bytes, at + 38, end) || this.checked)) return false;
    const session = this.session(at, place, time);
    session.listings++;
    const { high, low } = this.hash;
    const folder = this.folder(at + 16);
    const names = this.view.getUint32(at + 32);
    this.write.rows.listings.u64(place).u64(time).u64(session.place).u32(folder).words(high, low).u32(names).end();
    return true;
  }

  private stored(bytes: Buffer, start: number, end: number, place: number, time: number): boolean {
    const at = start + HEADER;
    if (end - at < 90 || !this.textFits(bytes, at + 88, end)) return false;
    const size = this.u64(at + 80);
    if (size < 0 || !(this.hash.directoryOf(bytes, at + 90, end) || this.checked)) return false;
    const session = this.session(at, place, time);
    session.writes++;
    this.write.event(place, time, KINDS.stored.number, session.place, this.folder(at + 16), size);
    return true;
  }

  /** The text at `at` is the last field. */
  private textFits(bytes: Buffer, at: number, end: number): boolean {
    const length = this.view.getUint16(at);
    return length <= TEXT_BYTES && at + 2 + length === end && bytes.length >= end;
  }

  /** -1 when it is 2^53 or more. */
  private u64(at: number): number {
    const high = this.view.getUint32(at);
    return high < SAFE_HIGH ? high * 4294967296 + this.view.getUint32(at + 4) : -1;
  }

  private session(at: number, place: number, time: number): Session {
    const found = this.sessions.at(this.view, at);
    const session = found ?? this.newSession(wordsAt(this.view, at), place, time, null);
    session.lastTime = time;
    return session;
  }

  private newSession(id: IdWords, place: number, time: number, signIn: SignIn | null): Session {
    const session: Session = {
      id,
      place,
      firstTime: time,
      lastTime: time,
      signIn,
      state: SESSION_STATE.open,
      endTime: NEVER,
      endReason: '',
      readings: new Set(),
      readingCount: 0,
      releases: 0,
      released: 0,
      sentBytes: 0,
      unknownBytes: 0,
      unknownReadings: 0,
      strays: 0,
      firstRead: NEVER,
      lastRead: 0,
      listings: 0,
      writes: 0,
    };
    this.sessions.add(session);
    this.order.add(session);
    if (this.order.size - this.ended.size > OPEN_KEPT) this.letGo();
    return session;
  }

  private letGo(): void {
    for (const session of this.order) {
      if (this.ended.has(session)) continue;
      session.state = SESSION_STATE.cut;
      this.retire(session);
      return;
    }
  }

  private retireOldest(): void {
    for (const oldest of this.ended) {
      this.retire(oldest);
      return;
    }
  }

  private retire(session: Session): void {
    for (const reading of session.readings) {
      const [outcome, time] = endOf(reading);
      session.unknownBytes += reading.released;
      session.unknownReadings++;
      this.readings.remove(reading);
      this.write.reading('readings', reading, outcome, time);
    }
    session.readings.clear();
    this.sessions.remove(session);
    this.order.delete(session);
    this.ended.delete(session);
    this.write.session('sessions', session);
  }

  /** Of the release whose fields begin at `at`. A second one of the same name is a reading of its own. */
  private reading(at: number, session: Session, place: number, time: number): Reading {
    const { view } = this;
    const found = this.readings.at(view, at + 16);
    const folder = this.folder(at + 32);
    const same = found?.session === session && wordsEqual(found.file, view, at + 48);
    if (same && wordsEqual(found.version, view, at + 64) && found.folder === folder) return found;
    if (found !== undefined) this.abandon(found);
    const reading: Reading = {
      id: wordsAt(view, at + 16),
      session,
      file: wordsAt(view, at + 48),
      version: wordsAt(view, at + 64),
      place,
      folder,
      directoryHigh: this.hash.high,
      directoryLow: this.hash.low,
      firstTime: time,
      lastTime: time,
      releases: 0,
      released: 0,
    };
    if (this.readings.size >= OPEN_READINGS_KEPT) this.abandonOldest(session);
    this.readings.add(reading);
    session.readings.add(reading);
    session.readingCount++;
    return reading;
  }

  private abandonOldest(session: Session): void {
    for (const reading of session.readings) {
      this.abandon(reading);
      return;
    }
  }

  /** Another reading has taken its name, or there are too many: nobody will say what it sent. */
  private abandon(reading: Reading): void {
    const [outcome, time] = endOf(reading);
    this.readings.remove(reading);
    reading.session.readings.delete(reading);
    reading.session.unknownBytes += reading.released;
    reading.session.unknownReadings++;
    this.write.reading('readings', reading, outcome, time);
  }

  private takeReading(at: number, session: Session): Reading | null {
    const { view } = this;
    const found = this.readings.at(view, at + 16);
    if (found?.session !== session || !wordsEqual(found.file, view, at + 32)) return null;
    if (!wordsEqual(found.version, view, at + 48)) return null;
    this.readings.remove(found);
    session.readings.delete(found);
    return found;
  }

  /** A `sent` without releases before it. It may be of any time since the session began. */
  private stray(at: number, session: Session, place: number, time: number): Reading {
    const { view } = this;
    return {
      id: wordsAt(view, at + 16),
      session,
      file: wordsAt(view, at + 32),
      version: wordsAt(view, at + 48),
      place,
      folder: NO_FOLDER,
      directoryHigh: 0,
      directoryLow: 0,
      firstTime: session.signIn === null ? 0 : session.firstTime,
      lastTime: time,
      releases: 0,
      released: 0,
    };
  }

  private folder(at: number): number {
    const found = this.foldersById.at(this.view, at);
    return found === undefined ? this.folderNumber(hexOfWords(wordsAt(this.view, at))) : found.number;
  }

  private folderNumber(id: string): number {
    const before = this.folders.get(id);
    if (before !== undefined) return before;
    const number = this.addFolder(id);
    this.write.rows.folders.u32(this.log).u32(number).u32(this.write.name(id)).end();
    return number;
  }

  private addFolder(id: string): number {
    const number = this.folders.size;
    this.folders.set(id, number);
    this.foldersById.add({ id: wordsOfHex(id), number });
    return number;
  }

  // ---- everything else ---------------------------------------------------------------------------------------------

  private other(bytes: Buffer, place: number): void {
    let entry: Entry | UnknownEntry;
    try {
      entry = decodeEntry(bytes);
    } catch {
      this.write.event(place, 0, MALFORMED_KIND, NOWHERE, NO_FOLDER, 0);
      return;
    }
    if (entry.kind === 'unknown') {
      this.write.event(place, entry.time, UNKNOWN_KIND + entry.number, NOWHERE, NO_FOLDER, 0);
      return;
    }
    this.known(bytes, entry, place);
  }

  private known(bytes: Buffer, entry: Entry, place: number): void {
    switch (entry.kind) {
      case 'release':
      case 'sent':
      case 'listed':
      case 'stored':
        // Valid, but with a name that is not ASCII: the same rows, and the check of the name is done.
        this.hot(bytes, place, entry.kind);
        return;
      case 'sign-in':
        this.signIn(entry, place);
        return;
      case 'session-end':
        this.sessionEnd(entry, place);
        return;
      case 'sign-in-failed':
        this.write.failure(place, entry);
        return;
      case 'opened':
        this.opened ??= { tenant: entry.tenant, name: entry.name, salt: entry.salt };
        break;
      case 'changed':
        this.changed(entry, place);
        break;
      default:
    }
    this.event(entry, place);
  }

  private hot(bytes: Buffer, place: number, kind: 'release' | 'sent' | 'listed' | 'stored'): void {
    const before = this.view;
    this.start(bytes);
    this.checked = true;
    this[kind](bytes, 0, bytes.length, place, this.u64(2));
    this.checked = false;
    this.view = before;
  }

  private signIn(entry: EventOf<'sign-in'> & { readonly time: number }, place: number): void {
    const { account, login, protocol, address, client, run, node, software } = entry;
    const signIn: SignIn = {
      ...{ account: account ?? '', login, protocol, address, client, run: run ?? '', node, software },
      factors: JSON.stringify(entry.factors),
      credentials: JSON.stringify(entry.credentials),
      descriptions: JSON.stringify(entry.descriptions),
      firsts: JSON.stringify(entry.firsts),
    };
    const id = wordsOfHex(entry.session);
    const before = this.sessions.get(id);
    if (before === undefined) {
      this.newSession(id, place, entry.time, signIn);
      return;
    }
    before.lastTime = entry.time;
    // A second sign-in of one session cannot be; the first stays, and the event is named.
    if (before.signIn === null) before.signIn = signIn;
    else this.write.event(place, entry.time, KINDS['sign-in'].number, before.place, NO_FOLDER, 0);
  }

  private sessionEnd(entry: EventOf<'session-end'> & { readonly time: number }, place: number): void {
    const id = wordsOfHex(entry.session);
    const session = this.sessions.get(id) ?? this.newSession(id, place, entry.time, null);
    session.lastTime = entry.time;
    session.state = entry.gap ? SESSION_STATE.gap : SESSION_STATE.ended;
    session.endTime = entry.time;
    session.endReason = entry.reason;
    this.ended.add(session);
    if (this.ended.size > ENDED_KEPT) this.retireOldest();
  }

  private changed(entry: EventOf<'changed'> & { readonly time: number }, place: number): void {
    if (entry.folder === null) return;
    const { action, detail, time } = entry;
    const folder = this.folderNumber(entry.folder);
    if (typeof detail['name'] === 'string' && action.startsWith('folder.'))
      this.write.rows.folderNames.u64(place).u32(this.log).u32(folder).u32(this.write.name(detail['name'])).end();
    if ((action === 'product.add' || action === 'product.remove') && typeof detail['product'] === 'string') {
      const product = this.write.name(detail['product']);
      const added = action === 'product.add' ? 1 : 0;
      this.write.rows.productFolders.u64(place).u64(time).u32(this.log).u32(folder).u32(product).u32(added).end();
    }
  }

  private event(entry: Entry, place: number): void {
    const fields: Readonly<Record<string, unknown>> = { ...entry };
    const { session: id, folder } = fields;
    let session = NOWHERE;
    if (typeof id === 'string') {
      const found = this.sessions.get(wordsOfHex(id)) ?? this.newSession(wordsOfHex(id), place, entry.time, null);
      found.lastTime = entry.time;
      if (WRITES.has(entry.kind)) found.writes++;
      session = found.place;
    }
    const number = typeof folder === 'string' ? this.folderNumber(folder) : NO_FOLDER;
    this.write.event(place, entry.time, KINDS[entry.kind].number, session, number, 0);
  }
}

const WRITES: ReadonlySet<string> = new Set(['stored', 'made', 'renamed', 'removed']);

/** Of a reading without a `sent`. */
function endOf({ session, lastTime }: Reading): readonly [outcome: number, time: number] {
  return session.endTime === NEVER ? [OUTCOME.open, NEVER] : [OUTCOME.ended, Math.max(session.endTime, lastTime)];
}
