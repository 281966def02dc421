/** What the ledger does not know, or this version cannot read: an answer without these would say too little. */
import type { Gap, TouchedFile } from './answer.ts';
import { anyEntriesSql, logSql, sessionsSql } from './conditions.ts';
import type { Inquiry } from './inquiry.ts';
import type { ReadingSums } from './reading-sums.ts';
import { MALFORMED_KIND, SESSION_STATE, SIGNED_IN, UNKNOWN_KIND } from './tables.ts';

interface Query {
  readonly kind: Gap['kind'];
  readonly sql: string;
  readonly text: string;
}

/** Each yields a row a log: log, count. */
function queries(inquiry: Inquiry): Query[] {
  const { scope } = inquiry;
  const anySession = sessionsSql({ ...scope, sessions: null });
  const sessions = (condition: string): string =>
    `SELECT ${logSql('session')} AS log, count(*) AS count FROM hits WHERE ${condition} GROUP BY 1`;
  const events = (condition: string): string =>
    `SELECT ${logSql('place')} AS log, count(*) AS count FROM events WHERE ${condition} GROUP BY 1`;
  return [
    {
      kind: 'no-sign-in',
      sql: `SELECT ${logSql('session')} AS log, count(*) AS count FROM allSessions WHERE signedIn = ${SIGNED_IN.no} AND ${anySession} GROUP BY 1`,
      text: 'sessions have no sign-in in the ledger: nobody can tell whose they are, so they may be of what was asked',
    },
    {
      kind: 'open-sessions',
      sql: sessions(`state IN (${SESSION_STATE.open}, ${SESSION_STATE.cut})`),
      text: 'sessions have no end in the ledger: they may still go on',
    },
    {
      kind: 'node-died',
      sql: sessions(`state = ${SESSION_STATE.gap}`),
      text: 'sessions were cut off when their node died: what they did last is known by their releases alone',
    },
    {
      kind: 'unknown-entries',
      sql: events(`kind >= ${UNKNOWN_KIND} AND kind < ${MALFORMED_KIND} AND ${anyEntriesSql(scope)}`),
      text: 'entries are of a kind that this version does not know: use a later one',
    },
    {
      kind: 'malformed-entries',
      // Their time cannot be read, so they count whatever the time is.
      sql: events(`kind = ${MALFORMED_KIND} AND ${anyEntriesSql({ ...scope, from: 0 })}`),
      text: 'entries are malformed, and cannot be read',
    },
  ];
}

/** What the sums over readings tell already. */
const OF_READINGS = [
  {
    kind: 'not-known-to-be-sent',
    column: 'unknownReadings',
    text: 'readings were released, and nobody reported what was sent: all of it counts as possibly sent',
  },
  { kind: 'strays', column: 'strays', text: 'reports of what was sent have no release before them' },
] as const;

export async function gaps(
  inquiry: Inquiry,
  sums: ReadonlyMap<number, ReadingSums>,
  files: readonly TouchedFile[],
): Promise<Gap[]> {
  const found: Gap[] = [];
  for (const { kind, column, text } of OF_READINGS) {
    const logs = [...sums].filter(([, row]) => row[column] > 0);
    const count = logs.reduce((sum, [, row]) => sum + row[column], 0);
    if (count > 0) found.push({ kind, text, count, tenants: logs.map(([log]) => inquiry.nameOf(log)).sort() });
  }
  for (const { kind, sql, text } of queries(inquiry)) {
    const rows = await inquiry.index.rows(sql);
    const count = rows.reduce((sum, row) => sum + Number(row['count']), 0);
    const tenants = rows.map(({ log }) => inquiry.nameOf(Number(log))).sort();
    if (count > 0) found.push({ kind, text, count, tenants });
  }
  const nameless = files.filter(({ path }) => path === null);
  const tenants = [...new Set(nameless.map(({ tenant }) => tenant))].sort();
  if (nameless.length > 0)
    found.push({
      kind: 'no-name',
      text: 'files have no name in the entries that tell of them',
      count: nameless.length,
      tenants,
    });
  return found;
}
