/** Promises of the metadata store to the ledger: what is not yet in tiles. */

/** A tenant's log: its blinded name, and how much of it has been sealed. */
export interface LogRow {
  readonly tenant: string;
  readonly log: string;
  readonly salt: string;
  readonly size: number;
  readonly root: Buffer;
}

/** An entry that has been promised to somebody, and may not be sealed yet. */
export interface PendingEntry {
  /** Grows in the order of commit, over all logs; never used twice. */
  readonly seq: number;
  readonly tenant: string;
  readonly bytes: Buffer;
}

/** A head that is fixed, and may not be published yet. */
export interface Sealing {
  /** Index of the head in the heads log. */
  readonly index: number;
  /** Entries after `after` and up to `through` are what it sealed, by their numbers. */
  readonly after: number;
  readonly through: number;
  readonly head: Buffer;
  readonly changes: Buffer;
}

/** `seq` up to which entries are sealed; size and root of the heads log with the last sealing in it. */
export interface HeadsRow {
  readonly through: number;
  readonly size: number;
  readonly root: Buffer;
}

/** A session that has signed in and has not ended, to be named as a gap when its node died. */
export interface OpenSession {
  readonly session: string;
  readonly tenant: string;
}

/** Changing methods join the transaction of the `write` they are called in, and may be called nowhere else. */
export interface EntryStore {
  write<T>(action: () => T): Promise<T>;
  writePatiently<T>(action: () => T): Promise<T>;

  insert(tenant: string, bytes: Buffer): void;
  /** In order of `seq`, those after it. */
  entriesAfter(seq: number, limit: number): PendingEntry[];
  /** Of entries that are here; null when there is none. */
  lastEntry(): PendingEntry | null;
  countAfter(seq: number): number;
  removeThrough(seq: number): void;

  log(tenant: string): LogRow | null;
  logs(): LogRow[];
  insertLog(row: LogRow): void;
  saveLog(tenant: string, size: number, root: Buffer): void;

  /** Null before the first sealing. */
  heads(): HeadsRow | null;
  saveHeads(row: HeadsRow): void;
  sealings(): Sealing[];
  insertSealing(sealing: Sealing): void;
  removeSealing(index: number): void;

  /** Small durable values of the ledger's own: origin, last run, last time. */
  value(name: string): string | null;
  saveValue(name: string, value: string): void;

  openSession(session: string, tenant: string): void;
  closeSession(session: string): void;
  openSessions(): OpenSession[];
}
