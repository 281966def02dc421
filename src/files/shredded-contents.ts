/**
 * What a shredded tenant leaves: bytes that nobody can open any more, and names. They go in batches beside the traffic of
 * the others; each batch is a transaction, and blobs go after it, as with any removal. Rows of versions stay: they say
 * what there was and when it ended, as for every removed file.
 */
import { setImmediate } from 'node:timers/promises';
import type { Parts } from './parts.ts';
import type { Uploads } from './uploads.ts';

const BATCH = 200;
const BY = 'shredding';

export async function removeContents(
  parts: Parts,
  uploads: Uploads,
  tenant: string,
  stopped: () => boolean = () => false,
): Promise<{ files: number; done: boolean }> {
  for (const upload of [...parts.uploads.all()]) {
    if (upload.tenant !== tenant || stopped()) continue;
    await upload.busy?.catch(() => undefined);
    if (parts.uploads.get(upload.id) !== undefined) await uploads.drop(upload);
  }
  const files = await dropVersions(parts, tenant, stopped);
  for (const folder of parts.store.folders(tenant)) await removeBelow(parts, folder.root, stopped);
  return { files, done: !stopped() };
}

/** The walk goes over everybody's versions: they lie in the order of their making. */
async function dropVersions(parts: Parts, tenant: string, stopped: () => boolean): Promise<number> {
  const { store, changes, contents } = parts;
  let files = 0;
  for (let after = ''; !stopped();) {
    const page = store.versionsAfter(after, BATCH);
    const last = page.at(-1);
    if (last === undefined) return files;
    after = last.version.id;
    const own = page.filter(({ key }) => key.tenant === tenant);
    files += own.length;
    if (own.length === 0) await setImmediate();
    else
      await changes.run((change) => {
        for (const { version } of own) contents.drop(change, version.id, BY);
      });
  }
  return files;
}

/** From the leaves up; a crash leaves a smaller tree. */
async function removeBelow(parts: Parts, root: number, stopped: () => boolean): Promise<void> {
  const { store } = parts;
  const path = [root];
  while (path.length > 0 && !stopped()) {
    const directory = path.at(-1) ?? root;
    const page = store.children(directory, '', BATCH);
    const nodes = page.flatMap(({ name }) => store.child(directory, name) ?? []);
    const deeper = nodes.find(({ kind }) => kind === 'directory');
    await store.write(() => {
      for (const { id, kind } of nodes) if (kind === 'file') store.removeNode(id);
      if (page.length === 0 && directory !== root) store.removeNode(directory);
    });
    if (deeper !== undefined) path.push(deeper.id);
    else if (page.length === 0) path.pop();
  }
}
