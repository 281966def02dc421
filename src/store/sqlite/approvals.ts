import type { SQLOutputValue, StatementSync } from 'node:sqlite';
import type { Outcome, ProposalRow, ProposalStore } from '../../policy/approvals.ts';
import type { Database } from './database.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS proposals (
  number INTEGER PRIMARY KEY AUTOINCREMENT, reference TEXT NOT NULL UNIQUE, proposer TEXT NOT NULL,
  outcome TEXT, decided_by TEXT NOT NULL, decided INTEGER, sealed BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS proposals_waiting ON proposals (number) WHERE outcome IS NULL;`;

const STATEMENTS = {
  proposal: 'SELECT * FROM proposals WHERE reference = ?',
  waiting: 'SELECT * FROM proposals WHERE outcome IS NULL ORDER BY number',
  add: 'INSERT INTO proposals (reference, proposer, outcome, decided_by, decided, sealed) VALUES (?, ?, ?, ?, ?, ?)',
  decide: `UPDATE proposals SET outcome = ?2, decided_by = ?3, decided = ?4
    WHERE reference = ?1 AND outcome IS NULL`,
  forget: 'DELETE FROM proposals WHERE outcome IS NOT NULL AND decided < ?',
} as const;

export class SqliteProposals implements ProposalStore {
  private readonly database: Database;
  private readonly sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

  constructor(database: Database) {
    this.database = database;
    database.define(SCHEMA);
    this.sql = database.prepareAll(STATEMENTS);
  }

  write<T>(action: () => T): Promise<T> {
    return this.database.write(action);
  }

  proposal(reference: string): ProposalRow | null {
    const row = this.sql.proposal.get(reference);
    return row === undefined ? null : toRow(row);
  }

  waiting(): ProposalRow[] {
    return this.sql.waiting.all().map(toRow);
  }

  add({ reference, proposer, outcome, decidedBy, decided, sealed }: ProposalRow): void {
    this.sql.add.run(reference, proposer, outcome, decidedBy, decided, sealed);
  }

  decide(reference: string, outcome: Outcome, by: string, at: number): boolean {
    return this.sql.decide.run(reference, outcome, by, at).changes === 1;
  }

  forgetDecidedBefore(time: number): void {
    this.sql.forget.run(time);
  }
}

function toRow(row: Record<string, SQLOutputValue>): ProposalRow {
  return {
    reference: row['reference'] as string,
    proposer: row['proposer'] as string,
    outcome: row['outcome'] as Outcome | null,
    decidedBy: row['decided_by'] as string,
    decided: row['decided'] as number | null,
    sealed: Buffer.from(row['sealed'] as Uint8Array),
  };
}
