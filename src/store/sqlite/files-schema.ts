/**
 * Tables of files/. Names compare by their UTF-8 bytes (BINARY). `composed` is kept only for names that are not in
 * composed form already, so that lookalikes are found at no cost for everybody else.
 */
export const FILES_SCHEMA = `
CREATE TABLE IF NOT EXISTS tenants (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL,
  quota INTEGER, used INTEGER NOT NULL, created INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS folders (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL REFERENCES tenants (id), name TEXT NOT NULL,
  root INTEGER NOT NULL, created INTEGER NOT NULL, UNIQUE (tenant, name)
) STRICT;
CREATE TABLE IF NOT EXISTS nodes (
  id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER NOT NULL, name TEXT NOT NULL, composed TEXT,
  directory INTEGER NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, atime INTEGER NOT NULL,
  file TEXT, version TEXT, UNIQUE (parent, name)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS nodes_composed ON nodes (parent, composed) WHERE composed IS NOT NULL;
CREATE TABLE IF NOT EXISTS files (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, tenant_key TEXT NOT NULL, wrapped BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
  serial INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, file TEXT NOT NULL, size INTEGER NOT NULL, mtime INTEGER NOT NULL, created INTEGER NOT NULL,
  account TEXT NOT NULL, session TEXT NOT NULL, runs TEXT NOT NULL, inline_blob TEXT,
  state INTEGER NOT NULL, ended INTEGER, ended_by TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS versions_replaced ON versions (id) WHERE state = 1;
CREATE TABLE IF NOT EXISTS inline_contents (
  serial INTEGER PRIMARY KEY REFERENCES versions (serial), bytes BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS blobs (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, file TEXT NOT NULL,
  bytes INTEGER NOT NULL, length INTEGER NOT NULL, refs INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS product_folders (
  product TEXT NOT NULL, folder TEXT NOT NULL, PRIMARY KEY (product, folder)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS uploads (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, account TEXT NOT NULL, parent INTEGER NOT NULL, name TEXT NOT NULL,
  file TEXT NOT NULL, tenant_key TEXT NOT NULL, wrapped BLOB NOT NULL, base TEXT, blob TEXT NOT NULL UNIQUE,
  epoch INTEGER NOT NULL, size INTEGER NOT NULL, runs TEXT NOT NULL, touched INTEGER NOT NULL,
  UNIQUE (parent, name, account)
) STRICT;`;
