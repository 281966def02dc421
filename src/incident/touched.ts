/** Who was touched, and which bytes of which files. */
import type { ByteRange } from '../ledger/core/fields.ts';
import type { Amounts, Part, TouchedFile, TouchedTenant } from './answer.ts';
import { entriesSql, logSql } from './conditions.ts';
import type { Row } from './index-file.ts';
import type { Inquiry } from './inquiry.ts';
import { moment } from './moments.ts';
import { releasedRange, union } from './ranges.ts';
import { OUTCOME } from './tables.ts';

/** Sums over readings, less what was released after the time that is asked about. */
const SUMS = `count(*) AS readings, sum(releases) AS releases, sum(released) AS releasedBytes, sum(sentBytes) AS sentBytes,
  sum(CASE WHEN outcome = ${OUTCOME.sent} THEN 0 ELSE released END) AS possiblySentBytes`;

export async function touchedTenants(inquiry: Inquiry): Promise<TouchedTenant[]> {
  const { index, touched, detailed, scope } = inquiry;
  const files = detailed ? 'count(DISTINCT (fileHigh, fileLow, versionHigh, versionLow))' : 'NULL';
  const rows = await index.rows(
    `SELECT log, ${SUMS}, min(firstTime) AS first, max(lastTime) AS last, ${files} AS files FROM ${touched} GROUP BY log`,
  );
  const late = await lateReleases(inquiry);
  const sessions = await byLog(inquiry, 'SELECT session AS place, session FROM hits', 'count(DISTINCT session)');
  const listings = await byLog(inquiry, `SELECT place FROM listings WHERE ${entriesSql(scope)}`);
  const changes = await byLog(
    inquiry,
    `SELECT place FROM events WHERE kind BETWEEN 24 AND 27 AND ${entriesSql(scope)}`,
  );
  const found = new Map(rows.map((row) => [Number(row['log']), row]));
  const logs = [...new Set([...found.keys(), ...sessions.keys(), ...listings.keys(), ...changes.keys()])];
  return logs
    .map((log): TouchedTenant => {
      const { id = '', tenant = null, name = '' } = inquiry.logs.get(log) ?? {};
      const row = found.get(log);
      return {
        ...{ tenant, name, log: id, sessions: sessions.get(log) ?? 0 },
        ...less(amounts(row), late.get(log)),
        files: row === undefined ? 0 : (row['files'] as number | null),
        ...{ listings: listings.get(log) ?? 0, changes: changes.get(log) ?? 0 },
        first: row === undefined ? null : moment(Number(row['first'])),
        last: row === undefined ? null : moment(Math.min(Number(row['last']), scope.to - 1)),
      };
    })
    .sort((a, b) => b.releasedBytes - a.releasedBytes || b.sessions - a.sessions || (a.name < b.name ? -1 : 1));
}

export function amounts(row: Row | undefined): Amounts {
  const at = (name: keyof Amounts): number => Number(row?.[name] ?? 0);
  return {
    readings: at('readings'),
    releases: at('releases'),
    releasedBytes: at('releasedBytes'),
    sentBytes: at('sentBytes'),
    possiblySentBytes: at('possiblySentBytes'),
  };
}

export function less<T extends Amounts>(all: T, late: Amounts | undefined): T {
  if (late === undefined) return all;
  return {
    ...all,
    releases: all.releases - late.releases,
    releasedBytes: all.releasedBytes - late.releasedBytes,
    possiblySentBytes: all.possiblySentBytes - late.possiblySentBytes,
  };
}

async function byLog({ index }: Inquiry, places: string, count = 'count(*)'): Promise<Map<number, number>> {
  const rows = await index.rows(`SELECT ${logSql('place')} AS log, ${count} AS count FROM (${places}) GROUP BY 1`);
  return new Map(rows.map(({ log, count: number }) => [Number(log), Number(number)]));
}

/** What readings that had begun in time released after it. */
async function lateReleases(inquiry: Inquiry): Promise<Map<number, Amounts>> {
  const { index, touched, scope, cutOff } = inquiry;
  if (!cutOff) return new Map();
  const rows = await index.rows(
    `SELECT t.log, 0 AS readings, count(*) AS releases, sum(r.bytes) AS releasedBytes, 0 AS sentBytes,
       sum(CASE WHEN t.outcome = ${OUTCOME.sent} THEN 0 ELSE r.bytes END) AS possiblySentBytes
     FROM releases r JOIN (SELECT * FROM ${touched} WHERE lastTime >= ${scope.to}) t ON t.reading = r.reading
     WHERE r.time >= ${scope.to} GROUP BY t.log`,
  );
  return new Map(rows.map((row) => [Number(row['log']), amounts(row)]));
}

const VERSION = 'log, fileHigh, fileLow, versionHigh, versionLow';

/** By tenant, the files with most bytes first. */
export async function touchedFiles(inquiry: Inquiry): Promise<Part<TouchedFile>> {
  const { index, detailed, limit } = inquiry;
  if (!detailed) return { total: null, shown: [] };
  await index.run(
    `CREATE OR REPLACE TEMP TABLE touchedFiles AS
     SELECT row_number() OVER (ORDER BY sum(released) DESC, min(reading)) AS number, ${VERSION}, min(reading) AS place,
       min(folder) AS folder, min(firstTime) AS first, max(lastTime) AS last, ${SUMS}
     FROM touched GROUP BY ${VERSION}`,
  );
  const { total } = await index.row('SELECT count(*) AS total FROM touchedFiles');
  await index.run(
    `CREATE OR REPLACE TEMP TABLE shownReadings AS
     SELECT f.number, t.reading, t.session, t.outcome, t.ranges, t.rangeOffset, t.rangeLength
     FROM touched t JOIN (SELECT number, ${VERSION} FROM touchedFiles WHERE number <= ${limit}) f USING (${VERSION})`,
  );
  return { total: Number(total), shown: await describe(inquiry) };
}

