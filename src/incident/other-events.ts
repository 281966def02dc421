/** Everything else that is of these sessions: what they changed, what was held, what the platform did by itself. */
import { KINDS } from '../ledger/core/kinds.ts';
import type { EventRow, Part } from './answer.ts';
import { entriesSql } from './conditions.ts';
import type { Inquiry } from './inquiry.ts';
import { moment } from './moments.ts';
import { indexOf, logOf, NOWHERE } from './places.ts';
import { MALFORMED_KIND, UNKNOWN_KIND } from './tables.ts';
import { folderNames } from './touched.ts';

const KIND_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(KINDS).map(([name, { number }]): [number, string] => [number, name]),
);

export function kindName(kind: number): string {
  if (kind === MALFORMED_KIND) return 'malformed';
  return kind >= UNKNOWN_KIND ? `unknown kind ${kind - UNKNOWN_KIND}` : (KIND_NAMES.get(kind) ?? String(kind));
}

export async function otherEvents(inquiry: Inquiry): Promise<Part<EventRow>> {
  const { index, scope, limit } = inquiry;
  const where = `session <> ${NOWHERE} AND ${entriesSql(scope)}`;
  const { total } = await index.row(`SELECT count(*) AS total FROM events WHERE ${where}`);
  const rows = await index.rows(
    `SELECT e.place, e.time, e.kind, e.folder, lower(lpad(hex(s.idHigh), 16, '0') || lpad(hex(s.idLow), 16, '0')) AS session
     FROM (SELECT * FROM events WHERE ${where} ORDER BY place LIMIT ${limit}) e LEFT JOIN allSessions s ON s.session = e.session
     ORDER BY e.time, e.place`,
  );
  const folders = await folderNames(inquiry);
  const entries = await inquiry.texts.entries(rows.map(({ place }) => Number(place)));
  const shown = rows.map((row): EventRow => {
    const place = Number(row['place']);
    const entry = entries.get(place);
    return {
      time: moment(Number(row['time'])),
      kind: kindName(Number(row['kind'])),
      tenant: inquiry.tenantOf(place),
      session: row['session'] === null ? null : String(row['session']),
      folder: folders.get(`${logOf(place)}/${String(row['folder'])}`) ?? null,
      path: entry !== undefined && 'path' in entry ? entry.path : null,
      entry: indexOf(place),
    };
  });
  return { total: Number(total), shown };
}
