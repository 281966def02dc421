/** Files to here, over UDP or HTTPS, into the same part files: what is verified stays, whatever way it came. */
import { createHash } from 'node:crypto';
import { asWaybillError } from '../../base/errors.ts';
import { SEGMENT_BYTES } from '../../udp/layout/stream-layout.ts';
import type { Piece } from '../../udp/layout/stream-layout.ts';
import { PartFile, writeWhole } from '../local/part-file.ts';
import { receivePieces } from '../pieces.ts';
import type { PieceSink } from '../pieces.ts';
import { batchesOf } from './batches.ts';
import { isOfOneFile, TransferFailure } from './failures.ts';
import type { Meter } from './meter.ts';
import { Persistence } from './persist.ts';
import { Backlog, pool } from './pool.ts';
import { runStream } from './stream-run.ts';
import type { Transport } from './transport.ts';
import { Ways } from './ways.ts';

export interface Incoming {
  readonly path: string;
  readonly target: string;
  size: number;
  version: string | null;
  /** Seconds. */
  modified: number;
}

interface Fetched extends Incoming {
  state: 'open' | 'done' | 'failed';
  counted: number;
}

const HTTPS_STREAMS = 4;
/** Small files that are being made durable while the next ones come. */
const BACKLOG_FILES = 48;
const BACKLOG_BYTES = 64 * 2 ** 20;

export class Download {
  /** The first failure of a single file; others went on. */
  failed: TransferFailure | null = null;
  private readonly transport: Transport;
  private readonly meter: Meter;
  private readonly ways: Ways;
  private readonly persistence: Persistence;

  constructor(transport: Transport, meter: Meter) {
    this.transport = transport;
    this.meter = meter;
    this.ways = new Ways(transport);
    this.persistence = new Persistence(transport, meter);
    meter.way = transport.ways === 'https' ? 'https' : 'udp';
  }

  async run(all: readonly Incoming[]): Promise<void> {
    for (const batch of batchesOf(all)) {
      const files = batch.map((one): Fetched => ({ ...one, state: 'open', counted: 0 }));
      await this.persistence.run(async () => {
        while (files.some(({ state }) => state === 'open')) await this.attempt(files);
      });
    }
  }

  private async attempt(all: readonly Fetched[]): Promise<void> {
    this.meter.begin();
    const files = all.filter(({ state }) => state === 'open');
    const parts = new Map<Fetched, PartFile>();
    try {
      for (const file of files) if (file.size > SEGMENT_BYTES) parts.set(file, await this.open(file));
      const wanted = files.filter(({ state }) => state === 'open');
      if (wanted.length === 0) return;
      if (this.meter.way === 'udp') await this.overUdp(wanted, parts);
      else await this.overHttps(wanted, parts);
    } catch (thrown) {
      await this.judge(thrown, files);
    } finally {
      for (const part of parts.values()) await part.close();
    }
  }

  private async open(file: Fetched): Promise<PartFile> {
    const { path, version, size, modified } = file;
    const part = await PartFile.open(file.target, {
      server: this.transport.server.origin,
      path,
      version,
      size,
      modified,
    });
    const there = part.bytesThere;
    if (there > 0) this.transport.tell({ event: 'resumed', path, local: file.target, bytes: there });
    this.meter.settle(there - file.counted);
    file.counted = there;
    if (part.prefix === size) await this.finish(file, part);
    return part;
  }

  private async finish(file: Fetched, part: PartFile): Promise<void> {
    await part.finish();
    this.done(file);
  }

  private done(file: Fetched): void {
    file.state = 'done';
    this.meter.files++;
    const { path, target, size } = file;
    this.transport.tell({ event: 'file', path, local: target, bytes: size });
  }

  private async overUdp(files: readonly Fetched[], parts: ReadonlyMap<Fetched, PartFile>): Promise<void> {
    const { transport, meter } = this;
    const items = files.map((file) => {
      const { path, version, size } = file;
      return { path, version, size, start: parts.get(file)?.prefix ?? 0 };
    });
    const opening = this.ways.link();
    opening.catch(() => undefined);
    const ticket = await this.ways.ticket(() => transport.control.beginDownload(items, transport.pace));
    const backlog = new Backlog(BACKLOG_FILES, BACKLOG_BYTES);
    try {
      await runStream({
        ...{ transport, meter, ticket },
        open: async (listener) => (await opening).receive(ticket, transport.pace, listener),
        use: (stream) => receivePieces(stream, items, this.sink(files, parts, backlog)),
        held: (reference) => {
          this.persistence.held(reference);
        },
      });
    } finally {
      await this.ways.over(ticket);
      await backlog.finish();
    }
  }

