/** Files from here, over UDP or HTTPS. What was sent is noted with its SHA-256, so that a file that was changed begins anew. */
import { lstat, readFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import { SEGMENT_BYTES } from '../../udp/layout/stream-layout.ts';
import type { Piece } from '../../udp/layout/stream-layout.ts';
import { digestOfRange } from '../local/part-file.ts';
import type { SegmentLog } from '../local/segment-log.ts';
import { openSource } from '../local/source-file.ts';
import { openUploadLog } from '../local/upload-log.ts';
import { sendPieces } from '../pieces.ts';
import type { PieceSource } from '../pieces.ts';
import { batchesOf } from './batches.ts';
import { failureOf, isOfOneFile, TransferFailure } from './failures.ts';
import { HTTPS_STREAMS, HttpsPut } from './https-put.ts';
import type { Meter } from './meter.ts';
import { Persistence } from './persist.ts';
import { pool } from './pool.ts';
import { runStream } from './stream-run.ts';
import { Interrupted, step } from './transport.ts';
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
  /** The upload that is in progress there. */
  upload: string | null;
  /** What was there before is known: its last bytes are not sent sooner. */
  looked: Promise<void>;
}

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
  private readonly unlooked: { readonly file: Sent; readonly one: Large }[] = [];
  private readonly https: HttpsPut;
  private most = Infinity;

  constructor(transport: Transport, meter: Meter) {
    this.transport = transport;
    this.meter = meter;
    this.ways = new Ways(transport);
    this.persistence = new Persistence(transport, meter);
    this.https = new HttpsPut(transport.remote);
    meter.way = transport.ways === 'https' ? 'https' : 'udp';
  }

  async run(all: readonly Outgoing[]): Promise<void> {
    for (const batch of batchesOf(all)) {
      const files = batch.map((one): Sent => ({ ...one, state: 'open', counted: 0, base: undefined }));
      await this.persistence.run(async () => {
        while (files.some(({ state }) => state === 'open')) await this.attempt(files);
      });
    }
  }

  private async attempt(all: readonly Sent[]): Promise<void> {
    this.meter.begin();
    this.unlooked.length = 0;
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
    const one: Large = { log, start: 0, upload: null, looked: Promise.resolve() };
    large.set(file, one);
    // Nothing to go on from: it begins at once, and what is there is looked at meanwhile.
    if (log.digests.size === 0 && log.address === null && this.meter.way === 'udp') {
      if (file.base === undefined) this.unlooked.push({ file, one });
      this.count(file, 0);
      return;
    }
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
    one.upload = there?.upload ?? null;
    one.start = there?.partial === true ? await this.verified(file, one.log, there.size) : 0;
    if (one.start > 0) this.transport.tell({ event: 'resumed', path, local, bytes: one.start });
    this.count(file, one.start);
  }

  private count(file: Sent, start: number): void {
    this.meter.settle(start - file.counted);
    file.counted = start;
  }

  /** After the transfer was asked for, so that this does not wait for these. */
  private lookMeanwhile(): void {
    for (const { file, one } of this.unlooked.splice(0)) {
      // Who may not look may write all the same.
      one.looked = this.transport.remote.stat(file.path).then(
        (there) => {
          // Its own beginning hides what stood there: then that stays unknown, and no version counts as this file.
          if (there?.partial !== true) file.base = there?.version ?? null;
        },
        () => undefined,
      );
    }
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
    const opening = this.ways.link();
    opening.catch(() => undefined);
    const beginning = this.ways.ticket(() => transport.control.beginUpload(items, transport.pace));
    this.lookMeanwhile();
    const ticket = await beginning;
    const source = new Source(files);
    try {
      await runStream({
        ...{ transport, meter, ticket },
        open: async (listener) => (await opening).send(ticket, transport.pace, listener),
        use: async (stream) => {
          if (!(await sendPieces(stream, items, this.source(files, large, source)))) return false;
          step(transport, 'all-in-stream');
          // The question is there before the answer is.
          const done = this.awaitDone(ticket.transfer);
          const through = stream.ended.then(({ reason }) => {
            step(transport, 'all-there');
            // Whatever became of the last acknowledgement: durable it is when the server says so.
            return reason === 'complete' ? done.then(() => true) : false;
          });
          return Promise.race([done.then(() => true), through]);
        },
        held: () => undefined,
      });
      step(transport, 'durable');
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
        if (piece.last && at + most >= piece.end) await large.get(files[piece.item] as Sent)?.looked;
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
        if (one === undefined) await this.https.permits.during(() => this.putSmall(file));
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

  private async putLarge(file: Sent, { log, start, upload }: Large): Promise<void> {
    await this.https.put(
      { ...file, log, start, upload },
      (at) => {
        this.count(file, at);
      },
      (bytes) => {
        this.meter.move(bytes);
        this.meter.settle(bytes);
        file.counted += bytes;
      },
    );
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
  /** The stream has copied it when the next is read. */
  private readonly buffer = Buffer.allocUnsafe(READ_BYTES);

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
    const bytes = this.buffer;
    const { bytesRead } = await this.handle.read(bytes, 0, Math.min(most, bytes.length), at);
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
