/** What a trace is made of. Names and attributes are words of this program, numbers and opaque ids: never a name of anybody's. */
import { randomBytes } from 'node:crypto';
import type { TraceContext } from '../../base/trace-context.ts';

export type AttributeValue = string | number | boolean | readonly string[];
export type Attributes = Readonly<Record<string, AttributeValue>>;

export interface Span {
  readonly trace: string;
  readonly id: string;
  readonly parent: string | null;
  readonly name: string;
  readonly kind: 'internal' | 'server';
  /** Milliseconds since 1970, with fractions. */
  readonly start: number;
  readonly end: number;
  readonly attributes: Attributes;
  readonly links?: readonly TraceContext[];
  /** A stable error code; absent when it went well. */
  readonly error?: string;
}

export function newTraceId(): string {
  return randomBytes(16).toString('hex');
}

export function newSpanId(): string {
  return randomBytes(8).toString('hex');
}
