/** What is told of a transfer that goes on; the words of api/transfers.ts. */
export interface Progress {
  /** Files that are through. */
  files: number;
  bytes: number;
  /** The reference of a hold; null: nothing waits. */
  held: string | null;
}

export interface Failure {
  readonly code: string;
  readonly path: string | null;
  readonly detail: string;
}

export function freshProgress(): Progress {
  return { files: 0, bytes: 0, held: null };
}
