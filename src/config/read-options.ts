/**
 * From words, environment and file to checked options. The nearest wins: command line, then environment, then file,
 * then what holds by itself. The only reader of the environment. Any fault is one `option-invalid` that names option,
 * value and what is allowed, before anything has been started.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { WaybillError } from '../base/errors.ts';
import { environmentName, OPTIONS } from './options.ts';
import type { OptionName, OptionRow, ServerOptions } from './options.ts';
import { NotAllowed } from './values.ts';

/** Texts by option, as a command line parser leaves them; a switch is 'true'. */
export type GivenOptions = Readonly<Partial<Record<OptionName, string | readonly string[]>>>;
type Environment = Readonly<Record<string, string | undefined>>;

interface Given {
  readonly texts: readonly string[];
  /** How the reader finds it again: "--sftp", "WAYBILL_SFTP", or "sftp" in a file. */
  readonly where: string;
}

const CONFIG_MAX = 1024 * 1024;
const BANNER_MAX = 8192;

export function readOptions(given: GivenOptions, environment: Environment = process.env): ServerOptions {
  refuseUnknown(Object.keys(given), (name) => `--${name}`, 'as on the command line: waybill serve --help');
  const named = find('config', [fromWords(given), fromEnvironment(environment)]);
  const file = named === null ? null : String(checked('config', OPTIONS.config, named)[0]);
  const sources = [fromWords(given), fromEnvironment(environment), file === null ? () => null : fromFile(file)];
  const options: Record<string, unknown> = {};
  for (const name of Object.keys(OPTIONS) as OptionName[]) options[name] = valueOf(name, sources);
  options['data'] = resolve(String(options['data']));
  return options as unknown as ServerOptions;
}

/** The words after `waybill serve`, without a parser of commands around them. */
export function givenFromWords(words: readonly string[]): GivenOptions {
  const given: Record<string, string[]> = {};
  for (let at = 0; at < words.length; at++) {
    const [, name, inline] = /^--([a-z-]+)(?:=(.*))?$/s.exec(words[at] ?? '') ?? [];
    const row = name === undefined ? undefined : rowOf(name);
    if (name === undefined || row === undefined) {
      throw invalid(
        `${JSON.stringify(words[at])} is not an option; allowed are --${Object.keys(OPTIONS).join(', --')}`,
      );
    }
    const text = inline ?? (row.value === undefined ? 'true' : words[++at]);
    if (text === undefined) throw invalid(`--${name} needs a value: ${row.value ?? ''}`);
    (given[name] ??= []).push(text);
  }
  return given;
}

/** The banner's text with line ends as RFC 4252 section 5.4 wants them. */
export function readBanner(file: string | null): string | null {
  if (file === null) return null;
  const text = readBounded('banner', file, BANNER_MAX).replaceAll('\r\n', '\n').trimEnd();
  // Control characters could drive the terminal of everyone who connects.
  if (/[\x00-\x08\x0b-\x1f\x7f\ufffd]/.test(text))
    throw invalid(`banner ${file}: allowed is UTF-8 text without control characters`);
  return text === '' ? null : `${text.replaceAll('\n', '\r\n')}\r\n`;
}

type Source = (name: OptionName) => Given | null;

function fromWords(given: GivenOptions): Source {
  return (name) => {
    const value = given[name];
    return value === undefined ? null : { texts: typeof value === 'string' ? [value] : value, where: `--${name}` };
  };
}

function fromEnvironment(environment: Environment): Source {
  return (name) => {
    const where = environmentName(name);
    const text = environment[where];
    if (text === undefined) return null;
    return { texts: rowOf(name)?.many === true ? text.split(',').map((one) => one.trim()) : [text], where };
  };
}

function fromFile(file: string): Source {
  let content: unknown;
  try {
    content = JSON.parse(readBounded('config', file, CONFIG_MAX));
  } catch (error) {
    if (error instanceof WaybillError) throw error;
    throw invalid(`--config ${file}: allowed is a file with one JSON object (${firstLine(error)})`);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw invalid(`--config ${file}: allowed is a file with one JSON object`);
  }
  const values = new Map<string, unknown>(Object.entries(content));
  refuseUnknown([...values.keys()], (name) => `${JSON.stringify(name)} in ${file}`, Object.keys(OPTIONS).join(', '));
  if (values.has('config')) throw invalid(`"config" in ${file}: a configuration file cannot name another one`);
  return (name) =>
    values.has(name) ? { texts: textsOf(values.get(name), name, file), where: `"${name}" in ${file}` } : null;
}

function textsOf(value: unknown, name: OptionName, file: string): string[] {
  return (Array.isArray(value) ? (value as unknown[]) : [value]).map((one) => {
    if (typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean') return String(one);
    throw invalid(`"${name}" in ${file} is ${JSON.stringify(one)}; allowed is a string, a number, true or false`);
  });
}

function find(name: OptionName, sources: readonly Source[]): Given | null {
  for (const source of sources) {
    const found = source(name);
    if (found !== null) return found;
  }
  return null;
}

function valueOf(name: OptionName, sources: readonly Source[]): unknown {
  const row: OptionRow = OPTIONS[name];
  const found = find(name, sources);
  // A server that is told only a legacy address does not open the default one behind the operator's back.
  const silent = name === 'sftp' && find('sftp-legacy', sources) !== null;
  const given = found ?? { texts: row.fallback === undefined || silent ? [] : [row.fallback], where: `--${name}` };
  const values = checked(name, row, given);
  return row.many === true ? values : (values[0] ?? null);
}

function checked(name: OptionName, row: OptionRow, { texts, where }: Given): unknown[] {
  if (row.many !== true && texts.length > 1) {
    throw invalid(`${where} is given ${texts.length} times (${texts.join(', ')}); allowed is one value`);
  }
  return texts.map((text) => {
    try {
      return row.check(text);
    } catch (error) {
      if (!(error instanceof NotAllowed)) throw error;
      throw invalid(`${where} is ${JSON.stringify(text)}; allowed is ${error.allowed} (option ${name})`);
    }
  });
}

function refuseUnknown(names: readonly string[], where: (name: string) => string, allowed: string): void {
  const unknown = names.find((name) => rowOf(name) === undefined);
  if (unknown !== undefined) throw invalid(`${where(unknown)} is not an option; allowed are ${allowed}`);
}

function rowOf(name: string): OptionRow | undefined {
  return Object.hasOwn(OPTIONS, name) ? OPTIONS[name as OptionName] : undefined;
}

function readBounded(option: string, file: string, most: number): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw invalid(
      `--${option} is ${JSON.stringify(file)}, which cannot be read (${firstLine(error)}); allowed is a readable file`,
    );
  }
  if (text.length > most)
    throw invalid(`--${option} is ${JSON.stringify(file)}; allowed is a file of at most ${most} bytes`);
  return text;
}

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

function invalid(message: string): WaybillError {
  return new WaybillError('option-invalid', message);
}