  private sink(files: readonly Fetched[], parts: ReadonlyMap<Fetched, PartFile>, backlog: Backlog): PieceSink {
    let content: Buffer = Buffer.alloc(0);
    const fileOf = ({ item }: Piece): Fetched => files[item] as Fetched;
    return {
      write: async (piece, at, bytes) => {
        const file = fileOf(piece);
        const part = parts.get(file);
        this.meter.move(bytes.length);
        if (part !== undefined) await part.write(at, bytes);
        else {
          if (at === 0) content = Buffer.allocUnsafe(file.size);
          bytes.copy(content, at);
        }
      },
      verified: async (piece, digest) => {
        const file = fileOf(piece);
        const part = parts.get(file);
        if (part === undefined) {
          const bytes = file.size === 0 ? Buffer.alloc(0) : content;
          await backlog.add(bytes.length, () => this.keep(file, bytes));
        } else await this.take(file, part, piece.start, piece.end, digest);
      },
    };
  }

  private async keep(file: Fetched, bytes: Buffer): Promise<void> {
    await writeWhole(file.target, bytes, file.modified);
    this.count(file, bytes.length);
    this.done(file);
  }

  private async take(file: Fetched, part: PartFile, start: number, end: number, digest: Buffer): Promise<void> {
    const segment = start / SEGMENT_BYTES;
    const isNew = end > start && !part.has(segment);
    await part.verified(segment, digest);
    if (isNew) this.count(file, end - start);
    if (part.prefix === file.size && file.state === 'open') {
      file.state = 'done';
      await this.finish(file, part);
    }
  }

  private count(file: Fetched, bytes: number): void {
    file.counted += bytes;
    this.meter.settle(bytes);
  }

  private async overHttps(files: readonly Fetched[], parts: ReadonlyMap<Fetched, PartFile>): Promise<void> {
    await pool(HTTPS_STREAMS, tasksOf(files, parts), async ({ file, part, start, end }) => {
      if (file.state !== 'open') return;
      const { path, version, size } = file;
      const bytes = await this.transport.remote.range({ path, version, size, start, end }).catch((thrown: unknown) => {
        const { code, message } = asWaybillError(thrown);
        throw new TransferFailure(code, message, path);
      });
      this.persistence.held(null);
      this.meter.move(bytes.length);
      if (part === null) await this.keep(file, bytes);
      else {
        await part.write(start, bytes);
        await this.take(file, part, start, end, createHash('sha256').update(bytes).digest());
      }
    });
  }

  /** One file that cannot be had does not keep the others back. */
  private async judge(thrown: unknown, files: readonly Fetched[]): Promise<void> {
    if (!(thrown instanceof TransferFailure) || thrown.path === null) throw thrown;
    const file = files.find(({ path }) => path === thrown.path);
    if (file === undefined) throw thrown;
    if (thrown.code === 'changed-meanwhile') await this.lookAgain(file);
    else if (isOfOneFile(thrown.code)) {
      file.state = 'failed';
      this.failed ??= thrown;
      this.transport.tell({ event: 'skipped', name: file.path, code: thrown.code, message: thrown.message });
      return;
    }
    throw thrown;
  }

  /** Another version is another file: begins anew. */
  private async lookAgain(file: Fetched): Promise<void> {
    const info = await this.transport.remote.stat(file.path);
    if (info?.kind !== 'file') throw new TransferFailure('not-found', `${file.path} is gone`, null);
    this.meter.settle(-file.counted);
    this.meter.ofBytes += info.size - file.size;
    Object.assign(file, { size: info.size, version: info.version, counted: 0 });
    file.modified = Math.floor(Date.parse(info.modified) / 1000);
  }
}

interface Task {
  readonly file: Fetched;
  readonly part: PartFile | null;
  readonly start: number;
  readonly end: number;
}

function* tasksOf(files: readonly Fetched[], parts: ReadonlyMap<Fetched, PartFile>): Generator<Task, void, void> {
  for (const file of files) {
    const part = parts.get(file) ?? null;
    if (part === null) yield { file, part, start: 0, end: file.size };
    for (let segment = 0; part !== null && segment < part.segments; segment++) {
      const start = segment * SEGMENT_BYTES;
      if (!part.has(segment)) yield { file, part, start, end: Math.min(file.size, start + SEGMENT_BYTES) };
    }
  }
}
