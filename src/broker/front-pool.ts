/** Keeps the wanted number of fronts alive and gives each new connection to the one that holds the fewest. */
import type { Socket } from 'node:net';
import type { Log } from '../base/log.ts';
import type { Arrival, Connections } from './connections.ts';
import type { Dispatch } from './dispatch.ts';
import { FrontProcess } from './front-process.ts';

const BACKOFF_FIRST = 100;
const BACKOFF_MOST = 10_000;
/** A front that lived this long did not die of its start. */
const HEALTHY = 10_000;

export interface FrontPoolParts {
  readonly size: number;
  /** Of the first front, less one: numbers in the log tell fronts of several pools apart. */
  readonly numbersAfter: number;
  readonly args: readonly string[];
  readonly log: Log;
  readonly connections: Connections;
  dispatch(front: FrontProcess): Dispatch;
}

export class FrontPool {
  private readonly parts: FrontPoolParts;
  private readonly fronts = new Set<FrontProcess>();
  private readonly timers = new Set<NodeJS.Timeout>();
  private lastNumber: number;
  private failures = 0;
  private stopping = false;

  constructor(parts: FrontPoolParts) {
    this.parts = parts;
    this.lastNumber = parts.numbersAfter;
  }

  get size(): number {
    return this.fronts.size;
  }

  get processes(): readonly FrontProcess[] {
    return [...this.fronts];
  }

  /** Resolves when every front has said hello; false when one died first. */
  async start(): Promise<boolean> {
    const fronts = Array.from({ length: this.parts.size }, () => this.spawn());
    const ready = await Promise.all(fronts.map((front) => front.ready));
    return ready.every(Boolean);
  }

  /** Null when no front can take it: the connection is closed, not queued. */
  give(socket: Socket, arrival: Arrival): boolean {
    let least: FrontProcess | null = null;
    for (const front of this.fronts) {
      if (front.isReady && (least === null || front.connections.size < least.connections.size)) least = front;
    }
    if (least === null) return false;
    const { connections } = this.parts;
    const connection = connections.open(least, arrival);
    least.give(connection, socket, () => {
      connections.close(connection, 'could not be handed over');
    });
    return true;
  }

  async stop(milliseconds: number): Promise<void> {
    this.spawnNoMore();
    await Promise.all(this.processes.map((front) => front.stop(milliseconds)));
  }

  kill(): void {
    this.spawnNoMore();
    for (const front of this.fronts) front.kill();
  }

  private spawnNoMore(): void {
    this.stopping = true;
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
  }

  private spawn(): FrontProcess {
    const { args, log } = this.parts;
    const front = new FrontProcess({
      number: ++this.lastNumber,
      args,
      log,
      dispatch: (asking) => this.parts.dispatch(asking),
      gone: (gone, reason) => {
        this.gone(gone, reason);
      },
    });
    this.fronts.add(front);
    return front;
  }

  private gone(front: FrontProcess, reason: string): void {
    const { connections, log } = this.parts;
    this.fronts.delete(front);
    connections.closeAllOf(front, 'the front process ended');
    if (this.stopping) return;
    this.failures = Date.now() - front.started > HEALTHY ? 0 : this.failures + 1;
    const wait = this.failures === 0 ? 0 : Math.min(BACKOFF_FIRST * 2 ** (this.failures - 1), BACKOFF_MOST);
    log.error({ front: front.number, reason, restartMilliseconds: wait }, 'a front ended by itself and is replaced');
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      this.spawn();
    }, wait);
    this.timers.add(timer);
  }
}
