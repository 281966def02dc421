/** What else the credentials, accounts, addresses and clients of the question's sessions did, at any time. */
import type { Part, PivotRow } from './answer.ts';
import type { Inquiry } from './inquiry.ts';
import { logSql } from './conditions.ts';
import { moment } from './moments.ts';

const DIMENSIONS = [
  { by: 'account', column: 'account' },
  { by: 'credential', column: 'credentials' },
  { by: 'address', column: 'address' },
  { by: 'client', column: 'client' },
] as const;

export async function pivot(inquiry: Inquiry): Promise<Part<PivotRow>> {
  if (inquiry.scope.sessions === null) return { total: 0, shown: [] };
  const parts: PivotRow[] = [];
  for (const dimension of DIMENSIONS) parts.push(...(await pivotBy(inquiry, dimension)));
  return { total: parts.length, shown: parts.slice(0, inquiry.limit) };
}

async function pivotBy(inquiry: Inquiry, { by, column }: (typeof DIMENSIONS)[number]): Promise<PivotRow[]> {
  const { index } = inquiry;
  const rows = await index.rows(
    `WITH asked AS (SELECT ${column} AS value, count(*) AS asked FROM allSessions JOIN hits USING (session)
       WHERE signedIn > 0 GROUP BY 1),
     others AS (SELECT a.${column} AS value, count(*) AS others, sum(a.released) AS bytes, min(a.firstTime) AS first,
         max(a.lastTime) AS last, list(DISTINCT ${logSql('a.session')})::VARCHAR AS logs
       FROM allSessions a WHERE a.${column} IN (SELECT value FROM asked) AND a.session NOT IN (SELECT session FROM hits)
         AND a.signedIn > 0 GROUP BY 1)
     SELECT (SELECT text FROM names WHERE names.name = asked.value LIMIT 1) AS text, asked.value, asked.asked, others.*
     FROM asked LEFT JOIN others ON others.value = asked.value ORDER BY coalesce(others.bytes, 0) DESC, text`,
  );
  const failed = await failures(inquiry, by);
  return rows.map((row): PivotRow => {
    const text = String(row['text']);
    const number = (name: string): number => Number(row[name] ?? 0);
    const logs = row['logs'] === null ? [] : (JSON.parse(String(row['logs'])) as number[]);
    return {
      by,
      value: by === 'credential' ? (JSON.parse(text) as string[]).join(' + ') : text,
      sessionsAsked: number('asked'),
      otherSessions: number('others'),
      otherTenants: logs.map((log) => inquiry.nameOf(log)).sort(),
      otherReleasedBytes: number('bytes'),
      first: row['first'] === null ? null : moment(number('first')),
      last: row['last'] === null ? null : moment(number('last')),
      failedSignIns: failed === null ? null : (failed.get(text) ?? 0),
    };
  });
}

/** Failed sign-ins are in the ledger by account and address. */
async function failures({ index }: Inquiry, by: PivotRow['by']): Promise<Map<string, number> | null> {
  if (by !== 'address' && by !== 'account') return null;
  const on =
    by === 'account' ? 'f.account = s.account' : 'f.addressHigh = s.addressHigh AND f.addressLow = s.addressLow';
  const rows = await index.rows(
    `SELECT (SELECT text FROM names WHERE names.name = s.value LIMIT 1) AS text, count(*) AS count
     FROM failures f JOIN (SELECT DISTINCT ${by} AS value, account, addressHigh, addressLow FROM allSessions JOIN hits USING (session)
       WHERE signedIn > 0) s ON ${on} GROUP BY s.value`,
  );
  return new Map(rows.map(({ text, count }) => [String(text), Number(count)]));
}
