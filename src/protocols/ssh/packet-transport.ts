/**
 * What the upper SSH layers (authentication, connection) see of the transport: whole, decrypted, in-order payloads.
 * Key exchange, rekeying, ping-like noise (IGNORE, DEBUG, UNIMPLEMENTED) and DISCONNECT stay below this line.
 */
export interface PacketTransport {
  /** Exchange hash of the first key exchange (RFC 4253 section 7.2); there before the listener's first packet. */
  readonly sessionId: Buffer;
  readonly clientVersion: string;
  /** Algorithms in force, for logs and records. */
  readonly negotiated: {
    kex: string;
    hostKey: string;
    cipherIn: string;
    cipherOut: string;
    macIn: string;
    macOut: string;
  };
  /**
   * Sends one payload given as parts (byte 0 of the first part is the message number; parts must not change afterwards).
   * During a key exchange it is queued until NEWKEYS. False when more than the bound is queued towards the socket.
   */
  send(parts: readonly Buffer[]): boolean;
  /** Resolves when the queue towards the socket is below its bound again or the transport is closed. */
  drained(): Promise<void>;
  /** Stops and starts taking bytes from the socket (TCP then slows the client down). Counts nest. */
  pauseReading(): void;
  resumeReading(): void;
  /** Sequence number of the packet now being handled, for SSH_MSG_UNIMPLEMENTED. */
  readonly incomingSequence: number;
  /** Sends SSH_MSG_DISCONNECT (RFC 4253 section 11.1) and closes. Idempotent. */
  disconnect(reason: number, text: string): void;
  /** Before this is called packets over the pre-sign-in size are refused and compression of limits applies; the auth layer calls it on success. */
  signedIn(): void;
  readonly closed: boolean;
}

export interface PacketListener {
  /**
   * Byte 0 is the message number. The payload is fresh memory that the transport does not use again, so that file
   * content reaches the store without a copy; keep a view only of what is large, for it holds on to the whole packet.
   */
  packet(payload: Buffer): void;
  /** The connection is over, exactly once. `offence` says whether the peer broke the protocol. */
  closed(reason: string, offence: 'none' | 'protocol'): void;
}
