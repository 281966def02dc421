/** Moments as people type them. */
import { WaybillError } from '../base/errors.ts';

/** Milliseconds since 1970. Without a zone it is UTC, whatever the machine's zone: the ledger's times are. */
export function momentOf(option: string, text: string): number {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?)(Z|[+-]\d\d:\d\d)?)?$/.exec(text);
  const time = match === null ? NaN : Date.parse(`${match[1] ?? ''}T${match[2] ?? '00:00'}${match[3] ?? 'Z'}`);
  if (!Number.isNaN(time)) return time;
  const message = `${option} is ${JSON.stringify(text)}; allowed: 2026-11-01 or 2026-11-01T08:30:00Z`;
  throw new WaybillError('option-invalid', message);
}
