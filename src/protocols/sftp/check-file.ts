/**
 * check-file-handle and check-file-name (draft-ietf-secsh-filexfer-extensions-00, section 3): hashes over a range, so
 * that a client can compare without reading. SHA-2 only. The plain name "check-file" with a handle is what paramiko
 * sends; it alone expects that name in front of the answer.
 */
import { createHash } from 'node:crypto';
import { ByteWriter, type ByteReader } from '../../base/bytes.ts';
import { WaybillError } from '../../base/errors.ts';
import type { OpenFile } from '../../transfer/transfer.ts';
import * as answers from './answers.ts';
import { readSize } from './attributes.ts';
import type { FileHandle } from './handles.ts';
import { mustRead, readFileHandle, readPath, row, type AnyRow, type Context } from './request.ts';
import { TRANSFER_BYTES_MAX } from './wire.ts';

const DIGEST_BYTES: ReadonlyMap<string, number> = new Map([
  ['sha256', 32],
  ['sha384', 48],
  ['sha512', 64],
]);
export const CHECK_FILE_ALGORITHMS = [...DIGEST_BYTES.keys()].join(',');
const BLOCK_MIN = 256;

interface Range {
  readonly algorithm: string;
  readonly start: number;
  /** 0: to the end of the file. */
  readonly length: number;
  /** 0: one hash over the whole range. */
  readonly block: number;
}

function readRange(reader: ByteReader): Range {
  const algorithm = reader.nameList(1024).find((name) => DIGEST_BYTES.has(name));
  const start = readSize(reader);
  const length = readSize(reader);
  const block = reader.u32();
  reader.done();
  if (algorithm === undefined)
    throw new WaybillError('unsupported', `none of the hashes is offered; there are ${CHECK_FILE_ALGORITHMS}`);
  if (block !== 0 && block < BLOCK_MIN)
    throw new WaybillError('offset-invalid', `the block size must be 0 or at least ${BLOCK_MIN}`);
  return { algorithm, start, length, block };
}

/** Hash after hash of the blocks of the range, as far as the file reaches. */
async function hashes(file: OpenFile, range: Range, over: () => boolean): Promise<Buffer> {
  const size = file.stat().size;
  const end = range.length === 0 ? size : Math.min(size, range.start + range.length);
  const block = range.block === 0 ? Infinity : range.block;
  const count = Math.max(0, end - range.start) / block;
  if (count * (DIGEST_BYTES.get(range.algorithm) ?? 64) > TRANSFER_BYTES_MAX)
    throw new WaybillError('offset-invalid', 'so many hashes do not fit into one answer; ask with larger blocks');
  const digests: Buffer[] = [];
  let at = range.start;
  do {
    const blockEnd = Math.min(end, at + block);
    digests.push(await hashBlock(file, range.algorithm, at, blockEnd, over));
    at = blockEnd;
  } while (at < end);
  return Buffer.concat(digests);
}

async function hashBlock(
  file: OpenFile,
  algorithm: string,
  from: number,
  end: number,
  over: () => boolean,
): Promise<Buffer> {
  const hash = createHash(algorithm);
  for (let at = from; at < end;) {
    if (over()) throw new WaybillError('session-ended', 'the client is gone');
    const parts = await file.read(at, Math.min(TRANSFER_BYTES_MAX, end - at));
    if (parts.length === 0) break;
    for (const part of parts) {
      hash.update(part);
      at += part.length;
    }
  }
  return hash.digest();
}

async function answer(file: OpenFile, range: Range, prefix: string | null, id: number, context: Context) {
  const digests = await hashes(file, range, () => context.over());
  const body = new ByteWriter();
  if (prefix !== null) body.string(prefix);
  return answers.extended(id, body.string(range.algorithm).raw(digests).finish());
}

const memory = () => TRANSFER_BYTES_MAX;

export function checkFileHandle(name: string, prefix: string | null): AnyRow {
  return row<{ handle: FileHandle; range: Range }>({
    name,
    writes: false,
    memory,
    parse(reader, context) {
      const handle = mustRead(readFileHandle(reader, context));
      return { handle, range: readRange(reader) };
    },
    handle: ({ handle, range }, id, context) => answer(handle.file, range, prefix, id, context),
  });
}

export const checkFileName = row<{ path: string; range: Range }>({
  name: 'check-file-name',
  writes: false,
  memory,
  parse(reader, context) {
    const path = readPath(reader, context);
    return { path, range: readRange(reader) };
  },
  async handle({ path, range }, id, context) {
    const slot = context.handles.reserve();
    try {
      const file = await context.files.open(path, READ_ONLY);
      try {
        return await answer(file, range, null, id, context);
      } finally {
        await file.close();
      }
    } finally {
      context.handles.release(slot);
    }
  },
});

const READ_ONLY = { read: true, write: false, append: false, create: false, exclusive: false, truncate: false };
