/** What runs: a digest of the code and of the locked packages, so that a ledger tells which build answered. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

/** Over every file below `sources` and the named files beside it that exist, by path and content. Hexadecimal. */
export function dependenciesDigest(root: string, names: readonly string[]): string {
  const hash = createHash('sha256');
  for (const name of [...names].sort()) addPath(hash, root, name);
  return hash.digest('hex');
}

function addPath(hash: ReturnType<typeof createHash>, root: string, name: string): void {
  const whole = path.join(root, name);
  let content: Buffer;
  try {
    content = readFileSync(whole);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT') return;
    if (code !== 'EISDIR') throw error;
    for (const entry of readdirSync(whole).sort()) addPath(hash, root, `${name}/${entry}`);
    return;
  }
  hash.update(`${name}\0${content.length}\0`).update(content);
}
