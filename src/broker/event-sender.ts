/**
 * The process that sends events, from the broker's side: it reaches the whole world, so it holds nothing, and what it
 * answers is checked and can only say that something was delivered or not. One that ends is replaced, later each time;
 * what was under way is then not delivered, and is sent again.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { carryAnswer } from '../acme/calls.ts';
import type { CarryAnswer, CarryRequest } from '../acme/calls.ts';
import { deliverAnswer, traceAnswer } from '../events/calls.ts';
import type { TraceAnswer } from '../events/calls.ts';
import type { DeliverAnswer, DeliverRequest, Sender, SenderSettings } from '../events/calls.ts';
import { frontEnvironment, outboundArguments } from './front-permissions.ts';
import { Link } from './link.ts';

/** The file descriptor of the link in that process. */
export const LINK_DESCRIPTOR = 3;
const SOURCES = path.resolve(import.meta.dirname, '..');
const ENTRY = path.join(SOURCES, 'events', 'sender', 'main.ts');
const PACKAGES = ['pino', 'zod', 'nodemailer'];
const BACKOFF_FIRST = 500;
const BACKOFF_MOST = 30_000;
const HEALTHY = 30_000;
const LINE_MAX = 4096;
const LINES_PER_MINUTE = 600;
/** Longer than any delivery takes that is alive. */
const ANSWER_MS = 15 * 60_000;

export interface EventSenderParts {
  readonly settings: SenderSettings;
  /** Text for Prometheus. */
  readonly metrics: () => string;
  readonly log: Log;
}

export function senderArguments(): string[] {
  return outboundArguments(ENTRY, PACKAGES);
}

export class EventSender implements Sender {
  private readonly parts: EventSenderParts;
  private child: ChildProcess | null = null;
  private link: Link | null = null;
  private timer: NodeJS.Timeout | null = null;
  private failures = 0;
  private stopped = false;
  /** Where metrics are served, once they are. */
  metricsAddress: { readonly host: string; readonly port: number } | null = null;

  constructor(parts: EventSenderParts) {
    this.parts = parts;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  start(): void {
    const child = spawn(process.execPath, senderArguments(), {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: frontEnvironment(),
      cwd: '/',
    });
    this.child = child;
    const started = Date.now();
    for (const stream of [child.stdout, child.stderr]) this.relay(stream);
    const link = new Link(child.stdio[LINK_DESCRIPTOR] as Duplex, {
      request: (call, body) => this.answer(call, body),
      closed: (fault) => {
        if (fault !== null) this.parts.log.error({ attack: true, err: fault }, 'the sender of events broke the link');
        child.kill('SIGKILL');
      },
    });
    this.link = link;
    let over = false;
    const gone = (reason: string): void => {
      if (over) return;
      over = true;
      link.close();
      if (this.stopped) return;
      this.failures = Date.now() - started > HEALTHY ? 0 : this.failures + 1;
      const wait = Math.min(BACKOFF_FIRST * 2 ** this.failures, BACKOFF_MOST);
      this.parts.log.error(
        { reason, restartMilliseconds: wait },
        'the sender of events ended by itself and is replaced',
      );
      this.timer = setTimeout(() => {
        this.start();
      }, wait);
    };
    child.once('error', (error) => {
      gone(error.message);
    });
    child.once('exit', (code, signal) => {
      gone(signal ?? `exit code ${code ?? 'unknown'}`);
    });
  }

  async deliver(request: DeliverRequest): Promise<DeliverAnswer> {
    return deliverAnswer.parse(await this.ask('deliver', request));
  }

  /** ExportTraceServiceRequest in JSON. */
  async trace(body: string): Promise<TraceAnswer> {
    return traceAnswer.parse(await this.ask('trace', { body }));
  }

  /** For ACME: rejects when the authority cannot be reached. */
  async carry(request: CarryRequest): Promise<CarryAnswer> {
    return carryAnswer.parse(await this.ask('acme.carry', request));
  }

  async showHttp(challenges: readonly (readonly [string, string])[]): Promise<void> {
    // Nothing is taken away from a process that is not there.
    if (challenges.length > 0 || this.child !== null) await this.ask('acme.show', { challenges });
  }

  private async ask(call: string, request: unknown): Promise<unknown> {
    // Nobody to send to, no process.
    if (this.child === null && !this.stopped) this.start();
    const { link, child } = this;
    if (link === null) throw new WaybillError('broker-unavailable', 'the sender of events is not running');
    // One that holds an answer back for ever would keep a receiver waiting for ever.
    const timer = setTimeout(() => {
      child?.kill('SIGKILL');
    }, ANSWER_MS);
    timer.unref();
    try {
      return await link.call(call, request);
    } finally {
      clearTimeout(timer);
    }
  }

  stop(): void {
    this.stopped = true;
    if (this.timer !== null) clearTimeout(this.timer);
    this.link?.close();
    this.child?.kill('SIGKILL');
  }

  private answer(call: string, body: unknown): Promise<unknown> {
    if (call === 'hello') return Promise.resolve(this.parts.settings);
    if (call === 'metrics') return Promise.resolve(this.parts.metrics());
    if (call === 'listening') {
      const { port } = (typeof body === 'object' ? body : null) as { port?: unknown };
      const host = this.parts.settings.metrics?.host ?? '';
      if (typeof port === 'number' && Number.isInteger(port)) this.metricsAddress = { host, port };
      this.parts.log.info({ metrics: this.metricsAddress }, 'metrics are served');
      return Promise.resolve({});
    }
    return Promise.reject(new WaybillError('call-unknown', 'no such call'));
  }

  /** What it prints, cut and under its name. */
  private relay(stream: Readable | null): void {
    if (stream === null) return;
    let rest = '';
    let [minute, lines] = [0, 0];
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = (parts.pop() ?? '').slice(0, LINE_MAX);
      for (const line of parts) {
        const now = Math.floor(Date.now() / 60_000);
        if (now !== minute) [minute, lines] = [now, 0];
        if (++lines <= LINES_PER_MINUTE) this.parts.log.warn({ said: line.slice(0, LINE_MAX) }, 'sender of events');
      }
    });
  }
}
