/**
 * Entries may name a session whose sign-in is in another log, or so far back that the scan had let go of it. Where the
 * ledger holds its sign-in anywhere, what the sign-in says counts for them too; where it does not, answers name a gap.
 */
import type { IndexFile } from './index-file.ts';
import { SIGNED_IN } from './tables.ts';

const SAID = [
  ...['account', 'login', 'protocol', 'address', 'addressHigh', 'addressLow', 'client', 'run', 'node', 'software'],
  ...['factors', 'credentials', 'descriptions', 'firsts'],
];

export async function linkSessions(index: IndexFile): Promise<void> {
  const { orphans } = await index.row(`SELECT count(*) AS orphans FROM allSessions WHERE signedIn = ${SIGNED_IN.no}`);
  if (orphans === 0) return;
  const said = SAID.map((column) => `${column} = known.${column}`).join(', ');
  for (const table of ['sessions', 'sessionsTail'])
    await index.run(
      `UPDATE ${table} SET ${said}, signedIn = ${SIGNED_IN.elsewhere}
       FROM (SELECT DISTINCT ON (idHigh, idLow) * FROM allSessions WHERE signedIn = ${SIGNED_IN.here}
             AND (idHigh, idLow) IN (SELECT (idHigh, idLow) FROM allSessions WHERE signedIn = ${SIGNED_IN.no})
             ORDER BY session) AS known
       WHERE ${table}.signedIn = ${SIGNED_IN.no} AND known.idHigh = ${table}.idHigh AND known.idLow = ${table}.idLow`,
    );
}
