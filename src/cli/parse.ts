/** From words to a command and its checked input; pure. Fails with `option-invalid` in one line that names what is wrong. */
import { parseArgs } from 'node:util';
import type { ParseArgsConfig } from 'node:util';
import { WaybillError } from '../base/errors.ts';
import { COMMON_OPTIONS } from './command.ts';
import type { Command, Options } from './command.ts';

export type Parsed =
  | { readonly kind: 'help'; readonly topic: readonly string[] }
  | {
      readonly kind: 'run';
      readonly command: Command;
      readonly input: Readonly<Record<string, unknown>>;
      readonly data: string | null;
      readonly tokenFile: string | null;
      readonly server: string | null;
      readonly trust: string | null;
      readonly json: boolean;
    };

type Values = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

export function parseCommandLine(commands: readonly Command[], words: readonly string[]): Parsed {
  const found = findCommand(commands, words);
  if (found === null) return withoutCommand(commands, words);
  const options: Options = { ...COMMON_OPTIONS, ...found.command.options };
  const { values, positionals } = split(found.command, found.rest, options);
  if (values['help'] === true) return { kind: 'help', topic: found.command.name.split(' ') };
  const input = { ...checkArguments(found.command, positionals), ...checkOptions(found.command, values) };
  const textOf = (name: string): string | null => (typeof values[name] === 'string' ? values[name] : null);
  const common = { data: textOf('data'), tokenFile: textOf('as-token-file'), json: values['json'] === true };
  const place = commonOnly(found.command, { server: textOf('server'), trust: textOf('trust') });
  return { kind: 'run', command: found.command, input, ...common, ...place };
}

/** A command that has such an option itself means it otherwise. */
function commonOnly(
  { name, options, local }: Command,
  given: Readonly<Record<'server' | 'trust', string | null>>,
): Readonly<Record<'server' | 'trust', string | null>> {
  const of = (option: 'server' | 'trust'): string | null => (Object.hasOwn(options, option) ? null : given[option]);
  const place = { server: of('server'), trust: of('trust') };
  if (local !== undefined && place.server !== null)
    throw invalid(`waybill ${name} works on this machine, not with --server: ${local}`);
  return place;
}

/** The row whose name is the longest run of words at the start. */
function findCommand(commands: readonly Command[], words: readonly string[]) {
  for (const length of [2, 1]) {
    const name = words.slice(0, length).join(' ');
    const command = commands.find((row) => row.name === name);
    if (command !== undefined && words.length >= length) return { command, rest: words.slice(length) };
  }
  return null;
}

function withoutCommand(commands: readonly Command[], words: readonly string[]): Parsed {
  const plain = words.filter((word) => !word.startsWith('-'));
  const [group, verb] = plain[0] === 'help' ? plain.slice(1) : plain;
  const asksHelp = words.length === 0 || words.includes('--help') || words[0] === 'help';
  if (group === undefined) {
    if (asksHelp) return { kind: 'help', topic: [] };
    throw invalid(`no command before ${words[0] ?? ''}; commands: ${groupNames(commands).join(', ')}`);
  }
  const members = commands.filter((row) => row.name === group || row.name.startsWith(`${group} `));
  if (members.length === 0) {
    throw invalid(`no command ${JSON.stringify(group)}; commands: ${groupNames(commands).join(', ')}`);
  }
  const exact = members.some((row) => row.name === (verb === undefined ? group : `${group} ${verb}`));
  if (asksHelp) return { kind: 'help', topic: exact && verb !== undefined ? [group, verb] : [group] };
  const verbs = members.map((row) => row.name.split(' ')[1]).join(', ');
  const problem = verb === undefined ? `${group} needs a verb` : `${group} has no verb ${JSON.stringify(verb)}`;
  throw invalid(`${problem}; verbs: ${verbs}`);
}

function groupNames(commands: readonly Command[]): string[] {
  return [...new Set(commands.map((row) => row.name.split(' ')[0] ?? row.name))];
}

