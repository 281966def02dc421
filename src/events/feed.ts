/**
 * One receiver: from the tail of the ledger to it, in order, from places that are durable. A webhook has a queue of its
 * own for each log, so that a tenant whose entry is refused holds up nobody else; syslog and mail take all logs over one
 * connection, and wait together. A place moves only when the receiver has confirmed: what is lost is the moving, never
 * the entry, and then it is delivered twice, under the same id.
 */
import { backOff, GIVE_UP_MS, MOST_MS } from './schedule.ts';
import type { DeliverAnswer, OutgoingEvent, OutgoingTarget, Sender } from './calls.ts';
import type { LedgerTail, SealedLog, TailEntry } from './ledger-tail.ts';
import { tenantOf } from './ledger-tail.ts';
import { toOcsf } from './ocsf.ts';
import type { QueueRow, Target, TargetStore } from './target.ts';

/** Under way at once, by the kind of receiver: deliveries, events in one, and the pause after one. */
const LIMITS = {
  webhook: { parallel: 8, events: 32, pause: 0 },
  syslog: { parallel: 1, events: 1000, pause: 0 },
  // One letter a minute at most: what happens meanwhile stands in the next.
  mail: { parallel: 1, events: 200, pause: 60_000 },
} as const;
/** Of JSON in one delivery; a message on the link has 1 MiB at most. */
const BYTES = 400_000;
const LOCAL_RETRY_MS = 1000;
/** The name of the queue that holds the failures of all logs together. */
const SHARED = '';

export interface FeedParts {
  readonly target: Target;
  /** With its secrets opened; at each delivery, because they rotate. */
  readonly outgoing: () => OutgoingTarget;
  readonly store: TargetStore;
  readonly tail: LedgerTail;
  readonly sender: Sender;
  readonly tenantName: (tenant: string) => string;
  readonly software: string;
  readonly now: () => number;
  readonly random: () => number;
  readonly report: (error: unknown) => void;
}

interface Part {
  readonly log: string;
  /** Index after the last entry that was looked at. */
  readonly end: number;
  readonly events: readonly { readonly index: number; readonly event: OutgoingEvent }[];
}

export class Feed {
  readonly target: Target;
  private readonly parts: FeedParts;
  private readonly queues = new Map<string, QueueRow>();
  /** Logs with entries that the receiver may not have. The one looked at last is at the end. */
  private readonly dirty = new Set<string>();
  private readonly busy = new Set<string>();
  private readonly running = new Set<Promise<void>>();
  private timer: NodeJS.Timeout | null = null;
  private stopped = false;

  constructor(parts: FeedParts) {
    this.parts = parts;
    this.target = parts.target;
    // A start is a good moment to try what has failed.
    for (const row of parts.store.queues(parts.target.id)) this.queues.set(row.log, { ...row, nextTry: 0 });
  }

  start(): void {
    this.grown(this.parts.tail.logs.keys());
  }

  grown(logs: Iterable<string>): void {
    const { tail, target } = this.parts;
    for (const log of logs) {
      const state = tail.logs.get(log);
      if (state !== undefined && (target.tenant === null || target.tenant === state.tenant)) this.dirty.add(log);
    }
    this.pump();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    await Promise.all(this.running);
  }

  /** Entries that are sealed and not confirmed. */
  behind(): number {
    const { tail, target } = this.parts;
    return tail
      .logsOf(target.tenant)
      .reduce((sum, { log, size }) => sum + Math.max(0, size - this.queue(log).position), 0);
  }

  /** The worst of its queues; null when the last try of each got through. */
  failure(): { since: number; error: string; attempts: number; nextTry: number } | null {
    const failing = [...this.queues.values()].filter(({ failingSince }) => failingSince !== null);
    const [worst] = failing.sort((a, b) => (a.failingSince ?? 0) - (b.failingSince ?? 0));
    if (worst?.failingSince === undefined || worst.failingSince === null) return null;
    return { since: worst.failingSince, error: worst.error, attempts: worst.attempts, nextTry: worst.nextTry };
  }

  /** Once, outside the order: what was given up. */
  async sendAgain(log: string, index: number): Promise<DeliverAnswer> {
    const [found] = await this.parts.tail.read(log, index, 1);
    const state = this.parts.tail.logs.get(log);
    if (found === undefined || state === undefined) return { delivered: 0, failure: 'no such entry', retryAfter: null };
    return this.parts.sender.deliver({ target: this.parts.outgoing(), events: [this.eventOf(state, found)] });
  }

  private get shared(): boolean {
    return this.target.kind !== 'webhook';
  }

  private queue(log: string): QueueRow {
    const none = { position: 0, failingSince: null, attempts: 0, nextTry: 0, error: '' };
    return this.queues.get(log) ?? { target: this.target.id, log, ...none };
  }

  private pump(): void {
    if (this.stopped) return;
    const limits = LIMITS[this.target.kind];
    while (this.running.size < limits.parallel) {
      const logs = this.next();
      if (logs.length === 0) break;
      for (const log of logs) this.busy.add(log);
      const work = this.deliver(logs)
        .catch((error: unknown) => {
          this.fault(logs, error);
        })
        .finally(() => {
          for (const log of logs) this.busy.delete(log);
          this.running.delete(work);
          this.pump();
        });
      this.running.add(work);
    }
    this.schedule();
  }

  /** Those that one delivery is made of. */
  private next(): string[] {
    const now = this.parts.now();
    if (this.shared) return this.queue(SHARED).nextTry > now ? [] : [...this.dirty].slice(0, LIMITS.syslog.events);
    for (const log of this.dirty) if (!this.busy.has(log) && this.queue(log).nextTry <= now) return [log];
    return [];
  }

