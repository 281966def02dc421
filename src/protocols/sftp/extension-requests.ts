/**
 * Extended requests: OpenSSH's PROTOCOL file (section 4), draft-ietf-secsh-filexfer-extensions-00, and vendor-id of
 * draft-ietf-secsh-filexfer-13. A row with `advertised` stands in VERSION with that value.
 *
 * hardlink@openssh.com is not advertised: a name belongs to one file, and quota and records count by it.
 * "supported" and "supported2" belong to version 5 and 6.
 */
import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { WaybillError } from '../../base/errors.ts';
import type { Quota } from '../../transfer/transfer.ts';
import * as answers from './answers.ts';
import { OWNER_ID, putSize } from './attributes.ts';
import { CHECK_FILE_ALGORITHMS, checkFileHandle, checkFileName } from './check-file.ts';
import { copyData } from './copy-data.ts';
import type { FileHandle, Handle } from './handles.ts';
import { expandTilde } from './paths.ts';
import { refused, rename, setStat } from './path-requests.ts';
import { mustWrite, readFileHandle, readHandle, readPath, row, type AnyRow } from './request.ts';
import { PACKET_BYTES_ADVERTISED, TRANSFER_BYTES_MAX } from './wire.ts';

interface Extension {
  readonly advertised: string | Buffer | null;
  readonly row: AnyRow;
}

const BLOCK = 4096;
const ST_NOSUID = 2;
const NAME_BYTES = 255;
const IDS_MAX = 1024;

/** Eleven u64: bsize, frsize, blocks, bfree, bavail, files, ffree, favail, fsid, flag, namemax. */
function statVfs(quota: Quota): Buffer {
  const total = Math.min(quota.limit ?? Infinity, quota.storeTotal);
  const left = Math.max(0, Math.min((quota.limit ?? Infinity) - quota.used, quota.storeFree));
  const blocks = Math.floor(total / BLOCK);
  const free = Math.min(blocks, Math.floor(left / BLOCK));
  return sizes([BLOCK, BLOCK, blocks, free, free, 0, 0, 0, 0, ST_NOSUID, NAME_BYTES]);
}

function sizes(values: readonly number[]): Buffer {
  const bytes = Buffer.allocUnsafe(8 * values.length);
  values.reduce((at, value) => putSize(bytes, at, value), 0);
  return bytes;
}

/** One name per id of the list; "" for an id that is not ours. */
function namesOfIds(ids: Buffer, owner: string): Buffer {
  if (ids.length > 4 * IDS_MAX) throw new WaybillError('request-invalid', `more than ${IDS_MAX} ids`);
  const reader = new ByteReader(ids);
  const names = new ByteWriter();
  while (reader.remaining > 0) names.string(reader.u32() === OWNER_ID ? owner : '');
  return names.finish();
}

/** Vendor, product, product version, build. The version is the protocol's: the product's own helps only an attacker. */
const VENDOR = new ByteWriter().string('Waybill').string('Waybill').string('3').u64(0n).finish();

const ROWS: readonly Extension[] = [
  { advertised: '1', row: row({ name: 'posix-rename@openssh.com', ...rename(true) }) },
  { advertised: '1', row: row({ name: 'lsetstat@openssh.com', ...setStat }) },
  {
    advertised: '2',
    row: row<{ path: string }>({
      name: 'statvfs@openssh.com',
      writes: false,
      parse: (reader, context) => ({ path: readPath(reader, context) }),
      handle: ({ path }, id, { files }) => files.quota(path).then((quota) => answers.extended(id, statVfs(quota))),
    }),
  },
  {
    advertised: '2',
    row: row<{ handle: Handle }>({
      name: 'fstatvfs@openssh.com',
      writes: false,
      parse: (reader, context) => ({ handle: readHandle(reader, context) }),
      handle: ({ handle }, id, { files }) =>
        files.quota(handle.path).then((quota) => answers.extended(id, statVfs(quota))),
    }),
  },
  {
    advertised: '1',
    row: row<{ handle: FileHandle }>({
      name: 'fsync@openssh.com',
      writes: true,
      parse: (reader, context) => ({ handle: mustWrite(readFileHandle(reader, context)) }),
      handle: ({ handle }, id) => handle.file.sync().then(() => answers.ok(id)),
    }),
  },
  {
    advertised: '1',
    row: row<object>({
      name: 'limits@openssh.com',
      writes: false,
      parse: () => ({}),
      handle: (_, id, { handlesMax }) =>
        answers.extended(id, sizes([PACKET_BYTES_ADVERTISED, TRANSFER_BYTES_MAX, TRANSFER_BYTES_MAX, handlesMax])),
    }),
  },
  {
    advertised: '1',
    row: row<{ real: string }>({
      name: 'expand-path@openssh.com',
      writes: false,
      parse: (reader, { session }) => ({ real: expandTilde(reader.string(), session.home, session.login) }),
      handle: ({ real }, id) => answers.oneName(id, real),
    }),
  },
  {
    advertised: '1',
    row: row<{ user: string }>({
      name: 'home-directory',
      writes: false,
      parse: (reader) => ({ user: reader.utf8(1024) }),
      handle({ user }, id, { session }) {
        // Other users' homes are not told: that would say which logins exist.
        if (user !== '' && user !== session.login)
          throw new WaybillError('not-found', 'only the own home directory can be named');
        return answers.oneName(id, session.home);
      },
    }),
  },
  {
    advertised: '1',
    row: row<{ users: Buffer; groups: Buffer }>({
      name: 'users-groups-by-id@openssh.com',
      writes: false,
      parse(reader, { owner }) {
        const users = namesOfIds(reader.string(), owner);
        return { users, groups: namesOfIds(reader.string(), owner) };
      },
      handle: ({ users, groups }, id) => answers.extended(id, new ByteWriter().string(users).string(groups).finish()),
    }),
  },
  { advertised: '1', row: copyData },
  { advertised: CHECK_FILE_ALGORITHMS, row: checkFileHandle('check-file', 'check-file') },
  { advertised: CHECK_FILE_ALGORITHMS, row: checkFileHandle('check-file-handle', null) },
  { advertised: CHECK_FILE_ALGORITHMS, row: checkFileName },
  {
    advertised: VENDOR,
    row: row<object>({
      name: 'vendor-id',
      writes: false,
      parse: () => ({}),
      handle: (_, id) => answers.ok(id),
    }),
  },
  { advertised: null, row: refused('hardlink@openssh.com', 'the store has no hard links') },
];

export const EXTENSIONS: ReadonlyMap<string, AnyRow> = new Map(ROWS.map(({ row }) => [row.name, row]));

export const ADVERTISED: readonly (readonly [name: string, value: string | Buffer])[] = ROWS.flatMap(
  ({ advertised, row }) => (advertised === null ? [] : [[row.name, advertised] as const]),
);
