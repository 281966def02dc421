/** Failures whose status tus fixes. */
import { WaybillError } from '../../base/errors.ts';
import { StatusError } from './status-error.ts';

const CHECKSUM_MISMATCH = 460;

export function otherBytes(): StatusError {
  return new StatusError(CHECKSUM_MISMATCH, new WaybillError('checksum-mismatch', 'the bytes are other ones'));
}

export function checkOffset(asked: number, actual: number): void {
  if (asked !== actual)
    throw new StatusError(409, new WaybillError('offset-invalid', `the upload is at ${actual}, not at ${asked}`));
}