  private schedule(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
    const waiting = (this.shared ? [SHARED] : [...this.dirty].filter((log) => !this.busy.has(log)))
      .map((log) => this.queue(log).nextTry)
      .filter((time) => time > this.parts.now());
    if (waiting.length === 0 || (this.shared && this.dirty.size === 0)) return;
    const due = Math.min(...waiting) - this.parts.now();
    this.timer = setTimeout(
      () => {
        this.pump();
      },
      Math.min(due, 2 ** 31 - 1),
    );
    this.timer.unref();
  }

  private async deliver(logs: readonly string[]): Promise<void> {
    const parts = await this.collect(logs);
    const events = parts.flatMap((part) => part.events.map(({ event }) => event));
    if (events.length === 0) {
      this.settle(parts, 0, null);
      return;
    }
    const answer = await this.parts.sender.deliver({ target: this.parts.outgoing(), events });
    this.settle(parts, Math.min(answer.delivered, events.length), answer);
  }

  private async collect(logs: readonly string[]): Promise<Part[]> {
    const { tail } = this.parts;
    const found: Part[] = [];
    let left: number = LIMITS[this.target.kind].events;
    let bytes = BYTES;
    for (const log of logs) {
      if (left <= 0 || bytes <= 0) break;
      const state = tail.logs.get(log);
      if (state === undefined) continue;
      const { position } = this.queue(log);
      const events: { index: number; event: OutgoingEvent }[] = [];
      let end = position;
      for (const one of await tail.read(log, position, Math.max(left, 256))) {
        if (left <= 0 || bytes <= 0) break;
        end = one.index + 1;
        if (!this.wants(one)) continue;
        const event = this.eventOf(state, one);
        events.push({ index: one.index, event });
        left--;
        bytes -= event.json.length;
      }
      // Looked at: it goes behind the others, or is done.
      this.dirty.delete(log);
      if (end < (tail.logs.get(log)?.size ?? 0)) this.dirty.add(log);
      if (end > position) found.push({ log, end, events });
    }
    return found;
  }

  private wants({ entry }: TailEntry): boolean {
    const { only } = this.target;
    return only.length === 0 || (entry.kind !== 'unknown' && only.includes(entry.kind));
  }

  private eventOf(log: SealedLog, { index, entry }: TailEntry): OutgoingEvent {
    const { tail, tenantName, software } = this.parts;
    const tenant = tenantOf(log);
    const place = { log: log.log, index, tenant, tenantName: tenant === null ? '' : tenantName(tenant), software };
    const event = toOcsf(entry, place, tail.sessions);
    return {
      id: `${log.log}_${index}`,
      kind: entry.kind,
      severity: event.severity_id,
      time: entry.time,
      message: event.message,
      json: JSON.stringify(event),
    };
  }

  private settle(parts: readonly Part[], delivered: number, answer: DeliverAnswer | null): void {
    let left = delivered;
    let failed: Part | null = null;
    for (const part of parts) {
      const done = Math.min(left, part.events.length);
      left -= done;
      const before = this.queue(part.log);
      const first = part.events[done];
      const ok = { failingSince: null, attempts: 0, nextTry: 0, error: '' };
      const position = first === undefined ? part.end : first.index;
      if (first !== undefined) {
        failed ??= part;
        this.dirty.add(part.log);
      }
      if (position > before.position) this.save({ ...before, ...(done > 0 ? ok : {}), position });
    }
    if (failed !== null) this.failed(failed, delivered, answer);
    else if (answer !== null && this.shared) this.gotThrough();
  }

  private gotThrough(): void {
    const { pause } = LIMITS[this.target.kind];
    const row = this.queue(SHARED);
    if (row.failingSince === null && pause === 0) return;
    this.save({
      ...row,
      failingSince: null,
      attempts: 0,
      error: '',
      nextTry: pause === 0 ? 0 : this.parts.now() + pause,
    });
  }

  private failed(part: Part, delivered: number, answer: DeliverAnswer | null): void {
    const { now, random } = this.parts;
    const row = this.queue(this.shared ? SHARED : part.log);
    const attempts = (delivered > 0 && this.shared ? 0 : row.attempts) + 1;
    const wait = Math.max(backOff(attempts, MOST_MS[this.target.kind], random()), answer?.retryAfter ?? 0);
    const failing = {
      ...row,
      attempts,
      failingSince: row.failingSince ?? now(),
      nextTry: now() + wait,
      error: answer?.failure ?? 'it was not confirmed',
    };
    this.save(failing);
    if (!this.shared && now() - failing.failingSince > GIVE_UP_MS) this.giveUp(failing, part);
  }

  /** Nothing has got through for days: this one stands aside, and the next is tried once, at the pace of the back-off. */
  private giveUp(row: QueueRow, part: Part): void {
    const found = part.events.find(({ index }) => index >= row.position);
    if (found === undefined) return;
    const { store, report } = this.parts;
    const { target, log, attempts, error } = row;
    const moved = { ...row, position: found.index + 1 };
    this.queues.set(log, moved);
    store
      .write(() => {
        store.insertDead({ target, log, entry: found.index, time: found.event.time, attempts, error });
        store.saveQueue(moved);
      })
      .catch(report);
  }

  /** Ours, not the receiver's: the ledger could not be read, or the process that sends is being replaced. */
  private fault(logs: readonly string[], error: unknown): void {
    this.parts.report(error);
    for (const log of logs) this.dirty.add(log);
    const nextTry = this.parts.now() + LOCAL_RETRY_MS;
    for (const log of this.shared ? [SHARED] : logs) this.queues.set(log, { ...this.queue(log), nextTry });
  }

  private save(row: QueueRow): void {
    const { store, report } = this.parts;
    this.queues.set(row.log, row);
    store
      .writePatiently(() => {
        store.saveQueue(row);
      })
      .catch(report);
  }
}
