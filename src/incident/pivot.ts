/** What else the credentials, accounts, addresses and clients of the question's sessions did, at any time. */
import { listValue } from '@duckdb/node-api';
import type { Part, PivotRow } from './answer.ts';
import { logSql } from './conditions.ts';
import type { Row } from './index-file.ts';
import { DETAIL_SESSIONS } from './inquiry.ts';
import type { Inquiry } from './inquiry.ts';
import { moment } from './moments.ts';

type By = PivotRow['by'];

/** Where the values stand in sessions; a credential stands in a list. */
const COLUMNS: Readonly<Record<By, string>> = {
  account: 'account',
  credential: 'credentials',
  address: 'address',
  client: 'client',
};

export async function pivot(inquiry: Inquiry): Promise<Part<PivotRow>> {
  const { index, scope, limit } = inquiry;
  if (scope.sessions === null) return { total: 0, shown: [] };
  const { count } = await index.row('SELECT count(*) AS count FROM hits');
  if (Number(count) > DETAIL_SESSIONS && limit !== Number.MAX_SAFE_INTEGER) return { total: null, shown: [] };
  const rows: PivotRow[] = [];
  for (const by of Object.keys(COLUMNS) as By[]) rows.push(...(await pivotBy(inquiry, by)));
  return { total: rows.length, shown: rows.slice(0, limit) };
}

async function pivotBy(inquiry: Inquiry, by: By): Promise<PivotRow[]> {
  const { index } = inquiry;
  const column = COLUMNS[by];
  await index.run(
    `CREATE OR REPLACE TEMP TABLE asked AS
     SELECT ${column} AS name, count(*) AS count FROM allSessions WHERE session IN (SELECT session FROM hits) AND signedIn > 0
     GROUP BY 1`,
  );
  await valuesOf(inquiry, by);
  // One value may stand in several names, and one name (a list) for several values.
  const rows = await index.rows(
    `WITH others AS (
       SELECT ${column} AS name, ${logSql('session')} AS log, count(*) AS sessions, sum(released) AS bytes, min(firstTime) AS first,
         max(lastTime) AS last
       FROM allSessions WHERE ${column} IN (SELECT name FROM valued) AND session NOT IN (SELECT session FROM hits) AND signedIn > 0
       GROUP BY 1, 2)
     SELECT v.value, sum(o.sessions) AS sessions, sum(o.bytes) AS bytes, min(o.first) AS first, max(o.last) AS last,
       string_agg(DISTINCT o.log::VARCHAR, ' ') AS logs,
       (SELECT sum(a.count) FROM asked a JOIN valued w ON w.name = a.name WHERE w.value = v.value) AS asked
     FROM valued v LEFT JOIN others o ON o.name = v.name GROUP BY v.value ORDER BY bytes DESC NULLS LAST, v.value`,
  );
  const failed = await failures(inquiry, by);
  return rows.map((row) => pivotRow(inquiry, by, row, failed));
}

/** Makes `valued`: each value that was asked about, with every name that it stands in. */
async function valuesOf({ index }: Inquiry, by: By): Promise<void> {
  if (by !== 'credential') {
    await index.run(
      `CREATE OR REPLACE TEMP TABLE valued AS SELECT n.text AS value, m.name FROM
         (SELECT DISTINCT text FROM names WHERE name IN (SELECT name FROM asked)) n JOIN names m ON m.text = n.text`,
    );
    return;
  }
  const lists = await index.rows(
    `SELECT name, text, name IN (SELECT name FROM asked) AS asked FROM names WHERE starts_with(text, '[')`,
  );
  const members = lists.map(({ name, text, asked }) => ({ name: Number(name), asked, list: parseList(String(text)) }));
  const wanted = new Set(members.flatMap(({ asked, list }) => (asked === true ? list : [])));
  await index.run('CREATE OR REPLACE TEMP TABLE valued (value VARCHAR, name UINTEGER)');
  const pairs = members.flatMap(({ name, list }) =>
    [...new Set(list)].filter((value) => wanted.has(value)).map((value) => ({ name, value })),
  );
  if (pairs.length === 0) return;
  await index.run('INSERT INTO valued SELECT unnest(?::VARCHAR[]), unnest(?::UINTEGER[])', [
    listValue(pairs.map(({ value }) => value)),
    listValue(pairs.map(({ name }) => name)),
  ]);
}

/** Other texts of the ledger may begin like a list. */
function parseList(text: string): string[] {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

function pivotRow(inquiry: Inquiry, by: By, row: Row, failed: ReadonlyMap<string, number> | null): PivotRow {
  const number = (name: string): number => Number(row[name] ?? 0);
  const value = String(row['value']);
  const logs = row['logs'] === null ? [] : String(row['logs']).split(' ');
  return {
    by,
    value,
    sessionsAsked: number('asked'),
    otherSessions: number('sessions'),
    otherTenants: logs.map((log) => inquiry.nameOf(Number(log))).sort(),
    otherReleasedBytes: number('bytes'),
    first: row['first'] === null ? null : moment(number('first')),
    last: row['last'] === null ? null : moment(number('last')),
    failedSignIns: failed === null ? null : (failed.get(value) ?? 0),
  };
}

/** Failed sign-ins are in the ledger by account and address. */
async function failures({ index }: Inquiry, by: By): Promise<Map<string, number> | null> {
  if (by !== 'address' && by !== 'account') return null;
  const on =
    by === 'account' ? 'f.account = s.account' : 'f.addressHigh = s.addressHigh AND f.addressLow = s.addressLow';
  const rows = await index.rows(
    `SELECT n.text, count(*) AS count FROM failures f JOIN (
       SELECT DISTINCT ${COLUMNS[by]} AS name, account, addressHigh, addressLow FROM allSessions
       WHERE session IN (SELECT session FROM hits) AND signedIn > 0) s ON ${on} JOIN names n ON n.name = s.name GROUP BY n.text`,
  );
  return new Map(rows.map(({ text, count }) => [String(text), Number(count)]));
}
