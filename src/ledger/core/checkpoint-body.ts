/** The text of a checkpoint (C2SP tlog-checkpoint): origin, size, root, and lines that its format leaves open. */
import { malformed, formatBase64, parseDecimal, parseHash } from './text-forms.ts';
import { checkSize, HASH_BYTES } from './merkle.ts';

export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
  readonly extensions: readonly string[];
}

export function formatCheckpoint(checkpoint: Checkpoint): string {
  const { origin, size, root, extensions } = checkpoint;
  checkSize(size);
  if (root.length !== HASH_BYTES) throw malformed('the root of a checkpoint is no hash');
  for (const line of [origin, ...extensions])
    if (line === '' || line.includes('\n')) throw malformed('a line of a checkpoint is empty or more than one');
  return [origin, String(size), formatBase64(root), ...extensions, ''].join('\n');
}

export function parseCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw malformed('a checkpoint does not end with a newline');
  const [origin = '', sizeLine = '', rootLine = '', ...extensions] = lines;
  const size = parseDecimal(sizeLine);
  const root = parseHash(rootLine);
  if (origin === '') throw malformed('a checkpoint has no origin');
  if (size === null) throw malformed('the size of a checkpoint is no number in its one form');
  if (root === null) throw malformed('the root of a checkpoint is no hash in base64');
  if (extensions.includes('')) throw malformed('a checkpoint has an empty line');
  return { origin, size, root, extensions };
}
