/**
 * Traces out of what the broker sees by itself: its calls, and the entries of the ledger. One trace a session: the
 * session, its sign-in, its transfers from open to close, what it did to directories, what was held; and one for each
 * act of administration. Fronts report nothing for it, so that nobody who has taken one over can tell a story; the bytes
 * of a download alone are theirs, as in the ledger.
 */
import type { TraceContext } from '../../base/trace-context.ts';
import type { Event, EventOf } from '../../ledger/core/kinds.ts';
import { newSpanId, newTraceId } from './span.ts';
import type { Attributes, Span } from './span.ts';

export interface Call {
  readonly call: string;
  /** Has passed its schema. */
  readonly request: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970. */
  readonly begun: number;
  readonly ended: number;
  /** Null when it failed. */
  readonly answer: Readonly<Record<string, unknown>> | null;
  /** A stable code; null when it went well. */
  readonly error: string | null;
}

export interface TracerParts {
  readonly emit: (span: Span) => void;
  /** Share of traces, from 0 to 1. */
  readonly share: number;
  readonly now?: () => number;
  readonly random?: () => number;
}

interface Transfer {
  readonly name: 'read' | 'write';
  readonly begun: number;
  /** Waiting for keys: how often, and how long in all and at most. */
  waits: number;
  waited: number;
  longest: number;
  refused: string | null;
}

interface Traced {
  readonly trace: string;
  readonly root: string;
  readonly begun: number;
  readonly attributes: Attributes;
  readonly links: TraceContext[];
  readonly transfers: Map<string, Transfer>;
  signedIn: boolean;
}

interface Held {
  readonly session: string;
  readonly trace: string;
  readonly parent: string;
  readonly begun: number;
  readonly attributes: Attributes;
}

/** Whatever a front does, no more than this is remembered. */
const SESSIONS_MAX = 50_000;
const CONNECTIONS_MAX = 50_000;
const TRANSFERS_MAX = 4096;
const HOLDS_MAX = 1000;
const LINKS_MAX = 32;

/** Calls of a session that are a span by themselves. */
const ACTS: Readonly<Record<string, string>> = {
  'files.list': 'list',
  'files.mkdir': 'make directory',
  'files.rmdir': 'remove directory',
  'files.remove': 'remove',
  'files.rename': 'rename',
  'certificate.issue': 'issue certificate',
};

export class Tracer {
  private readonly parts: TracerParts;
  private readonly now: () => number;
  private readonly sessions = new Map<string, Traced>();
  /** When the first step of a sign-in came. */
  private readonly connections = new Map<string, number>();
  private readonly holds = new Map<string, Held>();

  constructor(parts: TracerParts) {
    this.parts = parts;
    this.now = parts.now ?? Date.now;
  }

  /** An entry is being recorded. */
  recorded(event: Event): void {
    if (event.kind === 'sign-in') this.begin(event);
    else if (event.kind === 'sign-in-failed') this.refused(event);
    else if (event.kind === 'session-end') this.end(event);
    else if (event.kind === 'hold') this.held(event);
    else if (event.kind === 'decision') this.decided(event);
  }

  /** A front's call is answered. */
  called(call: Call): void {
    const { connection, session } = call.request;
    if (typeof connection === 'string') this.step(connection, call);
    const traced = typeof session === 'string' ? this.sessions.get(session) : undefined;
    if (traced !== undefined) this.inSession(traced, call);
  }

  /** An administrator's call is answered. */
  administered({ call, begun, ended, error }: Call, session: string | null = null): void {
    const traced = session === null ? undefined : this.sessions.get(session);
    const name = `administer ${call}`;
    if (traced !== undefined) this.child(traced, { name, start: begun, end: ended, error });
    else if (session === null && this.sampled()) this.alone({ name, start: begun, end: ended, error });
  }

  /** A request of this session named whose trace it is part of: a link, because anybody may name any trace. */
  joined(session: string, context: TraceContext): void {
    const traced = this.sessions.get(session);
    if (traced === undefined || traced.links.length >= LINKS_MAX) return;
    const known = traced.links.some(({ trace, span }) => trace === context.trace && span === context.span);
    if (!known) traced.links.push(context);
  }

  private begin({ session, protocol, factors, firsts }: EventOf<'sign-in'>): void {
    if (session === null || !this.sampled()) return;
    const attributes = { 'waybill.protocol': protocol, 'waybill.factors': factors, 'waybill.firsts': firsts.length };
    const ids = { trace: newTraceId(), root: newSpanId() };
    const none = { links: [], transfers: new Map<string, Transfer>(), signedIn: false };
    this.sessions.set(session, { ...ids, begun: this.now(), attributes, ...none });
    forgetOldest(this.sessions, SESSIONS_MAX);
  }

  private refused({ protocol, factors, tries, reason }: EventOf<'sign-in-failed'>): void {
    if (!this.sampled()) return;
    const attributes = { 'waybill.protocol': protocol, 'waybill.factors': factors, 'waybill.tries': tries };
    const at = this.now();
    this.alone({ name: 'sign-in', start: at, end: at, error: reason, attributes });
  }

  private end({ session, gap }: EventOf<'session-end'>): void {
    const traced = session === null ? undefined : this.sessions.get(session);
    if (session === null || traced === undefined) return;
    this.sessions.delete(session);
    const end = this.now();
    for (const transfer of traced.transfers.values())
      this.transferred(traced, transfer, end, { 'waybill.unfinished': true }, null);
    const { trace, root, begun, links } = traced;
    const attributes = { ...traced.attributes, ...(gap ? { 'waybill.gap': true } : {}) };
    const id = { trace, id: root, parent: null, name: 'session', kind: 'server' } as const;
    this.parts.emit({ ...id, start: begun, end, attributes, links });
  }

