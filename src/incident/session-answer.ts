/** The sessions of the question: who signed in, from where, with what. */
import type { Part, SessionRow } from './answer.ts';
import type { Row } from './index-file.ts';
import type { Inquiry } from './inquiry.ts';
import { moment } from './moments.ts';
import { NEVER } from './places.ts';
import { SESSION_STATE, SIGNED_IN } from './tables.ts';

/** Columns of sessions that are numbers of names. */
const NAMES = [
  ...['account', 'login', 'protocol', 'address', 'client', 'node', 'software'],
  ...['factors', 'credentials', 'descriptions', 'firsts', 'endReason'],
] as const;

export async function sessionRows(inquiry: Inquiry): Promise<Part<SessionRow>> {
  const { index, limit } = inquiry;
  const { total } = await index.row('SELECT count(*) AS total FROM hits');
  const rows = await index.rows(
    `WITH shown AS (SELECT * FROM allSessions WHERE session IN
       (SELECT session FROM hits ORDER BY released DESC, session LIMIT ${limit}))
     SELECT s.* EXCLUDE (${NAMES.join(', ')}), lower(lpad(hex(s.idHigh), 16, '0') || lpad(hex(s.idLow), 16, '0')) AS id,
       ${NAMES.map((name) => `(SELECT text FROM names WHERE names.name = s.${name} LIMIT 1) AS ${name}`).join(', ')}
     FROM shown s ORDER BY s.released DESC, s.session`,
  );
  return { total: Number(total), shown: rows.map((row) => sessionRow(inquiry, row)) };
}

function sessionRow(inquiry: Inquiry, row: Row): SessionRow {
  const text = (name: (typeof NAMES)[number]): string => String(row[name]);
  const list = (name: (typeof NAMES)[number]): string[] => JSON.parse(text(name)) as string[];
  const number = (name: string): number => Number(row[name]);
  return {
    session: String(row['id']),
    tenant: inquiry.tenantOf(number('session')),
    signIn:
      number('signedIn') === SIGNED_IN.here ? 'here' : number('signedIn') === SIGNED_IN.no ? 'missing' : 'elsewhere',
    ...{ account: text('account'), login: text('login'), protocol: text('protocol'), address: text('address') },
    ...{ client: text('client'), node: text('node'), software: text('software') },
    ...{
      factors: list('factors'),
      credentials: list('credentials'),
      descriptions: list('descriptions'),
      firsts: list('firsts'),
    },
    started: moment(number('firstTime')),
    last: moment(number('lastTime')),
    ended: number('endTime') >= NEVER ? null : moment(number('endTime')),
    state: STATES[number('state')] ?? 'open',
    endReason: text('endReason'),
    readings: number('readings'),
    releases: number('releases'),
    releasedBytes: number('released'),
    sentBytes: number('sentBytes'),
    possiblySentBytes: number('unknownBytes'),
    listings: number('listings'),
    changes: number('writes'),
  };
}

const STATES = Object.fromEntries(Object.entries(SESSION_STATE).map(([name, number]) => [number, name])) as Readonly<
  Record<number, SessionRow['state']>
>;
