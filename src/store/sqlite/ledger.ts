import type { StatementSync } from 'node:sqlite';
import type { LedgerStore, RecordEntry, RecordFilter, StoredRecord } from '../../ledger/ledger.ts';
import type { Database } from './database.ts';

// AUTOINCREMENT: a number is never given twice, even when the youngest row were removed by hand.
const SCHEMA = `
CREATE TABLE IF NOT EXISTS records (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  time INTEGER NOT NULL,
  kind TEXT NOT NULL,
  tenant TEXT, account TEXT, session TEXT, address TEXT,
  detail TEXT NOT NULL
) STRICT;`;

const LIST_MAX = 1000;

interface Row {
  number: number;
  time: number;
  kind: StoredRecord['kind'];
  tenant: string | null;
  account: string | null;
  session: string | null;
  address: string | null;
  detail: string;
}

export class SqliteLedger implements LedgerStore {
  private readonly insertion: StatementSync;
  private readonly selection: StatementSync;

  constructor(database: Database) {
    database.define(SCHEMA);
    this.insertion = database.sql.prepare(
      'INSERT INTO records (time, kind, tenant, account, session, address, detail) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.selection = database.sql.prepare(
      `SELECT * FROM records WHERE number > ?1 AND (?2 IS NULL OR tenant = ?2) AND (?3 IS NULL OR session = ?3)
       AND (?4 IS NULL OR kind = ?4) ORDER BY number LIMIT ?5`,
    );
  }

  insert(time: number, entry: RecordEntry): void {
    this.insertion.run(
      time,
      entry.kind,
      entry.tenant,
      entry.account,
      entry.session,
      entry.address,
      JSON.stringify(entry.detail),
    );
  }

  select(filter: RecordFilter): StoredRecord[] {
    const rows = this.selection.all(
      filter.after ?? 0,
      filter.tenant ?? null,
      filter.session ?? null,
      filter.kind ?? null,
      Math.min(filter.limit ?? LIST_MAX, LIST_MAX),
    ) as unknown as Row[];
    return rows.map((row) => ({ ...row, detail: JSON.parse(row.detail) as Record<string, unknown> }));
  }
}
