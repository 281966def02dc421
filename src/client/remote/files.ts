/** Files of the server over its HTTPS API: looking, making directories, and bytes for where UDP does not get through. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { checksum, directoryPage, fileInfo } from '../../api/files.ts';
import type { FileEntry, FileInfo } from '../../api/files.ts';
import { account } from '../../api/sign-in.ts';
import type { AccountInfo } from '../../api/sign-in.ts';
import { asWaybillError, WaybillError } from '../../base/errors.ts';
import type { BytesAnswer, HttpsClient } from '../../cli/https-client.ts';

const looked = z.union([directoryPage, fileInfo]);
const TUS = { 'Tus-Resumable': '1.0.0' } as const;
const TUS_TYPE = { ...TUS, 'Content-Type': 'application/offset+octet-stream' } as const;

/** A stream that is one of several on a poor link: 128 kbit/s are enough. */
const SLOWEST_BYTES_MILLISECOND = 16;

function allowanceOf(bytes: number): number {
  return Math.ceil(bytes / SLOWEST_BYTES_MILLISECOND);
}

export interface RangeWish {
  readonly path: string;
  readonly version: string | null;
  readonly size: number;
  readonly start: number;
  readonly end: number;
}

export class RemoteFiles {
  private readonly api: Pick<HttpsClient, 'ask' | 'bytes'>;
  private readonly signal: AbortSignal;
  private readonly ahead = new Map<string, Promise<FileInfo | null>>();

  constructor(api: Pick<HttpsClient, 'ask' | 'bytes'>, signal: AbortSignal) {
    this.api = api;
    this.signal = signal;
  }

  account(): Promise<AccountInfo> {
    return this.api.ask({ method: 'GET', path: '/api/v1/account', answer: account });
  }

  /** What the first `stat` of it will want to know. */
  lookAhead(path: string): void {
    const looking = this.look(path);
    looking.catch(() => undefined);
    this.ahead.set(path, looking);
  }

  /** Null when nothing is there. */
  stat(path: string): Promise<FileInfo | null> {
    const looking = this.ahead.get(path);
    this.ahead.delete(path);
    return looking ?? this.look(path);
  }

  private async look(path: string): Promise<FileInfo | null> {
    try {
      return await this.api.ask({ method: 'GET', path: `${addressOf('files', path)}?limit=1`, answer: looked });
    } catch (error) {
      if (asWaybillError(error).code === 'not-found') return null;
      throw error;
    }
  }

  async *list(path: string): AsyncGenerator<readonly FileEntry[], void, void> {
    let after: string | null = null;
    do {
      const query = `?limit=1000${after === null ? '' : `&after=${encodeURIComponent(after)}`}`;
      const page: z.infer<typeof directoryPage> = await this.api.ask({
        ...{ method: 'GET', path: `${addressOf('files', path)}${query}`, answer: directoryPage },
      });
      yield page.entries;
      if (page.next !== null && page.next === after) throw new WaybillError('internal', 'the list does not end');
      after = page.next;
    } while (after !== null);
  }

  /** Fine when it is there already. */
  async mkdir(path: string): Promise<void> {
    try {
      await this.api.ask({ method: 'POST', path: '/api/v1/mkdir', body: { path }, answer: z.unknown() });
    } catch (error) {
      if ((await this.stat(path))?.kind !== 'directory') throw error;
    }
  }

  async remove(path: string): Promise<void> {
    await this.api.ask({ method: 'DELETE', path: addressOf('files', path), answer: z.unknown() });
  }

  async checksum(path: string): Promise<string> {
    const { sha256 } = await this.api.ask({ method: 'GET', path: addressOf('checksum', path), answer: checksum });
    return sha256;
  }

