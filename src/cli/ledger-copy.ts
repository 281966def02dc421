/**
 * A copy of a remote server's ledger, for commands that answer from its files. What is signed is verified by these
 * commands as ever: the copy trusts the server with nothing but being complete, and a copy that is not does not verify.
 *
 * A server may be writing meanwhile. So the checkpoints are read first, and written last: everything that they are over
 * was there before them, and a copy that breaks off in the middle leaves those of before.
 */
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { WaybillError } from '../base/errors.ts';
import type { AdminCaller } from '../broker/admin-calls.ts';
import { checkpointPath, COSIGNED, HEADS, logFolder, VKEY } from '../ledger/core/layout.ts';
import type { Output } from './output.ts';

const FILES_PER_CALL = 100;
const LOGS = 'logs';
/** Of our own ledgers; anything else in an answer does not become the name of a file here. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9.]{0,99}$/;

export async function copyOfLedger(server: AdminCaller, cache: string, output: Output): Promise<string> {
  const folder = path.join(cache, 'ledger');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const copy = new LedgerCopy(server, folder);
  const fetched = await copy.update();
  output.note(`The ledger is copied to ${folder} (${fetched} new files).`);
  return folder;
}

class LedgerCopy {
  private readonly server: AdminCaller;
  private readonly folder: string;
  private fetched = 0;

  constructor(server: AdminCaller, folder: string) {
    this.server = server;
    this.folder = folder;
  }

  async update(): Promise<number> {
    await this.requireSameKey();
    // The heads first: they name states of logs that these have reached.
    const heads = await this.read([checkpointPath(HEADS), COSIGNED]);
    const logs = (await this.list(LOGS)).filter(({ folder }) => folder).map(({ name }) => name);
    const checkpoints = await this.read(logs.map((log) => checkpointPath(logFolder(log))));
    for (const one of [HEADS, ...logs.map((log) => logFolder(log))]) await this.fill(one);
    for (const [file, bytes] of [...checkpoints, ...heads]) await this.write(file, bytes);
    return this.fetched;
  }

  private async requireSameKey(): Promise<void> {
    const shown = (await this.read([VKEY])).get(VKEY);
    if (shown === undefined) throw new WaybillError('not-found', 'the server has no ledger yet');
    const known = await readFile(path.join(this.folder, VKEY)).catch(() => null);
    if (known?.equals(shown) === false)
      throw new WaybillError(
        'ledger-proof-invalid',
        `the server shows another key of its ledger than before; if that is right, remove ${this.folder}`,
      );
    if (known === null) await this.write(VKEY, shown);
  }

  /** Files in it that are not here yet. They never change under a name; checkpoints do, and are not among them. */
  private async fill(folder: string): Promise<void> {
    let missing: string[] = [];
    for (const { name, folder: deeper } of await this.list(folder)) {
      const whole = `${folder}/${name}`;
      if (deeper) await this.fill(whole);
      else if (whole !== checkpointPath(folder) && whole !== COSIGNED && !(await this.has(whole))) missing.push(whole);
      if (missing.length < FILES_PER_CALL) continue;
      await this.take(missing);
      missing = [];
    }
    await this.take(missing);
  }

  private async take(files: readonly string[]): Promise<void> {
    for (const [file, bytes] of await this.read(files)) await this.write(file, bytes);
    this.fetched += files.length;
  }

  private async list(folder: string): Promise<{ name: string; folder: boolean }[]> {
    const all: { name: string; folder: boolean }[] = [];
    for (let after: string | null = null, more = true; more; after = all.at(-1)?.name ?? null) {
      const page = await this.server.call('ledger.list', { folder, after });
      const last = after;
      if (!page.entries.every(({ name }) => NAME.test(name) && (last === null || name > last))) throw strange();
      all.push(...page.entries);
      more = page.more && page.entries.length > 0;
    }
    return all;
  }

  /** Those that are there: a narrow tile may be gone once a wider one is. */
  private async read(files: readonly string[]): Promise<Map<string, Buffer>> {
    const found = new Map<string, Buffer>();
    for (let at = 0; at < files.length;) {
      const wanted = files.slice(at, at + FILES_PER_CALL);
      const { files: got } = await this.server.call('ledger.read', { files: wanted, offset: 0 });
      if (got.length === 0 || got.some((file, index) => file.path !== wanted[index])) throw strange();
      for (const { path: file, size, bytes } of got) {
        const start = Buffer.from(bytes, 'base64');
        if (size !== null) found.set(file, start.length === size ? start : await this.rest(file, start, size));
      }
      at += got.length;
    }
    return found;
  }

  private async rest(file: string, start: Buffer, size: number): Promise<Buffer> {
    const parts = [start];
    for (let length = start.length; length < size;) {
      const [next] = (await this.server.call('ledger.read', { files: [file], offset: length })).files;
      const bytes = Buffer.from(next?.bytes ?? '', 'base64');
      if (bytes.length === 0 || next?.size !== size) throw strange();
      parts.push(bytes);
      length += bytes.length;
    }
    return Buffer.concat(parts);
  }

  private has(file: string): Promise<boolean> {
    return stat(path.join(this.folder, file)).then(
      () => true,
      () => false,
    );
  }

  private async write(file: string, bytes: Buffer): Promise<void> {
    const whole = path.join(this.folder, file);
    await mkdir(path.dirname(whole), { recursive: true, mode: 0o700 });
    const fresh = `${whole}.new`;
    await rm(fresh, { force: true });
    await writeFile(fresh, bytes, { mode: 0o600, flag: 'wx' });
    await rename(fresh, whole);
  }
}

function strange(): WaybillError {
  return new WaybillError('ledger-damaged', 'the server gives files of its ledger that none can have');
}
