/** How far all of it is, and how fast. */
import type { StreamFigures } from '../../udp/driver/messages.ts';
import type { Figures, Way } from './transport.ts';

const WINDOW_MILLISECONDS = 4000;

export class Meter {
  way: Way = 'udp';
  files = 0;
  ofFiles = 0;
  ofBytes = 0;
  /** Verified: will not be sent again. */
  settled = 0;
  /** On the way in this attempt. */
  loose = 0;
  /** Since the command began. */
  moved = 0;
  /** An upload moves when the server has it, not when it is read here. */
  byStream = false;
  private stream: StreamFigures | null = null;
  private readonly samples: { readonly at: number; readonly bytes: number }[] = [];
  private readonly now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.now = now;
  }

  hear(figures: StreamFigures): void {
    if (this.byStream) this.move(figures.bytes - (this.stream?.bytes ?? 0));
    this.stream = figures;
  }

  begin(): void {
    this.loose = 0;
    this.stream = null;
  }

  move(bytes: number): void {
    this.loose += bytes;
    this.moved += bytes;
  }

  settle(bytes: number): void {
    this.settled += bytes;
    this.loose = Math.max(0, this.loose - bytes);
  }

  figures(): Figures {
    const at = this.now();
    this.samples.push({ at, bytes: this.moved });
    while (this.samples.length > 2 && at - (this.samples[0]?.at ?? at) > WINDOW_MILLISECONDS) this.samples.shift();
    const first = this.samples[0] ?? { at, bytes: this.moved };
    const rate = at > first.at ? ((this.moved - first.bytes) * 8000) / (at - first.at) : 0;
    const bytes = Math.min(this.ofBytes, this.settled + this.loose);
    const { roundTrip = null, loss = null } = this.stream ?? {};
    return {
      ...{ way: this.way, files: this.files, ofFiles: this.ofFiles, bytes, ofBytes: this.ofBytes },
      ...{ rate: Math.round(rate), loss, roundTrip: roundTrip === null ? null : Math.round(roundTrip / 100) / 10 },
      left: rate > 0 ? Math.ceil(((this.ofBytes - bytes) * 8) / rate) : null,
    };
  }
}
