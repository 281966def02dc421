/** One part of an answer as CSV (RFC 4180). */
import type { ByteRange } from '../ledger/core/fields.ts';
import type { Answer } from './answer.ts';

type Cell = string | number | boolean | null | readonly string[] | readonly ByteRange[] | object;

const PARTS = {
  tenants: ({ tenants }: Answer) => tenants,
  files: ({ files }: Answer) => files.shown,
  untouched: ({ untouched }: Answer) => untouched,
  sessions: ({ sessions }: Answer) => sessions.shown,
  pivot: ({ pivot }: Answer) => pivot.shown,
  listed: ({ listedNotRead }: Answer) => listedNotRead.shown,
  events: ({ events }: Answer) => events.shown,
  products: ({ products }: Answer) => products,
  gaps: ({ gaps }: Answer) => gaps,
} as const satisfies Record<string, (answer: Answer) => readonly object[]>;

export type CsvPart = keyof typeof PARTS;
export const CSV_PARTS = Object.keys(PARTS) as CsvPart[];

/** Headings stand there even when there is no row; every column is one of answer.ts. */
export function csv(answer: Answer, part: CsvPart): string {
  const rows: readonly object[] = PARTS[part](answer);
  const headings = Object.keys(rows[0] ?? {});
  const lines = rows.map((row) =>
    headings.map((name) => cell((row as Readonly<Record<string, Cell>>)[name] ?? null)).join(','),
  );
  return [headings.join(','), ...lines, ''].join('\r\n');
}

function cell(value: Cell): string {
  const text = plain(value);
  // Names come from outside; a spreadsheet would run what begins like a formula.
  const safe = typeof value !== 'number' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** Ranges as "first-last byte", lists with spaces between. */
function plain(value: Cell): string {
  if (value === null) return '';
  if (Array.isArray(value))
    return (value as readonly (string | ByteRange)[])
      .map((one) => (typeof one === 'string' ? one : `${one[0]}-${one[0] + one[1] - 1}`))
      .join(' ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