async function describe(inquiry: Inquiry): Promise<TouchedFile[]> {
  const { index, limit, scope } = inquiry;
  const rows = await index.rows(
    `SELECT f.*, lpad(hex(f.fileHigh), 16, '0') || lpad(hex(f.fileLow), 16, '0') AS file,
       lpad(hex(f.versionHigh), 16, '0') || lpad(hex(f.versionLow), 16, '0') AS version
     FROM touchedFiles f WHERE number <= ${limit} ORDER BY number`,
  );
  const released = await releasedOf(inquiry);
  const sent = await sentOf(inquiry);
  const sessions = await sessionsOf(inquiry);
  const late = await lateOf(inquiry);
  const folders = await folderNames(inquiry);
  const entries = await inquiry.texts.entries(rows.map(({ place }) => Number(place)));
  return rows.map((row): TouchedFile => {
    const number = Number(row['number']);
    const entry = entries.get(Number(row['place']));
    const log = Number(row['log']);
    const version = String(row['version']).toLowerCase();
    const own = released.get(number) ?? [];
    return {
      tenant: inquiry.nameOf(log),
      folder: folders.get(`${log}/${String(row['folder'])}`) ?? null,
      path: entry !== undefined && 'path' in entry ? entry.path : null,
      file: String(row['file']).toLowerCase(),
      version: /^0+$/.test(version) ? null : version,
      ...less(amounts(row), late.get(number)),
      first: moment(Number(row['first'])),
      last: moment(Math.min(Number(row['last']), scope.to - 1)),
      sessions: sessions.get(number) ?? [],
      released: union(own.map(({ range }) => range)),
      sent: union(sent.get(number) ?? []),
      possiblySent: union(own.flatMap(({ range, possibly }) => (possibly ? [range] : []))),
    };
  });
}

async function releasedOf({ index, scope, cutOff }: Inquiry) {
  const rows = await index.rows(
    `SELECT DISTINCT s.number, r.first, r.count, r.bytes, s.outcome <> ${OUTCOME.sent} AS possibly
     FROM releases r JOIN shownReadings s ON s.reading = r.reading ${cutOff ? `WHERE r.time < ${scope.to}` : ''}`,
  );
  return grouped(rows, (row) => ({
    range: releasedRange(Number(row['first']), Number(row['count']), Number(row['bytes'])),
    possibly: row['possibly'] === true,
  }));
}

async function sentOf({ index }: Inquiry): Promise<Map<number, ByteRange[]>> {
  const rows = await index.rows(
    `SELECT DISTINCT number, rangeOffset, rangeLength FROM shownReadings WHERE ranges > 0
     UNION SELECT s.number, r.rangeOffset, r.rangeLength FROM sentRanges r JOIN shownReadings s ON s.reading = r.reading
       AND s.ranges > 1`,
  );
  return grouped(rows, (row): ByteRange => [Number(row['rangeOffset']), Number(row['rangeLength'])]);
}

async function sessionsOf({ index }: Inquiry): Promise<Map<number, string[]>> {
  const rows = await index.rows(
    `SELECT DISTINCT r.number, lower(lpad(hex(s.idHigh), 16, '0') || lpad(hex(s.idLow), 16, '0')) AS id
     FROM shownReadings r JOIN hits s ON s.session = r.session ORDER BY id`,
  );
  return grouped(rows, (row) => String(row['id']));
}

async function lateOf({ index, scope, cutOff }: Inquiry): Promise<Map<number, Amounts>> {
  if (!cutOff) return new Map();
  const rows = await index.rows(
    `SELECT s.number, 0 AS readings, count(*) AS releases, sum(r.bytes) AS releasedBytes, 0 AS sentBytes,
       sum(CASE WHEN s.outcome = ${OUTCOME.sent} THEN 0 ELSE r.bytes END) AS possiblySentBytes
     FROM releases r JOIN shownReadings s ON s.reading = r.reading WHERE r.time >= ${scope.to} GROUP BY s.number`,
  );
  return new Map(rows.map((row) => [Number(row['number']), amounts(row)]));
}

function grouped<T>(rows: readonly Row[], valueOf: (row: Row) => T): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const row of rows) {
    const number = Number(row['number']);
    const group = groups.get(number);
    if (group === undefined) groups.set(number, [valueOf(row)]);
    else group.push(valueOf(row));
  }
  return groups;
}

/** "log/folder" to the folder's last name; its identifier where no name was ever recorded. */
export async function folderNames({ index }: Inquiry): Promise<Map<string, string>> {
  const rows = await index.rows(
    `SELECT f.log, f.folder, coalesce(last.text, id.text) AS name FROM folders f JOIN names id ON id.name = f.id
     LEFT JOIN (SELECT fn.log, fn.folder, arg_max(n.text, fn.place) AS text FROM folderNames fn JOIN names n ON n.name = fn.name
       GROUP BY ALL) last ON last.log = f.log AND last.folder = f.folder`,
  );
  return new Map(rows.map(({ log, folder, name }) => [`${String(log)}/${String(folder)}`, String(name)]));
}
