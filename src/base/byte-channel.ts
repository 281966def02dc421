/**
 * A two-way stream of bytes with back-pressure both ways: what an SSH channel gives to a subsystem. It stands in
 * base so that the SFTP room can run over any such stream and knows nothing of SSH.
 */
export interface ByteChannel {
  /**
   * Queues the parts in order as one unit (their memory must not change afterwards). False means that the queue is
   * over its bound: await `drained()` before producing more. Ignored once closed.
   */
  write(parts: readonly Buffer[]): boolean;
  /** A line for the person in front of the client, beside the stream. Dropped where the peer would not show it. */
  notice?(text: string): void;
  /** Resolves when the queue is below its bound again, or the channel is closed. */
  drained(): Promise<void>;
  /** Tells that `count` received bytes are done with, so that the sender may send as many more. */
  consumed(count: number): void;
  /** Sends everything queued, then end-of-file, an exit status and close. */
  end(exitStatus: number): void;
  readonly closed: boolean;
}

/** What the owner of a channel is told. Calls come in order and never re-enter. */
export interface ByteChannelListener {
  /** The chunk is the listener's until it calls `consumed` for its bytes. */
  data(chunk: Buffer): void;
  /** The peer sends no more. */
  end(): void;
  /** The channel or its connection is gone. Called exactly once, last. */
  close(): void;
}
