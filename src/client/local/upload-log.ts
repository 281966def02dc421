/** What was sent already of a file here, kept apart from it: uploads/ in the cache of whoever sends. */
import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { SegmentLog } from './segment-log.ts';

export interface UploadIdentity {
  readonly server: string;
  readonly account: string;
  readonly path: string;
  readonly local: string;
  readonly size: number;
  /** Milliseconds; a file that was changed begins anew. */
  readonly modified: number;
}

export async function openUploadLog(
  cache: string,
  identity: UploadIdentity,
): Promise<{ readonly log: SegmentLog; readonly isNew: boolean }> {
  const folder = path.join(cache, 'uploads');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const { server, account, path: remote, local } = identity;
  const name = createHash('sha256')
    .update(JSON.stringify([server, account, remote, local]))
    .digest('hex')
    .slice(0, 40);
  const file = path.join(folder, `${name}.jsonl`);
  const header = { waybill: 'upload', ...identity };
  const log = await SegmentLog.resume(file, header);
  return log === null ? { log: await SegmentLog.begin(file, header), isNew: true } : { log, isNew: false };
}
