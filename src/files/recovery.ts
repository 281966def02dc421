/**
 * The way every start goes, after a crash or not. What the rows say is what happened; files that no row explains are
 * leftovers of steps that were never acknowledged. See commit.ts for the order that makes this true.
 */
import { Charge } from './charge.ts';
import type { Parts } from './parts.ts';
import { ownedBy } from './runs.ts';
import type { UploadRow } from './store.ts';
import type { Uploads } from './uploads.ts';

export interface Recovered {
  readonly uploads: number;
  readonly movedBack: number;
  readonly removed: number;
  /** Uploads in progress whose stored bytes are gone. */
  readonly lost: number;
}

export async function recover(parts: Parts, uploads: Uploads): Promise<Recovered> {
  const rows = parts.store.uploads();
  const ofUploads = new Map(rows.map((row) => [row.blob, row]));
  const named = new Set(parts.store.blobs().map((blob) => blob.id));
  let movedBack = 0;
  let removed = 0;
  for (const { id } of await parts.blobs.committed()) {
    if (named.has(id)) continue;
    if (ofUploads.has(id)) {
      await parts.blobs.unsettle(id);
      movedBack++;
    } else {
      await parts.blobs.remove(id);
      removed++;
    }
  }
  const incoming = new Map<string, number>();
  for (const { id, length } of await parts.blobs.incoming()) {
    if (ofUploads.has(id)) {
      incoming.set(id, length);
      continue;
    }
    await parts.blobs.removeIncoming(id);
    removed++;
  }
  const lost = await takeIn(parts, uploads, rows, incoming);
  await dropReplaced(parts);
  return { uploads: rows.length - lost, movedBack, removed, lost };
}

async function takeIn(
  parts: Parts,
  uploads: Uploads,
  rows: readonly UploadRow[],
  incoming: ReadonlyMap<string, number>,
): Promise<number> {
  let lost = 0;
  for (const row of rows) {
    const { id, tenant, account, parent, name, key, blob, epoch, size, runs, touched } = row;
    const base = row.base === null ? null : (parts.store.content(row.base)?.version ?? null);
    const owned = ownedBy(blob, runs, size);
    const kept = { size, runs };
    if (base !== null) parts.contents.pin(base.id);
    const upload = {
      id,
      tenant,
      account,
      parent,
      name,
      key,
      base,
      blob,
      epoch,
      touched,
      persisted: true,
      session: null,
      reading: null,
      seen: kept,
      kept,
      issued: new Set<number>(),
      charge: Charge.of(blob, kept),
      written: owned.bytes,
      mtime: null,
      busy: null,
    };
    parts.uploads.add(upload);
    parts.quota.shift(tenant, owned.bytes);
    const gone = owned.length > (incoming.get(blob) ?? 0) || (row.base !== null && base?.state === 'gone');
    if (!gone) continue;
    await uploads.drop(upload);
    lost++;
  }
  return lost;
}

/** Versions that only readings of the last run held; an upload's base stays for it. */
async function dropReplaced(parts: Parts): Promise<void> {
  const versions = parts.store.replacedVersions();
  if (versions.length === 0) return;
  await parts.changes.run((change) => {
    for (const version of versions) parts.contents.dropReplaced(change, version, 'recovery');
  });
}