function split(command: Command, words: readonly string[], options: Options) {
  const config: ParseArgsConfig['options'] = {};
  for (const [name, option] of Object.entries(options)) {
    config[name] = { type: option.value === undefined ? 'boolean' : 'string', multiple: option.many ?? false };
  }
  try {
    const { values, positionals, tokens } = parseArgs({
      args: [...words],
      options: config,
      allowPositionals: true,
      tokens: true,
    });
    refuseTwice(command, tokens, options);
    return { values: values as Values, positionals };
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    // parseArgs explains well; its first sentence is what a person needs.
    const message = error instanceof Error ? error.message : String(error);
    const first = (message.split(/\.\s|\n/)[0] ?? message).replace(/\.$/, '');
    const allowed = Object.keys(options).map((name) => `--${name}`);
    throw invalid(`waybill ${command.name}: ${first}; options: ${allowed.join(', ')}`);
  }
}

/** parseArgs lets the last one win; whoever says it twice may mean the first. */
function refuseTwice(command: Command, tokens: readonly { kind: string; name?: string }[], options: Options): void {
  const seen = new Set<string>();
  for (const token of tokens) {
    if (token.kind !== 'option' || token.name === undefined) continue;
    if (seen.has(token.name) && options[token.name]?.many !== true) {
      throw invalid(`waybill ${command.name}: --${token.name} is given twice; it takes one value`);
    }
    seen.add(token.name);
  }
}

function checkArguments(command: Command, positionals: readonly string[]): Record<string, unknown> {
  const specs = Object.entries(command.arguments);
  const at = specs.findIndex(([, spec]) => spec.many === true);
  if (at >= 0) return checkMany(command, positionals, at);
  if (positionals.length > specs.length) {
    const extra = JSON.stringify(positionals[specs.length] ?? '');
    throw invalid(`waybill ${command.name}: ${extra} is one argument too many; usage: ${usage(command)}`);
  }
  const input: Record<string, unknown> = {};
  for (const [index, [name, spec]] of specs.entries()) {
    const value = positionals[index];
    if (value === undefined && spec.optional !== true) {
      throw invalid(`waybill ${command.name}: ${argumentName(name)} is missing; usage: ${usage(command)}`);
    }
    if (value === '') throw invalid(`waybill ${command.name}: ${argumentName(name)} is empty`);
    if (value !== undefined) checkChoice(command, argumentName(name), value, spec.choices);
    input[name] = value ?? null;
  }
  return input;
}

/** The argument at `at` takes every word that the others do not need. */
function checkMany(command: Command, words: readonly string[], at: number): Record<string, unknown> {
  const names = Object.keys(command.arguments);
  const count = words.length - names.length + 1;
  if (count < 1) throw invalid(`waybill ${command.name}: something is missing; usage: ${usage(command)}`);
  if (words.includes('')) throw invalid(`waybill ${command.name}: an argument is empty`);
  const values = [...words.slice(0, at), words.slice(at, at + count), ...words.slice(at + count)];
  return Object.fromEntries(names.map((name, index) => [name, values[index]]));
}

function checkOptions(command: Command, values: Values): Record<string, unknown> {
  const input: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(command.options)) {
    const value = values[name];
    if (value === undefined && spec.required === true) {
      throw invalid(`waybill ${command.name}: --${name} ${spec.value ?? ''} is missing; usage: ${usage(command)}`);
    }
    for (const one of Array.isArray(value) ? value : [value]) {
      if (typeof one === 'string') checkChoice(command, `--${name}`, one, spec.choices);
    }
    input[name] = value ?? (spec.value === undefined ? false : spec.many === true ? [] : null);
  }
  return input;
}

function checkChoice(command: Command, what: string, value: string, choices: readonly string[] | undefined): void {
  if (choices === undefined || choices.includes(value)) return;
  throw invalid(`waybill ${command.name}: ${what} is ${JSON.stringify(value)}; allowed: ${choices.join(', ')}`);
}

export function argumentName(name: string): string {
  return name.toUpperCase();
}

export function usage(command: Command): string {
  const args = Object.entries(command.arguments).map(([name, spec]) =>
    spec.optional === true ? `[${argumentName(name)}]` : `${argumentName(name)}${spec.many === true ? '...' : ''}`,
  );
  const required = Object.entries(command.options)
    .filter(([, spec]) => spec.required === true)
    .map(([name, spec]) => `--${name} ${spec.value ?? ''}`);
  return ['waybill', command.name, ...args, ...required, '[options]'].join(' ');
}

function invalid(message: string): WaybillError {
  return new WaybillError('option-invalid', message);
}
