/** The arena of a thread, where this Node and the permissions of this process have FFI at all. */
import type { Arena } from './arena.ts';

/** What arrives in one call (1 MiB), what goes out in one, and room for the rest. */
const BYTES = 2 * 2 ** 20;

export async function openArena(
  bytes = BYTES,
): Promise<{ readonly arena: Arena | null; readonly without: string | null }> {
  try {
    // Loaded here: a Node without node:ffi would fail at the import.
    const { Arena: Made } = await import('./arena.ts');
    return { arena: new Made(bytes), without: null };
  } catch (error) {
    return { arena: null, without: error instanceof Error ? error.message : String(error) };
  }
}
