/** Every statement of SqliteFiles, named as its methods are. The columns of a result belong to rows.ts. */
import { CHILD_COLUMNS, CONTENT_COLUMNS, NODE_COLUMNS, UPLOAD_COLUMNS } from './rows.ts';

const TENANT = 'SELECT id, name, display_name AS displayName, quota, used FROM tenants';
const FOLDER = 'SELECT id, tenant, name, root FROM folders';
const SERIAL = '(SELECT serial FROM versions WHERE id = ?)';
const CONTENT = `SELECT ${CONTENT_COLUMNS} FROM versions v JOIN files f ON f.id = v.file`;

export const STATEMENTS = {
  tenant: `${TENANT} WHERE id = ?`,
  tenantByName: `${TENANT} WHERE name = ?`,
  tenants: `${TENANT} ORDER BY name`,
  insertTenant: 'INSERT INTO tenants (id, name, display_name, quota, used, created) VALUES (?, ?, ?, ?, ?, ?)',
  setQuota: 'UPDATE tenants SET quota = ? WHERE id = ?',
  addUsed: 'UPDATE tenants SET used = used + ? WHERE id = ?',
  removeTenant: 'DELETE FROM tenants WHERE id = ?',

  folder: `${FOLDER} WHERE id = ?`,
  folders: `${FOLDER} WHERE tenant = ? ORDER BY name`,
  insertFolder: 'INSERT INTO folders (id, tenant, name, root, created) VALUES (?, ?, ?, ?, ?)',
  removeFolder: 'DELETE FROM folders WHERE id = ?',
  productFolders: 'SELECT product, folder FROM product_folders ORDER BY product, folder',
  insertProductFolder: 'INSERT INTO product_folders (product, folder) VALUES (?, ?)',
  removeProductFolder: 'DELETE FROM product_folders WHERE product = ? AND folder = ?',

  node: `SELECT ${NODE_COLUMNS} FROM nodes WHERE id = ?`,
  child: `SELECT ${NODE_COLUMNS} FROM nodes WHERE parent = ? AND name = ?`,
  composedChild: 'SELECT name FROM nodes WHERE parent = ? AND composed = ? AND name <> ?',
  children: `SELECT ${CHILD_COLUMNS} FROM nodes WHERE parent = ? AND name > ? ORDER BY name LIMIT ?`,
  hasChildren: 'SELECT 1 FROM nodes WHERE parent = ? LIMIT 1',
  totals: `WITH RECURSIVE below (id) AS (VALUES (?) UNION ALL
    SELECT nodes.id FROM nodes JOIN below ON nodes.parent = below.id WHERE nodes.directory = 1)
    SELECT count(*) AS files, coalesce(sum(size), 0) AS bytes FROM nodes JOIN below ON nodes.parent = below.id
    WHERE nodes.directory = 0`,
  insertNode: `INSERT INTO nodes (parent, name, composed, directory, size, mtime, atime, file, version)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  replaceFile: 'UPDATE nodes SET size = ?, mtime = ?, atime = ?, file = ?, version = ? WHERE id = ?',
  moveNode: 'UPDATE nodes SET parent = ?, name = ?, composed = ? WHERE id = ?',
  removeNode: 'DELETE FROM nodes WHERE id = ?',
  setTimes: 'UPDATE nodes SET mtime = ?, atime = ? WHERE id = ?',
  touchDirectory: 'UPDATE nodes SET mtime = ?1 WHERE id = ?2 AND mtime < ?1',
  nodeOfFile: `SELECT ${NODE_COLUMNS} FROM nodes WHERE file = ?`,
  nodesOfFiles: `SELECT ${NODE_COLUMNS} FROM nodes WHERE file IN (SELECT value FROM json_each(?))`,

  insertFileKey: 'INSERT INTO files (id, tenant, tenant_key, wrapped) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
  content: `${CONTENT} WHERE v.id = ?`,
  insertVersion: `INSERT INTO versions (id, file, size, mtime, created, account, session, runs, inline_blob, state)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  endVersion: `UPDATE versions SET state = ?, ended = coalesce(ended, ?), ended_by = coalesce(ended_by, ?) WHERE id = ?`,
  replacedVersions: 'SELECT id FROM versions WHERE state = 1',
  versionsAfter: `${CONTENT} WHERE v.id > ? AND v.state < 2 ORDER BY v.id LIMIT ?`,
  insertInline: `INSERT INTO inline_contents (serial, bytes) VALUES (${SERIAL}, ?)`,
  copyInline: `INSERT INTO inline_contents (serial, bytes)
    SELECT ${SERIAL}, bytes FROM inline_contents WHERE serial = ${SERIAL}`,
  removeInline: `DELETE FROM inline_contents WHERE serial = ${SERIAL}`,
  inline: `SELECT bytes FROM inline_contents WHERE serial = ${SERIAL}`,

  blob: 'SELECT * FROM blobs WHERE id = ?',
  blobs: 'SELECT * FROM blobs',
  insertBlob: 'INSERT INTO blobs (id, tenant, file, bytes, length, refs) VALUES (?, ?, ?, ?, ?, ?)',
  addReference: 'UPDATE blobs SET refs = refs + ? WHERE id = ? RETURNING refs',
  removeBlob: 'DELETE FROM blobs WHERE id = ?',

  uploads: `SELECT ${UPLOAD_COLUMNS} FROM uploads`,
  // A row that a full disk kept from being removed makes way for the next upload of that name.
  insertUpload: `INSERT OR REPLACE INTO uploads (${UPLOAD_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  uploadOfBlob: 'SELECT id FROM uploads WHERE blob = ?',
  reopenUpload: 'UPDATE uploads SET epoch = ?, touched = ? WHERE id = ?',
  saveProgress: 'UPDATE uploads SET size = ?, runs = ?, touched = ? WHERE id = ?',
  moveUpload: 'UPDATE uploads SET parent = ?, name = ? WHERE id = ?',
  removeUpload: 'DELETE FROM uploads WHERE id = ?',
} as const;

/** Rows that are asked for most come without names. */
export const AS_ARRAYS = ['node', 'child', 'children', 'nodeOfFile', 'nodesOfFiles'] as const;
