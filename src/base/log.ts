/** What every room logs through. Fields never hold a secret; an `err` is written with its causes, for the operator. */
import pino from 'pino';

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface Log {
  debug(fields: object, text: string): void;
  info(fields: object, text: string): void;
  warn(fields: object, text: string): void;
  error(fields: object, text: string): void;
}

/** JSON lines, on standard error unless `write` takes them: standard output belongs to the answer of a command. */
export function createLog(level: LogLevel, write?: (line: string) => void): Log {
  return pino(
    {
      level,
      base: null,
      formatters: { level: (label: string) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: pino.stdSerializers.errWithCause },
    },
    // sync: what was logged before a crash is there to be read after it.
    write === undefined ? pino.destination({ fd: 2, sync: true }) : { write },
  );
}

export const SILENT: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
