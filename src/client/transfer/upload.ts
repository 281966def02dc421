/** Files from here, over UDP or HTTPS. What was sent is noted with its SHA-256, so that a file that was changed begins anew. */
import { constants } from 'node:fs';
import { createHash } from 'node:crypto';
import { lstat, open, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import { SEGMENT_BYTES } from '../../udp/layout/stream-layout.ts';
import type { Piece } from '../../udp/layout/stream-layout.ts';
import { digestOfRange } from '../local/part-file.ts';
import type { SegmentLog } from '../local/segment-log.ts';
import { openUploadLog } from '../local/upload-log.ts';
import { sendPieces } from '../pieces.ts';
import type { PieceSource } from '../pieces.ts';
import { batchesOf } from './batches.ts';
import { failureOf, isOfOneFile, TransferFailure } from './failures.ts';
import type { Meter } from './meter.ts';
import { Persistence } from './persist.ts';
import { pool } from './pool.ts';
import { runStream } from './stream-run.ts';
import { Interrupted } from './transport.ts';
import type { Transport } from './transport.ts';
import { Ways } from './ways.ts';

export interface Outgoing {
  readonly path: string;
  readonly local: string;
  size: number;
  /** Milliseconds. */
  modified: number;
}

interface Sent extends Outgoing {
  state: 'open' | 'done' | 'failed';
  counted: number;
  /** The version that was there before; undefined: not looked yet. */
  base: string | null | undefined;
}

/** A large file of this attempt. */
interface Large {
  readonly log: SegmentLog;
  /** Bytes that are there already, in whole segments that are as they were sent. */
  start: number;
}

const HTTPS_STREAMS = 4;
const READ_BYTES = 1 << 20;
const STATE_SECONDS = 20;
/** After a failure it is not known which small files of it are durable: the next list is shorter. */
const FEWEST = 256;

export class Upload {
  failed: TransferFailure | null = null;
  private readonly transport: Transport;
  private readonly meter: Meter;
  private readonly ways: Ways;
  private readonly persistence: Persistence;
  private most = Infinity;

  constructor(transport: Transport, meter: Meter) {
    this.transport = transport;
    this.meter = meter;
    this.ways = new Ways(transport);
    this.persistence = new Persistence(transport, meter);
    meter.way = transport.ways === 'https' ? 'https' : 'udp';
  }

  async run(all: readonly Outgoing[]): Promise<void> {
    try {
      for (const batch of batchesOf(all)) {
        const files = batch.map((one): Sent => ({ ...one, state: 'open', counted: 0, base: undefined }));
        await this.persistence.run(async () => {
          while (files.some(({ state }) => state === 'open')) await this.attempt(files);
        });
      }
    } finally {
      await this.ways.close();
    }
  }

  private async attempt(all: readonly Sent[]): Promise<void> {
    this.meter.begin();
    const files = all.filter(({ state }) => state === 'open').slice(0, this.most);
    const large = new Map<Sent, Large>();
    try {
      await this.ways.sweep();
      for (const file of files) await this.prepare(file, large);
      const wanted = files.filter(({ state }) => state === 'open');
      if (wanted.length === 0) return;
      this.meter.byStream = this.meter.way === 'udp';
      if (this.meter.way === 'udp') await this.overUdp(wanted, large);
      else await this.overHttps(wanted, large);
    } catch (thrown) {
      this.most = Math.max(FEWEST, Math.floor(files.length / 2));
      this.judge(thrown, files);
    } finally {
      for (const { log } of large.values()) await log.close().catch(() => undefined);
    }
  }

  /** Looks what is here and what is there. */
  private async prepare(file: Sent, large: Map<Sent, Large>): Promise<void> {
    const here = await lstat(file.local).catch(() => null);
    // A link that was followed is looked at when it is opened.
    if (here?.isFile() === true) this.note(file, here.size, here.mtimeMs);
    if (file.size <= SEGMENT_BYTES) return;
    const { path, local, size, modified } = file;
    const identity = {
      server: this.transport.server.origin,
      account: this.transport.account,
      path,
      local,
      size,
      modified,
    };
    const { log } = await openUploadLog(this.transport.cache, identity);
    const one: Large = { log, start: 0 };
    large.set(file, one);
    const there = await this.transport.remote.stat(path);
    if (there?.kind === 'directory') throw new TransferFailure('is-a-directory', `${path} is a directory`, path);
    const isCommitted = there !== null && !there.partial;
    const version = isCommitted ? there.version : null;
    if (file.base === undefined) file.base = version;
    else if (isCommitted && version !== file.base && there.size === size && this.isWhole(file, one)) {
      // The answer to its last bytes was lost.
      await this.stored(file, one);
      return;
    }
    one.start = there?.partial === true ? await this.verified(file, one.log, there.size) : 0;
    if (one.start > 0) this.transport.tell({ event: 'resumed', path, local, bytes: one.start });
    this.meter.settle(one.start - file.counted);
    file.counted = one.start;
  }

  private note(file: Sent, size: number, modified: number): void {
    if (file.size === size && file.modified === modified) return;
    this.meter.ofBytes += size - file.size;
    this.meter.settle(-file.counted);
    Object.assign(file, { size, modified, counted: 0 });
  }

  private isWhole({ size }: Sent, { log }: Large): boolean {
    return log.digests.size >= Math.ceil(size / SEGMENT_BYTES);
  }

  /** How much of what the server has is what is here now. */
  private async verified(file: Sent, log: SegmentLog, there: number): Promise<number> {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const handle = await openSource(file.local);
    try {
      let start = 0;
      for (let segment = 0; ; segment++) {
        const end = Math.min(file.size, start + SEGMENT_BYTES);
        const noted = log.digests.get(segment);
        if (end > there || end === start || noted === undefined) break;
        if (noted !== (await digestOfRange(handle, start, end, buffer))) return 0;
        // The last one is sent again when it is no whole segment: a range begins at one.
        if (end % SEGMENT_BYTES !== 0) break;
        start = end;
      }
      return start;
    } finally {
      await handle.close();
    }
  }

  private async stored(file: Sent, large: Large | undefined): Promise<void> {
    this.meter.settle(file.size - file.counted);
    file.counted = file.size;
    file.state = 'done';
    this.meter.files++;
    const { path, local, size } = file;
    this.transport.tell({ event: 'file', path, local, bytes: size });
    await large?.log.remove();
  }

  private async overUdp(files: readonly Sent[], large: ReadonlyMap<Sent, Large>): Promise<void> {
    const { transport, meter } = this;
    const items = files.map((file) => ({ path: file.path, size: file.size, start: large.get(file)?.start ?? 0 }));
    const link = await this.ways.link();
    const ticket = await this.ways.ticket(() => transport.control.beginUpload(items, transport.pace));
    const source = new Source(files);
    try {
      await runStream({
        ...{ transport, meter, ticket },
        open: (listener) => link.send(ticket, transport.pace, listener),
        use: async (stream) => {
          if (!(await sendPieces(stream, items, this.source(files, large, source)))) return false;
          // Until everything is acknowledged the stream goes on; durable it is when the server says so.
          const { reason } = await stream.ended;
          return reason === 'complete';
        },
        held: () => undefined,
      });
      await this.awaitDone(ticket.transfer);
    } finally {
      await source.close();
      await this.ways.over(ticket);
    }
    for (const file of files) await this.stored(file, large.get(file));
  }

  private source(files: readonly Sent[], large: ReadonlyMap<Sent, Large>, source: Source): PieceSource {
    return {
      read: async (piece, at, most) => {
        if (this.transport.signal.aborted) throw new Interrupted();
        return source.read(piece, at, most);
      },
      sent: async ({ item, start }, digest) => {
        const file = files[item] as Sent;
        await large.get(file)?.log.add(start / SEGMENT_BYTES, digest);
      },
    };
  }

  private async awaitDone(transfer: string): Promise<void> {
    const { control, signal } = this.transport;
    for (;;) {
      if (signal.aborted) throw new Interrupted();
      const state = await control.state(transfer, STATE_SECONDS);
      if (state.state === 'done') return;
      if (state.state === 'failed') throw failureOf(state);
    }
  }

  private async overHttps(files: readonly Sent[], large: ReadonlyMap<Sent, Large>): Promise<void> {
    await pool(HTTPS_STREAMS, files, async (file) => {
      const one = large.get(file);
      try {
        if (one === undefined) await this.putSmall(file);
        else await this.putLarge(file, one);
      } catch (thrown) {
        const { code, message } = asWaybillError(thrown);
        throw new TransferFailure(code, message, file.path);
      }
      await this.stored(file, one);
    });
  }

  private async putSmall(file: Sent): Promise<void> {
    const body = await readFile(file.local);
    if (body.length !== file.size) throw new WaybillError('changed-meanwhile', `${file.local} is being changed`);
    await this.transport.remote.put(file.path, body);
    this.meter.move(body.length);
  }

  private async putLarge(file: Sent, one: Large): Promise<void> {
    const { remote } = this.transport;
    const known = one.log.address;
    const there = known === null ? null : await remote.uploaded(known);
    if (there === file.size) return;
    let at = there === null ? 0 : await this.verified(file, one.log, there);
    let address = known;
    if (address === null || there === null || at !== there) {
      address = await remote.beginUpload(file.path, file.size);
      at = 0;
      await one.log.name(address);
    }
    this.meter.settle(at - file.counted);
    file.counted = at;
    const handle = await openSource(file.local);
    try {
      while (at < file.size) at = await this.append(file, one, handle, address, at);
    } finally {
      await handle.close();
    }
  }

  private async append(file: Sent, { log }: Large, handle: FileHandle, address: string, at: number): Promise<number> {
    const body = Buffer.allocUnsafe(Math.min(SEGMENT_BYTES, file.size - at));
    for (let done = 0; done < body.length;) {
      const { bytesRead } = await handle.read(body, done, body.length - done, at + done);
      if (bytesRead === 0) throw new WaybillError('changed-meanwhile', `${file.local} became shorter`);
      done += bytesRead;
    }
    const { mtimeMs } = await handle.stat();
    if (mtimeMs !== file.modified) throw new WaybillError('changed-meanwhile', `${file.local} is being changed`);
    const digest = createHash('sha256').update(body).digest();
    await log.add(at / SEGMENT_BYTES, digest);
    const end = await this.transport.remote.append(address, at, body, digest);
    if (end !== at + body.length) throw new WaybillError('offset-invalid', 'the upload is elsewhere than expected');
    this.meter.move(body.length);
    this.meter.settle(body.length);
    file.counted += body.length;
    return end;
  }

  private judge(thrown: unknown, files: readonly Sent[]): void {
    const path = thrown instanceof TransferFailure ? thrown.path : null;
    const file = files.find((one) => one.path === path);
    if (!(thrown instanceof TransferFailure) || file === undefined || !isOfOneFile(thrown.code)) throw thrown;
    file.state = 'failed';
    this.failed ??= thrown;
    this.transport.tell({ event: 'skipped', name: file.local, code: thrown.code, message: thrown.message });
  }
}

/** The files of a stream one after the other, each open while its turn lasts. */
class Source {
  private readonly files: readonly Sent[];
  private item = -1;
  private handle: FileHandle | null = null;

  constructor(files: readonly Sent[]) {
    this.files = files;
  }

  async read({ item, end }: Piece, at: number, most: number): Promise<Buffer> {
    const file = this.files[item] as Sent;
    if (item !== this.item || this.handle === null) {
      await this.close();
      this.handle = await openSource(file.local);
      this.item = item;
      const { size, mtimeMs } = await this.handle.stat();
      if (size !== file.size || mtimeMs !== file.modified) throw this.changed(file);
    }
    const bytes = Buffer.allocUnsafe(most);
    const { bytesRead } = await this.handle.read(bytes, 0, most, at);
    if (at + bytesRead === end && (await this.handle.stat()).mtimeMs !== file.modified) throw this.changed(file);
    return bytes.subarray(0, bytesRead);
  }

  async close(): Promise<void> {
    const { handle } = this;
    this.handle = null;
    await handle?.close();
  }

  private changed({ local }: Sent): WaybillError {
    return new WaybillError('changed-meanwhile', `${local} is being changed while it is sent`);
  }
}

/** What was a file when it was listed and is a pipe now would wait for ever. */
async function openSource(local: string): Promise<FileHandle> {
  return open(local, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    const why = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable';
    throw new WaybillError('option-invalid', `${local} cannot be read (${why})`, { cause });
  });
}
