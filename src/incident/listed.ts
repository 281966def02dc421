/** Directories that the sessions looked into, and read no file of. */
import type { ListedRow, Part } from './answer.ts';
import { entriesSql, logSql } from './conditions.ts';
import type { Inquiry } from './inquiry.ts';
import { moment } from './moments.ts';
import { folderNames } from './touched.ts';

export async function listedNotRead(inquiry: Inquiry): Promise<Part<ListedRow>> {
  const { index, scope, touched, limit, detailed } = inquiry;
  if (!detailed) return { total: null, shown: [] };
  await index.run(
    `CREATE OR REPLACE TEMP TABLE listed AS
     SELECT ${logSql('place')} AS log, folder, directory, min(place) AS place, count(*) AS times, max(names) AS names,
       min(time) AS first, max(time) AS last
     FROM listings WHERE ${entriesSql(scope)} GROUP BY ALL`,
  );
  const rows = await index.rows(
    `SELECT *, count(*) OVER () AS total FROM listed
     WHERE NOT EXISTS (SELECT 1 FROM ${touched} t
       WHERE t.log = listed.log AND t.folder = listed.folder AND t.directory = listed.directory)
     ORDER BY times DESC, place LIMIT ${limit}`,
  );
  const folders = await folderNames(inquiry);
  const entries = await inquiry.texts.entries(rows.map(({ place }) => Number(place)));
  const shown = rows.map((row): ListedRow => {
    const entry = entries.get(Number(row['place']));
    const log = Number(row['log']);
    return {
      tenant: inquiry.nameOf(log),
      folder: folders.get(`${log}/${String(row['folder'])}`) ?? null,
      path: entry?.kind === 'listed' ? entry.path : null,
      times: Number(row['times']),
      names: Number(row['names']),
      first: moment(Number(row['first'])),
      last: moment(Number(row['last'])),
    };
  });
  return { total: Number(rows[0]?.['total'] ?? 0), shown };
}
