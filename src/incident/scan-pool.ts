/** Threads that scan logs, and the one queue of what they send. */
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { isErrorCode, WaybillError } from '../base/errors.ts';
import type { ScanMessage, ScanOrder, ScanWorkerData } from './scan-messages.ts';
import { ScanThread } from './scan-thread.ts';

/** Takes the messages of one log in their order; what it throws ends the build. */
export interface LogReceiver {
  take(message: Exclude<ScanMessage, { kind: 'failed' }>): Promise<void>;
  /** The log failed, or the build did. */
  abandon(): Promise<void>;
}

export interface PoolOptions {
  readonly ledger: string;
  readonly seeds: readonly [number, number];
  readonly threads: number;
  readonly receiver: (order: ScanOrder, thread: number) => Promise<LogReceiver>;
  /** The thread has no more logs, and none has failed. */
  readonly finished: (thread: number) => Promise<void>;
}

/** So few entries are scanned sooner than a thread has started. */
const INLINE_ENTRIES = 20_000;

/** Rejects with the first failure, when every thread has ended. */
export async function scanLogs(orders: readonly ScanOrder[], options: PoolOptions): Promise<void> {
  if (orders.reduce((sum, { size, from }) => sum + size - from, 0) <= INLINE_ENTRIES) {
    await scanHere(orders, options);
    return;
  }
  const waiting = [...orders];
  const threads = Array.from({ length: Math.min(options.threads, orders.length) }, (_, thread) =>
    runThread(waiting, thread, options),
  );
  const results = await Promise.allSettled(threads);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}

async function scanHere(
  orders: readonly ScanOrder[],
  { ledger, seeds, receiver, finished }: PoolOptions,
): Promise<void> {
  const messages: ScanMessage[] = [];
  const thread = new ScanThread({ ledger, seeds, outstanding: null }, (message) => messages.push(message));
  for (const order of orders) {
    const log = await receiver(order, 0);
    try {
      thread.run(order);
      for (const message of messages.splice(0)) await log.take(checked(message));
    } catch (error) {
      await log.abandon();
      throw error;
    }
  }
  await finished(0);
}

function checked(message: ScanMessage): Exclude<ScanMessage, { kind: 'failed' }> {
  if (message.kind !== 'failed') return message;
  throw new WaybillError(isErrorCode(message.code) ? message.code : 'internal', message.message);
}

async function runThread(waiting: ScanOrder[], thread: number, options: PoolOptions): Promise<void> {
  const outstanding = new SharedArrayBuffer(4);
  const { ledger, seeds } = options;
  const workerData: ScanWorkerData = { ledger, seeds, outstanding };
  const worker = new Worker(path.join(import.meta.dirname, 'scan-worker.ts'), { workerData });
  const inbox = new Inbox(worker);
  try {
    // The thread has its next log before this one is taken over: it never waits for the database alone.
    const post = (): ScanOrder | undefined => {
      const order = waiting.shift();
      if (order !== undefined) worker.postMessage(order);
      return order;
    };
    for (let order = post(), next; order !== undefined; order = next) {
      next = post();
      const receiver = await options.receiver(order, thread);
      await receive(inbox, receiver, new Int32Array(outstanding)).catch(async (error: unknown) => {
        waiting.length = 0;
        await receiver.abandon();
        throw error;
      });
    }
    await options.finished(thread);
  } finally {
    await worker.terminate();
  }
}

async function receive(inbox: Inbox, receiver: LogReceiver, outstanding: Int32Array): Promise<void> {
  for (;;) {
    const message = checked(await inbox.next());
    await receiver.take(message);
    if (message.kind === 'batch') {
      Atomics.sub(outstanding, 0, 1);
      Atomics.notify(outstanding, 0);
    }
    if (message.kind === 'done') return;
  }
}

class Inbox {
  private readonly messages: (ScanMessage | Error)[] = [];
  private wake: (() => void) | null = null;

  constructor(worker: Worker) {
    const add = (message: ScanMessage | Error): void => {
      this.messages.push(message);
      this.wake?.();
    };
    worker.on('message', add);
    worker.on('error', (error: unknown) => {
      add(error instanceof Error ? error : new Error(String(error)));
    });
    worker.on('exit', () => {
      add(new Error('a scanning thread has ended'));
    });
  }

  async next(): Promise<ScanMessage> {
    for (;;) {
      const message = this.messages.shift();
      if (message instanceof Error) throw message;
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
