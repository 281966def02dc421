/** What is at a path, listings, directories, names. */
import { makeDirectory, rename } from '../../api/files.ts';
import type { DirectoryPage, FileEntry, FileInfo } from '../../api/files.ts';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import { isoSeconds } from '../../base/iso-seconds.ts';
import type { Attributes } from '../../broker/calls.ts';
import { entityTag, matches } from './conditions.ts';
import type { Exchange } from './exchange.ts';
import { creatable, filePathOf, lastName, plainPath } from './paths.ts';

const PAGE = 500;

function entryOf(name: string, of: Attributes): FileEntry {
  const { kind, size, mtime, permissions, partial } = of;
  return {
    name,
    kind,
    size,
    modified: isoSeconds(mtime),
    mayRead: (permissions & 0o400) !== 0,
    mayWrite: (permissions & 0o200) !== 0,
    partial,
  };
}

export function infoOf(path: string, of: Attributes): FileInfo {
  const { partial, version = null } = of;
  return {
    ...{ ...entryOf(lastName(path), of), path },
    ...{ version: partial ? null : version, upload: partial ? version : null },
  };
}

async function get(exchange: Exchange): Promise<void> {
  const path = filePathOf(exchange.rest);
  const listing = await pageOf(exchange, path).catch(asWaybillError);
  if (!(listing instanceof WaybillError)) {
    exchange.send(200, listing);
    return;
  }
  const attributes = await exchange.files.stat(path);
  if (attributes.kind === 'directory') throw listing;
  const info = infoOf(path, attributes);
  const tag = info.version === null ? null : entityTag(info.version);
  const headers = { 'Cache-Control': 'private, no-cache', ...(tag === null ? {} : { ETag: tag }) };
  const known = exchange.header('if-none-match');
  if (known !== undefined && matches(known, tag, 'weak')) exchange.sendEmpty(304, headers);
  else exchange.send(200, info, headers);
}

/** One call for a directory; what is a file, only its refusal tells. */
async function pageOf(exchange: Exchange, path: string): Promise<DirectoryPage> {
  const limit = Number(exchange.asked('limit') ?? PAGE);
  const after = exchange.asked('after') ?? null;
  const { directory, entries, more } = await exchange.files.list(path, after, limit);
  const last = entries.at(-1);
  return {
    ...infoOf(path, directory),
    entries: entries.map((entry) => entryOf(entry.name, entry)),
    next: more && last !== undefined ? last.name : null,
  };
}

async function remove(exchange: Exchange): Promise<void> {
  const path = filePathOf(exchange.rest);
  const { kind } = await exchange.files.stat(path);
  await (kind === 'directory' ? exchange.files.rmdir(path) : exchange.files.remove(path));
  exchange.sendEmpty(204);
}

async function mkdir(exchange: Exchange): Promise<void> {
  const path = creatable(plainPath((await exchange.json(makeDirectory)).path));
  await exchange.files.mkdir(path);
  exchange.send(201, infoOf(path, await exchange.files.stat(path)), { Location: addressOf('files', path) });
}

async function move(exchange: Exchange): Promise<void> {
  const { from, to, replace } = await exchange.json(rename);
  const target = creatable(plainPath(to));
  await exchange.files.rename(plainPath(from), target, replace);
  exchange.send(200, infoOf(target, await exchange.files.stat(target)), { Location: addressOf('files', target) });
}

export function addressOf(what: 'files' | 'content', path: string): string {
  return `/api/v1/${what}${path.split('/').map(encodeURIComponent).join('/')}`;
}

export const fileHandlers = { 'files.get': get, 'files.remove': remove, 'files.mkdir': mkdir, 'files.rename': move };
