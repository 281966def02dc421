/**
 * Between a link and the handlers: no handler runs before the call is known, its request has the form of the table,
 * and the caller owns the connection or session that it names. Answers pass their schema as well, so that a handler
 * that knows more than the caller may know gives nothing away by accident.
 */
import type { z } from 'zod';
import { asWaybillError, WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { CallName, CallTable } from './link.ts';
import type { CallRow, Caller } from './calls.ts';

/** What a handler is given of its caller, by the `who` of the row. */
export type Callers = Readonly<Record<Caller, unknown>>;

/** One handler a row: a row without one does not compile. */
export type Handlers<T extends CallTable, C extends Callers> = {
  readonly [N in CallName<T>]: (
    request: z.output<T[N]['request']>,
    caller: C[T[N]['who']],
  ) => Promise<z.input<T[N]['response']>> | z.input<T[N]['response']>;
};

/**
 * Finds the caller of a call; throws `not-your-session` or `session-ended` when it does not own what it names.
 * `request` has passed its schema: `connection` or `session` is there when the row says so.
 */
export type Identify<C extends Callers> = (who: Caller, request: Readonly<Record<string, unknown>>) => C[Caller];

export type Dispatch = (call: string, body: unknown) => Promise<unknown>;

/** Sees each call that was let in, once it is answered. It changes nothing, and must not throw. */
export type Observe = (call: ObservedCall) => void;

export interface ObservedCall {
  readonly call: string;
  readonly request: Readonly<Record<string, unknown>>;
  /** Milliseconds since 1970. */
  readonly begun: number;
  readonly ended: number;
  /** Null when it failed. */
  readonly answer: Readonly<Record<string, unknown>> | null;
  /** Its code; null when it went well. */
  readonly error: string | null;
}

export function createDispatch<T extends CallTable, C extends Callers>(
  table: T,
  handlers: Handlers<T, C>,
  identify: Identify<C>,
  log: Log,
  observe: Observe | null = null,
): Dispatch {
  const run = async (call: string, body: unknown): Promise<unknown> => {
    const row = rowOf(table, call);
    const parsed = row.request.safeParse(body);
    if (!parsed.success) {
      // The path of the field and the rule, never the value: it may be a password.
      const issue = parsed.error.issues[0];
      throw new WaybillError(
        'request-invalid',
        `${call}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'malformed'}`,
      );
    }
    const request = parsed.data as Record<string, unknown>;
    const caller = identify(row.who, request);
    const handler = handlers[call as CallName<T>] as (request: unknown, caller: unknown) => unknown;
    const handle = async (): Promise<unknown> => row.response.parse(await handler(request, caller));
    return observe === null ? handle() : observed(observe, call, request, handle);
  };
  return async (call, body) => {
    try {
      return await run(call, body);
    } catch (thrown) {
      const error = asWaybillError(thrown);
      if (error.code === 'internal') log.error({ call, err: error.cause ?? error }, 'a call failed');
      throw error;
    }
  };
}

async function observed(
  observe: Observe,
  call: string,
  request: Readonly<Record<string, unknown>>,
  handle: () => Promise<unknown>,
): Promise<unknown> {
  const begun = Date.now();
  try {
    const answer = await handle();
    observe({ call, request, begun, ended: Date.now(), answer: answer as ObservedCall['answer'], error: null });
    return answer;
  } catch (thrown) {
    observe({ call, request, begun, ended: Date.now(), answer: null, error: asWaybillError(thrown).code });
    throw thrown;
  }
}

function rowOf(table: CallTable, call: string): CallRow {
  const row = Object.hasOwn(table, call) ? table[call] : undefined;
  if (row === undefined) throw new WaybillError('call-unknown', 'no such call');
  return row;
}
