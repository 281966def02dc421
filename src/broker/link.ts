/**
 * One end of a link between two of our processes: a front and the broker over an inherited socket pair, or the waybill
 * command and the broker over run/admin.sock. Requests, their answers and events; many requests may be outstanding.
 * The link knows no call by name: which calls exist, and what they hold, is the table's matter (calls.ts, dispatch.ts).
 */
import type { Duplex } from 'node:stream';
import type { z } from 'zod';
import type { CallRow } from './calls.ts';
import { asWaybillError, isErrorCode, WaybillError } from '../base/errors.ts';
import { encodeMessage, KIND, MessageReader, type Kind, type Message } from './wire.ts';

export type CallTable = Readonly<Record<string, CallRow>>;
export type CallName<T extends CallTable> = keyof T & string;
export type RequestOf<T extends CallTable, N extends CallName<T>> = z.output<T[N]['request']>;
export type ResponseOf<T extends CallTable, N extends CallName<T>> = z.output<T[N]['response']>;

/** The caller's side of a link, typed by its table. Rejects with WaybillError. */
export interface CallerOf<T extends CallTable> {
  call<N extends CallName<T>>(call: N, request: RequestOf<T, N>): Promise<ResponseOf<T, N>>;
}

export interface LinkEvents {
  /** Answers a request of the other end. A rejection travels as code and message; the cause stays here. */
  request?(call: string, body: unknown): Promise<unknown>;
  event?(name: string, body: unknown): void;
  /** Exactly once, last. `fault`: the other end broke the form of messages, and is not to be trusted further. */
  closed(fault: Error | null): void;
}

/** Answers under way and bytes queued after which no more requests are read: the other end waits, memory does not grow. */
const REQUESTS_MAX = 1024;
const QUEUE_MAX = 4 * 1024 * 1024;
/**
 * Requests answered in one go before the queue is looked at again: one chunk of the stream holds hundreds, and the
 * answer to each may be as long as a message can be.
 */
const REQUESTS_AT_ONCE = 16;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (reason: WaybillError) => void;
}

export class Link {
  private readonly stream: Duplex;
  private readonly events: LinkEvents;
  private readonly reader = new MessageReader();
  private readonly waiting = new Map<number, Waiting>();
  /** Received, and not handled yet. */
  private inbox: Message[] = [];
  private later = false;
  private lastId = 0;
  private answering = 0;
  private corked = false;
  private over = false;

  constructor(stream: Duplex, events: LinkEvents) {
    this.stream = stream;
    this.events = events;
    stream.on('data', (chunk: Buffer) => {
      this.received(chunk);
    });
    stream.on('drain', () => {
      this.regulate();
    });
    stream.on('error', () => {
      this.close();
    });
    stream.on('end', () => {
      this.close();
    });
    stream.on('close', () => {
      this.close();
    });
  }

  get closed(): boolean {
    return this.over;
  }

  call(call: string, body: unknown): Promise<unknown> {
    if (this.over) return Promise.reject(unavailable());
    let id = this.lastId;
    // Ids wrap around after 2^32 calls; one that is still waiting is passed over.
    do id = (id + 1) >>> 0;
    while (this.waiting.has(id));
    this.lastId = id;
    return new Promise((resolve, reject) => {
      try {
        this.send(KIND.request, id, { call, body });
      } catch (error) {
        reject(new WaybillError('request-invalid', `call ${call} is too large`, { cause: error }));
        return;
      }
      this.waiting.set(id, { resolve, reject });
    });
  }

  /** Told and forgotten. */
  event(name: string, body: unknown): void {
    if (!this.over) this.send(KIND.event, 0, { name, body });
  }

  close(fault: Error | null = null): void {
    if (this.over) return;
    this.over = true;
    this.stream.destroy();
    for (const { reject } of this.waiting.values()) reject(unavailable());
    this.waiting.clear();
    this.inbox = [];
    this.events.closed(fault);
  }

