/** Goes on until it is done: after what passes again, with a hold once it is approved, without UDP by HTTPS. */
import { setTimeout } from 'node:timers/promises';
import { asWaybillError } from '../../base/errors.ts';
import { referenceIn } from '../../base/references.ts';
import { passes, UdpLost } from './failures.ts';
import type { Meter } from './meter.ts';
import { Interrupted } from './transport.ts';
import type { Transport } from './transport.ts';

const BACK_OFF_MILLISECONDS = [300, 1000, 2000, 4000, 8000, 15_000] as const;
const HOLD_MILLISECONDS = 2000;

export class Persistence {
  private readonly transport: Transport;
  private readonly meter: Meter;
  private mark = 0;
  private since = performance.now();
  private tries = 0;
  private heldTold: string | null = null;

  constructor(transport: Transport, meter: Meter) {
    this.transport = transport;
    this.meter = meter;
  }

  async run<T>(attempt: () => Promise<T>): Promise<T> {
    this.since = performance.now();
    this.tries = 0;
    for (;;) {
      this.throwStopped();
      try {
        return await attempt();
      } catch (thrown) {
        this.throwStopped();
        await this.follow(thrown);
      }
    }
  }

  private throwStopped(): void {
    if (this.transport.signal.aborted) throw new Interrupted();
  }

  /** Of whatever way: said once. */
  held(reference: string | null): void {
    if (reference === this.heldTold) return;
    if (reference !== null) this.transport.tell({ event: 'held', reference });
    else this.transport.tell({ event: 'released' });
    this.heldTold = reference;
  }

  private async follow(thrown: unknown): Promise<void> {
    const { transport, meter } = this;
    if (thrown instanceof UdpLost && transport.ways === 'any') {
      meter.way = 'https';
      transport.tell({ event: 'fallback', host: transport.server.hostname, port: thrown.port, why: thrown.message });
      return;
    }
    const error = asWaybillError(thrown);
    if (error.code === 'held' && transport.waits) {
      this.held(referenceIn(error.message) ?? error.message);
      await this.sleep(HOLD_MILLISECONDS);
      this.since = performance.now();
      return;
    }
    if (!(thrown instanceof UdpLost) && !passes(error.code)) throw thrown;
    const now = performance.now();
    if (meter.settled > this.mark) [this.since, this.tries, this.mark] = [now, 0, meter.settled];
    const wait = BACK_OFF_MILLISECONDS[Math.min(this.tries++, BACK_OFF_MILLISECONDS.length - 1)] ?? 0;
    if (now + wait - this.since > transport.patience) throw thrown;
    transport.tell({ event: 'retry', code: error.code, message: messageOf(thrown), seconds: wait / 1000 });
    await this.sleep(wait);
  }

  private async sleep(milliseconds: number): Promise<void> {
    await setTimeout(milliseconds, undefined, { signal: this.transport.signal }).catch(() => undefined);
  }
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
