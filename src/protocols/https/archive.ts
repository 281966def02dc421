/** A directory with all in it as a ZIP that is made while it is sent: nothing is kept but where we are and what was sent. */
import { WaybillError } from '../../base/errors.ts';
import type { DirectoryEntry } from '../../broker/calls.ts';
import { withFile } from './content.ts';
import type { Exchange } from './exchange.ts';
import { attachment } from './headers.ts';
import { childOf, filePathOf, lastName } from './paths.ts';
import { eachPart, write } from './sending.ts';
import { zipName } from './zip-names.ts';
import { ZipWriter } from './zip.ts';

/** The directory at the end of the archive is kept in memory until then. */
const ENTRIES_MAX = 200_000;

async function get(exchange: Exchange): Promise<void> {
  const path = filePathOf(exchange.rest);
  const { kind } = await exchange.files.stat(path);
  if (kind !== 'directory') throw new WaybillError('not-a-directory', `${path} is a file`);
  // Before the first byte: what may not be listed is refused as such.
  const first = await exchange.files.list(path, null);
  // They are sent with the first byte; until then a refusal is an answer of its own.
  const { response } = exchange;
  response.statusCode = 200;
  const headers = {
    'Content-Type': 'application/zip',
    'Content-Disposition': attachment(`${path === '/' ? 'waybill' : lastName(path)}.zip`),
  };
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
  const zip = new ZipWriter();
  try {
    await addPages(exchange, zip, path, '', first);
  } catch (error) {
    if (!response.headersSent) for (const name of Object.keys(headers)) response.removeHeader(name);
    throw error;
  }
  await write(response, zip.finish());
  response.end();
}

type Page = { readonly entries: readonly DirectoryEntry[]; readonly more: boolean };

async function addPages(exchange: Exchange, zip: ZipWriter, path: string, inside: string, first: Page): Promise<void> {
  let page = first;
  for (;;) {
    for (const entry of page.entries) await add(exchange, zip, childOf(path, entry.name), inside, entry);
    const last = page.entries.at(-1);
    if (!page.more || last === undefined) return;
    page = await exchange.files.list(path, last.name);
  }
}

async function add(
  exchange: Exchange,
  zip: ZipWriter,
  path: string,
  inside: string,
  entry: DirectoryEntry,
): Promise<void> {
  if (exchange.over) throw new WaybillError('session-ended', 'the client is gone');
  if (zip.count >= ENTRIES_MAX) throw new WaybillError('too-large', `an archive holds at most ${ENTRIES_MAX} files`);
  // What is not complete is not content yet.
  if (entry.partial) return;
  const name = inside + zipName(entry.name);
  if (entry.kind === 'file') await addFile(exchange, zip, path, name);
  else {
    await write(exchange.response, [
      zip.begin({ name: `${name}/`, directory: true, size: 0, modified: entry.mtime }),
      zip.end(),
    ]);
    await addPages(exchange, zip, path, `${name}/`, await exchange.files.list(path, null));
  }
}

async function addFile(exchange: Exchange, zip: ZipWriter, path: string, name: string): Promise<void> {
  const { response } = exchange;
  await withFile(exchange, path, async (file) => {
    const { size, mtime } = file.stat();
    if (size > 0 && !response.headersSent) await file.read(0, 1);
    await write(response, [zip.begin({ name, directory: false, size, modified: mtime })]);
    await eachPart(file, 0, size, (parts) => write(response, zip.content(parts)));
    await write(response, [zip.end()]);
  });
}

export const archiveHandlers = { 'archive.get': get };
