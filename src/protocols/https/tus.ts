/**
 * Resumable uploads, tus 1.0.0. An upload is the account's upload in progress at a path, which transfer and the broker
 * keep anyway: its bytes go where those of SFTP go, and its address holds the rest. So nothing is stored here.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import type { Attributes } from '../../broker/calls.ts';
import type { UploadingFile } from '../../transfer/transfer.ts';
import type { Exchange } from './exchange.ts';
import { inTurn } from './ahead-of-turn.ts';
import { creatable } from './paths.ts';
import { StatusError } from './status-error.ts';
import { checkOffset, otherBytes } from './tus-failures.ts';
import {
  amountOf,
  CHECKSUMS,
  checksumOf,
  EXTENSIONS,
  formatAddress,
  parseAddress,
  pathOf,
  TUS_VERSION,
  uploadOf,
} from './tus-headers.ts';
import type { Checksum, UploadAddress } from './tus-headers.ts';
import { writingAlone } from './writing.ts';

const PLACE = '/api/v1/tus';
const STREAM = 'application/offset+octet-stream';
/** As long as files/ keeps an upload that nobody goes on with. */
const EXPIRY_SECONDS = 7 * 86_400;
const PIECE = 256 * 1024;
/** A client whose connection broke comes again before what it broke is put away: so long it waits, instead of hearing 423. */
const PUT_AWAY_MILLISECONDS = 3000;
const PUT_AWAY_STEP_MILLISECONDS = 50;

/** What is written: the body of the request, or a part that came before its turn. */
type Body = (each: (piece: Buffer) => Promise<void>) => Promise<void>;

function begin(exchange: Exchange): void {
  exchange.response.setHeader('Tus-Resumable', TUS_VERSION);
  if (exchange.header('tus-resumable') === TUS_VERSION) return;
  exchange.response.setHeader('Tus-Version', TUS_VERSION);
  throw new StatusError(412, new WaybillError('unsupported', `Tus-Resumable is not ${TUS_VERSION}`));
}

function options(exchange: Exchange): void {
  exchange.sendEmpty(204, {
    'Tus-Resumable': TUS_VERSION,
    'Tus-Version': TUS_VERSION,
    'Tus-Extension': EXTENSIONS,
    'Tus-Max-Size': String(Number.MAX_SAFE_INTEGER),
    'Tus-Checksum-Algorithm': CHECKSUMS,
  });
}

async function create(exchange: Exchange): Promise<void> {
  begin(exchange);
  if (exchange.header('upload-defer-length') !== undefined || exchange.header('upload-concat') !== undefined)
    throw new WaybillError('request-invalid', 'lengths that come later and parallel parts are not offered');
  const length = amountOf('Upload-Length', exchange.header('upload-length'));
  const metadata = exchange.header('upload-metadata');
  const path = creatable(pathOf(metadata));
  const withBody = exchange.header('content-type') !== undefined;
  const begun = uploadOf(metadata);
  if (begun !== null) {
    if (withBody) throw new WaybillError('request-invalid', 'an upload is taken up without bytes');
    await writingAlone(exchange.member, path, () => goOnByTus(exchange, { upload: begun, length, base: begun, path }));
    return;
  }
  if (withBody) checkType(exchange);
  const checksum = checksumOf(exchange.header('upload-checksum'));
  await writingAlone(exchange.member, path, async () => {
    const there = await statOrNull(exchange, path);
    const file = await exchange.files.openUpload(path, { create: true, exclusive: false, truncate: true });
    const upload = file.version ?? '';
    // Behind an upload of his own he does not see what stands there.
    const base = there?.partial === true ? upload : (there?.version ?? null);
    const address = { upload, length, base, path };
    const offset = await receive(exchange, file, address, withBody && length > 0 ? checksum : false);
    exchange.sendEmpty(201, {
      Location: `${PLACE}/${formatAddress(address)}`,
      ...(withBody ? { 'Upload-Offset': String(offset) } : {}),
      ...(offset < length ? expiry(Date.now() / 1000) : {}),
    });
  });
}

