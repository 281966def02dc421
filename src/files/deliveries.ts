/**
 * Removal after delivery: files whose grant says that they go some days after their first complete read. The grant as it
 * is now decides; a file that was replaced since, or lies under legal hold, stays.
 */
import type { Pickup } from '../policy/flow-store.ts';
import type { Change } from './changes.ts';
import type { Parts } from './parts.ts';
import type { Content, Node } from './store.ts';

/** In one transaction, so that a sweep holds nobody up. */
const BATCH = 500;

/** Answers how many files went. */
export async function removeDelivered(parts: Parts): Promise<number> {
  const { grants, changes } = parts;
  const due = [...grants.pickups.due(({ account, folder }) => grants.find(account, folder))];
  let removed = 0;
  for (let at = 0; at < due.length; at += BATCH)
    removed += await changes.run((change) => removeBatch(parts, change, due.slice(at, at + BATCH)));
  return removed;
}

function removeBatch(parts: Parts, change: Change, due: readonly Pickup[]): number {
  const { store, grants } = parts;
  const contents = new Map(due.map(({ version }) => [version, store.content(version)]));
  const files = [...contents.values()].flatMap((content) => content?.version.file ?? []);
  const nodes = new Map(store.nodesOfFiles(files).map((node) => [node.version, node]));
  let removed = 0;
  for (const pickup of due) {
    const content = contents.get(pickup.version) ?? null;
    const node = nodes.get(pickup.version);
    if (content?.version.state !== 'current') grants.pickups.forget(pickup);
    else if (node !== undefined && removeOne(parts, change, pickup, content, node)) {
      removed++;
      // Two grants may have delivered it.
      nodes.delete(pickup.version);
    }
  }
  return removed;
}

function removeOne(parts: Parts, change: Change, pickup: Pickup, { version, key }: Content, node: Node): boolean {
  const { store, grants, contents, ledger, view, now } = parts;
  const folder = view.folderOf(node.parent);
  // Moved elsewhere, it is not that grant's to remove.
  if (folder !== pickup.folder || grants.legalHolds.of(folder) !== null) return false;
  const path = view.pathOf(node.parent, node.name);
  store.removeNode(node.id);
  store.touchDirectory(node.parent, Math.floor(now() / 1000));
  contents.retire(change, version.id, '');
  grants.pickups.forget(pickup);
  // Of no session: the platform did it, as the grant says.
  ledger.append(key.tenant, { kind: 'removed', session: null, folder, file: version.file, version: version.id, path });
  return true;
}
