/**
 * Transfers that commands of this machine have under way. One that was killed could not say goodbye: the server holds its
 * upload until a minute of silence, so the next command ends it first. Of commands on other machines nobody here knows more.
 */
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { z } from 'zod';

const note = z.object({ server: z.string(), account: z.string(), host: z.string(), pid: z.number().int().min(1) });
const NAME = /^([0-9a-f]{32})\.json$/;

export class OpenTransfers {
  private readonly folder: string;
  private readonly of: { readonly server: string; readonly account: string };

  constructor(cache: string, of: { readonly server: string; readonly account: string }) {
    this.folder = path.join(cache, 'transfers');
    this.of = of;
  }

  async begin(transfer: string): Promise<void> {
    await mkdir(this.folder, { recursive: true, mode: 0o700 });
    await writeFile(this.fileOf(transfer), JSON.stringify({ ...this.of, host: hostname(), pid: process.pid }));
  }

  async end(transfer: string): Promise<void> {
    await rm(this.fileOf(transfer), { force: true });
  }

  /** Of commands that are gone; each once. */
  async takeLeft(): Promise<string[]> {
    const left: string[] = [];
    for (const name of await readdir(this.folder).catch(() => [])) {
      const transfer = NAME.exec(name)?.[1];
      if (transfer === undefined || !(await this.isLeft(transfer))) continue;
      await this.end(transfer);
      left.push(transfer);
    }
    return left;
  }

  private async isLeft(transfer: string): Promise<boolean> {
    const text = await readFile(this.fileOf(transfer), 'utf8').catch(() => '');
    const parsed = note.safeParse(jsonOf(text));
    // Cut short by what killed its writer.
    if (!parsed.success) return true;
    const { server, account, host, pid } = parsed.data;
    if (server !== this.of.server || account !== this.of.account || host !== hostname()) return false;
    return pid !== process.pid && !isAlive(pid);
  }

  private fileOf(transfer: string): string {
    return path.join(this.folder, `${transfer}.json`);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // There, but somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
