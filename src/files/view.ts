/**
 * A session's view of the namespace. "/" lists the folders that the grants of its account mount; everything below a
 * mount is nodes of that folder. Whether something exists is told only to those who may list or read there: everybody
 * else gets the same answer for what is there and what is not.
 */
import { WaybillError } from '../base/errors.ts';
import { splitPath } from '../base/names.ts';
import type { Attributes } from '../broker/calls.ts';
import type { Grant, Grants } from '../policy/grants.ts';
import { has } from '../policy/rights.ts';
import type { Right, RightBits } from '../policy/rights.ts';
import type { FileSession } from './session.ts';
import type { FileStore, Node } from './store.ts';
import type { Upload } from './upload-registry.ts';

export interface Top {
  readonly at: 'top';
}
export interface Mount {
  readonly at: 'mount';
  readonly grant: Grant;
  readonly node: Node;
}
export interface Below {
  readonly at: 'below';
  readonly grant: Grant;
  readonly parent: Node;
  readonly name: string;
  readonly node: Node | null;
}
export type Place = Top | Mount | Below;

export class View {
  private readonly store: FileStore;
  private readonly grants: Grants;

  constructor(store: FileStore, grants: Grants) {
    this.store = store;
    this.grants = grants;
  }

  mounts(who: FileSession): Mount[] {
    return this.grants.ofAccount(who.account).flatMap((grant) => {
      // What a session may not use now, from where it is, it need not know of.
      const node = this.grants.holdsFor(grant, who) ? this.top(who, grant) : null;
      return node === null ? [] : [{ at: 'mount', grant, node } as const];
    });
  }

  /** The place that the path names; its last name need not exist, everything before it must. */
  find(who: FileSession, path: string): Place {
    const [mount, ...names] = splitPath(path);
    if (mount === undefined) return { at: 'top' };
    const grant = this.grants.mounted(who.account, mount);
    const top = grant === undefined ? null : this.top(who, grant);
    if (grant === undefined || top === null) throw notFound(path);
    this.grants.admit(grant, who);
    const name = names.pop();
    if (name === undefined) return { at: 'mount', grant, node: top };
    const parent = this.walk(top, names, path, grant.rights);
    return { at: 'below', grant, parent, name, node: this.store.child(parent.id, name) };
  }

  /** A place for something that can be made, changed or removed by a client. */
  below(who: FileSession, path: string): Below {
    const place = this.find(who, path);
    if (place.at === 'below') return place;
    throw new WaybillError('permission-denied', `${path} is a folder that the operator manages`);
  }

  /** The folder that a node lies in, by its top directory; null once it is removed. */
  folderOf(node: number): string | null {
    let at = this.store.node(node);
    while (at !== null && at.parent !== 0) at = this.store.node(at.parent);
    return at?.name ?? null;
  }

  /** Below its folder, a slash before each name: how records name a place. */
  pathOf(parent: number, name: string): string {
    let path = `/${name}`;
    for (let at = this.store.node(parent); at !== null && at.parent !== 0; at = this.store.node(at.parent))
      path = `/${at.name}${path}`;
    return path;
  }

  private walk(top: Node, names: readonly string[], path: string, rights: RightBits): Node {
    let at = top;
    for (const name of names) {
      const next = this.store.child(at.id, name);
      if (next === null) throw notFound(path);
      if (next.kind === 'file')
        throw seesNames(rights) ? new WaybillError('not-a-directory', `a part of ${path} is a file`) : notFound(path);
      at = next;
    }
    return at;
  }

  /** Checked here again: whatever a grant says, nobody sees a folder of another tenant. */
  private top(who: FileSession, grant: Grant): Node | null {
    const folder = this.store.folder(grant.folder);
    return folder === null || folder.tenant !== who.tenant ? null : this.store.node(folder.root);
  }
}

export function notFound(path: string): WaybillError {
  return new WaybillError('not-found', `${path} does not exist`);
}

export function need(grant: Grant, right: Right, path: string): void {
  if (!has(grant.rights, right))
    throw new WaybillError('permission-denied', `the account has no right "${right}" on ${path}`);
}

/** Who may read may know of a name that he already has. */
export function seesNames(rights: RightBits): boolean {
  return has(rights, 'list') || has(rights, 'read');
}

const DIRECTORY_BITS = 0o100;
const BITS: readonly (readonly [Right, directory: number, file: number])[] = [
  ['list', 0o400, 0],
  ['read', 0, 0o400],
  ['write', 0o200, 0o200],
];

export function permissions(kind: 'file' | 'directory', rights: RightBits): number {
  let bits = kind === 'directory' ? DIRECTORY_BITS : 0;
  for (const [right, directory, file] of BITS) if (has(rights, right)) bits |= kind === 'directory' ? directory : file;
  return bits;
}

export function attributesOf(
  node: Omit<Node, 'id' | 'parent' | 'name' | 'file' | 'version'>,
  rights: RightBits,
): Attributes {
  const { kind, size, mtime, atime } = node;
  return { kind, size, mtime, atime, permissions: permissions(kind, rights), partial: false };
}

export function withVersion(attributes: Attributes, version: string | null): Attributes {
  return version === null ? attributes : { ...attributes, version };
}

export function uploadAttributes(upload: Upload, rights: RightBits): Attributes {
  const mtime = upload.mtime ?? Math.floor(upload.touched / 1000);
  const { size } = upload.seen;
  return {
    kind: 'file',
    size,
    mtime,
    atime: mtime,
    permissions: permissions('file', rights),
    partial: true,
    version: upload.id,
  };
}
