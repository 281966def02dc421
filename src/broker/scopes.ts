/** Which calls a session over HTTPS may make, by its scopes: each row of a session needs one of those that are named here. */
import type { Scope } from '../accounts/web/store.ts';
import { WaybillError } from '../base/errors.ts';
import type { FileHandlers } from '../files/files.ts';
import type { LiveSession } from './connections.ts';

const ANY_OF_FILES = ['files:list', 'files:read', 'files:write'] as const;
const READ = ['files:read'] as const;
const WRITE = ['files:write'] as const;

/** A call that has no row does not compile. `release` is what reads, also for an upload that changes a part of a file. */
export const SCOPES_OF: Readonly<Record<keyof FileHandlers, readonly Scope[]>> = {
  'files.stat': ANY_OF_FILES,
  'files.quota': ANY_OF_FILES,
  'files.list': ['files:list'],
  'files.mkdir': WRITE,
  'files.rmdir': WRITE,
  'files.remove': WRITE,
  'files.rename': WRITE,
  'files.set-times': WRITE,
  'file.open-read': READ,
  release: READ,
  'file.close': READ,
  'upload.open': WRITE,
  'upload.persist': WRITE,
  'upload.keys': WRITE,
  'upload.progress': WRITE,
  'upload.commit': WRITE,
  'upload.discard': WRITE,
};

/** What fast transfers do with the files that they are about; what else there is of calls comes after one of these. */
const OF_TRANSFER: ReadonlySet<keyof FileHandlers> = new Set([
  'files.stat',
  'files.set-times',
  'file.open-read',
  'upload.open',
]);

/** Throws `scope-missing`. Sessions over SSH have no scopes: their grants alone decide. */
export function requireScope(
  { web }: Pick<LiveSession, 'web'>,
  call: keyof FileHandlers,
  request: { readonly path?: string; readonly from?: string } = {},
): void {
  if (web === undefined) return;
  const needed = SCOPES_OF[call];
  if (!needed.some((scope) => web.scopes.includes(scope)))
    throw new WaybillError('scope-missing', `this needs the scope ${needed.join(' or ')}`);
  const { path = request.from } = request;
  if (web.paths === undefined || path === undefined) return;
  if (!OF_TRANSFER.has(call) || !web.paths.has(path))
    throw new WaybillError('scope-missing', 'a fast transfer is about the files that were asked for, and no others');
}
