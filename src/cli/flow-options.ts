/** The options of `waybill grant add` that say when, from where and how often a grant holds; pure. */
import { WaybillError } from '../base/errors.ts';
import type { PolicyRow } from '../broker/admin-calls.ts';
import type { Options } from './command.ts';

export const FLOW_OPTIONS = {
  'read-once': { doc: 'Each version of a file can be picked up once; a broken transfer may go on for an hour.' },
  address: {
    value: 'CIDR',
    doc: 'Holds only for sessions from this address or network, such as 192.0.2.0/24. May be given more than once.',
    many: true,
  },
  hours: {
    value: 'HOURS',
    doc: 'Holds only at these hours: "Mon-Fri 08:00-18:00 Europe/Vienna". May be given more than once.',
    many: true,
  },
  expires: { value: 'DATE', doc: 'Ends then: 2027-01-31 (the end of that day in UTC) or 2027-01-31T18:00:00Z.' },
  'delete-after-delivery': { value: 'DAYS', doc: 'Removes a file so long after it was first read as a whole: 7d.' },
} as const satisfies Options;

interface Given {
  readonly 'read-once': boolean;
  readonly address: readonly string[];
  readonly hours: readonly string[];
  readonly expires: string | null;
  readonly 'delete-after-delivery': string | null;
}

const DAY_MS = 86_400_000;

export function parsePolicy(given: Given): PolicyRow | null {
  const { address, hours, expires } = given;
  const days = given['delete-after-delivery'];
  const policy = {
    readOnce: given['read-once'],
    addresses: [...address],
    hours: [...hours],
    expires: expires === null ? null : parseMoment('--expires', expires),
    removeAfterDays: days === null ? null : parseDays('--delete-after-delivery', days),
  };
  const asks = policy.readOnce || address.length > 0 || hours.length > 0 || expires !== null || days !== null;
  return asks ? policy : null;
}

/** In words, '' for none. */
export function describePolicy(policy: PolicyRow | null): string {
  if (policy === null) return '';
  const { readOnce, addresses, hours, expires, removeAfterDays: days } = policy;
  return [
    ...(readOnce ? ['once'] : []),
    ...(addresses.length > 0 ? [`from ${addresses.join(' ')}`] : []),
    ...hours,
    ...(expires === null ? [] : [`until ${expires}`]),
    ...(days === null ? [] : [`removed ${days}d after delivery`]),
  ].join('; ');
}

function parseMoment(option: string, text: string): string {
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text);
  const moment = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?(Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(moment)) throw refused(option, text, '2027-01-31 or 2027-01-31T18:00:00Z');
  return new Date(day ? moment + DAY_MS : moment).toISOString();
}

function parseDays(option: string, text: string): number {
  const [, digits] = /^(\d{1,4})d$/.exec(text) ?? [];
  if (digits === undefined) throw refused(option, text, 'a number of days, such as 7d');
  return Number(digits);
}

function refused(option: string, text: string, allowed: string): WaybillError {
  return new WaybillError('option-invalid', `${option} is ${JSON.stringify(text)}; allowed: ${allowed}`);
}
