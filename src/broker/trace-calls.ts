/** What fronts of the HTTPS door say of traces. Same shape and same rule as FRONT_CALLS. */
import { z } from 'zod';
import type { CallRow } from './calls.ts';

export const TRACE_CALLS = {
  /**
   * A request of this session named the trace that it is part of (header traceparent, checked again here). It becomes a
   * link of the session's own trace, and decides nothing.
   */
  'trace.join': {
    who: 'session',
    writes: false,
    records: [],
    request: z.strictObject({
      session: z.string().regex(/^[0-9a-f]{32}$/),
      context: z.strictObject({
        trace: z.string().regex(/^(?!0{32})[0-9a-f]{32}$/),
        span: z.string().regex(/^(?!0{16})[0-9a-f]{16}$/),
        flags: z.number().int().min(0).max(1),
      }),
    }),
    response: z.object({}),
  },
} as const satisfies Record<string, CallRow>;
