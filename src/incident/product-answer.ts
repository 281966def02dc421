/** Which products depend on a folder that was touched, and which do not. */
import type { ProductRow } from './answer.ts';
import { entriesSql, logSql } from './conditions.ts';
import { productUses } from './filters.ts';
import type { Inquiry } from './inquiry.ts';
import { NOWHERE } from './places.ts';
import { folderNames } from './touched.ts';

interface TouchedFolder {
  readonly first: number;
  readonly last: number;
}

/** Touched: read from, listed or changed. */
async function touchedFolders(inquiry: Inquiry): Promise<Map<string, TouchedFolder>> {
  const { index, touched, scope, detailed } = inquiry;
  const times = (first: string, last: string): string => `min(${first}) AS first, max(${last}) AS last`;
  // Of very many readings only where they were: then they count as of the whole time that is asked about.
  const readings = detailed
    ? `SELECT log, folder, ${times('firstTime', `least(endTime, ${scope.to})`)} FROM touched GROUP BY ALL`
    : `SELECT DISTINCT log, folder, ${scope.from} AS first, ${scope.to} AS last FROM ${touched}`;
  const rows = await index.rows(
    `SELECT log, folder, ${times('first', 'last')} FROM (
       ${readings}
       UNION ALL SELECT ${logSql('place')} AS log, folder, ${times('time', 'time')} FROM listings
         WHERE ${entriesSql(scope)} GROUP BY ALL
       UNION ALL SELECT ${logSql('place')} AS log, folder, ${times('time', 'time')} FROM events
         WHERE session <> ${NOWHERE} AND ${entriesSql(scope)} GROUP BY ALL)
     GROUP BY log, folder`,
  );
  return new Map(
    rows.map(({ log, folder, first, last }) => [
      `${String(log)}/${String(folder)}`,
      { first: Number(first), last: Number(last) },
    ]),
  );
}

export async function products(inquiry: Inquiry): Promise<ProductRow[]> {
  const uses = await productUses(inquiry.index);
  const touched = await touchedFolders(inquiry);
  const names = await folderNames(inquiry);
  const rows = new Map<string, { folders: Set<string>; otherTimes: Set<string> }>();
  for (const { product, log, folder, since, until } of uses) {
    const row = rows.get(product) ?? { folders: new Set(), otherTimes: new Set() };
    rows.set(product, row);
    const found = touched.get(`${log}/${folder}`);
    if (found === undefined) continue;
    const name = `${inquiry.nameOf(log)}/${names.get(`${log}/${folder}`) ?? '?'}`;
    if (found.first < until && found.last >= since) row.folders.add(name);
    else row.otherTimes.add(name);
  }
  return [...rows]
    .map(([product, { folders, otherTimes }]) => ({
      product,
      touched: folders.size > 0,
      folders: [...folders].sort(),
      otherTimes: [...otherTimes].filter((name) => !folders.has(name)).sort(),
    }))
    .sort((a, b) => Number(b.touched) - Number(a.touched) || (a.product < b.product ? -1 : 1));
}
