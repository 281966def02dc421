/** Help texts from the table of commands; pure. */
import { COMMON_OPTIONS } from './command.ts';
import type { Command, Group, OptionSpec } from './command.ts';
import { EXIT } from './exit-codes.ts';
import { argumentName, usage } from './parse.ts';

const WIDTH = 100;

export function help(commands: readonly Command[], groups: readonly Group[], topic: readonly string[]): string {
  const name = topic.join(' ');
  const command = commands.find((row) => row.name === name);
  if (command !== undefined) return commandHelp(command);
  const group = groups.find((row) => row.name === name);
  return group === undefined ? overview(groups) : groupHelp(commands, group);
}

function overview(groups: readonly Group[]): string {
  return [
    'Usage: waybill COMMAND [options]',
    '',
    'Self-hosted secure file transfer.',
    '',
    'Commands:',
    ...columns(groups.map((group) => [group.name, group.doc])),
    '',
    'Options of every command:',
    ...columns(Object.entries(COMMON_OPTIONS).map(optionRow)),
    '',
    'waybill COMMAND --help says more. Commands other than serve work on the running server of the data folder.',
    '',
    'Exit codes:',
    ...columns(Object.values(EXIT).map(({ code, doc }) => [String(code), doc])),
  ].join('\n');
}

function groupHelp(commands: readonly Command[], group: Group): string {
  const members = commands.filter((row) => row.name.startsWith(`${group.name} `));
  return [
    `Usage: waybill ${group.name} VERB [options]`,
    '',
    ...wrap(group.doc, WIDTH),
    '',
    'Verbs:',
    ...columns(
      members.map((row) => [
        usage(row)
          .replace(/^waybill /, '')
          .replace(' [options]', ''),
        row.doc,
      ]),
    ),
    '',
    `waybill ${group.name} VERB --help says more.`,
  ].join('\n');
}

function commandHelp(command: Command): string {
  const args = Object.entries(command.arguments);
  return [
    `Usage: ${usage(command)}`,
    '',
    ...wrap(command.doc, WIDTH),
    ...detailsOf(command).flatMap((text) => ['', ...wrap(text, WIDTH)]),
    ...(args.length === 0 ? [] : ['', 'Arguments:']),
    ...columns(args.map(([name, spec]) => [argumentName(name), docWith(spec.doc, spec.choices)])),
    '',
    'Options:',
    ...columns(Object.entries({ ...command.options, ...COMMON_OPTIONS }).map(optionRow)),
  ].join('\n');
}

export function detailsOf({ details = [], local }: Command): readonly string[] {
  return local === undefined ? details : [...details, `Not with --server: ${local}`];
}

export function optionRow([name, spec]: [string, OptionSpec]): [string, string] {
  const value = spec.value === undefined ? '' : ` ${spec.value}`;
  const many = spec.many === true ? ' May be given several times.' : '';
  const fallback = spec.fallback === undefined ? '' : ` Default: ${spec.fallback}.`;
  return [`--${name}${value}`, `${docWith(spec.doc, spec.choices)}${many}${fallback}`];
}

function docWith(doc: string, choices: readonly string[] | undefined): string {
  return choices === undefined ? doc : `${doc} One of: ${choices.join(', ')}.`;
}

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.min(34, Math.max(0, ...rows.map(([name]) => name.length)));
  return rows.flatMap(([name, doc]) => {
    const lines = wrap(doc, WIDTH - left - 4);
    const indent = ' '.repeat(left + 4);
    const first =
      name.length > left ? [`  ${name}`, `${indent}${lines[0] ?? ''}`] : [`  ${name.padEnd(left)}  ${lines[0] ?? ''}`];
    return [...first, ...lines.slice(1).map((line) => indent + line)];
  });
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
