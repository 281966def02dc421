/**
 * Pages of docs/ that are tables of the code: written by `npm run docs`, and compared by test/house/docs.test.ts, so
 * that no error, option or command is without its words.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { ERRORS, WaybillError } from '../src/base/errors.ts';
import type { ErrorCode } from '../src/base/errors.ts';
import { COMMON_OPTIONS } from '../src/cli/command.ts';
import type { Command } from '../src/cli/command.ts';
import { COMMANDS, GROUPS } from '../src/cli/commands/index.ts';
import { EXIT, exitCodeOf } from '../src/cli/exit-codes.ts';
import { detailsOf, optionRow } from '../src/cli/help.ts';
import { argumentName, usage } from '../src/cli/parse.ts';
import { environmentName, OPTIONS } from '../src/config/options.ts';
import type { OptionRow } from '../src/config/options.ts';
import { statusOf } from '../src/protocols/sftp/status.ts';
import { FX } from '../src/protocols/sftp/wire.ts';

const NOTE = '<!-- Written by `npm run docs` from the tables in src/. Changes here are lost. -->';

function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [line(headings), `|${headings.map(() => '---').join('|')}|`, ...rows.map(line)].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', String.raw`\|`);
}

function statusName(code: ErrorCode): string {
  const status = statusOf(new WaybillError(code, code)).code;
  const name = Object.entries(FX).find(([, value]) => value === status)?.[0] ?? '?';
  return `${name} (${status})`;
}

function errorsPage(): string {
  const rows = (Object.keys(ERRORS) as ErrorCode[]).map((code) => [
    `\`${code}\``,
    ERRORS[code],
    statusName(code),
    String(exitCodeOf(code)),
  ]);
  return [
    NOTE,
    '# Errors',
    '',
    'Every failure has a code that does not change. It stands in the server log, in what `waybill --json` prints, and in',
    'the text of the SFTP status; SFTP version 3 itself has only a few numbers, which are in the third column.',
    '',
    table(['code', 'what it means and what to do', 'SFTP status', 'exit code of waybill'], rows),
    '',
    '## Exit codes of the `waybill` command',
    '',
    table(
      ['code', 'meaning'],
      Object.values(EXIT).map(({ code, doc }) => [String(code), doc]),
    ),
    '',
  ].join('\n');
}

function optionsPage(): string {
  const rows = Object.entries(OPTIONS as Readonly<Record<string, OptionRow>>).map(([name, row]) => [
    `\`--${name}${row.value === undefined ? '' : ` ${row.value}`}\``,
    row.doc,
    // The number of cores of whoever wrote the page is nobody's default.
    name === 'fronts' ? 'number of cores' : row.fallback === undefined ? '' : `\`${row.fallback}\``,
    `\`${environmentName(name)}\``,
  ]);
  return [
    NOTE,
    '# Options of the server',
    '',
    'Given to `waybill serve` (or `npm start -- ...`), in the environment, or in a JSON file named by `--config` with these',
    'names: `{"sftp": ["0.0.0.0:2022"], "log-level": "warn"}`. The command line wins over the environment, the environment',
    'over the file. A wrong one stops the start with one line that names it, its value and what is allowed.',
    '',
    table(['option', 'what it is for', 'when left out', 'environment'], rows),
    '',
  ].join('\n');
}

function commandsPage(): string {
  return [
    NOTE,
    '# The waybill command',
    '',
    'All commands except `serve` and `completion` work on the running server of a data folder, over its local socket',
    '`run/admin.sock`, and act at once. These options every command has:',
    '',
    ...Object.entries(COMMON_OPTIONS).map(optionLine),
    '',
    ...GROUPS.flatMap(({ name, doc }) => [
      `## ${name}`,
      '',
      doc,
      '',
      ...COMMANDS.filter((row) => row.name === name || row.name.startsWith(`${name} `)).flatMap(commandSection),
    ]),
  ].join('\n');
}

function commandSection(row: Command): string[] {
  const args = Object.entries(row.arguments).map(([name, spec]) => `- \`${argumentName(name)}\`: ${spec.doc}`);
  // The server's options have a page of their own.
  const options =
    row.name === 'serve' ? ['- See [options.md](options.md).'] : Object.entries(row.options).map(optionLine);
  return [
    `### \`${usage(row)}\``,
    '',
    row.doc,
    ...detailsOf(row).flatMap((text) => ['', text]),
    '',
    ...args,
    ...options,
    '',
  ];
}

function optionLine(option: Parameters<typeof optionRow>[0]): string {
  const [name, doc] = optionRow(option);
  return `- \`${name}\`: ${doc}`;
}

/** File name -> content. */
export function generatedDocs(): Map<string, string> {
  return new Map([
    ['errors.md', errorsPage()],
    ['options.md', optionsPage()],
    ['commands.md', commandsPage()],
  ]);
}

const FOLDER = path.join(import.meta.dirname, '..', 'docs');

export function outdatedDocs(folder = FOLDER): string[] {
  return [...generatedDocs()]
    .filter(([name, text]) => readFileSync(path.join(folder, name), 'utf8') !== text)
    .map(([name]) => name);
}

if (import.meta.main) {
  for (const [name, text] of generatedDocs()) writeFileSync(path.join(FOLDER, name), text);
}
