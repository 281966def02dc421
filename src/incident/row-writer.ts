/** Rows of the index, in the order of the columns of tables.ts. */
import { addressNumber } from './addresses.ts';
import { Batch } from './batch.ts';
import type { FilledBatch } from './batch.ts';
import type { EventOf } from '../ledger/core/kinds.ts';
import type { ByteRange } from '../ledger/core/fields.ts';
import type { Reading, Session } from './scan-state.ts';
import { NOWHERE } from './places.ts';
import { SIGNED_IN, TABLE_NAMES } from './tables.ts';
import type { TableName } from './tables.ts';

export type Rows = { readonly [T in TableName]: Batch<T> };

export interface RowTarget {
  readonly send: (batch: FilledBatch) => void;
  /** The number of a text, the same each time. */
  readonly name: (text: string) => number;
}

export interface Sent {
  readonly place: number;
  readonly bytes: number;
  readonly known: boolean;
  readonly ranges: readonly ByteRange[];
}

export class RowWriter {
  readonly rows: Rows;
  readonly name: (text: string) => number;

  constructor({ send, name }: RowTarget) {
    this.rows = Object.fromEntries(TABLE_NAMES.map((table) => [table, new Batch(table, send)])) as unknown as Rows;
    this.name = name;
  }

  flush(): void {
    for (const table of TABLE_NAMES) this.rows[table].flush();
  }

  reading(table: 'readings' | 'readingsTail', reading: Reading, outcome: number, endTime: number, sent?: Sent): void {
    const { place, session, folder, directoryHigh, directoryLow, file, version, firstTime, lastTime } = reading;
    const [f0, f1, f2, f3] = file as unknown as readonly [number, number, number, number];
    const [v0, v1, v2, v3] = version as unknown as readonly [number, number, number, number];
    const [offset, length] = sent?.ranges[0] ?? [0, 0];
    const { releases, released } = reading;
    this.rows[table].add(
      ...([place, session.place, folder, directoryHigh, directoryLow, f0, f1, f2, f3, v0, v1, v2, v3] as const),
      ...([firstTime, lastTime, endTime, releases, released, outcome, sent?.bytes ?? 0] as const),
      ...([sent?.place ?? NOWHERE, sent?.ranges.length ?? 0, offset, length] as const),
    );
    for (const [from, bytes] of sent?.ranges.slice(1) ?? []) this.rows.sentRanges.add(place, from, bytes);
  }

  session(table: 'sessions' | 'sessionsTail', session: Session): void {
    const { id, signIn, name } = { ...session, name: this.name };
    const [i0, i1, i2, i3] = id as unknown as readonly [number, number, number, number];
    const open = [...session.readings].reduce((sum, { released }) => sum + released, 0);
    const address = signIn?.address ?? '';
    this.rows[table].add(
      ...[session.place, i0, i1, i2, i3, signIn === null ? SIGNED_IN.no : SIGNED_IN.here, session.state],
      ...[session.firstTime, session.lastTime, session.endTime],
      ...[signIn?.account, signIn?.login, signIn?.protocol, address].map((text) => name(text ?? '')),
      ...addressWords(address),
      ...[signIn?.client, signIn?.run, signIn?.node, signIn?.software].map((text) => name(text ?? '')),
      ...[signIn?.factors, signIn?.credentials, signIn?.descriptions, signIn?.firsts].map((text) => name(text ?? '[]')),
      ...[name(session.endReason), session.readingCount, session.releases, session.released, session.sentBytes],
      ...[session.unknownBytes + open, session.listings, session.writes],
    );
  }

  failure(place: number, entry: EventOf<'sign-in-failed'> & { readonly time: number }): void {
    const { time, account, address, tries } = entry;
    this.rows.failures.add(place, time, this.name(account ?? ''), ...addressWords(address), tries);
  }
}

/** Two halves of two words; zeros for what is no address. */
export function addressWords(address: string): [number, number, number, number] {
  const { high, low } = addressNumber(address) ?? { high: 0n, low: 0n };
  return [Number(high >> 32n), Number(high & 0xffff_ffffn), Number(low >> 32n), Number(low & 0xffff_ffffn)];
}
