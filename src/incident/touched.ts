/** Who was touched, and which bytes of which files. */
import type { ByteRange } from '../ledger/core/fields.ts';
import type { Amounts, Part, TouchedFile, TouchedTenant } from './answer.ts';
import { entriesSql, logSql } from './conditions.ts';
import type { Row } from './index-file.ts';
import type { Inquiry } from './inquiry.ts';
import { amounts, LATE, less, SUMS } from './reading-sums.ts';
import type { ReadingSums } from './reading-sums.ts';
import { moment } from './moments.ts';
import { releasedRange, union } from '../ledger/core/ranges.ts';
import { OUTCOME } from './tables.ts';

export async function touchedTenants(
  inquiry: Inquiry,
  sums: ReadonlyMap<number, ReadingSums>,
): Promise<TouchedTenant[]> {
  const { scope } = inquiry;
  const sessions = await byLog(inquiry, 'SELECT session AS place FROM hits');
  const listings = await byLog(inquiry, `SELECT place FROM listings WHERE ${entriesSql(scope)}`);
  const changes = await byLog(
    inquiry,
    `SELECT place FROM events WHERE kind BETWEEN 24 AND 27 AND ${entriesSql(scope)}`,
  );
  const logs = [...new Set([...sums.keys(), ...sessions.keys(), ...listings.keys(), ...changes.keys()])];
  return logs
    .map((log): TouchedTenant => {
      const { id = '', tenant = null, name = '' } = inquiry.logs.get(log) ?? {};
      const row = sums.get(log);
      const { readings, releases, releasedBytes, sentBytes, possiblySentBytes } = row ?? NOTHING;
      return {
        ...{ tenant, name, log: id, sessions: sessions.get(log) ?? 0 },
        ...{ readings, releases, releasedBytes, sentBytes, possiblySentBytes },
        files: row === undefined ? 0 : row.files,
        ...{ listings: listings.get(log) ?? 0, changes: changes.get(log) ?? 0 },
        first: row === undefined ? null : moment(row.first),
        last: row === undefined ? null : moment(Math.min(row.last, scope.to - 1)),
      };
    })
    .sort((a, b) => b.releasedBytes - a.releasedBytes || b.sessions - a.sessions || (a.name < b.name ? -1 : 1));
}

const NOTHING = amounts(undefined);

async function byLog({ index }: Inquiry, places: string): Promise<Map<number, number>> {
  const rows = await index.rows(`SELECT ${logSql('place')} AS log, count(*) AS count FROM (${places}) GROUP BY 1`);
  return new Map(rows.map(({ log, count }) => [Number(log), Number(count)]));
}

/** How the folder of an entry without one reads. */
const NO_ID = '0'.repeat(32);
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
    `SELECT s.number, ${LATE}
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
  const named = rows.filter(({ name }) => name !== NO_ID);
  return new Map(named.map(({ log, folder, name }) => [`${String(log)}/${String(folder)}`, String(name)]));
}
