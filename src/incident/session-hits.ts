/** The sessions of a question that names none. */
import { entriesSql, sessionsSql } from './conditions.ts';
import type { Scope } from './filters.ts';

export function sessionsOfScope(scope: Scope, touched: string): string {
  const there = `SELECT session, idHigh, idLow FROM allSessions s WHERE ${sessionsSql(scope)}`;
  if (scope.folders === null) return there;
  return `${there} AND session IN (
    SELECT session FROM ${touched} UNION SELECT session FROM listings WHERE ${entriesSql(scope)}
    UNION SELECT session FROM events WHERE ${entriesSql(scope)})`;
}
