/** The waybill command as a script runs it against a server of a test: its lines of JSON as they come. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { PROJECT } from '../interop/server.ts';
import type { FastScene } from './scene.ts';

export interface Line {
  readonly event: string;
  readonly [name: string]: unknown;
}

export interface Client {
  readonly child: ChildProcess;
  readonly lines: Line[];
  /** The first line that fits, of those that came and come; rejects when the command ends without one. */
  until(fits: (line: Line) => boolean): Promise<Line>;
  /** Exit code or signal, and what stood on standard error. */
  readonly ended: Promise<{ readonly code: number | NodeJS.Signals; readonly errors: string; readonly lines: Line[] }>;
}

export function runClient(scene: FastScene, words: readonly string[], more: { server?: URL } = {}): Client {
  const token = path.join(scene.server.temporary, 'token');
  writeFileSync(token, scene.token, { mode: 0o600 });
  const server = (more.server ?? scene.url).origin;
  const place = ['--server', server, '--trust', scene.certificate, '--token-file', token, '--json'];
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', path.join(PROJECT, 'src/cli/waybill.ts'), ...words, ...place],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, XDG_CACHE_HOME: path.join(scene.server.temporary, 'cache') },
    },
  );
  const lines: Line[] = [];
  const waiting = new Set<() => void>();
  let [errors, over] = ['', false];
  const changed = (): void => {
    for (const look of waiting) look();
  };
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => {
    lines.push(JSON.parse(line) as Line);
    changed();
  });
  const ended = new Promise<Awaited<Client['ended']>>((resolve) => {
    child.once('close', (code, signal) => {
      over = true;
      changed();
      resolve({ code: code ?? signal ?? -1, errors, lines });
    });
  });
  const until = (fits: (line: Line) => boolean): Promise<Line> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = lines.find(fits);
        if (found === undefined && !over) return;
        waiting.delete(look);
        if (found === undefined)
          reject(new Error(`the command ended without it:\n${JSON.stringify(lines)}\n${errors}`));
        else resolve(found);
      };
      waiting.add(look);
      look();
    });
  return { child, lines, until, ended };
}

export const isEvent =
  (name: string) =>
  ({ event }: Line): boolean =>
    event === name;

/** So many bytes are through. */
export const isThrough =
  (bytes: number) =>
  ({ event, bytes: through }: Line): boolean =>
    event === 'progress' && Number(through) >= bytes;
