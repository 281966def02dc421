/** The scope of a question as conditions on the tables of the index. All values are our own integers. */
import type { Scope } from './filters.ts';
import { NEVER, PLACES } from './places.ts';

/** Log of a place, in SQL. */
export function logSql(place: string): string {
  return `(${place} >> ${Math.log2(PLACES)})`;
}

function inLogs(column: string, { logs }: Scope): string[] {
  if (logs === null) return [];
  if (logs.length === 0) return ['false'];
  return [`(${logs.map((log) => `${column} BETWEEN ${log * PLACES} AND ${(log + 1) * PLACES - 1}`).join(' OR ')})`];
}

function inFolders(column: string, { folders }: Scope): string[] {
  if (folders === null) return [];
  if (folders.length === 0) return ['false'];
  const list = folders.map(({ log, folder }) => `(${log}, ${folder})`).join(', ');
  return [`(${logSql(column)}, folder) IN (${list})`];
}

function bySession({ sessions }: Scope): string[] {
  return sessions === null ? [] : ['session IN (SELECT session FROM hits)'];
}

function join(parts: readonly string[]): string {
  return parts.length === 0 ? 'true' : parts.join(' AND ');
}

/** Sessions that the filters name, and that were there in that time. `hits` is made with it. */
export function sessionsSql(scope: Scope): string {
  const { from, to, sessions } = scope;
  const time = [
    ...(to === NEVER ? [] : [`firstTime < ${to}`]),
    ...(from === 0 ? [] : [`greatest(endTime, lastTime) >= ${from}`]),
  ];
  return join([...(sessions === null ? [] : [sessions]), ...inLogs('session', scope), ...time]);
}

/**
 * Readings that may have sent something in that time: what was released before it counts too as long as nothing says that
 * the reading had ended.
 */
export function readingsSql(scope: Scope): string {
  const { from, to } = scope;
  const time = [...(to === NEVER ? [] : [`firstTime < ${to}`]), ...(from === 0 ? [] : [`endTime >= ${from}`])];
  return join([...inLogs('reading', scope), ...inFolders('reading', scope), ...time, ...bySession(scope)]);
}

/** Rows of listings or events. */
export function entriesSql(scope: Scope): string {
  const { from, to } = scope;
  const time = [...(from === 0 ? [] : [`time >= ${from}`]), ...(to === NEVER ? [] : [`time < ${to}`])];
  return join([...inLogs('place', scope), ...inFolders('place', scope), ...time, ...bySession(scope)]);
}

/** The same, by anybody and in any folder: what an answer must name when it cannot tell whose it is. */
export function anyEntriesSql(scope: Scope): string {
  return entriesSql({ ...scope, sessions: null, folders: null });
}
