/** One stream over UDP, from its ticket to its end: watches that the server is heard, and says why when it is not. */
import type { TransferState, TransferTicket } from '../../api/transfers.ts';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import type { StreamListener } from '../../udp/driver/fast-socket.ts';
import type { StreamFigures } from '../../udp/driver/messages.ts';
import type { CloseReason, Paused } from '../../udp/wire/control.ts';
import { failureOf, TransferFailure, UdpLost } from './failures.ts';
import type { Meter } from './meter.ts';
import { Interrupted, step } from './transport.ts';
import type { Transport } from './transport.ts';

interface Stream {
  readonly ended: Promise<{ readonly reason: CloseReason; readonly text: string }>;
  end(reason: CloseReason, text: string): void;
}

export interface StreamRunParts<S extends Stream> {
  readonly transport: Transport;
  readonly meter: Meter;
  readonly ticket: TransferTicket;
  readonly open: (listener: StreamListener) => Promise<S>;
  /** True when all of it went through. */
  readonly use: (stream: S) => Promise<boolean>;
  readonly held: (reference: string | null) => void;
}

const FIRST_MILLISECONDS = 2000;
/** So long nothing came when the server is asked whether the transfer goes on at all. */
const DOUBT_MILLISECONDS = 1500;
const LOOK_MILLISECONDS = 200;
const GOODBYE_MILLISECONDS = 1000;

/** Resolves when the stream is through. Rejects with UdpLost, TransferFailure, Interrupted or a WaybillError. */
export async function runStream<S extends Stream>(parts: StreamRunParts<S>): Promise<void> {
  const watch = new Watch(parts);
  const stream = await parts.open(watch.listener);
  watch.begin(stream);
  let whole = false;
  try {
    whole = await parts.use(stream);
    if (!whole) throw await watch.why();
    // The other end hears it with the last datagrams, and nobody waits for an answer to that.
    stream.end('complete', '');
  } finally {
    watch.stop();
    if (!whole) await abandon(parts, stream);
  }
}

async function abandon({ transport, ticket }: Pick<StreamRunParts<Stream>, 'transport' | 'ticket'>, stream: Stream) {
  stream.end('cancelled', '');
  const late = new Promise((resolve) => setTimeout(resolve, GOODBYE_MILLISECONDS).unref());
  await Promise.race([transport.control.end(ticket.transfer).catch(() => undefined), late]);
}

class Watch {
  readonly listener: StreamListener;
  private readonly parts: Omit<StreamRunParts<Stream>, 'open' | 'use'>;
  private stream: Stream | null = null;
  private timer: NodeJS.Timeout | null = null;
  private received = 0;
  private heardAt = performance.now();
  private beganAt = performance.now();
  private paused: Paused | null = null;
  private asked = false;
  private asking = false;
  private ended: Error | null = null;

  constructor(parts: Omit<StreamRunParts<Stream>, 'open' | 'use'>) {
    this.parts = parts;
    this.listener = {
      figures: (figures) => {
        this.hear(figures);
      },
      paused: (paused) => {
        this.pause(paused);
      },
    };
  }

  begin(stream: Stream): void {
    this.stream = stream;
    this.beganAt = this.heardAt = performance.now();
    this.timer = setInterval(() => {
      this.look();
    }, LOOK_MILLISECONDS);
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer);
  }

  /** Of a stream that is over and not whole. */
  async why(): Promise<Error> {
    const { transport, ticket } = this.parts;
    if (this.ended !== null) return this.ended;
    const over = await this.stream?.ended;
    // The front says it to the broker just now.
    const state = await transport.control.state(ticket.transfer, 2).catch(asWaybillError);
    if (state instanceof WaybillError) return state.code === 'not-found' ? brokenOff(over) : state;
    return state.failure === null ? brokenOff(over) : failureOf(state);
  }

  private hear(figures: StreamFigures): void {
    this.parts.meter.hear(figures);
    if (figures.receivedBytes === this.received) return;
    if (this.received === 0) step(this.parts.transport, 'first-word');
    this.received = figures.receivedBytes;
    this.heardAt = performance.now();
    this.asked = false;
  }

  private pause(paused: Paused | null): void {
    const { transport, held } = this.parts;
    this.paused = paused;
    this.heardAt = performance.now();
    if (paused?.cause === 'held' && !transport.waits)
      this.finish(new WaybillError('held', `held: reference ${paused.reference}`));
    else if (paused?.cause === 'held') held(paused.reference);
    else if (paused === null) held(null);
  }

  private look(): void {
    const { transport } = this.parts;
    const now = performance.now();
    if (transport.signal.aborted) this.finish(new Interrupted());
    else if (this.received === 0 && now - this.beganAt >= FIRST_MILLISECONDS) void this.ask('nothing comes back');
    // What waits says so now and then only; the driver ends what is silent for a minute.
    else if (this.paused === null && now - this.heardAt >= transport.silence)
      void this.ask(`nothing came for ${Math.round(transport.silence / 1000)} s`);
    else if (this.paused === null && !this.asked && now - this.heardAt >= DOUBT_MILLISECONDS) {
      this.asked = true;
      void this.ask(null);
    }
  }

  /** `lost`: why UDP is given up, when the server itself is there and has the transfer still. */
  private async ask(lost: string | null): Promise<void> {
    if (this.asking) return;
    this.asking = true;
    const { transport, ticket } = this.parts;
    const state: TransferState | WaybillError = await transport.control.state(ticket.transfer, 0).catch(asWaybillError);
    this.asking = false;
    if (!(state instanceof WaybillError)) {
      if (state.state === 'failed') this.finish(failureOf(state));
      else if (lost !== null) this.finish(new UdpLost(ticket.port, lost));
    } else if (state.code === 'not-found')
      this.finish(brokenOff({ reason: 'silence', text: 'the server has forgotten it' }));
    else if (lost !== null) this.finish(state);
  }

  private finish(why: Error): void {
    if (this.ended !== null) return;
    this.ended = why;
    this.stream?.end('cancelled', '');
  }
}

function brokenOff(over: { readonly reason: CloseReason; readonly text: string } | undefined): TransferFailure {
  const said = over === undefined ? 'it ended' : over.text === '' ? over.reason : over.text;
  return new TransferFailure('transfer-broken', `the stream ended: ${said}`, null);
}
