/** A failure whose status a protocol on top fixes (tus), instead of the code's own. */
import type { WaybillError } from '../../base/errors.ts';

export class StatusError extends Error {
  readonly status: number;
  readonly error: WaybillError;

  constructor(status: number, error: WaybillError) {
    super(error.message, { cause: error });
    this.status = status;
    this.error = error;
  }
}
