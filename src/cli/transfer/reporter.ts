/** What is told of a transfer: one line on a terminal, a line of JSON each for scripts, and little where nobody looks. */
import type { Figures, TransferEvent } from '../../client/transfer/transport.ts';
import { formatDuration } from '../durations.ts';
import { printable } from '../output.ts';
import type { Output } from '../output.ts';
import { ProgressLine } from '../progress.ts';
import { formatSize } from '../sizes.ts';

export interface ReporterParts {
  readonly output: Output;
  readonly line?: ProgressLine;
  readonly verbose: boolean;
}

const PROGRESS_MILLISECONDS = 1000;
const STREAMS = 4;

export class Reporter {
  private readonly output: Output;
  private readonly line: ProgressLine;
  private readonly verbose: boolean;
  private progressAt = -Infinity;

  constructor({ output, line = new ProgressLine(), verbose }: ReporterParts) {
    this.output = output;
    this.line = line;
    this.verbose = verbose;
  }

  tell(event: TransferEvent): void {
    if (this.output.json) {
      if (this.verbose || (event.event !== 'way' && event.event !== 'step')) this.output.answer(event, '');
      return;
    }
    const said = this.inWords(event);
    if (said === null) return;
    this.line.clear();
    if (event.event === 'done') this.output.answer(event, said);
    else this.output.note(said);
  }

  progress(figures: Figures, now = performance.now()): void {
    if (this.output.json) {
      if (now - this.progressAt < PROGRESS_MILLISECONDS) return;
      this.progressAt = now;
      this.output.answer({ event: 'progress', ...figures }, '');
    } else this.line.show(lineOf(figures));
  }

  end(): void {
    this.line.clear();
  }

  private inWords(event: TransferEvent): string | null {
    switch (event.event) {
      case 'way':
        return this.verbose ? `UDP: ${event.detail}` : null;
      case 'step':
        return this.verbose ? `${event.at} ms: ${event.step}` : null;
      case 'held':
        return `held: reference ${event.reference}; waits for an approval, Ctrl-C to stop; run the same command again later`;
      case 'released':
        return 'approved: it goes on';
      case 'fallback':
        return event.port === null
          ? `no fast transfer (${printable(event.why)}); going on over HTTPS with ${STREAMS} streams`
          : `UDP does not get through to ${event.host}:${event.port} (${event.why}); going on over HTTPS with ${STREAMS} streams`;
      case 'retry':
        return `${printable(event.message)} (${event.code}); trying again in ${event.seconds} s`;
      case 'skipped':
        return `left out: ${printable(event.name)}: ${printable(event.message)}`;
      case 'removed':
        return `removed: ${printable(event.name)}`;
      case 'done':
        return doneLine(event);
      default:
        return null;
    }
  }
}

function doneLine({ files, bytes, seconds, way }: Extract<TransferEvent, { event: 'done' }>): string {
  const rate = seconds > 0 ? `, ${formatRate((bytes * 8) / seconds)}` : '';
  const what = `${files} ${files === 1 ? 'file' : 'files'}, ${formatSize(bytes)}`;
  return `${what} in ${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s${rate} (${way === 'udp' ? 'UDP' : 'HTTPS'})`;
}

function lineOf({ files, ofFiles, bytes, ofBytes, rate, loss, roundTrip, left, way }: Figures): string {
  const share = ofBytes === 0 ? 100 : Math.floor((bytes * 100) / ofBytes);
  return [
    `${share} %`,
    `${formatSize(bytes)} of ${formatSize(ofBytes)}`,
    ...(ofFiles > 1 ? [`${files} of ${ofFiles} files`] : []),
    formatRate(rate),
    ...(roundTrip === null ? [] : [`${roundTrip} ms`]),
    ...(loss === null ? [] : [`loss ${(loss * 100).toFixed(1)} %`]),
    ...(left === null ? [] : [`${formatDuration(left)} left`]),
    ...(way === 'https' ? ['HTTPS'] : []),
  ].join(', ');
}

export function formatRate(bits: number): string {
  const unit = bits >= 1e9 ? 'G' : bits >= 1e6 ? 'M' : 'k';
  const value = bits / (unit === 'G' ? 1e9 : unit === 'M' ? 1e6 : 1e3);
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}bit/s`;
}