  private held({ reference, session, dimension, window }: EventOf<'hold'>): void {
    const traced = session === null ? undefined : this.sessions.get(session);
    if (session === null || traced === undefined) return;
    const attributes = { 'waybill.dimension': dimension, 'waybill.window': window };
    this.holds.set(reference, { session, trace: traced.trace, parent: traced.root, begun: this.now(), attributes });
    forgetOldest(this.holds, HOLDS_MAX);
  }

  private decided({ reference, outcome }: EventOf<'decision'>): void {
    const held = this.holds.get(reference);
    if (held === undefined) return;
    this.holds.delete(reference);
    const { trace, parent, begun: start } = held;
    const attributes = { ...held.attributes, 'waybill.outcome': outcome };
    const id = { trace, id: newSpanId(), parent, name: 'hold', kind: 'internal' } as const;
    this.parts.emit({ ...id, start, end: this.now(), attributes });
  }

  /** Steps before a session; the one that makes it knows since when the client was at it. */
  private step(connection: string, { call, begun, ended, answer }: Call): void {
    if (call === 'connection.closed') {
      this.connections.delete(connection);
      return;
    }
    if (!this.connections.has(connection)) {
      this.connections.set(connection, begun);
      forgetOldest(this.connections, CONNECTIONS_MAX);
    }
    const session = sessionIn(answer);
    const traced = session === null ? undefined : this.sessions.get(session);
    if (traced === undefined || traced.signedIn) return;
    traced.signedIn = true;
    const start = this.connections.get(connection) ?? begun;
    this.connections.delete(connection);
    this.child(traced, { name: 'sign-in', start, end: ended, error: null, attributes: traced.attributes });
  }

  private inSession(traced: Traced, call: Call): void {
    const { request, begun, ended, answer, error } = call;
    const act = ACTS[call.call];
    if (act !== undefined) {
      this.child(traced, { name: act, start: begun, end: ended, error });
      return;
    }
    switch (call.call) {
      case 'file.open-read':
        this.open(traced, 'read', String(request['reading']), call);
        return;
      case 'upload.open':
        this.open(traced, 'write', String(answer?.['upload']), call);
        return;
      case 'release':
        this.waited(traced, String(request['reading']), call);
        return;
      case 'upload.keys':
        this.waited(traced, String(request['upload']), call);
        return;
      case 'file.close':
        this.close(traced, String(request['reading']), call, { 'waybill.bytes': sentBytes(request['sent']) });
        return;
      case 'upload.commit':
        this.close(traced, String(request['upload']), call, { 'waybill.bytes': Number(request['size']) });
        return;
      case 'upload.discard':
        this.close(traced, String(request['upload']), call, { 'waybill.discarded': true });
        return;
      default:
    }
  }

  private open(traced: Traced, name: Transfer['name'], id: string, { begun, ended, error }: Call): void {
    const transfer: Transfer = { name, begun, waits: 0, waited: 0, longest: 0, refused: null };
    if (error !== null) this.transferred(traced, transfer, ended, {}, error);
    // A front may open as much as it likes; what is over is not traced.
    else if (traced.transfers.size < TRANSFERS_MAX) traced.transfers.set(id, transfer);
  }

  private waited(traced: Traced, id: string, { begun, ended, error }: Call): void {
    const transfer = traced.transfers.get(id);
    if (transfer === undefined) return;
    const took = Math.max(0, ended - begun);
    transfer.waits++;
    transfer.waited += took;
    transfer.longest = Math.max(transfer.longest, took);
    transfer.refused ??= error;
  }

  private close(traced: Traced, id: string, { ended, error }: Call, attributes: Attributes): void {
    const transfer = traced.transfers.get(id);
    if (transfer === undefined) return;
    traced.transfers.delete(id);
    this.transferred(traced, transfer, ended, attributes, error ?? transfer.refused);
  }

  private transferred(traced: Traced, transfer: Transfer, end: number, more: Attributes, error: string | null): void {
    const { name, begun: start, waits, waited, longest } = transfer;
    const attributes = {
      ...more,
      'waybill.release.count': waits,
      'waybill.release.wait_ms': waited,
      'waybill.release.wait_max_ms': longest,
    };
    this.child(traced, { name, start, end, error, attributes });
  }

  private child({ trace, root }: Traced, told: Told): void {
    this.parts.emit({ trace, id: newSpanId(), parent: root, kind: 'internal', ...spanOf(told) });
  }

  private alone(told: Told): void {
    this.parts.emit({ trace: newTraceId(), id: newSpanId(), parent: null, kind: 'server', ...spanOf(told) });
  }

  private sampled(): boolean {
    return (this.parts.random ?? Math.random)() < this.parts.share;
  }
}

interface Told {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly error: string | null;
  readonly attributes?: Attributes;
}

function spanOf({ name, start, end, error, attributes = {} }: Told) {
  return { name, start, end, attributes, ...(error === null ? {} : { error }) };
}

/** In the answers of signin.* and web.* alike. */
function sessionIn(answer: Call['answer']): string | null {
  const held = answer?.['session'];
  const id = typeof held === 'object' && held !== null ? (held as Record<string, unknown>)['session'] : held;
  return typeof id === 'string' ? id : null;
}

function sentBytes(sent: unknown): number {
  return Array.isArray(sent) ? (sent as [number, number][]).reduce((sum, [, length]) => sum + length, 0) : 0;
}

function forgetOldest(map: Map<string, unknown>, most: number): void {
  for (const key of map.keys()) {
    if (map.size <= most) return;
    map.delete(key);
  }
}
