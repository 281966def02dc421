/** A clock that jumps from event to event, and chance that repeats. Time in microseconds. */

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

export class VirtualTime {
  now = 0;
  private readonly heap: Event[] = [];
  private order = 0;

  at(time: number, run: () => void): void {
    const event = { at: Math.max(time, this.now), order: this.order++, run };
    const { heap } = this;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Event;
      if (!isBefore(event, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = event;
  }

  private pop(): Event {
    const { heap } = this;
    const top = heap[0] as Event;
    const last = heap.pop() as Event;
    if (heap.length === 0) return top;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Event, heap[child] as Event)) child++;
      if (!isBefore(heap[child] as Event, last)) break;
      heap[index] = heap[child] as Event;
      index = child;
    }
    heap[index] = last;
    return top;
  }

  /** Runs until `end` or until nothing happens any more; `done` may end it earlier. */
  run(end: number, done: () => boolean = () => false): void {
    while (this.heap.length > 0 && (this.heap[0] as Event).at <= end) {
      const event = this.pop();
      this.now = event.at;
      event.run();
      if (done()) return;
    }
    this.now = Math.max(this.now, end);
  }
}

/** One wake-up that may be moved. An earlier one that is overtaken rings in vain, and is not repeated. */
export class Alarm {
  private readonly time: VirtualTime;
  private readonly ring: () => void;
  private due = Infinity;
  private planned = Infinity;

  constructor(time: VirtualTime, ring: () => void) {
    this.time = time;
    this.ring = ring;
  }

  set(at: number): void {
    this.due = Math.max(at, this.time.now + 1);
    if (this.due >= this.planned) return;
    const planned = this.due;
    this.planned = planned;
    this.time.at(planned, () => {
      // Another was planned earlier meanwhile.
      if (this.planned !== planned) return;
      this.planned = Infinity;
      if (this.due > this.time.now) this.set(this.due);
      else this.ring();
    });
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

/** xorshift64*-like, in 32-bit halves that JavaScript likes (sfc32). */
export function seeded(seed: number): () => number {
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, seed | 0];
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return (t >>> 0) / 4_294_967_296;
  };
  for (let index = 0; index < 16; index++) next();
  return next;
}
