/** What files/ needs of the store of ciphertext. */
export interface StoredBlob {
  readonly id: string;
  readonly length: number;
}

export interface Space {
  readonly total: number;
  readonly free: number;
}

export interface BlobReader {
  /** Bytes read; fewer than asked only at the end. */
  read(buffer: Buffer, position: number): Promise<number>;
  close(): Promise<void>;
}

/**
 * Promises: `settle` resolves when the blob is durable under committed blobs and no longer under incoming ones, whatever
 * power does; it refuses one that is shorter than `length`, and cuts one that is longer. Removing what is not there is
 * no error.
 */
export interface BlobStore {
  settle(id: string, length: number): Promise<void>;
  /** Takes a settled blob back to the incoming ones, durably. */
  unsettle(id: string): Promise<void>;
  remove(id: string): Promise<void>;
  removeIncoming(id: string): Promise<void>;
  /** What has been written to the incoming blob, and its name, survive a power loss from here on. */
  syncIncoming(id: string): Promise<void>;
  committed(): Promise<StoredBlob[]>;
  incoming(): Promise<StoredBlob[]>;
  open(id: string): Promise<BlobReader>;
  /** Bytes that the incoming blob takes up on the disk now; 0 when it is not there. */
  incomingBytes(id: string): Promise<number>;
  /** May be some milliseconds old unless `now`; the same object as long as it is the same look. */
  space(now?: true): Promise<Space>;
}
