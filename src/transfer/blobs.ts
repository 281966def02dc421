/** What transfer needs of a place for ciphertext. store/folder keeps these promises. */
export interface StoredBlob {
  /** Fills `buffer` from `position`; fewer bytes only when the blob ends before. */
  read(buffer: Buffer, position: number): Promise<number>;
  close(): Promise<void>;
}

export interface IncomingBlob extends StoredBlob {
  /** Writes all parts in order from `position`. Several writes may be under way. Rejects with `store-full` on a full disk. */
  write(parts: readonly Buffer[], position: number): Promise<void>;
  /** Gives back what lies behind `length`; not while a write is under way. */
  cut(length: number): Promise<void>;
}

export interface BlobStore {
  /** A committed blob, or one in progress. Rejects with `content-missing`. */
  open(blob: string): Promise<StoredBlob>;
  /** `create`: makes the blob when it is not there; otherwise that is `content-missing`. */
  openIncoming(blob: string, create: boolean): Promise<IncomingBlob>;
}
