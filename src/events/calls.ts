/**
 * What the broker and the process that sends events say to each other. That process talks to the whole world, so the
 * broker checks its answers as it checks a front's requests: they are numbers and short words, and they can only say
 * that something was or was not delivered.
 */
import { z } from 'zod';
import type { AcmeSettings } from '../acme/calls.ts';
import { TARGET_KINDS } from './target-kinds.ts';

const text = z.string();

export const outgoingEvent = z.object({
  /** Unique for ever: blinded name of the log, "_" and index. No ".": it is part of what is signed. */
  id: text.regex(/^[0-9a-f]{64}_\d{1,16}$/),
  kind: text.regex(/^[a-z-]{1,40}$/),
  severity: z.number().int(),
  /** Milliseconds since 1970. */
  time: z.number().int(),
  /** One line about it, for mail. */
  message: text.max(2048),
  /** OCSF, ready to send. */
  json: text,
});
export type OutgoingEvent = z.infer<typeof outgoingEvent>;

export const outgoingTarget = z.object({
  id: text,
  kind: z.enum(TARGET_KINDS),
  address: text,
  ca: text.nullable(),
  certificate: text.nullable(),
  clientKey: text.nullable(),
  secrets: z.array(text),
});
export type OutgoingTarget = z.infer<typeof outgoingTarget>;

export const deliverRequest = z.object({ target: outgoingTarget, events: z.array(outgoingEvent) });
export type DeliverRequest = z.infer<typeof deliverRequest>;

export const deliverAnswer = z.object({
  /** The receiver has these, from the first on. */
  delivered: z.number().int().min(0),
  /** Why the next one is not; null when all are. */
  failure: text.max(300).nullable(),
  /** Milliseconds that the receiver asked for. */
  retryAfter: z.number().int().min(0).max(3_600_000).nullable(),
});
export type DeliverAnswer = z.infer<typeof deliverAnswer>;

export interface MailServer {
  readonly url: string;
  readonly password: string | null;
  readonly ca: string | null;
  readonly from: string;
}

/** Where spans go: OTLP over HTTP. */
export interface TraceCollector {
  readonly url: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly ca: string | null;
}

/** ExportTraceServiceRequest, ready to send. */
export const traceRequest = z.object({ body: text });

export const traceAnswer = z.object({
  /** `later`: the same once more; `refused`: never. */
  outcome: z.enum(['taken', 'later', 'refused']),
  /** Of those that were sent, when the rest was taken. */
  rejected: z.number().int().min(0),
  /** Milliseconds that the collector asked for. */
  retryAfter: z.number().int().min(0).max(600_000).nullable(),
});
export type TraceAnswer = z.infer<typeof traceAnswer>;

/** What the process is told when it starts. */
export interface SenderSettings {
  /** Host names whose addresses may be private. */
  readonly allow: readonly string[];
  readonly hostname: string;
  readonly software: string;
  readonly mail: MailServer | null;
  readonly metrics: { readonly host: string; readonly port: number } | null;
  readonly traces: TraceCollector | null;
  readonly acme: AcmeSettings | null;
}

/** Promise of whoever delivers: never rejects for what a receiver does; rejects when the process is gone. */
export interface Sender {
  deliver(request: DeliverRequest): Promise<DeliverAnswer>;
}
