/** Root, tenant and file keys in SQLite, all of them wrapped. */
import type { StatementSync } from 'node:sqlite';
import type {
  FileKey,
  FileKeyPlace,
  KeyStore,
  RootRow,
  RootState,
  SecretsKeyRow,
  TenantKeyRow,
  TenantStateRow,
  WrappedRow,
} from '../../keys/store.ts';
import type { Database } from './database.ts';
import { KEYS_SCHEMA, takeOverOldKeys } from './keys-schema.ts';

const TENANT_KEY = 'id, tenant, root, wrapped';

const STATEMENTS = {
  roots: 'SELECT root, check_value AS "check", state FROM root_versions ORDER BY serial',
  outdateRoots: "UPDATE root_versions SET state = 'old' WHERE state = 'current'",
  addRoot: "INSERT INTO root_versions (root, check_value, state, created) VALUES (?, ?, 'current', ?)",
  setRootState: 'UPDATE root_versions SET state = ? WHERE root = ?',
  removeRoot: 'DELETE FROM root_versions WHERE root = ?',
  countWrapped: `SELECT (SELECT count(*) FROM tenant_keys WHERE root = ?1) +
    (SELECT count(*) FROM secrets_keys WHERE root = ?1) AS count`,
  tenantByOthers: `SELECT serial, ${TENANT_KEY} FROM tenant_keys WHERE root <> ? AND serial > ? ORDER BY serial LIMIT ?`,
  secretsByOthers: `SELECT serial, id, NULL AS tenant, root, wrapped FROM secrets_keys
    WHERE root <> ? AND serial > ? ORDER BY serial LIMIT ?`,
  replaceTenantKey: 'UPDATE tenant_keys SET root = ?, wrapped = ? WHERE id = ? AND root = ? AND wrapped = ?',
  replaceSecretsKey: 'UPDATE secrets_keys SET root = ?, wrapped = ? WHERE id = ? AND root = ? AND wrapped = ?',
  insertSecretsKey: 'INSERT INTO secrets_keys (id, root, wrapped, created) VALUES (?, ?, ?, ?)',
  secretsKeys: 'SELECT id, root, wrapped FROM secrets_keys ORDER BY serial',
  insertTenantKey: `INSERT INTO tenant_keys (${TENANT_KEY}, created) VALUES (?, ?, ?, ?, ?)`,
  blankTenantKeys: 'UPDATE tenant_keys SET wrapped = zeroblob(length(wrapped)) WHERE tenant = ?',
  removeTenantKeys: 'DELETE FROM tenant_keys WHERE tenant = ?',
  removeTenantKey: 'DELETE FROM tenant_keys WHERE id = ?',
  tenantKeys: `SELECT serial, ${TENANT_KEY} FROM tenant_keys WHERE serial > ? ORDER BY serial LIMIT ?`,
  tenantKeysOf: `SELECT ${TENANT_KEY} FROM tenant_keys WHERE tenant = ? ORDER BY serial`,
  tenantKey: `SELECT ${TENANT_KEY} FROM tenant_keys WHERE id = ?`,
  currentTenantKey: `SELECT ${TENANT_KEY} FROM tenant_keys WHERE tenant = ? ORDER BY serial DESC LIMIT 1`,
  olderTenantKeys: `SELECT ${TENANT_KEY} FROM tenant_keys AS one WHERE EXISTS
    (SELECT 1 FROM tenant_keys AS two WHERE two.tenant = one.tenant AND two.serial > one.serial) ORDER BY serial`,
  tenantStates: 'SELECT tenant, state, remaining AS "left" FROM tenant_key_states ORDER BY tenant',
  setTenantState: `INSERT INTO tenant_key_states (tenant, state, remaining, changed) VALUES (?, ?, ?, ?)
    ON CONFLICT (tenant) DO UPDATE SET state = excluded.state, remaining = excluded.remaining, changed = excluded.changed`,
  clearTenantState: 'DELETE FROM tenant_key_states WHERE tenant = ?',
} as const;

/** Tables of files/, made by SqliteFiles: these statements are prepared when they are first needed. */
const FILE_KEYS: Readonly<Record<FileKeyPlace, { readonly after: string; readonly replace: string }>> = {
  files: {
    after: `SELECT id, id AS file, tenant, tenant_key AS tenantKey, wrapped FROM files WHERE id > ? ORDER BY id LIMIT ?`,
    replace: 'UPDATE files SET tenant_key = ?, wrapped = ? WHERE id = ? AND tenant_key = ? AND wrapped = ?',
  },
  uploads: {
    after: `SELECT id, file, tenant, tenant_key AS tenantKey, wrapped FROM uploads WHERE id > ? ORDER BY id LIMIT ?`,
    replace: 'UPDATE uploads SET tenant_key = ?, wrapped = ? WHERE id = ? AND tenant_key = ? AND wrapped = ?',
  },
};

const HAS_FILES = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'uploads'";
const FILE_KEY = `SELECT id AS file, tenant, tenant_key AS tenantKey, wrapped FROM files WHERE id = ?1
  UNION ALL SELECT file, tenant, tenant_key, wrapped FROM uploads WHERE file = ?1 LIMIT 1`;

type Sql = Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

export class SqliteKeys implements KeyStore {
  private readonly database: Database;
  private readonly sql: Sql;
  private readonly fileKeys = new Map<string, StatementSync>();

