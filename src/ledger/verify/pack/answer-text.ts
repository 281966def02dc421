/** The answer of a pack in words. Made from answer.json alone, and the same for the same answer, to the byte. */
import { canonicalJson } from '../../core/fields.ts';
import type { Json } from '../../core/fields.ts';
import { isObject } from './question.ts';

type Fields = { readonly [key: string]: Json };

function at(value: Json | undefined, key: string): Json {
  return isObject(value) ? (value[key] ?? null) : null;
}

function rows(value: Json | undefined): readonly Fields[] {
  return Array.isArray(value) ? (value as readonly Fields[]) : [];
}

/** No control character of a name reaches a terminal, and a line stays a line. */
function text(value: Json | undefined): string {
  const plain = typeof value === 'string' ? value : value === null || value === undefined ? '-' : canonicalJson(value);
  return plain.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}

function ranges(value: Json | undefined): string {
  const list = Array.isArray(value) ? (value as readonly (readonly number[])[]) : [];
  if (list.length === 0) return 'nothing';
  return list.map(([offset = 0, length = 0]) => `bytes ${offset} to ${offset + length - 1}`).join(', ');
}

export function answerText(answer: Fields): string {
  const head = [
    `Tenant:    ${text(answer['name'])} (${text(answer['tenant'])})`,
    `Ledger:    ${text(answer['origin'])}, log ${text(answer['log'])}`,
    `Period:    ${period(answer['question'])}`,
    `Complete:  up to head ${text(at(answer['complete'], 'head'))} of ${text(at(answer['complete'], 'time'))}, ${text(at(answer['complete'], 'entries'))} entries in the log`,
    '',
  ];
  const body = answer['kind'] === 'silence' ? silenceText(answer) : scopeText(answer);
  return `${[...head, ...body].join('\n')}\n`;
}

function period(question: Json | undefined): string {
  const [from, to] = [at(question, 'from'), at(question, 'to')];
  return `${from === null ? 'from the beginning' : `from ${text(from)}`} ${to === null ? 'to the end of the ledger' : `to before ${text(to)}`}`;
}

function silenceText(answer: Fields): string[] {
  const { from, to } = { from: answer['fromHead'], to: answer['toHead'] };
  return [
    'SILENT: in this period nothing at all was recorded of this tenant. No sign-in, no listing, no byte read or written,',
    'no change of accounts, keys or rights.',
    '',
    `The log has the same ${text(at(answer['complete'], 'entries'))} entries in head ${text(at(from, 'head'))} (${text(at(from, 'time'))}) and in head ${text(at(to, 'head'))} (${text(at(to, 'time'))}).`,
    ...(answer['nextTime'] === null ? [] : [`The entry that comes next is of ${text(answer['nextTime'])}.`]),
  ];
}

const CONDITIONS = ['credential', 'account', 'session', 'address', 'client', 'node', 'software', 'folder'] as const;

function scopeText(answer: Fields): string[] {
  const question = answer['question'];
  const conditions = CONDITIONS.flatMap((name) => {
    const list = at(question, name);
    return Array.isArray(list) && (list.length > 0 || name === 'folder')
      ? [`  ${name}: ${list.map(text).join(' or ') || 'none of this tenant'}`]
      : [];
  });
  const totals = answer['totals'];
  const asked = ['Asked:', ...(conditions.length === 0 ? ['  everything in the period'] : conditions), ''];
  const verdict =
    answer['touched'] === true
      ? [
          `TOUCHED: ${text(at(totals, 'sessions'))} sessions, ${text(at(totals, 'files'))} files, ${text(at(totals, 'listings'))} listings, ${text(at(totals, 'changes'))} changes.`,
          `${text(at(totals, 'releasedBytes'))} bytes were released, ${text(at(totals, 'sentBytes'))} were reported as sent; ${text(at(totals, 'possiblySentBytes'))} were released and not reported, and possibly sent.`,
        ]
      : [`NOT TOUCHED: of ${text(answer['signInsInPeriod'])} sign-ins in the period none is one that was asked about.`];
  return [
    ...asked,
    ...verdict,
    ...sessionsText(answer),
    ...filesText(answer),
    ...listedText(answer),
    ...eventsText(answer),
    ...gapsText(answer),
  ];
}

function sessionsText(answer: Fields): string[] {
  const lines = rows(answer['sessions']).flatMap((row) => {
    const signIn = row['signIn'];
    const who = isObject(signIn)
      ? `${text(signIn['login'])} from ${text(signIn['address'])} with ${text(signIn['client'])}, by ${text(signIn['factors'])} ${text(signIn['descriptions'])}`
      : 'its sign-in is not in this log: counted as asked about';
    return [
      `  ${text(row['session'])}: ${who}`,
      `    ${text(row['first'])} to ${text(row['ended'] ?? row['last'])}, ${text(row['releasedBytes'])} bytes released, ${text(row['sentBytes'])} sent`,
    ];
  });
  return lines.length === 0 ? [] : ['', 'Sessions:', ...lines];
}

function place(row: Fields): string {
  return `${text(row['folderName'] ?? row['folder'])}:${text(row['path'])}`;
}

function filesText(answer: Fields): string[] {
  const lines = rows(answer['files']).flatMap((row) => [
    `  ${place(row)}`,
    `    file ${text(row['file'])}, version ${text(row['version'])}, ${text(row['first'])} to ${text(row['last'])}`,
    `    released: ${ranges(row['released'])}`,
    `    sent: ${ranges(row['sent'])}`,
    ...(Array.isArray(row['possiblySent']) && row['possiblySent'].length > 0
      ? [`    possibly sent: ${ranges(row['possiblySent'])}`]
      : []),
  ]);
  return lines.length === 0 ? [] : ['', 'Files of which bytes were released:', ...lines];
}

function listedText(answer: Fields): string[] {
  const lines = rows(answer['listed']).map(
    (row) =>
      `  ${place(row)}: ${text(row['times'])} times, up to ${text(row['names'])} names, ${text(row['first'])} to ${text(row['last'])}`,
  );
  return lines.length === 0 ? [] : ['', 'Directories that were listed:', ...lines];
}

function eventsText(answer: Fields): string[] {
  const lines = rows(answer['events']).map((row) => {
    const where = row['path'] === null ? '' : ` ${place(row)}`;
    const what = row['what'] === null ? '' : ` ${text(row['what'])}`;
    const by = row['by'] === null ? '' : ` by ${text(row['by'])}`;
    const session = row['session'] === null ? '' : `, session ${text(row['session'])}`;
    return `  ${text(row['time'])} ${text(row['kind'])}${what}${by}${where} (entry ${text(row['entry'])}${session})`;
  });
  return lines.length === 0 ? [] : ['', 'What else was recorded of them, or of nobody in particular:', ...lines];
}

const GAPS: Readonly<Record<string, string>> = {
  'no-sign-in': 'sessions have no sign-in in this log; they are counted',
  'not-reported': 'readings were never reported on: all that was released counts as possibly sent',
  'unknown-entries': 'entries are of a kind that this version cannot read',
  stray: 'reports of what was sent have no release before them',
  'node-died': 'sessions were cut off when their node died',
};

function gapsText(answer: Fields): string[] {
  const gaps = answer['gaps'];
  const lines = isObject(gaps)
    ? Object.entries(gaps)
        .sort()
        .map(([kind, count]) => `  ${text(count)} ${GAPS[kind] ?? kind}`)
    : [];
  return lines.length === 0 ? [] : ['', 'Gaps:', ...lines];
}
