/**
 * Administration over HTTPS: each row of ADMIN_CALLS is an operation, `POST /api/v1/admin/CALL`, with its own schemas. A
 * field that this server does not know is refused: it may have been a restriction.
 */
import { z } from 'zod';
import { ADMIN_CALLS } from '../broker/admin-calls.ts';
import type { AdminCallName } from '../broker/admin-calls.ts';
import type { Operation } from './operation.ts';

export type AdminOperationId = `admin.${AdminCallName}`;
export const ADMIN_CALL_NAMES = Object.keys(ADMIN_CALLS) as AdminCallName[];

export function adminPath(call: AdminCallName): string {
  return `/api/v1/admin/${call}`;
}

function operationOf(call: AdminCallName): Operation {
  const { request, response, eyes }: (typeof ADMIN_CALLS)[AdminCallName] = ADMIN_CALLS[call];
  const two = eyes === 'two' ? ' With two administrators, what weakens a control waits for the second one.' : '';
  return {
    method: 'POST',
    path: adminPath(call),
    doc: `Administration: ${call}.${two}`,
    scope: 'admin',
    body: z.strictObject(request.shape),
    answers: [{ status: 200, doc: 'The answer', body: response }],
  };
}

export const ADMIN_OPERATIONS = Object.fromEntries(
  ADMIN_CALL_NAMES.map((call): [AdminOperationId, Operation] => [`admin.${call}`, operationOf(call)]),
) as Readonly<Record<AdminOperationId, Operation>>;
