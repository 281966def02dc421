/** Administration: one handler for all of its operations. The front knows none of them; it checks the form and passes on. */
import type { z } from 'zod';
import { ADMIN_CALL_NAMES, ADMIN_OPERATIONS } from '../../api/admin-operations.ts';
import type { AdminOperationId } from '../../api/admin-operations.ts';
import type { Exchange } from './exchange.ts';

/** Three certificates in PEM are the most that any of them takes. */
const BODY_MAX = 1024 * 1024;

type AdminHandler = (exchange: Exchange) => Promise<void>;

export const administrationHandlers = Object.fromEntries(
  ADMIN_CALL_NAMES.map((call): [AdminOperationId, AdminHandler] => {
    const id: AdminOperationId = `admin.${call}`;
    const body = ADMIN_OPERATIONS[id].body as z.ZodType;
    return [
      id,
      async (exchange) => {
        const { session } = exchange.member.session;
        const request = await exchange.json(body, BODY_MAX);
        exchange.send(200, await exchange.broker.call('admin.call', { session, call, request }));
      },
    ];
  }),
) as Readonly<Record<AdminOperationId, AdminHandler>>;
