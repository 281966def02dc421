/** Who asks. The broker makes it from its own table of sessions, never from what a front says. */
export interface FileSession {
  readonly session: string;
  /** Ids, not names. */
  readonly account: string;
  readonly tenant: string;
  readonly address: string;
  /** Ids of what proved the sign-in. */
  readonly credentials: readonly string[];
  /** What it came with, as policy/budgets/acquaintances.ts names it. */
  readonly marks: readonly string[];
}

/** Of a path in a session's view: what lies below the mount, as records of a folder name it. */
export function withinFolder(path: string): string {
  const end = path.indexOf('/', 1);
  return end < 0 ? '/' : path.slice(end);
}
