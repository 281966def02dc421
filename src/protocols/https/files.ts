/** What is at a path, listings, directories, names. */
import { makeDirectory, rename } from '../../api/files.ts';
import type { DirectoryPage, FileEntry, FileInfo } from '../../api/files.ts';
import type { Attributes } from '../../broker/calls.ts';
import type { SessionFiles } from '../../transfer/transfer.ts';
import { entityTag, matches } from './conditions.ts';
import type { Exchange } from './exchange.ts';
import { creatable, filePathOf, lastName, plainPath } from './paths.ts';

const PAGE = 500;

function entryOf(name: string, of: Attributes): FileEntry {
  const { kind, size, mtime, permissions, partial } = of;
  const modified = new Date(mtime * 1000).toISOString();
  return {
    name,
    kind,
    size,
    modified,
    mayRead: (permissions & 0o400) !== 0,
    mayWrite: (permissions & 0o200) !== 0,
    partial,
  };
}

export function infoOf(path: string, of: Attributes): FileInfo {
  return { ...entryOf(lastName(path), of), path, version: of.partial ? null : (of.version ?? null) };
}

async function get(exchange: Exchange): Promise<void> {
  const path = filePathOf(exchange.rest);
  const attributes = await exchange.files.stat(path);
  const info = infoOf(path, attributes);
  if (attributes.kind === 'directory') {
    exchange.send(200, await page(exchange, info));
    return;
  }
  const tag = info.version === null ? null : entityTag(info.version);
  const headers = { 'Cache-Control': 'private, no-cache', ...(tag === null ? {} : { ETag: tag }) };
  const known = exchange.header('if-none-match');
  if (known !== undefined && matches(known, tag, 'weak')) exchange.sendEmpty(304, headers);
  else exchange.send(200, info, headers);
}

async function page(exchange: Exchange, info: FileInfo): Promise<DirectoryPage> {
  const limit = Number(exchange.asked('limit') ?? PAGE);
  const after = exchange.asked('after') ?? null;
  const { entries, more } = await upTo(exchange.files, info.path, after, limit);
  const last = entries.at(-1);
  return {
    ...info,
    entries: entries.map((entry) => entryOf(entry.name, entry)),
    next: more && last !== undefined ? last.name : null,
  };
}

/** A page of another size than those of the broker. */
async function upTo(files: SessionFiles, path: string, after: string | null, limit: number) {
  const found = await files.list(path, after);
  const entries = found.entries.slice(0, limit);
  let more = found.more || found.entries.length > limit;
  const last = entries.at(-1);
  if (found.more && entries.length < limit && last !== undefined) {
    const next = await files.list(path, last.name);
    const rest = next.entries.slice(0, limit - entries.length);
    more = next.more || next.entries.length > rest.length;
    entries.push(...rest);
  }
  return { entries, more };
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
