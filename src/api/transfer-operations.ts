/** Fast transfer: the control channel. */
import { z } from 'zod';
import type { Operation } from './operation.ts';
import { beginDownload, beginUpload, transferReadiness, transferState, transferTicket } from './transfers.ts';

const wait = z
  .string()
  .regex(/^([0-9]|[12][0-9]|30)$/)
  .optional()
  .meta({ description: 'Seconds to wait for its end, 0 to 30; 0 when left out.' });

export const TRANSFER_OPERATIONS = {
  'transfers.download': {
    method: 'POST',
    path: '/api/v1/downloads',
    doc: 'Begins a fast transfer of files to here, over UDP; PROTOCOL.md has the datagrams.',
    scope: 'files:read',
    body: beginDownload,
    answers: [{ status: 201, doc: 'Where and with which keys', body: transferTicket }],
  },
  'transfers.upload': {
    method: 'POST',
    path: '/api/v1/uploads',
    doc: 'Begins a fast transfer of files from here, over UDP.',
    scope: 'files:write',
    body: beginUpload,
    answers: [{ status: 201, doc: 'Where and with which keys', body: transferTicket }],
  },
  'transfers.ready': {
    method: 'GET',
    path: '/api/v1/transfers',
    doc: 'Whether there are fast transfers here, once they can begin: asked ahead, the first one begins sooner.',
    scope: 'signed-in',
    answers: [{ status: 200, doc: 'Whether', body: transferReadiness }],
  },
  'transfers.get': {
    method: 'GET',
    path: '/api/v1/transfers/{id}',
    doc: 'How far a fast transfer is. Files of an upload that are counted are durable.',
    scope: 'signed-in',
    query: { wait },
    answers: [{ status: 200, doc: 'Its state', body: transferState }],
  },
  'transfers.end': {
    method: 'DELETE',
    path: '/api/v1/transfers/{id}',
    doc: 'Ends a fast transfer. What it has stored stays; uploads in progress can be taken up again.',
    scope: 'signed-in',
    answers: [{ status: 204, doc: 'It is over', body: null }],
  },
} as const satisfies Readonly<Record<string, Operation>>;
