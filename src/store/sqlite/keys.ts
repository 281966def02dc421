import type { StatementSync } from 'node:sqlite';
import type { KeyStore, TenantKeyRow } from '../../keys/keys.ts';
import type { Database } from './database.ts';

// `serial` tells the youngest key of a tenant; the rest stay for the files wrapped with them.
const SCHEMA = `
CREATE TABLE IF NOT EXISTS root_keys (
  id TEXT PRIMARY KEY, check_value BLOB NOT NULL, created INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tenant_keys (
  serial INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  tenant TEXT NOT NULL, root TEXT NOT NULL, wrapped BLOB NOT NULL, created INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS tenant_keys_tenant ON tenant_keys (tenant, serial);`;

const COLUMNS = 'id, tenant, root, wrapped';

export class SqliteKeys implements KeyStore {
  private readonly database: Database;
  private readonly insertion: StatementSync;
  private readonly removal: StatementSync;
  private readonly byId: StatementSync;
  private readonly youngest: StatementSync;

  constructor(database: Database) {
    this.database = database;
    database.define(SCHEMA);
    const { sql } = database;
    this.insertion = sql.prepare(`INSERT INTO tenant_keys (${COLUMNS}, created) VALUES (?, ?, ?, ?, ?)`);
    this.removal = sql.prepare('DELETE FROM tenant_keys WHERE tenant = ?');
    this.byId = sql.prepare(`SELECT ${COLUMNS} FROM tenant_keys WHERE id = ?`);
    this.youngest = sql.prepare(`SELECT ${COLUMNS} FROM tenant_keys WHERE tenant = ? ORDER BY serial DESC LIMIT 1`);
  }

  root(): { id: string; check: Uint8Array } | null {
    const row = this.database.sql.prepare('SELECT id, check_value AS "check" FROM root_keys').get();
    return (row as { id: string; check: Uint8Array } | undefined) ?? null;
  }

  rememberRoot(id: string, check: Uint8Array): Promise<void> {
    return this.database.write(() => {
      this.database.sql.prepare('INSERT INTO root_keys VALUES (?, ?, ?)').run(id, check, Date.now());
    });
  }

  insertTenantKey(row: TenantKeyRow): void {
    this.insertion.run(row.id, row.tenant, row.root, row.wrapped, Date.now());
  }

  removeTenantKeys(tenant: string): void {
    this.removal.run(tenant);
  }

  tenantKey(id: string): TenantKeyRow | null {
    return (this.byId.get(id) as TenantKeyRow | undefined) ?? null;
  }

  currentTenantKey(tenant: string): TenantKeyRow | null {
    return (this.youngest.get(tenant) as TenantKeyRow | undefined) ?? null;
  }
}
