#!/usr/bin/env node
/** The waybill command: finds the row, runs it, turns a failure into one line and an exit code. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text as readAll } from 'node:stream/consumers';
import { asWaybillError, WaybillError } from '../base/errors.ts';
import { readOptions } from '../config/read-options.ts';
import { readRemotePlace } from '../config/remote-server.ts';
import { readTokenFile } from '../config/token-file.ts';
import { COMMANDS, GROUPS } from './commands/index.ts';
import { RunningServer } from './connect.ts';
import { exitCodeOf } from './exit-codes.ts';
import { help } from './help.ts';
import { Output } from './output.ts';
import type { Writer } from './output.ts';
import { parseCommandLine } from './parse.ts';
import type { Parsed } from './parse.ts';
import { readSecret } from './secret-input.ts';

const TEXT_MAX = 1024 * 1024;

/** Where a command reads and writes: the process, or what a test gives. */
export interface Streams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writer;
  readonly stderr: Writer;
}

export async function main(words: readonly string[], streams: Streams = process): Promise<number> {
  // Wanted before the words are understood, so that a script gets its JSON for a misspelt command as well.
  const output = new Output(words.includes('--json'), streams.stdout, streams.stderr);
  try {
    const parsed = parseCommandLine(COMMANDS, words);
    if (parsed.kind === 'help') {
      output.text(help(COMMANDS, GROUPS, parsed.topic));
      return 0;
    }
    return await run(parsed, output, streams);
  } catch (thrown) {
    const error = asWaybillError(thrown);
    output.failure(error);
    if (error.code === 'internal' && error.cause instanceof Error)
      output.note(error.cause.stack ?? error.cause.message);
    return exitCodeOf(error.code);
  }
}

async function run(parsed: Parsed & { kind: 'run' }, output: Output, streams: Streams): Promise<number> {
  const readTextFile = (file: string): Promise<string> => readText(file, streams.stdin);
  // Read as the server reads it, so that every command finds the folder that serve would use.
  const dataFolder = readOptions(parsed.data === null ? {} : { data: parsed.data }).data;
  let known: string | null | undefined;
  const token = (): string | null => (known ??= readTokenFile(parsed.tokenFile));
  const place = parsed.command.local === undefined ? readRemotePlace(parsed) : null;
  // Only where it is wanted: every other command starts sooner without it.
  const remote = place === null ? null : new (await import('./remote.ts')).RemoteServer(place, token, readTextFile);
  const server = remote ?? new RunningServer(dataFolder, token);
  try {
    const code: unknown = await parsed.command.run(parsed.input, {
      output,
      dataFolder,
      server,
      ledgerFolder: () =>
        remote === null ? Promise.resolve(path.join(dataFolder, 'ledger')) : remote.ledgerFolder(output),
      readSecret: (prompt) => readSecret(prompt, streams.stdin, streams.stderr),
      readTextFile,
      token,
    });
    return typeof code === 'number' ? code : 0;
  } finally {
    server.close();
  }
}

/** "-" is standard input. */
async function readText(file: string, stdin: Readable): Promise<string> {
  const content = file === '-' ? readAll(stdin) : readFile(file, 'utf8');
  const text = await content.catch((cause: unknown) => {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new WaybillError('option-invalid', `the file ${file} cannot be read (${why})`, { cause });
  });
  if (text.length > TEXT_MAX)
    throw new WaybillError('option-invalid', `the file ${file} is longer than ${TEXT_MAX} bytes`);
  return text;
}

if (import.meta.main) {
  // A reader that has seen enough (`waybill ... | head`) is no failure of ours.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  process.exitCode = await main(process.argv.slice(2));
}
