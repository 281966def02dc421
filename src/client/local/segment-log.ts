/**
 * Which segments of a file are through, with their SHA-256: what a killed command left, and the next one goes on from. A
 * header that says of what, then a line a segment. Nothing here is believed: whoever goes on hashes the bytes again, so a
 * line that a crash cut short, or that lies, costs a segment and nothing else.
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { z } from 'zod';

const addressLine = z.object({ address: z.string().regex(/^\/api\/v1\/tus\/[A-Za-z0-9_-]+$/) });
const line = z.object({ n: z.number().int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) });

export class SegmentLog {
  readonly digests: Map<number, string>;
  /** Of a resumable upload over HTTPS; null: there is none. */
  address: string | null = null;
  private readonly file: string;
  private readonly handle: FileHandle;

  private constructor(file: string, handle: FileHandle, digests: Map<number, string>) {
    this.file = file;
    this.handle = handle;
    this.digests = digests;
  }

  /** What is there, when its header is of this very thing; null otherwise. */
  static async resume(file: string, header: object): Promise<SegmentLog | null> {
    const text = await readFile(file, 'utf8').catch(() => '');
    const [first, ...rest] = text.split('\n');
    if (first !== JSON.stringify(header)) return null;
    const digests = new Map<number, string>();
    let address: string | null = null;
    for (const one of rest) {
      const value = jsonOf(one);
      const segment = line.safeParse(value);
      const named = addressLine.safeParse(value);
      if (segment.success) digests.set(segment.data.n, segment.data.sha256);
      else if (named.success) ({ address } = named.data);
    }
    const handle = await open(file, 'a');
    // After a line that was cut short.
    if (!text.endsWith('\n')) await handle.appendFile('\n');
    const log = new SegmentLog(file, handle, digests);
    log.address = address;
    return log;
  }

  /** A new one in its place. */
  static async begin(file: string, header: object): Promise<SegmentLog> {
    const draft = `${file}.${process.pid}`;
    await rm(draft, { force: true });
    const handle = await open(draft, 'ax', 0o600);
    await handle.appendFile(`${JSON.stringify(header)}\n`);
    await rename(draft, file);
    return new SegmentLog(file, handle, new Map());
  }

  async add(segment: number, digest: Buffer): Promise<void> {
    const sha256 = digest.toString('hex');
    if (this.digests.get(segment) === sha256) return;
    this.digests.set(segment, sha256);
    await this.handle.appendFile(`${JSON.stringify({ n: segment, sha256 })}\n`);
  }

  async name(address: string): Promise<void> {
    this.address = address;
    await this.handle.appendFile(`${JSON.stringify({ address })}\n`);
  }

  async close(): Promise<void> {
    await this.handle.close();
  }

  async remove(): Promise<void> {
    await this.close();
    await rm(this.file, { force: true });
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}
