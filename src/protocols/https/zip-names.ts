/**
 * Names inside a ZIP: pure. Names of the store hold no "/" and are never "." or ".."; what only Windows would take as a
 * way out of the folder that is unpacked into (backslash, drive letters, dots that it strips) is replaced here.
 */
import { createHash } from 'node:crypto';

const UNSAFE = /[\\:*?"<>|]/g;
const STRIPPED = /[. ]+$/;
const DEVICE = /^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i;

export function zipName(name: string): string {
  const safe = name
    .replaceAll(UNSAFE, '_')
    .replace(STRIPPED, (end) => '_'.repeat(end.length))
    .replace(DEVICE, '_$&');
  if (safe === name) return name;
  // Two names that become the same must not overwrite each other.
  return `${safe}~${createHash('sha256').update(name).digest('hex').slice(0, 8)}`;
}
