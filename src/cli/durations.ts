/** Times as people type them: "10m", "1h", "30d"; pure. */
import { WaybillError } from '../base/errors.ts';

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** In seconds. */
export function parseDuration(option: string, text: string): number {
  const [, digits, unit = ''] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  const seconds = Number(digits) * (SECONDS[unit] ?? NaN);
  if (seconds > 0) return seconds;
  const allowed = 'a number with s, m, h or d, such as 10m, 1h or 30d';
  throw new WaybillError('option-invalid', `${option} is ${JSON.stringify(text)}; allowed: ${allowed}`);
}

/** The largest unit that fits; a day is 24h. */
export function formatDuration(seconds: number): string {
  const unit = (['d', 'h', 'm'] as const).find((name) => {
    const size = SECONDS[name] ?? 1;
    return seconds % size === 0 && seconds >= (name === 'd' ? 2 * size : size);
  });
  return unit === undefined ? `${seconds}s` : `${seconds / (SECONDS[unit] ?? 1)}${unit}`;
}
