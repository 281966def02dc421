/**
 * The same answers in the simplest way: every entry of every log decoded into objects, lists and loops over them. Slow,
 * and of no index; what the index answers must be this.
 */
import { decodeEntry } from '../../src/ledger/core/entry.ts';
import type { ByteRange } from '../../src/ledger/core/fields.ts';
import type { Entry, EventOf } from '../../src/ledger/core/kinds.ts';
import type { Filters } from '../../src/incident/filters.ts';
import type { TestLedger } from './test-ledger.ts';

type Timed<T> = T & { readonly time: number };

export interface RefSession {
  readonly id: string;
  readonly log: string;
  readonly firstTime: number;
  lastTime: number;
  endTime: number;
  ended: 'open' | 'ended' | 'gap';
  signIn: EventOf<'sign-in'> | null;
}

export interface RefReading {
  readonly log: string;
  readonly session: RefSession;
  readonly folder: string | null;
  readonly file: string | null;
  readonly version: string | null;
  readonly path: string | null;
  readonly firstTime: number;
  readonly releases: Timed<EventOf<'release'>>[];
  sent: Timed<EventOf<'sent'>> | null;
}

export interface World {
  readonly logs: readonly string[];
  readonly sessions: RefSession[];
  readonly readings: RefReading[];
  readonly listings: { readonly log: string; readonly session: RefSession; readonly entry: Timed<EventOf<'listed'>> }[];
  readonly events: { readonly log: string; readonly session: RefSession | null; readonly entry: Entry }[];
  readonly unreadable: { readonly log: string; readonly kind: 'unknown' | 'malformed'; readonly time: number }[];
}

export function readWorld(ledger: TestLedger): World {
  const world: World = {
    logs: [...ledger.logs.keys()],
    sessions: [],
    readings: [],
    listings: [],
    events: [],
    unreadable: [],
  };
  for (const { name, entries } of ledger.logs.values()) readLog(world, name, entries);
  for (const session of world.sessions)
    session.signIn ??= world.sessions.find(({ id, signIn }) => id === session.id && signIn !== null)?.signIn ?? null;
  return world;
}

function readLog(world: World, log: string, entries: readonly Buffer[]): void {
  const sessions = new Map<string | null, RefSession>();
  const open = new Map<string | null, RefReading>();
  const sessionOf = (id: string | null, time: number): RefSession => {
    const found = sessions.get(id);
    const blank = { lastTime: time, endTime: Infinity, ended: 'open' as const, signIn: null };
    const session = found ?? { id: id ?? '0'.repeat(32), log, firstTime: time, ...blank };
    if (found === undefined) world.sessions.push(session);
    sessions.set(id, session);
    session.lastTime = time;
    return session;
  };
  for (const bytes of entries) {
    let entry;
    try {
      entry = decodeEntry(bytes);
    } catch {
      world.unreadable.push({ log, kind: 'malformed', time: 0 });
      continue;
    }
    const { time } = entry;
    switch (entry.kind) {
      case 'unknown':
        world.unreadable.push({ log, kind: 'unknown', time });
        break;
      case 'sign-in': {
        const session = sessionOf(entry.session, time);
        if (session.signIn === null) session.signIn = entry;
        else world.events.push({ log, session, entry });
        break;
      }
      case 'session-end': {
        const session = sessionOf(entry.session, time);
        session.endTime = time;
        session.ended = entry.gap ? 'gap' : 'ended';
        break;
      }
      case 'release': {
        const { folder, file, version, path } = entry;
        const session = sessionOf(entry.session, time);
        let reading = open.get(entry.reading);
        if (
          reading?.session !== session ||
          reading.file !== file ||
          reading.version !== version ||
          reading.folder !== folder
        ) {
          reading = { log, session, folder, file, version, path, firstTime: time, releases: [], sent: null };
          world.readings.push(reading);
          open.set(entry.reading, reading);
        }
        reading.releases.push(entry);
        break;
      }
      case 'sent': {
        const { file, version } = entry;
        const session = sessionOf(entry.session, time);
        const reading = open.get(entry.reading);
        if (reading?.session === session && reading.file === file && reading.version === version) {
          reading.sent = entry;
          open.delete(entry.reading);
        } else {
          const firstTime = session.signIn === null ? 0 : session.firstTime;
          world.readings.push({
            log,
            session,
            folder: null,
            file,
            version,
            path: null,
            firstTime,
            releases: [],
            sent: entry,
          });
        }
        break;
      }
      case 'listed':
        world.listings.push({ log, session: sessionOf(entry.session, time), entry });
        break;
      case 'sign-in-failed':
        break;
      default: {
        const id = 'session' in entry ? entry.session : null;
        world.events.push({ log, session: id === null && entry.kind !== 'stored' ? null : sessionOf(id, time), entry });
      }
    }
  }
}

export function endOf({ sent, session, releases }: RefReading): number {
  if (sent !== null) return sent.time;
  return Math.max(session.endTime, releases.at(-1)?.time ?? 0);
}