  /** Resolves when everything sent so far has been handed to the system. */
  flushed(): Promise<void> {
    if (this.over || this.stream.writableLength === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.stream.write('', () => {
        resolve();
      });
    });
  }

  private send(kind: Kind, id: number, body: unknown): void {
    const message = encodeMessage(kind, id, body);
    if (!this.corked) {
      // All messages of one turn of the loop leave in one writev.
      this.corked = true;
      this.stream.cork();
      process.nextTick(() => {
        this.corked = false;
        if (!this.stream.destroyed) this.stream.uncork();
      });
    }
    this.stream.write(message);
  }

  private received(chunk: Buffer): void {
    if (this.over) return;
    this.guarded(() => {
      const messages = this.reader.push(chunk);
      this.inbox = this.inbox.length === 0 ? messages : [...this.inbox, ...messages];
      if (!this.later) this.work();
    });
  }

  /** What the other end sent broke the form of messages: the link is beyond repair. */
  private guarded(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.close(error instanceof Error ? error : new Error('malformed message'));
    }
  }

  private work(): void {
    let requests = 0;
    let done = 0;
    for (const message of this.inbox) {
      if (message.kind === KIND.request && (requests++ === REQUESTS_AT_ONCE || this.full)) break;
      done++;
      this.handle(message);
      if (this.over) return;
    }
    this.inbox = this.inbox.slice(done);
    this.regulate();
  }

  /** In this turn of the loop still, so that what came together is committed together; but after every answer that is ready. */
  private workLater(): void {
    this.later = true;
    queueMicrotask(() => {
      process.nextTick(() => {
        this.later = false;
        this.guarded(() => {
          this.work();
        });
      });
    });
  }

  private handle(message: Message): void {
    const body = message.body;
    if (typeof body !== 'object' || body === null) throw new Error('message without a body');
    if (message.kind === KIND.request) this.answer(message.id, body as Record<string, unknown>);
    else if (message.kind === KIND.event) this.tell(body as Record<string, unknown>);
    else this.settle(message, body as Record<string, unknown>);
  }

  private tell(body: Record<string, unknown>): void {
    if (typeof body['name'] !== 'string' || this.events.event === undefined) throw new Error('unexpected event');
    this.events.event(body['name'], body['body']);
  }

  private settle(message: Message, body: Record<string, unknown>): void {
    const waiting = this.waiting.get(message.id);
    if (waiting === undefined) throw new Error('answer to no request');
    this.waiting.delete(message.id);
    if (message.kind === KIND.response) waiting.resolve(body['body']);
    else waiting.reject(rebuilt(body));
  }

  private answer(id: number, body: Record<string, unknown>): void {
    const call = body['call'];
    if (typeof call !== 'string' || this.events.request === undefined) throw new Error('unexpected request');
    this.answering++;
    void this.events
      .request(call, body['body'])
      .then(
        (answer) => {
          this.reply(KIND.response, id, { body: answer });
        },
        (thrown: unknown) => {
          const error = asWaybillError(thrown);
          this.reply(KIND.failure, id, { code: error.code, message: error.message });
        },
      )
      .finally(() => {
        this.answering--;
        this.regulate();
      });
  }

  private reply(kind: Kind, id: number, body: unknown): void {
    if (this.over) return;
    try {
      this.send(kind, id, body);
    } catch {
      this.send(KIND.failure, id, { code: 'internal', message: 'answer too large' });
    }
  }

  private get full(): boolean {
    return this.answering >= REQUESTS_MAX || this.stream.writableLength > QUEUE_MAX;
  }

  private regulate(): void {
    if (this.over) return;
    const { full } = this;
    const hold = full || this.inbox.length > 0;
    if (hold && !this.stream.isPaused()) this.stream.pause();
    else if (!hold && this.stream.isPaused()) this.stream.resume();
    if (!full && this.inbox.length > 0 && !this.later) this.workLater();
  }
}

/** The typed caller's side of a link. */
export function callerOver<T extends CallTable>(link: Link): CallerOf<T> {
  return {
    call: <N extends CallName<T>>(call: N, request: RequestOf<T, N>) =>
      link.call(call, request) as Promise<ResponseOf<T, N>>,
  };
}

function rebuilt(body: Record<string, unknown>): WaybillError {
  const code = isErrorCode(body['code']) ? body['code'] : 'internal';
  return new WaybillError(code, typeof body['message'] === 'string' ? body['message'] : 'the broker refused the call');
}

function unavailable(): WaybillError {
  return new WaybillError('broker-unavailable', 'the connection to the broker is closed');
}
