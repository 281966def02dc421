/** A file that is being fetched: beside its target until it is whole, and then in its place in one step. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { SEGMENT_BYTES } from '../../udp/layout/stream-layout.ts';
import { besideNames } from './names.ts';
import { SegmentLog } from './segment-log.ts';

export interface PartIdentity {
  readonly server: string;
  readonly path: string;
  readonly version: string | null;
  readonly size: number;
  /** Seconds. */
  readonly modified: number;
}

const { O_RDWR, O_CREAT, O_NOFOLLOW, O_TRUNC, O_RDONLY, O_DIRECTORY } = constants;
const READ_BYTES = 1 << 20;

export class PartFile {
  readonly segments: number;
  private readonly target: string;
  private readonly identity: PartIdentity;
  private readonly handle: FileHandle;
  private readonly log: SegmentLog;
  private readonly there = new Set<number>();

  private constructor(target: string, identity: PartIdentity, handle: FileHandle, log: SegmentLog) {
    this.target = target;
    this.identity = identity;
    this.handle = handle;
    this.log = log;
    this.segments = Math.ceil(identity.size / SEGMENT_BYTES);
  }

  /** Takes up what an earlier command left of the same version; what is not as it was noted is fetched again. */
  static async open(target: string, identity: PartIdentity): Promise<PartFile> {
    const { part, state } = besideNames(path.basename(target));
    const folder = path.dirname(target);
    const header = { waybill: 'download', ...identity };
    const known = await SegmentLog.resume(path.join(folder, state), header);
    const handle = await open(
      path.join(folder, part),
      O_RDWR | O_CREAT | O_NOFOLLOW | (known === null ? O_TRUNC : 0),
      0o666,
    );
    const log = known ?? (await SegmentLog.begin(path.join(folder, state), header));
    const file = new PartFile(target, identity, handle, log);
    await file.verifyAll();
    return file;
  }

  has(segment: number): boolean {
    return this.there.has(segment);
  }

  /** Bytes from the start that are there, in whole segments. */
  get prefix(): number {
    let segment = 0;
    while (this.there.has(segment)) segment++;
    return Math.min(this.identity.size, segment * SEGMENT_BYTES);
  }

  get bytesThere(): number {
    let bytes = 0;
    for (const segment of this.there) bytes += this.endOf(segment) - segment * SEGMENT_BYTES;
    return bytes;
  }

  async write(at: number, bytes: Buffer): Promise<void> {
    for (let done = 0; done < bytes.length;)
      done += (await this.handle.write(bytes, done, bytes.length - done, at + done)).bytesWritten;
  }

  /** The segment is in the file, and what it should be. */
  async verified(segment: number, digest: Buffer): Promise<void> {
    if (segment >= this.segments) return;
    await this.log.add(segment, digest);
    this.there.add(segment);
  }

  /** Durable and in its place. */
  async finish(): Promise<void> {
    await this.handle.truncate(this.identity.size);
    await this.handle.utimes(this.identity.modified, this.identity.modified);
    await this.handle.sync();
    await this.handle.close();
    await moveIntoPlace(this.target);
    await this.log.remove();
  }

  async close(): Promise<void> {
    await this.handle.close().catch(() => undefined);
    await this.log.close().catch(() => undefined);
  }

  private endOf(segment: number): number {
    return Math.min(this.identity.size, (segment + 1) * SEGMENT_BYTES);
  }

  private async verifyAll(): Promise<void> {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    for (const [segment, sha256] of this.log.digests)
      if (segment < this.segments && (await this.digestOf(segment, buffer)) === sha256) this.there.add(segment);
  }

  private async digestOf(segment: number, buffer: Buffer): Promise<string | null> {
    return digestOfRange(this.handle, segment * SEGMENT_BYTES, this.endOf(segment), buffer);
  }
}

/** SHA-256 of a range of a file in hex; null when it is shorter. */
export async function digestOfRange(
  handle: FileHandle,
  start: number,
  end: number,
  buffer: Buffer,
): Promise<string | null> {
  const hash = createHash('sha256');
  for (let at = start; at < end;) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, end - at), at);
    if (bytesRead === 0) return null;
    hash.update(buffer.subarray(0, bytesRead));
    at += bytesRead;
  }
  return hash.digest('hex');
}

/** A small file at once, by the same way. */
export async function writeWhole(target: string, bytes: Buffer, modified: number): Promise<void> {
  const { part } = besideNames(path.basename(target));
  const flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_TRUNC;
  const handle = await open(path.join(path.dirname(target), part), flags, 0o666);
  try {
    await handle.writeFile(bytes);
    await handle.utimes(modified, modified);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await moveIntoPlace(target);
}

async function moveIntoPlace(target: string): Promise<void> {
  const { part } = besideNames(path.basename(target));
  const folder = path.dirname(target);
  // A link at the target is replaced itself, not followed.
  await rename(path.join(folder, part), target);
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  // Where folders cannot be opened, the system makes the name durable by itself or not at all.
  const handle = await open(folder, O_RDONLY | O_DIRECTORY).catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

export async function forgetPart(target: string): Promise<void> {
  const { part, state } = besideNames(path.basename(target));
  for (const name of [part, state]) await rm(path.join(path.dirname(target), name), { force: true });
}