export function outcomeOf({ sent, releases }: RefReading): 'sent' | 'stray' | 'unknown' {
  if (releases.length === 0) return 'stray';
  return sent?.known === true ? 'sent' : 'unknown';
}

const SESSION_TESTS: Readonly<
  Record<string, (signIn: EventOf<'sign-in'>, value: string, session: RefSession) => boolean>
> = {
  credential: (signIn, value) => signIn.credentials.includes(value) || signIn.descriptions.includes(value),
  account: (signIn, value) => signIn.account === value || signIn.login === value,
  address: (signIn, value) => signIn.address === value,
  client: (signIn, value) => signIn.client.toLowerCase().includes(value.toLowerCase()),
  node: (signIn, value) => signIn.node === value || signIn.run === value,
  software: (signIn, value) => signIn.software === value || signIn.software.endsWith(` ${value}`),
};

export function asks(filters: Filters, session: RefSession): boolean {
  const values = filters as Readonly<Record<string, readonly string[] | undefined>>;
  if (filters.session?.length && !filters.session.includes(session.id)) return false;
  return Object.entries(SESSION_TESTS).every(([name, test]) => {
    const wanted = values[name] ?? [];
    return (
      wanted.length === 0 ||
      (session.signIn !== null && wanted.some((value) => test(session.signIn as EventOf<'sign-in'>, value, session)))
    );
  });
}

export interface Expected {
  readonly sessions: string[];
  readonly tenants: Record<string, Record<string, number>>;
  readonly files: Record<string, Record<string, unknown>>;
  readonly untouched: string[];
  readonly unclear: string[];
  readonly listedNotRead: string[];
  readonly events: string[];
  readonly gaps: Record<string, number>;
}

/** `window`: what a question without times is about does not matter here. */
export function expected(world: World, filters: Filters): Expected {
  const { from = 0, to = Infinity, tenant, folder: folders } = filters;
  const bySession = Object.entries(filters).some(
    ([name, value]) => !['tenant', 'folder', 'from', 'to'].includes(name) && Array.isArray(value) && value.length > 0,
  );
  const inLog = (log: string): boolean => !tenant?.length || tenant.includes(log);
  const inFolder = (folder: string | null): boolean =>
    !folders?.length || (folder !== null && folders.includes(folder));
  const inTime = (time: number): boolean => time >= from && time < to;
  const overlaps = (first: number, last: number): boolean => first < to && last >= from;
  const there = world.sessions.filter(
    (session) => inLog(session.log) && overlaps(session.firstTime, Math.max(session.endTime, session.lastTime)),
  );
  const named = there.filter((session) => asks(filters, session));
  const mine = (session: RefSession): boolean => !bySession || named.includes(session);
  const readings = world.readings.filter(
    (reading) =>
      inLog(reading.log) &&
      inFolder(reading.folder) &&
      mine(reading.session) &&
      overlaps(reading.firstTime, endOf(reading)),
  );
  const listings = world.listings.filter(
    ({ log, session, entry }) => inLog(log) && inFolder(entry.folder) && mine(session) && inTime(entry.time),
  );
  const events = world.events.filter(
    ({ log, session, entry }) =>
      inLog(log) &&
      inFolder(folderOf(entry)) &&
      (bySession ? session !== null && mine(session) : true) &&
      inTime(entry.time),
  );
  const active = new Set([...readings, ...listings, ...events].map(({ session }) => session));
  const sessions = !bySession && folders?.length ? there.filter((session) => active.has(session)) : named;
  const changes = events.filter(({ entry }) => ['stored', 'made', 'renamed', 'removed'].includes(entry.kind));
  const touched = new Set([...readings, ...listings, ...changes, ...sessions].map(({ log }) => log));
  const doubted = new Set(
    world.unreadable.filter(({ log, time }) => inLog(log) && (time === 0 || inTime(time))).map(({ log }) => log),
  );
  const bySignIn = Object.keys(SESSION_TESTS).some(
    (name) => ((filters as Readonly<Record<string, unknown[] | undefined>>)[name] ?? []).length > 0,
  );
  if (bySignIn) for (const { log, signIn } of there) if (signIn === null) doubted.add(log);
  const holds = (log: string): boolean =>
    !folders?.length || allFolders(world, log).some((folder) => folders.includes(folder));
  const rest = world.logs.filter((log) => !touched.has(log) && inLog(log) && holds(log));
  return {
    sessions: sessions.map(({ id, log }) => `${log} ${id}`).sort(),
    tenants: Object.fromEntries(
      [...touched].map((log) => [
        log,
        {
          ...sums(
            readings.filter((reading) => reading.log === log),
            to,
          ),
          sessions: sessions.filter((session) => session.log === log).length,
          files: new Set(
            readings.filter((reading) => reading.log === log).map(({ file, version }) => `${file} ${version}`),
          ).size,
          listings: listings.filter((listing) => listing.log === log).length,
          changes: changes.filter((change) => change.log === log).length,
        },
      ]),
    ),
    files: filesOf(readings, to),
    untouched: rest.filter((log) => !doubted.has(log)).sort(),
    unclear: rest.filter((log) => doubted.has(log)).sort(),
    listedNotRead: notRead(listings, readings),
    events: events
      .filter(({ session }) => session !== null)
      .map(({ log, session, entry }) => `${log} ${entry.kind} ${entry.time} ${session?.id}`)
      .sort(),
    gaps: gapsOf(world, { there, sessions, readings, inLog, inTime, to }),
  };
}

