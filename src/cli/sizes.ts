/** Sizes and moments as people type and read them; pure. */
import { WaybillError } from '../base/errors.ts';

const UNITS = ['', 'K', 'M', 'G', 'T', 'P'] as const;

/** "500M", "2.5 GiB", "10737418240"; "none" is no limit. Units are powers of 1024, as `df -h` has them. */
export function parseSize(option: string, text: string): number | null {
  if (text === 'none') return null;
  const match = /^(\d{1,16}(?:\.\d{1,6})?) ?([KMGTP]?)(?:i?B)?$/i.exec(text);
  const unit = UNITS.indexOf((match?.[2] ?? '').toUpperCase() as (typeof UNITS)[number]);
  const bytes = Math.floor(Number(match?.[1]) * 1024 ** unit);
  if (match === null || !Number.isSafeInteger(bytes)) {
    throw new WaybillError(
      'option-invalid',
      `${option} is ${JSON.stringify(text)}; allowed: a size such as 500M, 20G or 2T below 8P, or "none"`,
    );
  }
  return bytes;
}

export function formatSize(bytes: number | null): string {
  if (bytes === null) return 'none';
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes} B` : `${value.toFixed(value < 10 ? 1 : 0)} ${UNITS[unit] ?? ''}iB`;
}
