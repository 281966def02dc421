/** PUT of a whole file: all of it, or nothing. */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import type { Attributes } from '../../broker/calls.ts';
import type { UploadingFile } from '../../transfer/transfer.ts';
import { entityTag, matches } from './conditions.ts';
import type { Exchange } from './exchange.ts';
import { addressOf } from './files.ts';
import { creatable, filePathOf } from './paths.ts';
import { writingAlone } from './writing.ts';

const DIGEST = /^sha-256=:([A-Za-z0-9+/]{43}=):$/;

async function put(exchange: Exchange): Promise<void> {
  const path = creatable(filePathOf(exchange.rest));
  if (exchange.header('content-range') !== undefined)
    throw new WaybillError('request-invalid', 'a part of a file cannot be put: use a resumable upload (tus)');
  const wanted = digestOf(exchange);
  const only = exchange.header('if-none-match')?.trim() === '*';
  const present = await statOrNull(exchange, path);
  checkMatch(exchange, present);
  await writingAlone(exchange.member, path, async () => {
    const file = await open(exchange, path, only);
    const stored = await receive(exchange, file, wanted);
    const created = present === null || present.partial;
    exchange.send(
      created ? 201 : 200,
      { path, version: file.version, ...stored },
      {
        ...(file.version === null ? {} : { ETag: entityTag(file.version) }),
        ...(created ? { Location: addressOf('content', path) } : {}),
      },
    );
  });
}

async function open(exchange: Exchange, path: string, only: boolean): Promise<UploadingFile> {
  try {
    return await exchange.files.openUpload(path, { create: true, exclusive: only, truncate: true });
  } catch (thrown) {
    const error = asWaybillError(thrown);
    if (only && error.code === 'already-exists') throw new WaybillError('changed-meanwhile', error.message);
    throw thrown;
  }
}

/** Which of the two failed must not tell whether the name is there: who may only write sees it as absent. */
async function statOrNull(exchange: Exchange, path: string): Promise<Attributes | null> {
  try {
    return await exchange.files.stat(path);
  } catch (thrown) {
    if (asWaybillError(thrown).code === 'not-found') return null;
    throw thrown;
  }
}

/** Looked at when the upload begins: two that begin at once may both be let in. */
function checkMatch(exchange: Exchange, present: Attributes | null): void {
  const header = exchange.header('if-match');
  if (header === undefined) return;
  const version = present?.partial === false ? present.version : undefined;
  if (!matches(header, version === undefined ? null : entityTag(version), 'strong'))
    throw new WaybillError('changed-meanwhile', 'what is there is not what If-Match names');
}

function digestOf(exchange: Exchange): string | null {
  const header = exchange.header('repr-digest') ?? exchange.header('content-digest');
  if (header === undefined) return null;
  const sums = header.split(',').map((one) => DIGEST.exec(one.trim())?.[1]);
  const found = sums.find((one) => one !== undefined);
  if (found === undefined) throw new WaybillError('request-invalid', 'of digests there is sha-256=:BASE64:');
  return found;
}

async function receive(exchange: Exchange, file: UploadingFile, wanted: string | null) {
  const hash: Hash | null = wanted === null ? null : createHash('sha256');
  let size = 0;
  let sum: Buffer | null = null;
  try {
    await exchange.body(async (chunk) => {
      hash?.update(chunk);
      const at = size;
      size += chunk.length;
      await file.write(at, chunk);
    });
    sum = hash?.digest() ?? null;
    if (sum !== null && sum.toString('base64') !== wanted)
      throw new WaybillError('checksum-mismatch', 'what arrived has another sha-256');
  } catch (error) {
    await file.discard().catch(() => undefined);
    throw error;
  }
  await file.close();
  return { size, sha256: sum?.toString('hex') ?? null };
}

export const storeHandlers = { 'content.put': put };