/**
 * An upload that began by another way, as UDP, gets an address of tus. Its end is not known before, so its bytes are cut
 * where the client has verified them.
 */
async function goOnByTus(exchange: Exchange, address: UploadAddress): Promise<void> {
  const { partial, version } = (await statOrNull(exchange, address.path)) ?? {};
  if (partial !== true || version !== address.upload) throw gone();
  const file = await takeUp(exchange, address);
  const size = file.stat().size;
  const named = exchange.header('upload-offset');
  const offset = named === undefined ? size : amountOf('Upload-Offset', named);
  try {
    checkLength(0, size, address.length);
    if (offset > size) checkOffset(offset, size);
  } catch (error) {
    await file.suspend();
    throw error;
  }
  await keep(file, offset < size ? offset : null);
  exchange.sendEmpty(201, {
    Location: `${PLACE}/${formatAddress(address)}`,
    'Upload-Offset': String(offset),
    ...expiry(Date.now() / 1000),
  });
}

async function head(exchange: Exchange): Promise<void> {
  begin(exchange);
  const address = parseAddress(exchange.rest);
  const found = await progressOf(exchange, address);
  exchange.sendEmpty(200, {
    'Upload-Offset': String(found.offset),
    'Upload-Length': String(address.length),
    'Upload-Metadata': `path ${Buffer.from(address.path).toString('base64')}`,
    ...(found.touched === null ? {} : expiry(found.touched)),
  });
}

async function patch(exchange: Exchange): Promise<void> {
  begin(exchange);
  checkType(exchange);
  const address = parseAddress(exchange.rest);
  const offset = amountOf('Upload-Offset', exchange.header('upload-offset'));
  const checksum = checksumOf(exchange.header('upload-checksum'));
  await writingAlone(exchange.member, address.path, async () => {
    const found = await progressOf(exchange, address);
    const write = async (body?: Body): Promise<void> => {
      const end = await goOn(exchange, address, offset, checksum, body);
      exchange.sendEmpty(204, {
        'Upload-Offset': String(end),
        ...(end < address.length ? expiry(Date.now() / 1000) : {}),
      });
    };
    if (offset > found.offset && checksum !== null && exchange.header('waybill-ahead') === 'wait') {
      const progress = async (): Promise<number> => (await progressOf(exchange, address)).offset;
      const ahead = { offset, length: address.length, checksum, progress };
      if (await inTurn(exchange, ahead, (part) => write((each) => inPieces(part, each)))) return;
    }
    checkOffset(offset, found.offset);
    // Complete already: the answer to the last bytes was lost.
    if (found.touched === null) exchange.sendEmpty(204, { 'Upload-Offset': String(offset) });
    else await write();
  });
}

async function inPieces(part: Buffer, each: (piece: Buffer) => Promise<void>): Promise<void> {
  for (let at = 0; at < part.length; at += PIECE) await each(part.subarray(at, at + PIECE));
}

async function goOn(
  exchange: Exchange,
  address: UploadAddress,
  offset: number,
  checksum: Checksum | null,
  body?: Body,
): Promise<number> {
  const file = await takeUp(exchange, address);
  try {
    checkOffset(offset, file.stat().size);
  } catch (error) {
    await file.suspend();
    throw error;
  }
  return receive(exchange, file, address, checksum, body);
}

async function remove(exchange: Exchange): Promise<void> {
  begin(exchange);
  const address = parseAddress(exchange.rest);
  await writingAlone(exchange.member, address.path, async () => {
    const found = await progressOf(exchange, address);
    if (found.touched !== null) await (await takeUp(exchange, address)).discard();
  });
  exchange.sendEmpty(204);
}

