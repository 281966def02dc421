/**
 * Sums over the readings of a question, log by log. Where they are too many to look at one by one, the sums that each
 * session carries stand for all of its readings, if the whole session is within the time that is asked about.
 */
import type { Amounts } from './answer.ts';
import { logSql, readingsSql } from './conditions.ts';
import type { Row } from './index-file.ts';
import type { Inquiry } from './inquiry.ts';
import { NEVER } from './places.ts';
import { OUTCOME } from './tables.ts';

export interface ReadingSums extends Amounts {
  readonly files: number | null;
  readonly unknownReadings: number;
  readonly strays: number;
  readonly first: number;
  readonly last: number;
}

const UNKNOWN = `outcome IN (${OUTCOME.unknown}, ${OUTCOME.ended}, ${OUTCOME.open})`;
/** Over rows of readings. */
export const SUMS = `count(*) AS readings, sum(releases) AS releases, sum(released) AS releasedBytes, sum(sentBytes) AS sentBytes,
  sum(CASE WHEN outcome = ${OUTCOME.sent} THEN 0 ELSE released END) AS possiblySentBytes`;
const MORE = `count(*) FILTER (${UNKNOWN}) AS unknownReadings, count(*) FILTER (outcome = ${OUTCOME.stray}) AS strays,
  min(firstTime) AS first, max(lastTime) AS last`;

export async function readingSums(inquiry: Inquiry): Promise<Map<number, ReadingSums>> {
  const late = await lateReleases(inquiry);
  const rows = await inquiry.index.rows(sumsSql(inquiry));
  return new Map(
    rows.map((row): [number, ReadingSums] => {
      const number = (name: string): number => Number(row[name] ?? 0);
      const log = number('log');
      const more = { unknownReadings: number('unknownReadings'), strays: number('strays') };
      const times = { first: number('first'), last: number('last') };
      const files = row['files'] === null ? null : number('files');
      return [log, { ...less(amounts(row), late.get(log)), ...more, ...times, files }];
    }),
  );
}

function sumsSql({ detailed, touched, scope }: Inquiry): string {
  const files = 'count(DISTINCT (fileHigh, fileLow, versionHigh, versionLow)) AS files';
  if (detailed) return `SELECT log, ${SUMS}, ${MORE}, ${files} FROM touched GROUP BY log`;
  if (scope.folders !== null) return `SELECT log, ${SUMS}, ${MORE}, NULL AS files FROM ${touched} GROUP BY log`;
  const readings = `SELECT ${logSql('reading')} AS log, ${SUMS}, ${MORE} FROM allReadings
    WHERE ${readingsSql(scope)} AND session IN (SELECT session FROM hits WHERE NOT (${whole(scope)})) GROUP BY 1`;
  const sessions = `SELECT ${logSql('session')} AS log, sum(readings) AS readings, sum(releases) AS releases,
    sum(released) AS releasedBytes, sum(sentBytes) AS sentBytes, sum(unknownBytes) AS possiblySentBytes,
    sum(unknownReadings) AS unknownReadings, sum(strays) AS strays, min(firstRead) AS first, max(lastRead) AS last
    FROM hits WHERE readings > 0 AND ${whole(scope)} GROUP BY 1`;
  return `SELECT log, sum(readings) AS readings, sum(releases) AS releases, sum(releasedBytes) AS releasedBytes,
    sum(sentBytes) AS sentBytes, sum(possiblySentBytes) AS possiblySentBytes, sum(unknownReadings) AS unknownReadings,
    sum(strays) AS strays, min(first) AS first, max(last) AS last, NULL AS files
    FROM (${sessions} UNION ALL ${readings}) GROUP BY log`;
}

function whole({ from, to }: Inquiry['scope']): string {
  if (from === 0 && to === NEVER) return 'true';
  return `(firstTime >= ${from} AND greatest(endTime, lastTime) < ${to})`;
}

/** What readings that had begun in time released after it. */
async function lateReleases(inquiry: Inquiry): Promise<Map<number, Amounts>> {
  const { index, touched, scope, cutOff, detailed } = inquiry;
  if (!cutOff) return new Map();
  const few =
    detailed || scope.folders !== null ? '' : `AND session IN (SELECT session FROM hits WHERE NOT (${whole(scope)}))`;
  const rows = await index.rows(
    `SELECT t.log, ${LATE} FROM releases r JOIN (SELECT * FROM ${touched} WHERE lastTime >= ${scope.to} ${few}) t
       ON t.reading = r.reading
     WHERE r.time >= ${scope.to} GROUP BY t.log`,
  );
  return new Map(rows.map((row) => [Number(row['log']), amounts(row)]));
}

/** Over releases `r` of readings with their `outcome`. */
export const LATE = `0 AS readings, count(*) AS releases, sum(r.bytes) AS releasedBytes, 0 AS sentBytes,
  sum(CASE WHEN outcome = ${OUTCOME.sent} THEN 0 ELSE r.bytes END) AS possiblySentBytes`;

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
