/**
 * A broker in memory that keeps the promises of src/broker/calls.ts for files, with real blobs in a temporary folder.
 * Every request and answer goes through the table's schemas, and the rules of files/ for runs are the real ones.
 */
import { hkdfSync, randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { WaybillError } from '../../src/base/errors.ts';
import { SILENT } from '../../src/base/log.ts';
import { FRONT_CALLS } from '../../src/broker/calls.ts';
import type { ByteRange } from '../../src/base/ranges.ts';
import type { Attributes, BrokerCaller, FrontCallName, Request, Response, SegmentRun } from '../../src/broker/calls.ts';
import { checkRuns, ownedBy } from '../../src/files/runs.ts';
import { createSessionFiles } from '../../src/transfer/session-files.ts';
import type { SessionFiles } from '../../src/transfer/transfer.ts';

export interface FakeVersion {
  id: string;
  key: Buffer;
  size: number;
  runs: SegmentRun[];
  inline: { blob: string; bytes: Buffer } | null;
  mtime: number;
  atime: number;
}

interface FakeUpload {
  id: string;
  path: string;
  key: Buffer;
  blob: string;
  epoch: number;
  base: FakeVersion | null;
  persisted: boolean;
  session: string | null;
  kept: { size: number; runs: SegmentRun[] };
}

interface FakeReading {
  version: FakeVersion | null;
  sent: readonly ByteRange[] | null;
}

type Handler<N extends FrontCallName> = (request: Request<N>) => Response<N>;
type Handlers = { [N in FrontCallName]?: Handler<N> };

export function newId(): string {
  return randomBytes(16).toString('hex');
}

export class FakeBroker implements BrokerCaller {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'waybill-transfer-'));
  readonly blobs = path.join(this.folder, 'blobs');
  readonly incoming = path.join(this.folder, 'incoming');
  readonly files = new Map<string, FakeVersion>();
  readonly uploads = new Map<string, FakeUpload>();
  readonly readings = new Map<string, FakeReading>();
  readonly calls: { call: FrontCallName; request: Record<string, unknown> }[] = [];
  /** Throws to make a call fail. */
  before: (call: FrontCallName, request: Record<string, unknown>) => void | Promise<void> = () => undefined;

  constructor() {
    fs.mkdirSync(this.blobs);
    fs.mkdirSync(this.incoming);
  }

  remove(): void {
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  session(): SessionFiles {
    const { blobs, incoming } = this;
    return createSessionFiles({ broker: this, session: newId(), blobs, incoming, log: SILENT });
  }

  /** As after kill -9 of a front: uploads that were kept wait, the others are gone. */
  crashFronts(): void {
    for (const upload of this.uploads.values()) {
      if (upload.persisted) upload.session = null;
      else this.uploads.delete(upload.id);
    }
    this.readings.clear();
  }

  count(call: FrontCallName): number {
    return this.calls.filter((one) => one.call === call).length;
  }

  blobFile(blob: string): string {
    return path.join(this.blobs, blob);
  }

  async call<N extends FrontCallName>(call: N, request: Request<N>): Promise<Response<N>> {
    const checked = FRONT_CALLS[call].request.parse(request) as Request<N>;
    this.calls.push({ call, request: checked });
    await this.before(call, checked);
    const handler = this.handlers[call];
    if (handler === undefined) throw new WaybillError('call-unknown', call);
    // An answer never comes in the same turn.
    await new Promise((resolve) => setImmediate(resolve));
    return FRONT_CALLS[call].response.parse(handler(checked)) as Response<N>;
  }

  segmentKey(key: Buffer, blob: string, segment: number): Buffer {
    const info = Buffer.concat([
      Buffer.from('waybill segment'),
      Buffer.from(blob, 'hex'),
      Buffer.from([segment >>> 24, segment >>> 16, segment >>> 8, segment]),
    ]);
    return Buffer.from(hkdfSync('sha256', key, '', info, 32));
  }

  private readonly handlers: Handlers = {
    'files.stat': ({ path: name }) => this.stat(name),
    'files.list': ({ path: folder }) => ({
      directory: { kind: 'directory', size: 0, mtime: 0, atime: 0, permissions: 0o700, partial: false },
      entries: [...this.files.keys()]
        .filter((name) => name.startsWith(folder))
        .map((name) => ({ ...this.stat(name), name: name.slice(folder.length).replace(/^\//, '') })),
      more: false,
    }),
    'files.remove': ({ path: name }) => {
      if (!this.files.delete(name)) throw new WaybillError('not-found', name);
      return {};
    },
    'files.rename': ({ from, to }) => {
      const version = this.files.get(from);
      if (version === undefined) throw new WaybillError('not-found', from);
      this.files.delete(from);
      this.files.set(to, version);
      return {};
    },
    'files.set-times': ({ path: name, mtime, atime }) => {
      Object.assign(this.version(name), { mtime, atime });
      return {};
    },
    'file.open-read': ({ path: name, reading }) => {
      if (this.readings.get(reading)?.sent === null) throw new WaybillError('request-invalid', 'the reading is open');
      const version = this.version(name);
      this.readings.set(reading, { version, sent: null });
      return { version: version.id, attributes: this.stat(name), runs: version.runs, inline: version.inline };
    },
    release: ({ reading, first, count }) => {
      const { version } = this.reading(reading);
      if (version === null || first + count > Math.ceil(version.size / 2 ** 23))
        throw new WaybillError('offset-invalid', 'release');
      const keys = [];
      for (let segment = first; segment < first + count; segment++) {
        const run = version.runs.find((one) => segment >= one.first && segment < one.first + one.count);
        const blob = version.inline?.blob ?? run?.blob ?? null;
        if (blob !== null) keys.push({ segment, key: this.segmentKey(version.key, blob, segment) });
      }
      return { keys };
    },
    'file.close': ({ reading, sent }) => {
      this.reading(reading).sent = sent;
      return {};
    },
    'upload.open': (request) => this.openUpload(request),
    'upload.persist': ({ upload }) => {
      this.upload(upload).persisted = true;
      return {};
    },
    'upload.keys': ({ upload, first, count }) => {
      const { key, blob } = this.upload(upload);
      const segments = Array.from({ length: count }, (_, index) => first + index);
      return { keys: segments.map((segment) => ({ segment, key: this.segmentKey(key, blob, segment) })) };
    },
    'upload.progress': ({ upload: id, size, runs, durable, idle }) => {
      const upload = this.upload(id);
      checkRuns(runs, size, upload.blob, upload.base);
      if (durable && upload.persisted) upload.kept = { size, runs };
      if (idle) upload.session = null;
      return {};
    },
    'upload.commit': (request) => this.commit(request),
    'upload.discard': ({ upload }) => {
      fs.rmSync(path.join(this.incoming, this.upload(upload).blob), { force: true });
      this.uploads.delete(upload);
      return {};
    },
  };

  private openUpload({
    session,
    path: name,
    create,
    exclusive,
    truncate,
  }: Request<'upload.open'>): Response<'upload.open'> {
    const current = this.files.get(name);
    let upload = [...this.uploads.values()].find((one) => one.path === name);
    if (current === undefined && upload === undefined && !create) throw new WaybillError('not-found', name);
    if ((current !== undefined || upload !== undefined) && create && exclusive)
      throw new WaybillError('already-exists', name);
    if (upload !== undefined && upload.session !== null) throw new WaybillError('in-use', name);
    if (upload !== undefined && truncate) {
      this.uploads.delete(upload.id);
      upload = undefined;
    }
    if (upload === undefined) {
      const base = truncate ? null : (current ?? null);
      const kept = { size: base?.size ?? 0, runs: base?.runs ?? [] };
      const key = current?.key ?? randomBytes(32);
      upload = { id: newId(), path: name, key, blob: newId(), epoch: 0, base, persisted: false, session, kept };
      this.uploads.set(upload.id, upload);
    }
    upload.session = session;
    upload.epoch += 1;
    const { id, blob, epoch, kept, base } = upload;
    const attributes = { ...blank, size: kept.size, partial: true };
    const reading = newId();
    this.readings.set(reading, { version: base, sent: null });
    const key = this.segmentKey(upload.key, blob, 0);
    return { upload: id, blob, epoch, attributes, runs: kept.runs, inline: base?.inline ?? null, key, reading };
  }

  private commit({
    upload: id,
    size,
    runs,
    inline,
    mtime,
    atime,
  }: Request<'upload.commit'>): Response<'upload.commit'> {
    const upload = this.upload(id);
    if (inline === null) {
      checkRuns(runs, size, upload.blob, upload.base);
      const { length } = ownedBy(upload.blob, runs, size);
      if (length > 0) {
        const file = path.join(this.incoming, upload.blob);
        if (!upload.persisted || fs.statSync(file).size < length)
          throw new WaybillError('content-damaged', 'short blob');
        fs.renameSync(file, this.blobFile(upload.blob));
      }
    }
    const now = Math.floor(Date.now() / 1000);
    const version: FakeVersion = {
      id: newId(),
      key: upload.key,
      size,
      // As the real one: an inline content is named by its runs too.
      runs: inline === null ? runs : [{ first: 0, count: 1, blob: upload.blob }],
      inline: inline === null ? null : { blob: upload.blob, bytes: inline },
      mtime: mtime ?? now,
      atime: atime ?? now,
    };
    this.files.set(upload.path, version);
    this.uploads.delete(id);
    return { version: version.id, attributes: this.stat(upload.path) };
  }

  private stat(name: string): Attributes {
    const { size, mtime, atime } = this.version(name);
    return { ...blank, size, mtime, atime };
  }

  private version(name: string): FakeVersion {
    const version = this.files.get(name);
    if (version === undefined) throw new WaybillError('not-found', name);
    return version;
  }

  private upload(id: string): FakeUpload {
    const upload = this.uploads.get(id);
    if (upload?.session == null) throw new WaybillError('handle-invalid', 'the upload has ended');
    return upload;
  }

  private reading(id: string): FakeReading {
    const reading = this.readings.get(id);
    if (reading === undefined || reading.sent !== null)
      throw new WaybillError('handle-invalid', 'the reading has ended');
    return reading;
  }
}

const blank: Attributes = { kind: 'file', size: 0, mtime: 0, atime: 0, permissions: 0o600, partial: false };

const MODES = { read: false, write: false, append: false, create: false, exclusive: false, truncate: false };
export const READ = { ...MODES, read: true };
export const CREATE = { ...MODES, write: true, create: true, truncate: true };
export const MODIFY = { ...MODES, read: true, write: true };
export const APPEND = { ...MODES, write: true, append: true };

export async function put(files: SessionFiles, name: string, content: Buffer, step = 32768): Promise<void> {
  const file = await files.open(name, CREATE);
  for (let at = 0; at < content.length; at += step) await file.write(at, content.subarray(at, at + step));
  await file.close();
}

export async function get(files: SessionFiles, name: string, step = 32768): Promise<Buffer> {
  const file = await files.open(name, READ);
  const { size } = file.stat();
  const reads = [];
  for (let at = 0; at < size; at += step) reads.push(file.read(at, step));
  const parts = (await Promise.all(reads)).flat();
  await file.close();
  return Buffer.concat(parts);
}