/** How far it is. `touched` is null when it is complete. Throws `not-found` when it is neither. */
async function progressOf(
  exchange: Exchange,
  address: UploadAddress,
): Promise<{ offset: number; touched: number | null }> {
  const { upload, length, base, path } = address;
  const there = await statOrNull(exchange, path);
  if (there?.partial === true && there.version === upload) return { offset: there.size, touched: there.mtime };
  // One that was taken up, or began behind another, knows no version from before: it is not complete for all that could be said.
  const other = there?.partial === false && there.version !== undefined && there.version !== base && base !== upload;
  if (other && there.size === length) return { offset: length, touched: null };
  throw gone();
}

function gone(): WaybillError {
  return new WaybillError('not-found', 'the upload has expired, was given up, or another one took its place');
}

async function takeUp(exchange: Exchange, { path, upload }: UploadAddress): Promise<UploadingFile> {
  const file = await openWhenPutAway(exchange, path);
  if (file.version === upload) return file;
  await file.suspend();
  throw new WaybillError('not-found', 'another upload took the place of this one');
}

async function openWhenPutAway(exchange: Exchange, path: string): Promise<UploadingFile> {
  const until = Date.now() + PUT_AWAY_MILLISECONDS;
  for (;;) {
    try {
      return await exchange.files.openUpload(path, { create: false, exclusive: false, truncate: false });
    } catch (error) {
      if (asWaybillError(error).code !== 'in-use' || Date.now() >= until || exchange.over) throw error;
      await setTimeout(PUT_AWAY_STEP_MILLISECONDS);
    }
  }
}

/** Takes the body in (`checksum` is false when there is none), then commits what is complete and keeps what is not. Returns the offset. */
async function receive(
  exchange: Exchange,
  file: UploadingFile,
  address: UploadAddress,
  checksum: Checksum | null | false,
  body: Body = (each) => exchange.body(each),
): Promise<number> {
  const start = file.stat().size;
  const hash = checksum === null || checksum === false ? null : createHash(checksum.algorithm);
  let at = start;
  try {
    if (checksum !== false) {
      checkLength(Number(exchange.header('content-length') ?? 0), at, address.length);
      await body(async (chunk) => {
        checkLength(chunk.length, at, address.length);
        hash?.update(chunk);
        await file.write(at, chunk);
        at += chunk.length;
      });
      if (checksum !== null && hash !== null && !timingSafeEqual(hash.digest(), checksum.value)) throw otherBytes();
    }
  } catch (error) {
    // Bytes that came under a checksum count only when it holds; others are kept as far as they came.
    await keep(file, hash !== null && at > start ? start : null);
    throw error;
  }
  if (at === address.length) await file.close();
  else await keep(file, null);
  return at;
}

async function keep(file: UploadingFile, size: number | null): Promise<void> {
  if (size !== null) await file.truncate(size);
  // An upload without a byte would be forgotten.
  await file.sync();
  await file.suspend();
}

function checkLength(more: number, at: number, length: number): void {
  if (at + more > length) throw new WaybillError('too-large', 'more bytes than Upload-Length says');
}

function checkType(exchange: Exchange): void {
  if (exchange.header('content-type')?.toLowerCase() !== STREAM)
    throw new StatusError(415, new WaybillError('request-invalid', `the body is not ${STREAM}`));
}

async function statOrNull(exchange: Exchange, path: string): Promise<Attributes | null> {
  try {
    return await exchange.files.stat(path);
  } catch (thrown) {
    if (asWaybillError(thrown).code === 'not-found') return null;
    throw thrown;
  }
}

function expiry(from: number): { 'Upload-Expires': string } {
  return { 'Upload-Expires': new Date((from + EXPIRY_SECONDS) * 1000).toUTCString() };
}

export const tusHandlers = {
  'tus.options': options,
  'tus.create': create,
  'tus.head': head,
  'tus.patch': patch,
  'tus.remove': remove,
};
