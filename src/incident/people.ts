/** The answer for people: what was asked, what is sure, what is not, in that order; long lists are cut, and say so. */
import type { ByteRange } from '../ledger/core/fields.ts';
import type { Answer, UntouchedTenant } from './answer.ts';

/** How the command line writes tables and sizes; given, so that this room needs nothing of it. */
export interface Style {
  table(headings: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string;
  size(bytes: number): string;
  /** Without control characters. */
  text(text: string): string;
}

const ROWS = 25;
const RANGES = 3;

export function forPeople(answer: Answer, style: Style, rows = ROWS): string {
  const parts = [
    header(answer, style),
    touched(answer, style),
    files(answer, style, rows),
    untouched(answer, style, rows),
    products(answer, style),
    sessions(answer, style, rows),
    pivot(answer, style, rows),
    listed(answer, style, rows),
    events(answer, style, rows),
    gaps(answer, style),
  ];
  return parts.filter((part) => part !== '').join('\n\n');
}

function header({ question, window, total, tenants, untouched: silent, complete }: Answer, style: Style): string {
  const asked = Object.entries(question).map(([name, value]) => `${name} ${style.text([value].flat().join(' or '))}`);
  const none =
    tenants.length === 0
      ? 'Nobody was touched.'
      : `${count(tenants.length, 'tenant')} touched, ${count(silent.length, 'tenant')} not.`;
  return [
    `Asked:     ${asked.length === 0 ? 'everything in the ledger' : asked.join('; ')}`,
    `Answer:    ${none} ${count(total.sessions, 'session')}, ${total.files === null ? 'files not counted one by one' : count(total.files, 'file')}.`,
    `           ${style.size(total.releasedBytes)} released; ${style.size(total.sentBytes)} sent as fronts report; ${style.size(total.possiblySentBytes)} released, not known to be sent.`,
    `Time:      ${window.from ?? 'beginning of the ledger'} to ${window.to ?? 'its end'}`,
    `Complete:  up to ${complete.time ?? 'nothing'}: checkpoint ${complete.origin} ${complete.size} ${complete.root} (${complete.entries} entries of ${count(complete.tenants, 'log')})`,
  ].join('\n');
}

function section(title: string, body: string, more = ''): string {
  return `${title}\n${body}${more === '' ? '' : `\n${more}`}`;
}

function cut<T>(
  list: readonly T[],
  total: number | null,
  rows: number,
  part: string,
): { shown: readonly T[]; more: string } {
  const shown = list.slice(0, rows);
  const left = (total ?? list.length) - shown.length;
  return { shown, more: left > 0 ? `... and ${left} more: --csv ${part} --limit 0` : '' };
}

function touched({ tenants }: Answer, style: Style): string {
  if (tenants.length === 0) return '';
  const rows = tenants.map((row) => [
    ...[row.name, row.sessions, row.files, style.size(row.releasedBytes), style.size(row.sentBytes)],
    ...[
      style.size(row.possiblySentBytes),
      row.listings,
      row.changes,
      row.first?.slice(0, 19) ?? null,
      row.last?.slice(0, 19) ?? null,
    ],
  ]);
  const heads = ['TENANT', 'SESSIONS', 'FILES', 'RELEASED', 'SENT', 'POSSIBLY', 'LISTINGS', 'CHANGES', 'FIRST', 'LAST'];
  return section('WHO WAS TOUCHED', style.table(heads, rows));
}

function files({ files: part }: Answer, style: Style, rows: number): string {
  if (part.total === null)
    return section(
      'WHICH FILES',
      'So many that they were not looked at one by one: narrow the question, or take all with --csv files --limit 0.',
    );
  if (part.total === 0) return '';
  const { shown, more } = cut(part.shown, part.total, rows, 'files');
  const table = shown.map((file) => [
    `${file.tenant}/${file.folder ?? '?'}${file.path ?? ' (no name)'}`,
    file.version?.slice(0, 8) ?? 'upload',
    ranges(file.sent, style),
    ranges(file.possiblySent, style),
    file.sessions.length,
    file.first.slice(0, 19),
    file.last.slice(0, 19),
  ]);
  return section(
    'WHICH FILES',
    style.table(['FILE', 'VERSION', 'SENT', 'POSSIBLY', 'SESSIONS', 'FIRST', 'LAST'], table),
    more,
  );
}

function ranges(list: readonly ByteRange[], style: Style): string {
  const shown = list
    .slice(0, RANGES)
    .map(([offset, length]) => `${style.size(offset)}-${style.size(offset + length)}`.replace(/^0 B-/, '0-'));
  return shown.join(', ') + (list.length > RANGES ? `, ${list.length - RANGES} more` : '');
}

function untouched({ untouched: list, unclear }: Answer, style: Style, rows: number): string {
  const { shown, more } = cut(list, null, rows, 'untouched');
  const table = shown.map((row) => [
    row.name,
    proof(row),
    row.from === null ? 'beginning' : `${row.from.head}`,
    row.to.head,
    row.log.slice(0, 16),
  ]);
  const body = table.length === 0 ? 'Nobody.' : style.table(['TENANT', 'PROOF', 'FROM HEAD', 'TO HEAD', 'LOG'], table);
  const doubt = unclear.length === 0 ? '' : `\nCannot be told (see GAPS): ${style.text(unclear.join(', '))}`;
  return section('WHO WAS NOT', body + doubt, more);
}

function proof({ proof: kind, entries, firstEntry }: UntouchedTenant): string {
  if (kind === 'silent') return 'silent: nothing was recorded at all';
  return `in use: entries ${firstEntry} to ${firstEntry + entries - 1}, none of these sessions`;
}

function products({ products: list }: Answer, style: Style): string {
  if (list.length === 0) return '';
  const table = list.map((row) => [
    row.product,
    row.touched ? 'touched' : row.otherTimes.length > 0 ? 'not while it used them' : 'not touched',
    [...row.folders, ...row.otherTimes].slice(0, RANGES).join(', ') + (row.folders.length > RANGES ? ' ...' : ''),
  ]);
  return section('WHICH PRODUCTS', style.table(['PRODUCT', 'DEPENDS', 'FOLDERS'], table));
}

function sessions({ sessions: part }: Answer, style: Style, rows: number): string {
  if (part.shown.length === 0) return '';
  const { shown, more } = cut(part.shown, part.total, rows, 'sessions');
  const table = shown.map((row) => [
    ...[
      row.session.slice(0, 8),
      row.tenant,
      row.signIn === 'missing' ? '(no sign-in)' : row.login,
      row.factors.join('+'),
    ],
    ...[
      row.credentials.map((one) => one.slice(0, 12)).join('+'),
      row.address,
      row.client,
      row.software,
      row.started.slice(0, 19),
    ],
    ...[row.state === 'ended' ? (row.ended?.slice(0, 19) ?? null) : row.state, style.size(row.releasedBytes)],
  ]);
  const heads = [
    'SESSION',
    'TENANT',
    'LOGIN',
    'FACTORS',
    'CREDENTIALS',
    'ADDRESS',
    'CLIENT',
    'SOFTWARE',
    'STARTED',
    'ENDED',
    'RELEASED',
  ];
  return section('WHICH SESSIONS', style.table(heads, table), more);
}

function pivot({ pivot: part }: Answer, style: Style, rows: number): string {
  if (part.total === null)
    return section(
      'WHAT ELSE THEY DID',
      'So many sessions that this was not looked at: narrow the question, or take all with --limit 0.',
    );
  if (part.shown.length === 0) return '';
  const { shown, more } = cut(part.shown, part.total, rows, 'pivot');
  const table = shown.map((row) => [
    ...[
      row.by,
      row.value,
      row.sessionsAsked,
      row.otherSessions,
      style.size(row.otherReleasedBytes),
      row.otherTenants.length,
    ],
    ...[row.first?.slice(0, 19) ?? null, row.last?.slice(0, 19) ?? null, row.failedSignIns],
  ]);
  const heads = ['BY', 'VALUE', 'ASKED', 'OTHER SESSIONS', 'RELEASED', 'TENANTS', 'FIRST', 'LAST', 'FAILED SIGN-INS'];
  return section('WHAT ELSE THEY DID', style.table(heads, table), more);
}

function listed({ listedNotRead: part }: Answer, style: Style, rows: number): string {
  if (part.total === null) return section('LISTED, BUT NOTHING IN IT READ', 'Not looked at: see WHICH FILES.');
  if (part.shown.length === 0) return '';
  const { shown, more } = cut(part.shown, part.total, rows, 'listed');
  const table = shown.map((row) => [
    `${row.tenant}/${row.folder ?? '?'}${row.path ?? ''}`,
    row.times,
    row.names,
    row.first.slice(0, 19),
    row.last.slice(0, 19),
  ]);
  return section(
    'LISTED, BUT NOTHING IN IT READ',
    style.table(['DIRECTORY', 'TIMES', 'NAMES SHOWN', 'FIRST', 'LAST'], table),
    more,
  );
}

function events({ events: part }: Answer, style: Style, rows: number): string {
  if (part.shown.length === 0) return '';
  const { shown, more } = cut(part.shown, part.total, rows, 'events');
  const table = shown.map((row) => [
    row.time.slice(0, 19),
    row.kind,
    `${row.tenant}/${row.folder ?? ''}${row.path ?? ''}`,
    row.session?.slice(0, 8) ?? null,
  ]);
  return section('WHAT ELSE IS RECORDED OF THEM', style.table(['TIME', 'WHAT', 'WHERE', 'SESSION'], table), more);
}

function gaps({ gaps: list }: Answer, style: Style): string {
  if (list.length === 0) return 'GAPS\nNone.';
  const lines = list.map(
    ({ count: number, text, tenants }) =>
      `- ${number} ${text} (${style.text(tenants.slice(0, 5).join(', '))}${tenants.length > 5 ? ', ...' : ''}).`,
  );
  return `GAPS\n${lines.join('\n')}`;
}

function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}
