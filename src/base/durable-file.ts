/** Small files that must be whole or absent, whatever power does. */
import { open, rename } from 'node:fs/promises';
import path from 'node:path';

/**
 * Resolves when the content is durable under its name. A crash before leaves what was there before, and perhaps a draft
 * beside it (`.new`), which the next write takes over. For files that one process writes at a time.
 */
export async function writeDurableFile(file: string, content: string | Uint8Array, mode = 0o600): Promise<void> {
  const draft = `${file}.new`;
  const handle = await open(draft, 'w', mode);
  try {
    // A draft from before a crash keeps its own mode.
    await handle.chmod(mode);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(draft, file);
  await syncFolder(path.dirname(file));
}

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
