/** Flow policies as administrators see them. */
import { WaybillError } from '../base/errors.ts';
import { checkPolicy } from '../policy/flow.ts';
import type { FlowPolicy } from '../policy/flow.ts';
import type { PolicyRow } from './admin-calls.ts';

/** Throws `option-invalid`. Null for one that asks nothing. */
export function policyOf(row: PolicyRow | null): FlowPolicy | null {
  if (row === null) return null;
  const expires = row.expires === null ? null : Date.parse(row.expires);
  if (Number.isNaN(expires)) throw new WaybillError('option-invalid', 'the end of a grant is not a moment');
  return checkPolicy({ ...row, expires });
}

export function policyRow(policy: FlowPolicy | null): PolicyRow | null {
  if (policy === null) return null;
  const { readOnce, addresses, hours, expires, removeAfterDays } = policy;
  const until = expires === null ? null : new Date(expires).toISOString();
  return { readOnce, addresses: [...addresses], hours: [...hours], expires: until, removeAfterDays };
}

/** What follows the rights in a sentence; '' when nothing is asked. */
export function describePolicy(policy: FlowPolicy | null): string {
  if (policy === null) return '';
  const { readOnce, addresses, hours, expires, removeAfterDays: days } = policy;
  const words = [
    ...(readOnce ? ['each file once'] : []),
    ...(addresses.length > 0 ? [`from ${addresses.join(', ')}`] : []),
    ...(hours.length > 0 ? [hours.join(' and ')] : []),
    ...(expires === null ? [] : [`until ${new Date(expires).toISOString()}`]),
    ...(days === null ? [] : [`files go ${days} ${days === 1 ? 'day' : 'days'} after delivery`]),
  ];
  return ` (${words.join('; ')})`;
}
