import type { StatementSync } from 'node:sqlite';
import type { FlowPolicy } from '../../policy/flow.ts';
import type { Grant, GrantStore } from '../../policy/grants.ts';
import type { Database } from './database.ts';
import { SqliteFlow } from './flow.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS grants (
  account TEXT NOT NULL, folder TEXT NOT NULL, tenant TEXT NOT NULL,
  mount TEXT NOT NULL, rights INTEGER NOT NULL,
  PRIMARY KEY (account, folder), UNIQUE (account, mount)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS grants_folder ON grants (folder);
CREATE TABLE IF NOT EXISTS grant_policies (
  account TEXT NOT NULL, folder TEXT NOT NULL, policy TEXT NOT NULL,
  PRIMARY KEY (account, folder),
  FOREIGN KEY (account, folder) REFERENCES grants (account, folder) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS grants_pickups AFTER DELETE ON grants BEGIN
  DELETE FROM pickups WHERE account = old.account AND folder = old.folder;
END;`;

const COLUMNS = 'account, folder, tenant, mount, rights';
const SELECTION = `SELECT ${COLUMNS}, policy FROM grants LEFT JOIN grant_policies USING (account, folder)`;

interface Row extends Omit<Grant, 'policy'> {
  readonly policy: string | null;
}

export class SqliteGrants implements GrantStore {
  private readonly database: Database;
  private readonly insertion: StatementSync;
  private readonly removal: StatementSync;
  private readonly folderRemoval: StatementSync;
  private readonly accountRemoval: StatementSync;
  private readonly byAccount: StatementSync;
  private readonly byFolder: StatementSync;
  private readonly policyInsertion: StatementSync;
  private readonly policyRemoval: StatementSync;
  readonly flow: SqliteFlow;

  constructor(database: Database) {
    this.database = database;
    this.flow = new SqliteFlow(database);
    database.define(SCHEMA);
    const { sql } = database;
    this.insertion = sql.prepare(
      `INSERT INTO grants (${COLUMNS}) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (account, folder) DO UPDATE SET mount = excluded.mount, rights = excluded.rights`,
    );
    this.removal = sql.prepare('DELETE FROM grants WHERE account = ? AND folder = ?');
    this.folderRemoval = sql.prepare('DELETE FROM grants WHERE folder = ?');
    this.accountRemoval = sql.prepare('DELETE FROM grants WHERE account = ?');
    this.byAccount = sql.prepare(`${SELECTION} WHERE account = ? ORDER BY mount`);
    this.byFolder = sql.prepare(`${SELECTION} WHERE folder = ? ORDER BY account`);
    this.policyInsertion = sql.prepare('INSERT INTO grant_policies (account, folder, policy) VALUES (?, ?, ?)');
    this.policyRemoval = sql.prepare('DELETE FROM grant_policies WHERE account = ? AND folder = ?');
  }

  write<T>(action: () => T): Promise<T> {
    return this.database.write(action);
  }

  put(grant: Grant): void {
    const { account, folder, policy } = grant;
    this.insertion.run(account, folder, grant.tenant, grant.mount, grant.rights);
    this.policyRemoval.run(account, folder);
    if (policy !== null) this.policyInsertion.run(account, folder, JSON.stringify(policy));
  }

  remove(account: string, folder: string): boolean {
    return this.removal.run(account, folder).changes === 1;
  }

  removeFolder(folder: string): void {
    this.folderRemoval.run(folder);
  }

  removeAccount(account: string): void {
    this.accountRemoval.run(account);
  }

  ofAccount(account: string): Grant[] {
    return (this.byAccount.all(account) as unknown as Row[]).map(toGrant);
  }

  ofFolder(folder: string): Grant[] {
    return (this.byFolder.all(folder) as unknown as Row[]).map(toGrant);
  }
}

function toGrant(row: Row): Grant {
  return { ...row, policy: row.policy === null ? null : (JSON.parse(row.policy) as FlowPolicy) };
}
