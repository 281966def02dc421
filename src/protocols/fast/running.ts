/** One transfer on its front: joins files and stream, and tells how far it is. */
import type { Log } from '../../base/log.ts';
import { asWaybillError } from '../../base/errors.ts';
import type { FastBegin, FastState } from '../../broker/fast-calls.ts';
import type { ResumableFiles } from '../../transfer/transfer.ts';
import type { CloseReason } from '../../udp/wire/control.ts';
import { sendFiles } from './download.ts';
import { FileFailure } from './file-failure.ts';
import { freshProgress } from './progress.ts';
import type { Failure } from './progress.ts';
import type { IncomingStream, OutgoingStream } from './streams.ts';
import { receiveFiles } from './upload.ts';

export interface StreamEnding {
  readonly reason: CloseReason;
  readonly text: string;
}

/** What the driver gives: a stream, and how it ended. */
export type Opened<S> = S & { readonly ended: Promise<StreamEnding> };

export interface RunningParts {
  readonly begin: FastBegin;
  readonly files: ResumableFiles;
  readonly send: () => Opened<OutgoingStream>;
  readonly receive: () => Opened<IncomingStream>;
  readonly report: (state: FastState) => Promise<void>;
  readonly log: Pick<Log, 'error'>;
}

const REPORT_MILLISECONDS = 500;
const HOLD_MILLISECONDS = 1000;

export class RunningTransfer {
  readonly done: Promise<void>;
  private readonly parts: RunningParts;
  private readonly progress = freshProgress();
  private readonly stream: Opened<OutgoingStream> | Opened<IncomingStream>;

  constructor(parts: RunningParts) {
    this.parts = parts;
    const { files: items, direction } = parts.begin.order;
    const { files } = parts;
    if (direction === 'download') {
      const stream = parts.send();
      this.stream = stream;
      const holdMilliseconds = HOLD_MILLISECONDS;
      this.done = this.run(() =>
        sendFiles({ files, stream, items, progress: this.progress, holdMilliseconds }).then(async (whole) => {
          // In the stream is not yet with the client.
          const { reason, text } = await stream.ended;
          return whole && reason === 'complete' ? null : brokenOff(reason, text);
        }),
      );
    } else {
      const stream = parts.receive();
      this.stream = stream;
      this.done = this.run(() =>
        receiveFiles({ files, stream, items, progress: this.progress }).then(async (whole) => {
          if (whole) {
            // The sender may be gone already: it asked over HTTPS.
            stream.end('complete', '');
            return null;
          }
          const { reason, text } = await stream.ended;
          return brokenOff(reason, text);
        }),
      );
    }
  }

  /** By the broker's decision, or because this front ends. */
  end(reason: CloseReason, text: string): void {
    this.stream.end(reason, text);
  }

  private async run(work: () => Promise<Failure | null>): Promise<void> {
    const timer = setInterval(() => {
      void this.report('open', null);
    }, REPORT_MILLISECONDS);
    let failure: Failure | null;
    try {
      failure = await work();
    } catch (thrown) {
      failure = this.failed(thrown);
    }
    clearInterval(timer);
    await this.report(failure === null ? 'done' : 'failed', failure);
    await this.parts.files.abandon();
  }

  private failed(thrown: unknown): Failure {
    const error = thrown instanceof FileFailure ? thrown : new FileFailure(null, thrown);
    if (error.failure.code === 'internal') this.parts.log.error({ err: error.cause }, 'a fast transfer failed');
    this.stream.end(error.reason, printable(error.failure));
    return error.failure;
  }

  private async report(state: FastState['state'], failure: Failure | null): Promise<void> {
    const { files, bytes, held } = this.progress;
    try {
      await this.parts.report({ state, files, bytes, held, failure: failure === null ? null : cut(failure) });
    } catch (thrown) {
      if (asWaybillError(thrown).code === 'session-ended') this.end('session-ended', 'the session is over');
    }
  }
}

function brokenOff(reason: CloseReason, text: string): Failure {
  return { code: 'transfer-broken', path: null, detail: text === '' ? `the stream ended: ${reason}` : text };
}

/** The wire's texts are of printable ASCII; a path may not be. */
function printable({ code, detail }: Failure): string {
  return `${code}: ${detail}`.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, 200);
}

function cut({ code, path, detail }: Failure): Failure {
  return { code, path, detail: detail.slice(0, 1000) };
}
