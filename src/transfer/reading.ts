/** A version opened for reading: from `file.open-read` to `file.close`. */
import { newId } from '../base/ids.ts';
import type { BrokerCaller, Attributes } from '../broker/calls.ts';
import { SEGMENT_PLAIN } from '../keys/layout.ts';
import type { BlobStore } from './blobs.ts';
import { ContentReader } from './content-reader.ts';
import type { SessionMemory } from './front-memory.ts';
import { OpenBlobs } from './open-blobs.ts';
import { pinContent } from './pinned-content.ts';
import { SentRanges } from './sent-ranges.ts';
import { SegmentKeys } from './segment-keys.ts';

export interface ReadingPorts {
  readonly broker: BrokerCaller;
  readonly session: string;
  readonly store: BlobStore;
  readonly memory: SessionMemory;
}

/** Keys for reading come from `release` and nowhere else. */
export function releasedKeys({ broker, session }: ReadingPorts, reading: string): SegmentKeys {
  return new SegmentKeys(async (first, count) => {
    const { keys } = await broker.call('release', { session, reading, first, count });
    return keys;
  });
}

export class Reading {
  readonly attributes: Attributes;
  private readonly ports: ReadingPorts;
  private readonly id: string;
  private readonly blobs: OpenBlobs;
  private readonly keys: SegmentKeys;
  private readonly reader: ContentReader;
  private readonly sent = new SentRanges();

  static async open(ports: ReadingPorts, path: string, from = 0): Promise<Reading> {
    const { broker, session } = ports;
    const reading = newId();
    const keys = releasedKeys(ports, reading);
    const opening = broker.call('file.open-read', { session, path, reading });
    // Before the answer, so that both calls leave in one message and the key is here at the first read. A failure waits
    // for that read; of a file that cannot be opened, or has no such segment, nobody asks again.
    keys.early(Math.floor(from / SEGMENT_PLAIN), 1);
    const { version, attributes, runs, inline } = await opening;
    const blobs = new OpenBlobs(ports.store);
    try {
      const content = pinContent(path, version, attributes.size, runs, inline);
      const reader = new ContentReader({ content, keys, blobs, memory: ports.memory });
      return new Reading(ports, reading, attributes, { blobs, keys, reader });
    } catch (error) {
      await keys.close();
      await broker.call('file.close', { session, reading, sent: [] });
      throw error;
    }
  }

  private constructor(
    ports: ReadingPorts,
    id: string,
    attributes: Attributes,
    parts: { blobs: OpenBlobs; keys: SegmentKeys; reader: ContentReader },
  ) {
    this.ports = ports;
    this.id = id;
    this.attributes = attributes;
    this.blobs = parts.blobs;
    this.keys = parts.keys;
    this.reader = parts.reader;
  }

  async read(offset: number, length: number, until?: number): Promise<readonly Buffer[]> {
    const parts = await this.reader.read(offset, length, until);
    this.sent.add(offset, parts);
    return parts;
  }

  /**
   * Tells the broker what went out; a crash before leaves the release, which says more, never less. The client's CLOSE
   * does not wait for the broker: the call stands before the session's next ones in the link, and when it fails the
   * session has ended, of which the broker has its own record.
   */
  async close(): Promise<void> {
    await this.reader.close();
    await Promise.all([this.keys.close(), this.blobs.close()]);
    const { broker, session } = this.ports;
    broker.call('file.close', { session, reading: this.id, sent: this.sent.list() }).catch(() => undefined);
  }
}
