/** A content as the broker pinned it: what is where. The start of a read, and what an upload begins from. */
import { WaybillError } from '../base/errors.ts';
import type { SegmentRun } from '../broker/calls.ts';
import { INLINE_PLAIN } from '../keys/layout.ts';
import { plainLength, storedLength } from '../keys/frame.ts';
import { SegmentMap, segmentsOf } from './segment-map.ts';

export interface InlineFrame {
  readonly blob: string;
  readonly bytes: Buffer;
}

export interface PinnedContent {
  readonly path: string;
  /** The version's id, or the upload's: named in errors, so that an operator finds what is broken. */
  readonly version: string;
  readonly size: number;
  readonly map: SegmentMap;
  readonly inline: InlineFrame | null;
}

export function damaged(content: { path: string; version: string }, what: string, cause?: unknown): WaybillError {
  return new WaybillError('content-damaged', `${content.path} (version ${content.version}): ${what}`, { cause });
}

/** The same failure, but naming the file that it was met in. */
export function named(content: { path: string; version: string }, error: WaybillError): WaybillError {
  if (error.code !== 'content-missing' && error.code !== 'content-damaged') return error;
  if (error.message.startsWith(content.path)) return error;
  return new WaybillError(error.code, `${content.path} (version ${content.version}): ${error.message}`, {
    cause: error,
  });
}

export function pinContent(
  path: string,
  version: string,
  size: number,
  runs: readonly SegmentRun[],
  inline: InlineFrame | null,
): PinnedContent {
  const place = { path, version };
  // A resumed upload has a base with inline content, but its runs say where the bytes are now.
  const apart = inline !== null && size > 0 && runs.every((run) => run.blob === inline.blob);
  if (apart) {
    if (size > INLINE_PLAIN || inline.bytes.length !== storedLength(plainLength(0, size))) {
      throw damaged(place, `inline content of ${inline.bytes.length} bytes does not fit its size ${size}`);
    }
    const map = new SegmentMap();
    map.resize(segmentsOf(size));
    return { ...place, size, map, inline };
  }
  const map = SegmentMap.of(runs, segmentsOf(size));
  if (map === null) throw damaged(place, `its runs do not cover its ${size} bytes`);
  return { ...place, size, map, inline: null };
}
