/** What the command prints: for people (tables, sentences) or for scripts (--json), never a mixture. */
import type { ErrorCode, WaybillError } from '../base/errors.ts';

export interface Writer {
  write(text: string): unknown;
}

export type Cell = string | number | boolean | null;

export class Output {
  readonly json: boolean;
  private readonly out: Writer;
  private readonly err: Writer;

  constructor(json: boolean, out: Writer, err: Writer) {
    this.json = json;
    this.out = out;
    this.err = err;
  }

  /** The answer of a command: `document` for scripts, `people` for everybody else. */
  answer(document: unknown, people: string): void {
    this.out.write(this.json ? `${JSON.stringify(document)}\n` : `${people}\n`);
  }

  /** A list: the table's first row are its headings. */
  table(document: unknown, headings: readonly string[], rows: readonly (readonly Cell[])[], empty: string): void {
    this.answer(document, rows.length === 0 ? empty : formatTable(headings, rows));
  }

  /** Something to know beside the answer; scripts do not need it. */
  note(text: string): void {
    if (!this.json) this.err.write(`${text}\n`);
  }

  /** Exactly as given: shell completion, help. */
  text(text: string): void {
    this.out.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  failure(error: WaybillError): void {
    const { code, message, next } = error;
    if (this.json) this.err.write(`${JSON.stringify({ event: 'error', code, message, next })}\n`);
    // The message of a wrong option says itself what is allowed.
    else if (code === 'option-invalid') this.err.write(`${oneLine(message)}\n`);
    else this.err.write(`waybill: ${oneLine(message)} (${code}).${FOR_CLIENTS.has(code) ? '' : ` ${next}`}\n`);
  }
}

/** What to do next is written for people with a file client there; to the operator the message says enough. */
const FOR_CLIENTS: ReadonlySet<ErrorCode> = new Set([
  'not-found',
  'already-exists',
  'directory-not-empty',
  'permission-denied',
  'in-use',
]);

export function formatTable(headings: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const all = [headings, ...rows.map((row) => row.map(formatCell))];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function formatCell(cell: Cell): string {
  if (cell === null || cell === '') return '-';
  if (typeof cell === 'boolean') return cell ? 'yes' : 'no';
  return printable(String(cell));
}

/** Names and client versions come from outside: no control character of theirs reaches the operator's terminal. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, '\u{fffd}');
}

function oneLine(text: string): string {
  return printable(text.replaceAll(/\s*\n\s*/g, ' ')).replace(/\.$/, '');
}
