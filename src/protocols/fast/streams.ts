/** The ends of a stream as transfers see them; the driver of udp/ has more to say. */
import type { CloseReason, Paused } from '../../udp/wire/control.ts';

export interface OutgoingStream {
  /** False when the stream has ended and nobody will have the bytes. */
  write(bytes: Buffer): Promise<boolean>;
  pause(why: Pick<Paused, 'cause' | 'reference'> | null): void;
  end(reason: CloseReason, text: string): void;
}

export interface IncomingStream {
  /** Views in order, each valid until the next is asked for; ends when the stream does, whole or not. */
  chunks(most: number): AsyncGenerator<Buffer, void, void>;
  end(reason: CloseReason, text: string): void;
}

/** Takes an incoming stream apart at any place. */
export class StreamReader {
  private readonly source: AsyncGenerator<Buffer, void, void>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(stream: IncomingStream) {
    this.source = stream.chunks(256 * 1024);
  }

  /** Some of the next `most` bytes, valid until the next call; null when the stream has ended before them. */
  async next(most: number): Promise<Buffer | null> {
    if (this.rest.length === 0) {
      const { value } = await this.source.next();
      if (value === undefined) return null;
      this.rest = value;
    }
    const taken = this.rest.subarray(0, most);
    this.rest = this.rest.subarray(taken.length);
    return taken;
  }

  /** Exactly so many, as a copy; null when the stream has ended before them. */
  async exactly(length: number): Promise<Buffer | null> {
    const copy = Buffer.alloc(length);
    for (let at = 0; at < length;) {
      const some = await this.next(length - at);
      if (some === null) return null;
      at += some.copy(copy, at);
    }
    return copy;
  }
}
