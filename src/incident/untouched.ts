/**
 * Who was not touched, and what proves it: two heads around the time that have the same log of the tenant. Where the
 * tenant was in use meanwhile, the entries between the two heads are named: all of them were looked at.
 */
import type { HeadReference, TouchedTenant, UntouchedTenant } from './answer.ts';
import { anyEntriesSql, logSql, sessionsSql } from './conditions.ts';
import type { IndexMeta } from './index-meta.ts';
import type { Inquiry, LogName } from './inquiry.ts';
import { moment } from './moments.ts';
import { NEVER, placeOf } from './places.ts';
import { MALFORMED_KIND, SIGNED_IN, UNKNOWN_KIND } from './tables.ts';

/** Milliseconds; `to` is null where the ledger's end is meant. */
export interface Window {
  readonly from: number;
  readonly to: number | null;
}

/** The time that was asked for; where it was left open, from the first to the last that the sessions in question did. */
export async function windowOf({ index, scope }: Inquiry, meta: IndexMeta): Promise<Window> {
  const { from, to, sessions } = scope;
  if (from !== 0 && to !== NEVER) return { from, to };
  const { first, last } =
    sessions === null
      ? { first: null, last: null }
      : await index.row(`SELECT min(firstTime) AS first, max(greatest(endTime, lastTime)) AS last FROM hits`);
  const end = last === null || Number(last) >= Math.min(NEVER, meta.time) ? null : Number(last) + 1;
  return { from: from === 0 ? Number(first ?? 0) : from, to: to === NEVER ? end : to };
}

interface Bound {
  readonly head: number;
  readonly time: number;
  readonly sizes: ReadonlyMap<number, number>;
}

export async function untouchedTenants(
  inquiry: Inquiry,
  window: Window,
  touched: readonly TouchedTenant[],
): Promise<{ untouched: UntouchedTenant[]; unclear: string[] }> {
  const before = await bound(inquiry, `time < ${window.from}`, 'max');
  const after =
    (window.to === null ? null : await bound(inquiry, `time >= ${window.to}`, 'min')) ??
    (await bound(inquiry, 'true', 'max'));
  const seen = new Set(touched.map(({ log }) => log));
  const doubtful = await doubtfulLogs(inquiry);
  const untouched: UntouchedTenant[] = [];
  const unclear: string[] = [];
  for (const log of candidates(inquiry)) {
    if (seen.has(log.id) || after === null) continue;
    if (doubtful.has(log.log)) unclear.push(log.name);
    else untouched.push(await proofOf(inquiry, log, window, before, after));
  }
  return { untouched: untouched.sort((a, b) => (a.name < b.name ? -1 : 1)), unclear: unclear.sort() };
}

async function proofOf(inquiry: Inquiry, log: LogName, window: Window, before: Bound | null, after: Bound) {
  const firstEntry = before?.sizes.get(log.log) ?? 0;
  const end = await firstWithEverything(inquiry, log, window, after);
  const entries = (end.sizes.get(log.log) ?? 0) - firstEntry;
  const { tenant, name, id } = log;
  return {
    ...{ tenant, name, log: id, proof: entries === 0 ? ('silent' as const) : ('active' as const) },
    from: before === null ? null : reference(before),
    to: reference(end),
    ...{ firstEntry, entries },
  };
}

/** Entries wait a moment for their head: one of the time that is asked about may be in the head after the next. */
async function firstWithEverything(inquiry: Inquiry, log: LogName, window: Window, after: Bound): Promise<Bound> {
  const size = after.sizes.get(log.log) ?? 0;
  if (window.to === null || size >= log.size) return after;
  const next = await inquiry.texts.entry(placeOf(log.log, size));
  if (next.time >= window.to) return after;
  const later = await bound(inquiry, `head > ${after.head}`, 'min');
  return later === null ? after : firstWithEverything(inquiry, log, window, later);
}

async function bound({ index }: Inquiry, condition: string, which: 'min' | 'max'): Promise<Bound | null> {
  const [row] = await index.rows(
    `SELECT head, time FROM heads WHERE ${condition} ORDER BY head ${which === 'min' ? 'ASC' : 'DESC'} LIMIT 1`,
  );
  if (row === undefined) return null;
  const head = Number(row['head']);
  const sizes = await index.rows(`SELECT log, max(size) AS size FROM states WHERE head <= ${head} GROUP BY log`);
  return { head, time: Number(row['time']), sizes: new Map(sizes.map(({ log, size }) => [Number(log), Number(size)])) };
}

function reference({ head, time }: Bound): HeadReference {
  return { head, time: moment(time) };
}

/** Entries that cannot be read, or sessions that may be of what was asked. A malformed entry tells no time: it always counts. */
async function doubtfulLogs({ index, scope }: Inquiry): Promise<Set<number>> {
  const rows = await index.rows(
    `SELECT DISTINCT ${logSql('place')} AS log FROM events
     WHERE (kind = ${MALFORMED_KIND} AND ${anyEntriesSql({ ...scope, from: 0 })})
        OR (kind >= ${UNKNOWN_KIND} AND kind < ${MALFORMED_KIND} AND ${anyEntriesSql(scope)})
     ${scope.bySignIn ? `UNION SELECT DISTINCT ${logSql('session')} AS log FROM allSessions WHERE ${nobodys(scope)}` : ''}`,
  );
  return new Set(rows.map(({ log }) => Number(log)));
}

function nobodys(scope: Inquiry['scope']): string {
  return `signedIn = ${SIGNED_IN.no} AND ${sessionsSql({ ...scope, sessions: null })}`;
}

/** A question about some tenants or folders says nothing of the others. */
function candidates({ logs, scope }: Inquiry): LogName[] {
  const { folders } = scope;
  return [...logs.values()].filter(
    ({ log }) =>
      (scope.logs === null || scope.logs.includes(log)) &&
      (folders === null || folders.some((folder) => folder.log === log)),
  );
}
