/**
 * Every operation of the HTTPS API: the server routes by these rows and the OpenAPI document is made of them, so that
 * neither can have what the other has not.
 */
import { FILE_OPERATIONS } from './file-operations.ts';
import type { Operation } from './operation.ts';

export const OPERATIONS = {
  'api.openapi': {
    method: 'GET',
    path: '/api/v1/openapi.json',
    doc: 'This document.',
    scope: null,
    answers: [{ status: 200, doc: 'OpenAPI 3.1', body: 'bytes', type: 'application/json' }],
  },
  'api.page': {
    method: 'GET',
    path: '/api',
    doc: 'The same for people.',
    scope: null,
    answers: [{ status: 200, doc: 'A page', body: 'bytes', type: 'text/html' }],
  },
  ...FILE_OPERATIONS,
} as const satisfies Readonly<Record<string, Operation>>;

export type OperationId = keyof typeof OPERATIONS;