function allFolders(world: World, log: string): string[] {
  const of = (list: readonly { log: string; folder: string | null }[]) =>
    list.filter((one) => one.log === log).map(({ folder }) => folder);
  return [
    ...of(world.readings),
    ...of(world.listings.map(({ log: where, entry }) => ({ log: where, folder: entry.folder }))),
    ...of(world.events.map(({ log: where, entry }) => ({ log: where, folder: folderOf(entry) }))),
  ].filter((folder) => folder !== null);
}

function folderOf(entry: Entry): string | null {
  return 'folder' in entry ? entry.folder : null;
}

function sums(readings: readonly RefReading[], to: number): Record<string, number> {
  const released = (list: readonly RefReading[]): number =>
    list.flatMap(({ releases }) => releases).reduce((sum, { time, bytes }) => sum + (time < to ? bytes : 0), 0);
  return {
    readings: readings.length,
    releases: readings.flatMap(({ releases }) => releases).filter(({ time }) => time < to).length,
    releasedBytes: released(readings),
    sentBytes: readings.reduce((sum, { sent }) => sum + (sent?.bytes ?? 0), 0),
    possiblySentBytes: released(readings.filter((reading) => outcomeOf(reading) !== 'sent')),
  };
}

function filesOf(readings: readonly RefReading[], to: number): Expected['files'] {
  const groups = Map.groupBy(readings, ({ log, file, version }) => `${log} ${file ?? '0'.repeat(32)} ${version ?? ''}`);
  return Object.fromEntries(
    [...groups].map(([key, group]) => {
      const releases = (list: readonly RefReading[]): string =>
        bytesOf(
          list
            .flatMap((reading) => reading.releases)
            .filter(({ time }) => time < to)
            .map(({ first, count, bytes }) => [first * 8388608, Math.min(bytes, count * 8388608)] as const),
        );
      return [
        key,
        {
          ...sums(group, to),
          released: releases(group),
          possiblySent: releases(group.filter((reading) => outcomeOf(reading) !== 'sent')),
          sent: bytesOf(group.flatMap(({ sent }) => sent?.ranges ?? [])),
        },
      ];
    }),
  );
}

/** Ranges as their boundaries: which bytes are in, byte runs found by sweeping over all ends. */
export function bytesOf(ranges: readonly ByteRange[]): string {
  const edges = [...new Set(ranges.flatMap(([offset, length]) => [offset, offset + length]))].sort((a, b) => a - b);
  const runs: [number, number][] = [];
  for (let at = 0; at + 1 < edges.length; at++) {
    const [low, high] = [edges[at] ?? 0, edges[at + 1] ?? 0];
    if (!ranges.some(([offset, length]) => offset <= low && offset + length >= high)) continue;
    const last = runs.at(-1);
    if (last?.[1] === low) last[1] = high;
    else runs.push([low, high]);
  }
  return runs.map(([low, high]) => `${low}-${high}`).join(' ');
}

function notRead(listings: World['listings'], readings: readonly RefReading[]): string[] {
  const directory = (path: string): string => path.replace(/\/$/, '');
  const read = new Set(
    readings.map(({ log, folder, path }) => `${log} ${folder} ${path?.slice(0, path.lastIndexOf('/')) ?? '?'}`),
  );
  const listed = new Set(listings.map(({ log, entry }) => `${log} ${entry.folder} ${directory(entry.path)}`));
  return [...listed].filter((where) => !read.has(where)).sort();
}

function gapsOf(
  world: World,
  part: {
    there: RefSession[];
    sessions: RefSession[];
    readings: RefReading[];
    inLog: (log: string) => boolean;
    inTime: (time: number) => boolean;
    to: number;
  },
): Record<string, number> {
  const { there, sessions, readings, inLog, inTime } = part;
  const unreadable = (kind: 'unknown' | 'malformed'): number =>
    world.unreadable.filter(
      (entry) => entry.kind === kind && inLog(entry.log) && (kind === 'malformed' || inTime(entry.time)),
    ).length;
  const all = {
    'no-sign-in': there.filter(({ signIn }) => signIn === null).length,
    'not-known-to-be-sent': readings.filter((reading) => outcomeOf(reading) === 'unknown').length,
    strays: readings.filter((reading) => outcomeOf(reading) === 'stray').length,
    'open-sessions': sessions.filter(({ ended }) => ended === 'open').length,
    'node-died': sessions.filter(({ ended }) => ended === 'gap').length,
    'unknown-entries': unreadable('unknown'),
    'malformed-entries': unreadable('malformed'),
  };
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0));
}
