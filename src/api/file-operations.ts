/** Files over HTTPS: look, move, take, store, and resumable uploads. */
import { z } from 'zod';
import { checksum, directoryPage, fileInfo, makeDirectory, rename, stored } from './files.ts';
import type { Operation } from './operation.ts';

const TUS = 'tus 1.0.0';
const tusHeaders = { 'Tus-Resumable': '1.0.0' };
const after = z.string().max(255).optional().meta({ description: 'The `next` of the page before.' });
const limit = z
  .string()
  .regex(/^([1-9]\d{0,2}|1000)$/)
  .optional()
  .meta({ description: 'Entries on a page, 1 to 1000; 500 when left out.' });

export const FILE_OPERATIONS = {
  'files.get': {
    method: 'GET',
    path: '/api/v1/files/{path}',
    doc: 'What is at a path; of a directory a page of its entries, in the order of their names.',
    scope: 'files:list',
    query: { after, limit },
    answers: [{ status: 200, doc: 'The file or directory', body: z.union([directoryPage, fileInfo]) }],
  },
  'files.remove': {
    method: 'DELETE',
    path: '/api/v1/files/{path}',
    doc: 'Removes a file or an empty directory.',
    scope: 'files:write',
    answers: [{ status: 204, doc: 'It is gone', body: null }],
  },
  'files.mkdir': {
    method: 'POST',
    path: '/api/v1/mkdir',
    doc: 'Makes a directory.',
    scope: 'files:write',
    body: makeDirectory,
    answers: [{ status: 201, doc: 'The directory', body: fileInfo }],
  },
  'files.rename': {
    method: 'POST',
    path: '/api/v1/rename',
    doc: 'Renames or moves a file or directory.',
    scope: 'files:write',
    body: rename,
    answers: [{ status: 200, doc: 'What is now at `to`', body: fileInfo }],
  },
  'content.get': {
    method: 'GET',
    path: '/api/v1/content/{path}',
    doc: 'The bytes of a file. It is always offered for saving, never shown by a browser.',
    scope: 'files:read',
    headers: {
      Range: 'One or more ranges of bytes, at most 16 (RFC 9110).',
      'If-Range': 'The ETag that the range is of.',
      'If-None-Match': 'ETags that are there already.',
    },
    answers: [
      { status: 200, doc: 'All of it', body: 'bytes' },
      { status: 206, doc: 'The ranges', body: 'bytes' },
      { status: 304, doc: 'It has not changed', body: null },
    ],
  },
  'content.head': {
    method: 'HEAD',
    path: '/api/v1/content/{path}',
    doc: 'The headers that GET would send.',
    scope: 'files:read',
    answers: [{ status: 200, doc: 'Size, ETag, Last-Modified', body: null }],
  },
  'content.put': {
    method: 'PUT',
    path: '/api/v1/content/{path}',
    doc: 'Stores a whole file; when the answer comes it is durable. If the connection breaks, nothing was stored.',
    scope: 'files:write',
    headers: {
      'If-Match': 'Store only over this ETag.',
      'If-None-Match': '"*": store only when nothing is there.',
      'Repr-Digest': 'sha-256=:BASE64: of the whole file (RFC 9530); another content is not stored.',
    },
    body: { stream: 'application/octet-stream' },
    answers: [
      { status: 201, doc: 'A new file', body: stored },
      { status: 200, doc: 'A new version', body: stored },
    ],
  },
  'checksum.get': {
    method: 'GET',
    path: '/api/v1/checksum/{path}',
    doc: 'SHA-256 of a file. The server reads all of it: for budgets and ledger that is a download.',
    scope: 'files:read',
    answers: [{ status: 200, doc: 'The checksum', body: checksum }],
  },
  'archive.get': {
    method: 'GET',
    path: '/api/v1/archive/{path}',
    doc: 'A directory with all in it as one ZIP file, made while it is sent.',
    scope: 'files:read',
    answers: [{ status: 200, doc: 'ZIP', body: 'bytes', type: 'application/zip' }],
  },
  'tus.options': {
    method: 'OPTIONS',
    path: '/api/v1/tus',
    doc: `What the server can do of ${TUS}.`,
    scope: null,
    answers: [{ status: 204, doc: 'Tus-Version, Tus-Extension, Tus-Max-Size, Tus-Checksum-Algorithm', body: null }],
  },
  'tus.create': {
    method: 'POST',
    path: '/api/v1/tus',
    doc: `Begins a resumable upload (${TUS}); the first bytes may come with it.`,
    scope: 'files:write',
    headers: {
      ...tusHeaders,
      'Upload-Length': 'Bytes of the whole file.',
      'Upload-Metadata':
        '"path" in base64, or "filename" with the directory in "directory"; "upload" takes up the one in progress there that FileInfo names.',
      'Upload-Offset': 'With "upload": where it goes on; what is there beyond is cut off.',
      'Upload-Checksum': 'sha256 and its value in base64, of the bytes that come with it.',
    },
    body: { stream: 'application/offset+octet-stream' },
    answers: [{ status: 201, doc: 'Location is the address of the upload', body: null }],
  },
  'tus.head': {
    method: 'HEAD',
    path: '/api/v1/tus/{id}',
    doc: `How far an upload has come (${TUS}).`,
    scope: 'files:write',
    headers: tusHeaders,
    answers: [{ status: 200, doc: 'Upload-Offset, Upload-Length', body: null }],
  },
  'tus.patch': {
    method: 'PATCH',
    path: '/api/v1/tus/{id}',
    doc: `Goes on with an upload (${TUS}). After the last byte the file is stored, durable when the answer comes.`,
    scope: 'files:write',
    headers: {
      ...tusHeaders,
      'Upload-Offset': 'Where these bytes begin.',
      'Upload-Checksum': 'sha256 of these bytes.',
      'Waybill-Ahead':
        '"wait": of several connections at once. A part of at most 8 MiB with a checksum that comes before its turn waits for those before it.',
    },
    body: { stream: 'application/offset+octet-stream' },
    answers: [{ status: 204, doc: 'Upload-Offset', body: null }],
  },
  'tus.remove': {
    method: 'DELETE',
    path: '/api/v1/tus/{id}',
    doc: `Gives an upload up (${TUS}).`,
    scope: 'files:write',
    headers: tusHeaders,
    answers: [{ status: 204, doc: 'It is gone', body: null }],
  },
} as const satisfies Readonly<Record<string, Operation>>;
