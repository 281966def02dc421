import type { StatementSync } from 'node:sqlite';
import type { Grant, GrantStore } from '../../policy/grants.ts';
import type { Database } from './database.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS grants (
  account TEXT NOT NULL, folder TEXT NOT NULL, tenant TEXT NOT NULL,
  mount TEXT NOT NULL, rights INTEGER NOT NULL,
  PRIMARY KEY (account, folder), UNIQUE (account, mount)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS grants_folder ON grants (folder);`;

const COLUMNS = 'account, folder, tenant, mount, rights';

export class SqliteGrants implements GrantStore {
  private readonly database: Database;
  private readonly insertion: StatementSync;
  private readonly removal: StatementSync;
  private readonly folderRemoval: StatementSync;
  private readonly accountRemoval: StatementSync;
  private readonly byAccount: StatementSync;
  private readonly byFolder: StatementSync;

  constructor(database: Database) {
    this.database = database;
    database.define(SCHEMA);
    const { sql } = database;
    this.insertion = sql.prepare(
      `INSERT INTO grants (${COLUMNS}) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (account, folder) DO UPDATE SET mount = excluded.mount, rights = excluded.rights`,
    );
    this.removal = sql.prepare('DELETE FROM grants WHERE account = ? AND folder = ?');
    this.folderRemoval = sql.prepare('DELETE FROM grants WHERE folder = ?');
    this.accountRemoval = sql.prepare('DELETE FROM grants WHERE account = ?');
    this.byAccount = sql.prepare(`SELECT ${COLUMNS} FROM grants WHERE account = ? ORDER BY mount`);
    this.byFolder = sql.prepare(`SELECT ${COLUMNS} FROM grants WHERE folder = ? ORDER BY account`);
  }

  write<T>(action: () => T): Promise<T> {
    return this.database.write(action);
  }

  put(grant: Grant): void {
    this.insertion.run(grant.account, grant.folder, grant.tenant, grant.mount, grant.rights);
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
    return this.byAccount.all(account) as unknown as Grant[];
  }

  ofFolder(folder: string): Grant[] {
    return this.byFolder.all(folder) as unknown as Grant[];
  }
}