  constructor(database: Database) {
    this.database = database;
    database.define(KEYS_SCHEMA);
    if (!database.readOnly) takeOverOldKeys(database.sql);
    this.sql = database.prepareAll(STATEMENTS);
  }

  write<T>(action: () => T): Promise<T> {
    return this.database.write(action);
  }

  roots(): RootRow[] {
    return this.sql.roots.all() as unknown as RootRow[];
  }
  addRoot(root: string, check: Uint8Array | null): void {
    this.sql.outdateRoots.run();
    this.sql.addRoot.run(root, check, Date.now());
  }
  setRootState(root: string, state: RootState): void {
    this.sql.setRootState.run(state, root);
  }
  removeRoot(root: string): void {
    this.sql.removeRoot.run(root);
  }
  countWrapped(root: string): number {
    return (this.sql.countWrapped.get(root) as { count: number }).count;
  }
  wrappedByOthers(kind: WrappedRow['kind'], root: string, after: number, limit: number): WrappedRow[] {
    const statement = kind === 'tenant' ? this.sql.tenantByOthers : this.sql.secretsByOthers;
    return statement.all(root, after, limit).map((row) => ({ ...(row as unknown as WrappedRow), kind }));
  }
  replaceWrapped(row: WrappedRow, root: string, wrapped: Uint8Array): boolean {
    const statement = row.kind === 'tenant' ? this.sql.replaceTenantKey : this.sql.replaceSecretsKey;
    return this.securely(() => statement.run(root, wrapped, row.id, row.root, row.wrapped).changes === 1);
  }

  insertSecretsKey(row: SecretsKeyRow): void {
    this.sql.insertSecretsKey.run(row.id, row.root, row.wrapped, Date.now());
  }
  secretsKeys(): SecretsKeyRow[] {
    return this.sql.secretsKeys.all() as unknown as SecretsKeyRow[];
  }

  insertTenantKey(row: TenantKeyRow): void {
    // A page that is split by it must not keep a copy of the rows that move.
    this.securely(() => this.sql.insertTenantKey.run(row.id, row.tenant, row.root, row.wrapped, Date.now()));
  }
  removeTenantKeys(tenant: string): number {
    return this.securely(() => {
      this.sql.blankTenantKeys.run(tenant);
      return Number(this.sql.removeTenantKeys.run(tenant).changes);
    });
  }
  removeTenantKey(id: string): void {
    this.securely(() => this.sql.removeTenantKey.run(id));
  }
  tenantKeys(after: number, limit: number): (TenantKeyRow & { serial: number })[] {
    return this.sql.tenantKeys.all(after, limit) as unknown as (TenantKeyRow & { serial: number })[];
  }
  tenantKeysOf(tenant: string): TenantKeyRow[] {
    return this.sql.tenantKeysOf.all(tenant) as unknown as TenantKeyRow[];
  }
  tenantKey(id: string): TenantKeyRow | null {
    return (this.sql.tenantKey.get(id) as TenantKeyRow | undefined) ?? null;
  }
  currentTenantKey(tenant: string): TenantKeyRow | null {
    return (this.sql.currentTenantKey.get(tenant) as TenantKeyRow | undefined) ?? null;
  }
  olderTenantKeys(): TenantKeyRow[] {
    return this.sql.olderTenantKeys.all() as unknown as TenantKeyRow[];
  }

  tenantStates(): TenantStateRow[] {
    return this.sql.tenantStates.all() as unknown as TenantStateRow[];
  }
  setTenantState({ tenant, state, left }: TenantStateRow): void {
    this.sql.setTenantState.run(tenant, state, left, Date.now());
  }
  clearTenantState(tenant: string): void {
    this.sql.clearTenantState.run(tenant);
  }

  fileKeysAfter(place: FileKeyPlace, id: string, limit: number): (FileKey & { id: string })[] {
    return this.prepared(FILE_KEYS[place].after).all(id, limit) as unknown as (FileKey & { id: string })[];
  }
  fileKeyOf(file: string): FileKey | null {
    // Where only keys are opened there are no files yet.
    if (this.prepared(HAS_FILES).get() === undefined) return null;
    return (this.prepared(FILE_KEY).get(file) as FileKey | undefined) ?? null;
  }
  replaceFileKey(place: FileKeyPlace, id: string, old: FileKey, fresh: FileKey): boolean {
    const statement = this.prepared(FILE_KEYS[place].replace);
    return statement.run(fresh.tenantKey, fresh.wrapped, id, old.tenantKey, old.wrapped).changes === 1;
  }

  cutLog(): boolean {
    const { sql } = this.database;
    // Nobody may wait for a reader here: everybody's commits would wait with it.
    sql.exec('PRAGMA busy_timeout = 20');
    try {
      const row = sql.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number } | undefined;
      return row?.busy === 0;
    } finally {
      sql.exec('PRAGMA busy_timeout = 5000');
    }
  }

  private prepared(text: string): StatementSync {
    let statement = this.fileKeys.get(text);
    if (statement === undefined) this.fileKeys.set(text, (statement = this.database.sql.prepare(text)));
    return statement;
  }

  /** SQLite fills with zeros what it frees meanwhile. Not always on: removing content would write all of it once more. */
  private securely<T>(action: () => T): T {
    const { sql } = this.database;
    sql.exec('PRAGMA secure_delete = ON');
    try {
      return action();
    } finally {
      sql.exec('PRAGMA secure_delete = OFF');
    }
  }
}
