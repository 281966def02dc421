/**
 * Gives the memory of rings back whose streams are over. V8 counts no shared memory, so none of it ever makes V8 collect:
 * without this a front keeps the ring of each transfer that it ever carried (measured: 32 MiB a transfer, 1.5 GiB after
 * forty). Each of the two threads that see a ring has one of these: memory goes when both have let go of it.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes that may wait for V8 to collect by itself. */
const WAITING_MOST = 64 * 2 ** 20;
/** Milliseconds. Users of a stream do a little more after its end; and who ends many is not stopped for each of them. */
const COLLECT_AFTER = 500;

export class RingMemory {
  private waiting = 0;
  private timer: NodeJS.Timeout | null = null;
  private collect: (() => void) | null = null;
  private readonly collected = new FinalizationRegistry<number>((bytes) => {
    this.waiting -= bytes;
  });

  /** Of a stream that is over. Its user may still hold it for a while: then it goes with a later one. */
  letGo(ring: SharedArrayBuffer): void {
    this.waiting += ring.byteLength;
    this.collected.register(ring, ring.byteLength);
    if (this.waiting < WAITING_MOST || this.timer !== null) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.collect ??= collector();
      this.collect();
    }, COLLECT_AFTER);
    this.timer.unref();
  }
}

/** Fronts are started with the option (broker/front-permissions.ts), for they can set none; commands set it when it comes to that. */
function collector(): () => void {
  const { gc } = globalThis as { gc?: () => void };
  if (gc !== undefined) return gc;
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