  /** Throws `changed-meanwhile` when the file is not that one any more. */
  async range({ path, version, size, start, end }: RangeWish): Promise<Buffer> {
    const tag = version === null ? {} : { 'If-Range': `"${version}"` };
    const ranged = size > 0 ? { ...tag, Range: `bytes=${start}-${end - 1}` } : {};
    const { status, headers, bytes } = await this.bytes({
      ...{ method: 'GET', path: addressOf('content', path), headers: ranged, allowance: allowanceOf(end - start) },
    });
    const whole = size === 0 ? status === 200 : headers['content-range'] === `bytes ${start}-${end - 1}/${size}`;
    if (!whole || bytes.length !== end - start)
      throw new WaybillError('changed-meanwhile', `${path} is another file than was listed`);
    return bytes;
  }

  /** Durable when it resolves. */
  async put(path: string, body: Buffer): Promise<void> {
    const digest = createHash('sha256').update(body).digest('base64');
    const headers = { 'Content-Type': 'application/octet-stream', 'Repr-Digest': `sha-256=:${digest}:` };
    const allowance = allowanceOf(body.length);
    await this.bytes({ method: 'PUT', path: addressOf('content', path), headers, body, allowance });
  }

  /** Begins a resumable upload; its address. */
  beginUpload(path: string, length: number): Promise<string> {
    return this.create(length, { path }, {});
  }

  /** One that is in progress, however it began, from `offset`; its address. `not-found` when it is not there any more. */
  takeUp(path: string, length: number, upload: string, offset: number): Promise<string> {
    return this.create(length, { path, upload }, { 'Upload-Offset': String(offset) });
  }

  private async create(length: number, metadata: object, more: Readonly<Record<string, string>>): Promise<string> {
    const pairs = Object.entries(metadata).map(
      ([key, value]) => `${key} ${Buffer.from(String(value)).toString('base64')}`,
    );
    const { headers } = await this.bytes({
      ...{ method: 'POST', path: '/api/v1/tus' },
      headers: { ...TUS, 'Upload-Length': String(length), 'Upload-Metadata': pairs.join(','), ...more },
    });
    const { location = '' } = headers;
    const taken = headers['upload-offset'];
    // An older server does not know of taking up, and has begun another one.
    if (more['Upload-Offset'] !== taken) throw new WaybillError('not-found', 'the upload is not taken up there');
    if (/^\/api\/v1\/tus\/[A-Za-z0-9_-]+$/.test(location)) return location;
    throw new WaybillError('internal', 'the server names no address for the upload');
  }

  /** How far it is; null when there is none any more. */
  async uploaded(address: string): Promise<number | null> {
    // HEAD has no body that would name the failure.
    const answer = await this.bytes({ method: 'HEAD', path: address, headers: TUS }).catch(asWaybillError);
    if (!(answer instanceof WaybillError)) return amount(answer.headers['upload-offset']);
    if (answer.code === 'server-unreachable') throw answer;
    return null;
  }

  /** A part that comes before its turn waits there. */
  async append(address: string, offset: number, body: Buffer, digest: Buffer, stop?: AbortSignal): Promise<number> {
    const { headers } = await this.api.bytes({
      ...{ method: 'PATCH', path: address, body, allowance: allowanceOf(body.length) },
      signal: stop === undefined ? this.signal : AbortSignal.any([this.signal, stop]),
      headers: {
        'Waybill-Ahead': 'wait',
        ...{ ...TUS_TYPE, 'Upload-Offset': String(offset) },
        'Upload-Checksum': `sha256 ${digest.toString('base64')}`,
      },
    });
    return amount(headers['upload-offset']);
  }

  private bytes(asked: Omit<Parameters<HttpsClient['bytes']>[0], 'signal'>): Promise<BytesAnswer> {
    return this.api.bytes({ ...asked, signal: this.signal });
  }
}

function addressOf(what: 'files' | 'content' | 'checksum', path: string): string {
  return `/api/v1/${what}${path.split('/').map(encodeURIComponent).join('/')}`;
}

function amount(header: string | string[] | undefined): number {
  const value = typeof header === 'string' && /^\d{1,16}$/.test(header) ? Number(header) : NaN;
  if (Number.isSafeInteger(value)) return value;
  throw new WaybillError('internal', 'the server does not say how far the upload is');
}
