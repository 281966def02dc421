/** Both ends of a stream as the client sees them: pieces with their SHA-256, in the order of the list. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import { DIGEST_BYTES, piecesOf } from '../udp/layout/stream-layout.ts';
import type { ItemRange, Piece } from '../udp/layout/stream-layout.ts';
import { StreamReader } from '../protocols/fast/streams.ts';
import type { IncomingStream, OutgoingStream } from '../protocols/fast/streams.ts';

export interface PieceSink {
  /** Bytes of the piece, in order; the buffer is the stream's again when this resolves. */
  write(piece: Piece, at: number, bytes: Buffer): Promise<void>;
  /** It is whole, and what it should be. */
  verified(piece: Piece, digest: Buffer): Promise<void>;
}

/** True when everything came; false when the stream ended before. Rejects when a piece is not what was sent. */
export async function receivePieces(
  stream: IncomingStream,
  items: readonly ItemRange[],
  sink: PieceSink,
): Promise<boolean> {
  const reader = new StreamReader(stream);
  for (const piece of piecesOf(items)) {
    const hash = createHash('sha256');
    for (let at = piece.start; at < piece.end;) {
      const some = await reader.next(piece.end - at);
      if (some === null) return false;
      hash.update(some);
      await sink.write(piece, at, some);
      at += some.length;
    }
    const digest = await reader.exactly(DIGEST_BYTES);
    if (digest === null) return false;
    const own = hash.digest();
    if (!timingSafeEqual(own, digest))
      throw new WaybillError('checksum-mismatch', 'the bytes that came are other ones than were sent');
    await sink.verified(piece, own);
  }
  return true;
}

export interface PieceSource {
  /** The bytes of the piece from `at`: some of them, at most `most`. An empty answer: the file has become shorter. */
  read(piece: Piece, at: number, most: number): Promise<Buffer>;
  /** It is in the stream, whole. */
  sent(piece: Piece, digest: Buffer): Promise<void>;
}

const READ_BYTES = 1 << 20;

/** True when everything is in the stream; false when the stream ended before. */
export async function sendPieces(
  stream: OutgoingStream,
  items: readonly ItemRange[],
  source: PieceSource,
): Promise<boolean> {
  for (const piece of piecesOf(items)) {
    const hash = createHash('sha256');
    for (let at = piece.start; at < piece.end;) {
      const some = await source.read(piece, at, Math.min(READ_BYTES, piece.end - at));
      if (some.length === 0) throw new WaybillError('changed-meanwhile', 'the file became shorter while it was sent');
      hash.update(some);
      if (!(await stream.write(some))) return false;
      at += some.length;
    }
    const digest = hash.digest();
    if (!(await stream.write(digest))) return false;
    await source.sent(piece, digest);
  }
  return true;
}
