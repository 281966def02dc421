/** Rows of the tables of files/ as they come from SQLite, and as files/ knows them. */
import type { SegmentRun } from '../../broker/calls.ts';
import type { Child, Content, Node, UploadRow, Version, VersionState } from '../../files/store.ts';

const STATES: readonly VersionState[] = ['current', 'replaced', 'gone'];

export function stateNumber(state: VersionState): number {
  return STATES.indexOf(state);
}

/** Runs are stored as [[first, count, blob], ...]. */
export function packRuns(runs: readonly SegmentRun[]): string {
  return JSON.stringify(runs.map((run) => [run.first, run.count, run.blob]));
}

export function unpackRuns(text: string): SegmentRun[] {
  const rows = JSON.parse(text) as [number, number, string | null][];
  return rows.map(([first, count, blob]) => ({ first, count, blob }));
}

export function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Every statement that reads nodes names these columns in this order and returns arrays: half the cost of objects. */
export const NODE_COLUMNS = 'id, parent, name, directory, size, mtime, atime, file, version';
export type NodeTuple = [number, number, string, number, number, number, number, string | null, string | null];

export function toNode(row: NodeTuple): Node {
  const [id, parent, name, directory, size, mtime, atime, file, version] = row;
  return { id, parent, name, kind: directory === 1 ? 'directory' : 'file', size, mtime, atime, file, version };
}

export const CHILD_COLUMNS = 'name, directory, size, mtime, atime';
export type ChildTuple = [string, number, number, number, number];

export function toChild(row: ChildTuple): Child {
  const [name, directory, size, mtime, atime] = row;
  return { name, kind: directory === 1 ? 'directory' : 'file', size, mtime, atime };
}

export const CONTENT_COLUMNS = `v.id, v.file, v.size, v.mtime, v.created, v.account, v.session, v.runs, v.inline_blob,
  v.state, f.tenant, f.tenant_key, f.wrapped`;

export interface ContentRow {
  id: string;
  file: string;
  size: number;
  mtime: number;
  created: number;
  account: string;
  session: string;
  runs: string;
  inline_blob: string | null;
  state: number;
  tenant: string;
  tenant_key: string;
  wrapped: Uint8Array;
}

export function toContent(row: ContentRow): Content {
  const { id, file, size, mtime, created, account, session } = row;
  const version: Version = {
    id,
    file,
    size,
    mtime,
    created,
    account,
    session,
    runs: unpackRuns(row.runs),
    inlineBlob: row.inline_blob,
    state: STATES[row.state] ?? 'gone',
  };
  return { version, key: { file, tenant: row.tenant, tenantKey: row.tenant_key, wrapped: row.wrapped } };
}

export const UPLOAD_COLUMNS = `id, tenant, account, parent, name, file, tenant_key, wrapped, base, blob, epoch, size,
  runs, touched`;

export interface UploadTuple {
  id: string;
  tenant: string;
  account: string;
  parent: number;
  name: string;
  file: string;
  tenant_key: string;
  wrapped: Uint8Array;
  base: string | null;
  blob: string;
  epoch: number;
  size: number;
  runs: string;
  touched: number;
}

export function toUpload(row: UploadTuple): UploadRow {
  const { id, tenant, account, parent, name, file, base, blob, epoch, size, touched } = row;
  const key = { file, tenant, tenantKey: row.tenant_key, wrapped: row.wrapped };
  return { id, tenant, account, parent, name, key, base, blob, epoch, size, runs: unpackRuns(row.runs), touched };
}
