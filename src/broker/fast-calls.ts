/**
 * The rows of FRONT_CALLS for fast transfers. A front of HTTPS asks for one for a session of its own; the broker opens a
 * session of the same account and credential on the front of UDP, and gives keys to both. What that front says of a transfer
 * is for people to read: what left and what was stored, the calls of files say.
 */
import { z } from 'zod';
import { TRANSFER_ITEMS_MAX } from '../api/transfers.ts';
import type { CallRow } from './calls.ts';

const id = z.string().regex(/^[0-9a-f]{32}$/);
const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const bytes = (length: number) => z.instanceof(Buffer).refine((value) => value.length === length);

const item = z.object({
  path: z.string().min(1).max(4096),
  version: z.string().max(64).nullable(),
  size: count,
  start: count,
});
const order = z.object({
  direction: z.enum(['download', 'upload']),
  files: z.array(item).min(1).max(TRANSFER_ITEMS_MAX),
  window: z
    .number()
    .int()
    .min(2 ** 20)
    .max(2 ** 28),
  policy: z.enum(['fair', 'low', 'high', 'fixed']),
  /** Bits per second. */
  rate: z.number().positive().nullable(),
  /** Milliseconds. */
  roundTrip: z.number().min(0).max(10_000).nullable(),
  length: count,
});
export type FastOrder = z.infer<typeof order>;

const state = z.object({
  state: z.enum(['open', 'done', 'failed']),
  files: count,
  bytes: count,
  held: z.string().max(60).nullable(),
  failure: z
    .object({ code: z.string().max(60), path: z.string().max(4096).nullable(), detail: z.string().max(1000) })
    .nullable(),
});
export type FastState = z.infer<typeof state>;

const keys = { transfer: id, connectionId: bytes(8), secret: bytes(32) };

/** Tells the front of UDP of a transfer. */
export const fastBegin = z.object({
  ...keys,
  connection: id,
  /** Where who asked is: a handshake over TCP has proven it. */
  address: z.string(),
  session: z.object({ session: id, login: z.string(), tenant: z.string(), account: id, home: z.string() }),
  order,
});
export type FastBegin = z.infer<typeof fastBegin>;

export const FAST_CALLS = {
  'fast.hello': {
    who: 'front',
    writes: false,
    records: [],
    request: z.object({}),
    response: z.object({
      blobs: z.string(),
      incoming: z.string(),
      address: z.string(),
      port: z.number().int(),
      backend: z.enum(['best', 'dgram']),
    }),
  },
  /** Where it listens; before this nothing is begun there. */
  'fast.listening': {
    who: 'front',
    writes: false,
    records: [],
    request: z.object({ port: z.number().int().min(1).max(65_535), backend: z.string().max(200) }),
    response: z.object({}),
  },
  'fast.report': {
    who: 'session',
    writes: false,
    records: [],
    request: z.object({ session: id, transfer: id, ...state.shape }),
    response: z.object({}),
  },
  'transfer.ready': {
    who: 'session',
    writes: false,
    records: [],
    request: z.object({ session: id }),
    response: z.object({ available: z.boolean() }),
  },
  'transfer.begin': {
    who: 'session',
    writes: true,
    records: ['sign-in'],
    request: z.object({ session: id, ...order.shape }),
    response: z.object({ ...keys, host: z.string().nullable(), port: z.number().int() }),
  },
  'transfer.state': {
    who: 'session',
    writes: false,
    records: [],
    request: z.object({ session: id, transfer: id, wait: z.number().int().min(0).max(30) }),
    response: state,
  },
  'transfer.end': {
    who: 'session',
    writes: true,
    records: [],
    request: z.object({ session: id, transfer: id }),
    response: z.object({}),
  },
} as const satisfies Record<string, CallRow>;
