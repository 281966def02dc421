import type { DatabaseSync } from 'node:sqlite';

// `serial` tells the youngest key of a tenant; the rest stay for the files wrapped with them.
export const KEYS_SCHEMA = `
CREATE TABLE IF NOT EXISTS root_keys (
  id TEXT PRIMARY KEY, check_value BLOB NOT NULL, created INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS root_versions (
  serial INTEGER PRIMARY KEY AUTOINCREMENT, root TEXT NOT NULL UNIQUE, check_value BLOB,
  state TEXT NOT NULL CHECK (state IN ('current', 'old', 'retiring')), created INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS secrets_keys (
  serial INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  root TEXT NOT NULL, wrapped BLOB NOT NULL, created INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tenant_keys (
  serial INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  tenant TEXT NOT NULL, root TEXT NOT NULL, wrapped BLOB NOT NULL, created INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS tenant_keys_tenant ON tenant_keys (tenant, serial);
CREATE TABLE IF NOT EXISTS tenant_key_states (
  tenant TEXT PRIMARY KEY, state TEXT NOT NULL CHECK (state IN ('locked', 'shredded')),
  remaining TEXT NOT NULL CHECK (remaining IN ('nothing', 'traces', 'contents')), changed INTEGER NOT NULL
) STRICT;`;

/** Data folders from before root keys had versions: one root key, from a file, named by its bare id. Done once. */
export function takeOverOldKeys(sql: DatabaseSync): void {
  sql.exec(`BEGIN IMMEDIATE;
    INSERT INTO root_versions (root, check_value, state, created)
      SELECT 'file:' || id, check_value, 'current', created FROM root_keys
      WHERE NOT EXISTS (SELECT 1 FROM root_versions);
    DELETE FROM root_keys;
    UPDATE tenant_keys SET root = 'file:' || root WHERE instr(root, ':') = 0;
    COMMIT`);
}
