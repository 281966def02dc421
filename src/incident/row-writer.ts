/** Rows of the index, in the order of the columns of tables.ts. */
import type { EventOf } from '../ledger/core/kinds.ts';
import { addressNumber } from './addresses.ts';
import { Batch } from './batch.ts';
import type { FilledBatch } from './batch.ts';
import type { Reading, Session, SignIn } from './scan-state.ts';
import { SIGNED_IN, TABLE_NAMES } from './tables.ts';
import type { TableName } from './tables.ts';

export type Rows = Readonly<Record<TableName, Batch>>;

export interface RowTarget {
  readonly send: (batch: FilledBatch) => void;
  /** The number of a text, the same each time. */
  readonly name: (text: string) => number;
}

const NOT_SIGNED_IN: SignIn = {
  ...{ account: '', login: '', protocol: '', address: '', client: '', run: '', node: '', software: '' },
  ...{ factors: '[]', credentials: '[]', descriptions: '[]', firsts: '[]' },
};

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

  reading(
    table: 'readings' | 'readingsTail',
    reading: Reading,
    outcome: number,
    endTime: number,
    sentBytes = 0,
    ranges = 0,
    offset = 0,
    length = 0,
  ): void {
    const { file, version } = reading;
    const row = this.rows[table].u64(reading.place).u64(reading.session.place).u32(reading.folder);
    row.words(reading.directoryHigh, reading.directoryLow);
    row.words(file.a, file.b).words(file.c, file.d).words(version.a, version.b).words(version.c, version.d);
    row.u64(reading.firstTime).u64(reading.lastTime).u64(endTime).u32(reading.releases).u64(reading.released);
    row.u32(outcome).u64(sentBytes).u32(ranges).u64(offset).u64(length).end();
  }

  event(place: number, time: number, kind: number, session: number, folder: number, amount: number): void {
    this.rows.events.u64(place).u64(time).u32(kind).u64(session).u32(folder).u64(amount).end();
  }

  session(table: 'sessions' | 'sessionsTail', session: Session): void {
    const { id, signIn } = session;
    const said = signIn ?? NOT_SIGNED_IN;
    const open = [...session.readings].reduce((sum, { released }) => sum + released, 0);
    const row = this.rows[table].u64(session.place).words(id.a, id.b).words(id.c, id.d);
    row.u32(signIn === null ? SIGNED_IN.no : SIGNED_IN.here).u32(session.state);
    row.u64(session.firstTime).u64(session.lastTime).u64(session.endTime);
    for (const text of [said.account, said.login, said.protocol, said.address]) row.u32(this.name(text));
    const [a, b, c, d] = addressWords(said.address);
    row.words(a, b).words(c, d);
    for (const text of [said.client, said.run, said.node, said.software]) row.u32(this.name(text));
    for (const text of [said.factors, said.credentials, said.descriptions, said.firsts]) row.u32(this.name(text));
    row.u32(this.name(session.endReason)).u32(session.readingCount).u32(session.releases).u64(session.released);
    row
      .u64(session.sentBytes)
      .u64(session.unknownBytes + open)
      .u32(session.unknownReadings + session.readings.size);
    row.u32(session.strays).u64(session.firstRead).u64(session.lastRead);
    row.u32(session.listings).u32(session.writes).end();
  }

  failure(place: number, entry: EventOf<'sign-in-failed'> & { readonly time: number }): void {
    const [a, b, c, d] = addressWords(entry.address);
    const row = this.rows.failures
      .u64(place)
      .u64(entry.time)
      .u32(this.name(entry.account ?? ''));
    row.words(a, b).words(c, d).u32(entry.tries).end();
  }
}

/** Two halves of two words; zeros for what is no address. */
function addressWords(address: string): [number, number, number, number] {
  const { high, low } = addressNumber(address) ?? { high: 0n, low: 0n };
  return [Number(high >> 32n), Number(high & 0xffff_ffffn), Number(low >> 32n), Number(low & 0xffff_ffffn)];
}
