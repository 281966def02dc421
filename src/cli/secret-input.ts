/** Secrets come from the terminal without echo or from standard input; never from the command line, which others can read. */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { Readable } from 'node:stream';
import { WaybillError } from '../base/errors.ts';
import type { Writer } from './output.ts';

const MAX_BYTES = 1024;

export async function readSecret(
  prompt: string,
  stdin: Readable & { readonly isTTY?: boolean },
  terminal: Writer,
): Promise<string> {
  if (stdin.isTTY !== true) return firstLine(stdin);
  const first = await ask(`${prompt}: `, stdin, terminal);
  if (first !== (await ask(`${prompt}, again: `, stdin, terminal))) {
    throw new WaybillError('option-invalid', 'the two entries differ; nothing was changed');
  }
  return checked(first);
}

async function firstLine(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    chunks.push(bytes);
    length += bytes.length;
    if (length > MAX_BYTES + 2 || bytes.includes(0x0a)) break;
  }
  return checked(Buffer.concat(chunks).toString('utf8').split(/\r?\n/, 1)[0] ?? '');
}

function checked(secret: string): string {
  if (secret === '') throw new WaybillError('option-invalid', 'nothing was entered; nothing was changed');
  if (Buffer.byteLength(secret) > MAX_BYTES) {
    throw new WaybillError('option-invalid', `what was entered is longer than ${MAX_BYTES} bytes; nothing was changed`);
  }
  return secret;
}

function ask(prompt: string, stdin: Readable, terminal: Writer): Promise<string> {
  terminal.write(prompt);
  // readline edits the line and echoes into nothing.
  const silent = new Writable({
    write(_chunk, _encoding, done) {
      done();
    },
  });
  const lines = createInterface({ input: stdin, output: silent, terminal: true });
  return new Promise((resolve, reject) => {
    lines.once('line', (line) => {
      resolve(line);
      lines.close();
    });
    lines.once('SIGINT', () => {
      reject(new WaybillError('option-invalid', 'interrupted; nothing was changed'));
      lines.close();
    });
    lines.once('close', () => {
      terminal.write('\n');
      reject(new WaybillError('option-invalid', 'nothing was entered; nothing was changed'));
    });
  });
}
