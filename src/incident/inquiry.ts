/** One question under way: the index, the scope, and what all parts of the answer need. */
import { entriesSql, logSql, readingsSql, sessionsSql } from './conditions.ts';
import { resolve } from './filters.ts';
import type { Filters, Scope } from './filters.ts';
import type { IndexFile } from './index-file.ts';
import { LedgerTexts } from './ledger-texts.ts';
import { logOf, NEVER } from './places.ts';

/** Readings, and sessions, that are looked at one by one without being asked to. */
export const DETAIL_READINGS = 150_000;
export const DETAIL_SESSIONS = 50_000;

/** Of sessions, what most questions need. */
const HIT = `session, idHigh, idLow, signedIn, state, firstTime, lastTime, endTime, readings, releases, released,
  sentBytes, unknownBytes, unknownReadings, strays, firstRead, lastRead`;

export interface LogName {
  readonly log: number;
  readonly id: string;
  readonly tenant: string | null;
  readonly name: string;
  readonly size: number;
  readonly root: string;
}

export interface InquiryOptions {
  readonly ledger: string;
  readonly filters: Filters;
  /** Rows of each list; 0 is all. */
  readonly limit: number;
  /** Beyond so many readings only their sums are told. */
  readonly detail?: number;
}

export class Inquiry {
  readonly index: IndexFile;
  readonly scope: Scope;
  readonly logs: ReadonlyMap<number, LogName>;
  readonly texts: LedgerTexts;
  readonly limit: number;
  /** False: there are so many readings that only their sums are told. */
  readonly detailed: boolean;

  private constructor(
    index: IndexFile,
    scope: Scope,
    logs: ReadonlyMap<number, LogName>,
    options: InquiryOptions,
    detailed: boolean,
  ) {
    this.index = index;
    this.scope = scope;
    this.logs = logs;
    this.texts = new LedgerTexts(options.ledger, logs);
    this.limit = options.limit === 0 ? Number.MAX_SAFE_INTEGER : options.limit;
    this.detailed = detailed;
  }

  /** Makes `hits` (sessions) and, unless there are too many, `touched` (readings). */
  static async begin(index: IndexFile, options: InquiryOptions): Promise<Inquiry> {
    const scope = await resolve(options.filters, index);
    const rows = (await index.rows(
      'SELECT log, id, tenant, name, size, root FROM logs ORDER BY log',
    )) as unknown as LogName[];
    const logs = new Map(rows.map((row) => [row.log, row]));
    await index.run(`CREATE OR REPLACE TEMP ${hitsSql(scope)}`);
    const detailed = options.limit === 0 || (await isSmall(index, scope, options.detail ?? DETAIL_READINGS));
    if (detailed)
      await index.run(
        `CREATE OR REPLACE TEMP TABLE touched AS SELECT ${logSql('reading')}::UINTEGER AS log, * FROM allReadings WHERE ${readingsSql(scope)}`,
      );
    return new Inquiry(index, scope, logs, options, detailed);
  }

  /** The readings of the question, as a relation. */
  get touched(): string {
    return this.detailed
      ? 'touched'
      : `(SELECT ${logSql('reading')}::UINTEGER AS log, * FROM allReadings WHERE ${readingsSql(this.scope)})`;
  }

  /** Readings of which some releases are after the time. */
  get cutOff(): boolean {
    return this.scope.to !== NEVER;
  }

  nameOf(log: number): string {
    return this.logs.get(log)?.name ?? '';
  }

  tenantOf(place: number): string {
    return this.nameOf(logOf(place));
  }
}

/** A question that names no sessions is about those that did something where and when it looks. */
function hitsSql(scope: Scope): string {
  const there = `SELECT ${HIT} FROM allSessions s WHERE ${sessionsSql(scope)}`;
  if (scope.sessions !== null) return `TABLE hits AS ${there}`;
  if (scope.folders === null) return `VIEW hits AS ${there}`;
  return `TABLE hits AS ${there} AND session IN (
    SELECT session FROM allReadings WHERE ${readingsSql(scope)} UNION SELECT session FROM listings WHERE ${entriesSql(scope)}
    UNION SELECT session FROM events WHERE ${entriesSql(scope)})`;
}

async function isSmall(index: IndexFile, scope: Scope, most: number): Promise<boolean> {
  const upTo = await index.row('SELECT coalesce(sum(readings), 0) AS count FROM hits');
  if (Number(upTo['count']) <= most) return true;
  if (scope.from === 0 && scope.to === NEVER && scope.folders === null) return false;
  const { count } = await index.row(`SELECT count(*) AS count FROM allReadings WHERE ${readingsSql(scope)}`);
  return Number(count) <= most;
}
