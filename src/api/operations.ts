/**
 * Every operation of the HTTPS API: the server routes by these rows and the OpenAPI document is made of them, so that
 * neither can have what the other has not.
 */
import { z } from 'zod';
import { ACCOUNT_OPERATIONS } from './account-operations.ts';
import { ADMIN_OPERATIONS } from './admin-operations.ts';
import { FILE_OPERATIONS } from './file-operations.ts';
import { LOGIN_OPERATIONS } from './login-operations.ts';
import type { Operation } from './operation.ts';
import { TRANSFER_OPERATIONS } from './transfer-operations.ts';
import { OWN_TOKEN_OPERATIONS } from './own-token-operations.ts';
import { PAGE_OPERATIONS } from './page-operations.ts';
import { SIGN_IN_OPERATIONS } from './sign-in-operations.ts';
import { SSO_OPERATIONS } from './sso-operations.ts';

export const OPERATIONS = {
  'api.openapi': {
    method: 'GET',
    path: '/api/v1/openapi.json',
    doc: 'This document.',
    scope: null,
    answers: [{ status: 200, doc: 'OpenAPI 3.1', body: z.looseObject({ openapi: z.string() }) }],
  },
  'api.page': {
    method: 'GET',
    path: '/api',
    doc: 'The same for people.',
    scope: null,
    answers: [{ status: 200, doc: 'A page', body: 'bytes', type: 'text/html' }],
  },
  ...PAGE_OPERATIONS,
  ...SIGN_IN_OPERATIONS,
  ...SSO_OPERATIONS,
  ...ACCOUNT_OPERATIONS,
  ...LOGIN_OPERATIONS,
  ...OWN_TOKEN_OPERATIONS,
  ...FILE_OPERATIONS,
  ...TRANSFER_OPERATIONS,
  ...ADMIN_OPERATIONS,
} as const satisfies Readonly<Record<string, Operation>>;

export type OperationId = keyof typeof OPERATIONS;
