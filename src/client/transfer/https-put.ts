/**
 * Large files from here over HTTPS: segments of one file over several connections at once. The server writes them in
 * order, and keeps one that comes before its turn until then (PROTOCOL.md); where it does not, they go one after the other.
 */
import { createHash } from 'node:crypto';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import { SEGMENT_BYTES } from '../../udp/layout/stream-layout.ts';
import type { SegmentLog } from '../local/segment-log.ts';
import { openSource, readRange } from '../local/source-file.ts';
import type { SourceFile } from '../local/source-file.ts';
import type { RemoteFiles } from '../remote/files.ts';
import { Permits } from './pool.ts';

export interface LargePut extends SourceFile {
  readonly path: string;
  readonly log: SegmentLog;
  /** The upload that is in progress there; null: none. */
  readonly upload: string | null;
  /** Bytes of it that are as they are here, in whole segments. */
  readonly start: number;
}

/** Requests at once, of all files: a part waits there for those before it, so each must have a connection. */
export const HTTPS_STREAMS = 4;

type Remote = Pick<RemoteFiles, 'takeUp' | 'beginUpload' | 'append' | 'uploaded'>;

export class HttpsPut {
  readonly permits = new Permits(HTTPS_STREAMS);
  private readonly remote: Remote;
  /** The server took no part before its turn. */
  private inOrder = false;

  constructor(remote: Remote) {
    this.remote = remote;
  }

  /** `from` hears where it begins, `sent` of each segment that is there. Durable when it resolves. */
  async put(file: LargePut, from: (at: number) => void, sent: (bytes: number) => void): Promise<void> {
    const place = await this.place(file);
    if (place === null) return;
    from(place.at);
    const failed: unknown[] = [];
    const under: Promise<void>[] = [];
    const stop = new AbortController();
    const handle = await openSource(file.local);
    try {
      let before: Promise<void> = Promise.resolve();
      for (let at = place.at; at < file.size; at += SEGMENT_BYTES) {
        await this.permits.take();
        if (failed.length > 0) {
          this.permits.give();
          break;
        }
        const end = Math.min(file.size, at + SEGMENT_BYTES);
        const previous = before;
        const read = async (): Promise<Buffer> => readRange(file, handle, at, end);
        before = this.segment({ file, address: place.address, at, read, previous, signal: stop.signal })
          .then(() => {
            sent(end - at);
          })
          .finally(() => {
            this.permits.give();
          });
        under.push(
          before.catch((error: unknown) => {
            failed.push(error);
            stop.abort();
          }),
        );
      }
      await Promise.all(under);
    } finally {
      await handle.close();
    }
    if (failed.length > 0) throw failed[0];
  }

  /** Where it goes on; null when all of it is there and the answer was lost. */
  private async place({ path, size, log, upload, start }: LargePut): Promise<{ address: string; at: number } | null> {
    if (upload !== null && start > 0) {
      const taken = await this.remote.takeUp(path, size, upload, start).catch((error: unknown) => {
        if (asWaybillError(error).code === 'not-found') return null;
        throw error;
      });
      if (taken !== null) return { address: taken, at: start };
    } else if (upload === null && log.address !== null && (await this.remote.uploaded(log.address)) === size)
      return null;
    const address = await this.remote.beginUpload(path, size);
    await log.name(address);
    return { address, at: 0 };
  }

  private async segment(one: {
    readonly file: LargePut;
    readonly address: string;
    readonly at: number;
    readonly read: () => Promise<Buffer>;
    readonly previous: Promise<void>;
    readonly signal: AbortSignal;
  }): Promise<void> {
    const { file, address, at, previous, signal } = one;
    const state = { isTurn: false };
    const turn = previous.then(() => {
      state.isTurn = true;
    });
    turn.catch(() => undefined);
    const body = await one.read();
    const digest = createHash('sha256').update(body).digest();
    await file.log.add(at / SEGMENT_BYTES, digest);
    if (this.inOrder) await turn;
    const early = !state.isTurn;
    const end = await this.remote.append(address, at, body, digest, signal).catch(async (error: unknown) => {
      if (!early || signal.aborted) throw error;
      // Not kept until its turn: an older server, or one that has no room for it.
      this.inOrder = true;
      await turn;
      return this.remote.append(address, at, body, digest, signal);
    });
    if (end !== at + body.length) throw new WaybillError('offset-invalid', 'the upload is elsewhere than expected');
  }
}
