/** A failure of one file of a transfer, which ends the transfer: what stood before it stays. */
import { asWaybillError } from '../../base/errors.ts';
import type { CloseReason } from '../../udp/wire/control.ts';
import type { Failure } from './progress.ts';

export class FileFailure extends Error {
  readonly failure: Failure;
  readonly reason: CloseReason;

  constructor(path: string | null, thrown: unknown) {
    const { code, message } = asWaybillError(thrown);
    super(message, { cause: thrown });
    this.failure = { code, path, detail: message };
    this.reason = REASONS[code] ?? 'refused';
  }
}

const REASONS: Readonly<Record<string, CloseReason>> = {
  'store-full': 'disk-full',
  'quota-exceeded': 'disk-full',
  'session-ended': 'session-ended',
  internal: 'internal',
};
