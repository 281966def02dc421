/**
 * The shape of stored bytes. A file is cut into segments (the unit of release), a segment into frames (the unit of
 * encryption). On disk a frame is nonce || ciphertext || tag, and segment n of a blob starts at n * SEGMENT_STORED.
 */
export const FRAME_PLAIN = 64 * 1024;
export const NONCE_BYTES = 12;
export const TAG_BYTES = 16;
export const FRAME_STORED = NONCE_BYTES + FRAME_PLAIN + TAG_BYTES;
export const FRAMES_PER_SEGMENT = 128;
export const SEGMENT_PLAIN = FRAMES_PER_SEGMENT * FRAME_PLAIN; // 8 MiB
export const SEGMENT_STORED = FRAMES_PER_SEGMENT * FRAME_STORED;
/** A file of at most one frame is stored beside its metadata: one commit makes it durable, not three. */
export const INLINE_PLAIN = FRAME_PLAIN;
