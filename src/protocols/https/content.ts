/** The bytes of a file to the client: whole, in ranges, or only their checksum. */
import { createHash } from 'node:crypto';
import { randomBytes } from 'node:crypto';
import { WaybillError } from '../../base/errors.ts';
import type { Attributes } from '../../broker/calls.ts';
import type { OpenFile } from '../../transfer/transfer.ts';
import { entityTag, matches, rangeHolds } from './conditions.ts';
import type { Exchange } from './exchange.ts';
import { attachment } from './headers.ts';
import { filePathOf, lastName } from './paths.ts';
import { wantedOf } from './ranges.ts';
import type { ByteRange } from './ranges.ts';
import { eachPart, sendRange, write } from './sending.ts';

const TYPE = 'application/octet-stream';
const READ = { read: true, write: false, append: false, create: false, exclusive: false, truncate: false };

/** Of an offset whose segment has a number that the broker takes. */
const FIRST_MAX = 2 ** 44;

export async function withFile(
  exchange: Exchange,
  path: string,
  use: (file: OpenFile) => Promise<void>,
  from = 0,
): Promise<void> {
  const file = await exchange.files.open(path, { ...READ, from });
  try {
    await use(file);
  } finally {
    await file.close();
  }
}

function headersOf(path: string, { mtime, version }: Attributes): Record<string, string> {
  return {
    'Content-Type': TYPE,
    'Content-Disposition': attachment(lastName(path)),
    'Cache-Control': 'private, no-cache',
    'Accept-Ranges': 'bytes',
    'Last-Modified': new Date(mtime * 1000).toUTCString(),
    ...(version === undefined ? {} : { ETag: entityTag(version) }),
  };
}

async function head(exchange: Exchange): Promise<void> {
  const path = filePathOf(exchange.rest);
  const attributes = await complete(exchange, path);
  const headers = headersOf(path, attributes);
  if (known(exchange, attributes)) exchange.sendEmpty(304, headers);
  else exchange.sendEmpty(200, { ...headers, 'Content-Length': String(attributes.size) });
}

async function get(exchange: Exchange): Promise<void> {
  const path = filePathOf(exchange.rest);
  // Opening releases the first bytes: what is answered without them is answered before.
  if (exchange.header('if-none-match') !== undefined) {
    const attributes = await complete(exchange, path);
    if (known(exchange, attributes)) {
      exchange.sendEmpty(304, headersOf(path, attributes));
      return;
    }
  }
  await withFile(exchange, path, (file) => send(exchange, path, file), beginOf(exchange.header('range')));
}

/** Where the first range begins, as far as that is plain to see: what is not sent is not released. */
function beginOf(range: string | undefined): number {
  const begin = Number(/^bytes=(\d{1,15})-/.exec(range ?? '')?.[1] ?? 0);
  return Math.min(begin, FIRST_MAX);
}

async function complete(exchange: Exchange, path: string): Promise<Attributes> {
  const attributes = await exchange.files.stat(path);
  if (attributes.kind === 'directory') throw new WaybillError('is-a-directory', `${path} is a directory`);
  if (attributes.partial) throw new WaybillError('in-use', `the upload of ${path} is not complete`);
  return attributes;
}

function known(exchange: Exchange, { version }: Attributes): boolean {
  const header = exchange.header('if-none-match');
  return header !== undefined && matches(header, version === undefined ? null : entityTag(version), 'weak');
}

async function send(exchange: Exchange, path: string, file: OpenFile): Promise<void> {
  const attributes = file.stat();
  const { size, version } = attributes;
  const headers = headersOf(path, attributes);
  const holds = rangeHolds(exchange.header('if-range'), version === undefined ? '' : entityTag(version));
  const wanted = wantedOf(holds ? exchange.header('range') : undefined, size);
  const { response } = exchange;
  if (wanted.kind === 'none') {
    response.setHeader('Content-Range', `bytes */${size}`);
    throw new WaybillError('offset-invalid', `the range is not within the ${size} bytes of the file`);
  }
  // The first bytes may be refused: then the answer must be the refusal, not half a success.
  const first = wanted.kind === 'all' ? 0 : (wanted.ranges[0]?.first ?? 0);
  if (size > 0) await file.read(first, 1, first + 1);
  if (wanted.kind === 'all') {
    response.writeHead(200, { ...headers, 'Content-Length': size });
    await sendRange(response, file, 0, size);
  } else if (wanted.ranges.length === 1)
    await sendOne(exchange, file, headers, wanted.ranges[0] ?? { first: 0, last: 0 });
  else await sendMany(exchange, file, headers, wanted.ranges);
  response.end();
}

async function sendOne(
  exchange: Exchange,
  file: OpenFile,
  headers: Record<string, string>,
  range: ByteRange,
): Promise<void> {
  exchange.response.writeHead(206, {
    ...headers,
    'Content-Range': contentRange(range, file.stat().size),
    'Content-Length': range.last - range.first + 1,
  });
  await sendRange(exchange.response, file, range.first, range.last + 1);
}

/** RFC 9110 section 14.6. */
async function sendMany(
  exchange: Exchange,
  file: OpenFile,
  headers: Record<string, string>,
  ranges: readonly ByteRange[],
): Promise<void> {
  const boundary = randomBytes(18).toString('hex');
  const { size } = file.stat();
  const heads = ranges.map((range) =>
    Buffer.from(`\r\n--${boundary}\r\nContent-Type: ${TYPE}\r\nContent-Range: ${contentRange(range, size)}\r\n\r\n`),
  );
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`);
  const bytes = ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const length = heads.reduce((sum, part) => sum + part.length, bytes) + tail.length;
  const type = `multipart/byteranges; boundary=${boundary}`;
  exchange.response.writeHead(206, { ...headers, 'Content-Type': type, 'Content-Length': length });
  for (const [index, { first, last }] of ranges.entries()) {
    await write(exchange.response, [heads[index] ?? tail]);
    await sendRange(exchange.response, file, first, last + 1);
  }
  await write(exchange.response, [tail]);
}

function contentRange({ first, last }: ByteRange, size: number): string {
  return `bytes ${first}-${last}/${size}`;
}

async function checksum(exchange: Exchange): Promise<void> {
  const path = filePathOf(exchange.rest);
  await withFile(exchange, path, async (file) => {
    const { size, version } = file.stat();
    const hash = createHash('sha256');
    await eachPart(file, 0, size, (parts) => {
      for (const part of parts) hash.update(part);
      if (exchange.over) return Promise.reject(new WaybillError('session-ended', 'the client is gone'));
      // Other connections of this process get their turn.
      return new Promise((resolve) => setImmediate(resolve));
    });
    exchange.send(200, { path, version: version ?? null, size, sha256: hash.digest('hex') });
  });
}

export const contentHandlers = { 'content.get': get, 'content.head': head, 'checksum.get': checksum };
