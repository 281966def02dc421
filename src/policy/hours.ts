/**
 * When a grant is open: "Mon-Fri 08:00-18:00 Europe/Vienna". Times are those of the wall clock there, so that they stay
 * right over summer time. Pure; the system's time zone data is all it asks.
 */
import { WaybillError } from '../base/errors.ts';

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
const FORM = /^([A-Za-z,-]{3,27}) (\d{2}):(\d{2})-(\d{2}):(\d{2}) ([\w/+-]{1,64})$/;
const ENTRIES_MAX = 20;

/** By the name of a time zone: a 1 for each minute of the week that is open, from Monday 00:00. */
export type OpenMinutes = ReadonlyMap<string, Uint8Array>;

/** Throws `option-invalid`. No entries: always open, which is an empty map. */
export function parseHours(entries: readonly string[]): OpenMinutes {
  if (entries.length > ENTRIES_MAX) throw invalid(`at most ${ENTRIES_MAX} ranges of hours are allowed`);
  const zones = new Map<string, Uint8Array>();
  for (const entry of entries) {
    const [, days = '', fromHour, fromMinute, toHour, toMinute, zoneName = ''] = FORM.exec(entry) ?? refuse(entry);
    const [from, to] = [minuteOf(entry, fromHour, fromMinute), minuteOf(entry, toHour, toMinute)];
    const zone = zoneOf(entry, zoneName);
    const minutes = zones.get(zone) ?? new Uint8Array(WEEK_MINUTES);
    zones.set(zone, minutes);
    // A range that ends before it begins goes on into the next day.
    const length = to > from ? to - from : to - from + DAY_MINUTES;
    for (const day of daysOf(entry, days))
      for (let at = 0; at < length; at++) minutes[(day * DAY_MINUTES + from + at) % WEEK_MINUTES] = 1;
  }
  return zones;
}

export function isOpen(hours: OpenMinutes, now: number): boolean {
  if (hours.size === 0) return true;
  for (const [zone, minutes] of hours) if (minutes[minuteOfWeek(zone, now)] === 1) return true;
  return false;
}

/** Whether `after` is open at a minute at which `before` is not. Hours in another zone count as such: they move. */
export function opensMore(before: OpenMinutes, after: OpenMinutes): boolean {
  if (before.size === 0) return false;
  if (after.size === 0) return true;
  for (const [zone, minutes] of after) {
    const known = before.get(zone);
    if (known === undefined || minutes.some((open, minute) => open === 1 && known[minute] !== 1)) return true;
  }
  return false;
}

const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string): Intl.DateTimeFormat {
  const known = clocks.get(zone);
  if (known !== undefined) return known;
  const form = { weekday: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
  const clock = new Intl.DateTimeFormat('en-US', { timeZone: zone, ...form });
  clocks.set(zone, clock);
  return clock;
}

function minuteOfWeek(zone: string, now: number): number {
  const parts = new Map(
    clockOf(zone)
      .formatToParts(now)
      .map(({ type, value }) => [type, value]),
  );
  const day = DAYS.findIndex((name) => name === parts.get('weekday'));
  return day * DAY_MINUTES + Number(parts.get('hour')) * 60 + Number(parts.get('minute'));
}

/** Its name as the system writes it, so that two spellings of one zone are one. */
function zoneOf(entry: string, name: string): string {
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return refuse(entry);
  }
}

function daysOf(entry: string, text: string): number[] {
  return text.split(',').flatMap((part) => {
    const [first = -1, last = first, ...more] = part.split('-').map((name) => dayOf(entry, name));
    if (more.length > 0) refuse(entry);
    const length = ((last - first + 7) % 7) + 1;
    return Array.from({ length }, (_, index) => (first + index) % 7);
  });
}

function dayOf(entry: string, name: string): number {
  const day = DAYS.findIndex((known) => known.toLowerCase() === name.toLowerCase());
  return day < 0 ? refuse(entry) : day;
}

function minuteOf(entry: string, hours = '', minutes = ''): number {
  const minute = Number(hours) * 60 + Number(minutes);
  return minute > DAY_MINUTES || Number(minutes) > 59 ? refuse(entry) : minute;
}

function refuse(entry: string): never {
  throw invalid(
    `hours are ${JSON.stringify(entry)}; allowed: days, from-to and a time zone, such as "Mon-Fri 08:00-18:00 Europe/Vienna"`,
  );
}

function invalid(message: string): WaybillError {
  return new WaybillError('option-invalid', message);
}
