/** The handlers of ADMIN_CALLS. Each is a few words over the room that does the work; what ends sessions stands here. */
import type { Acting } from '../base/acting.ts';
import { WaybillError } from '../base/errors.ts';
import type { Finding } from '../files/check.ts';
import { changed } from '../ledger/changed.ts';
import type { FindingRow } from './admin-calls.ts';
import { accountHandlers } from './administration-accounts.ts';
import { administratorHandlers } from './administration-administrators.ts';
import { certificateHandlers } from './administration-certificates.ts';
import { budgetHandlers } from './administration-budgets.ts';
import { eventHandlers } from './administration-events.ts';
import { grantHandlers } from './administration-grants.ts';
import { keyActHandlers } from './administration-key-acts.ts';
import { keyHandlers } from './administration-keys.ts';
import { ledgerHandlers } from './administration-ledger.ts';
import { moment } from './administration-parts.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';
import { logOf } from './connections.ts';
import type { LiveSession } from './connections.ts';
import { ssoAdministration } from './administration-sso.ts';
import { webAdministration } from './administration-web.ts';
import { tenantHandlers } from './administration-tenants.ts';
import { guard } from './guard.ts';
import type { Acts } from './guard.ts';

const PROTOCOLS = { default: 'sftp', legacy: 'sftp', https: 'https', fast: 'udp' } as const;

type SessionCalls = Pick<AdminHandlers, Extract<keyof AdminHandlers, `session.${string}`>>;

export function administrationHandlers(parts: AdministrationParts): AdminHandlers {
  const acts: Acts = {
    ...tenantHandlers(parts),
    ...accountHandlers(parts),
    ...grantHandlers(parts),
    ...keyHandlers(parts),
    ...certificateHandlers(parts),
    ...keyActHandlers(parts),
    ...sessionHandlers(parts),
    ...administratorHandlers(parts),
    ...budgetHandlers(parts),
    ...webAdministration(parts),
    ...ssoAdministration(parts),
    ...eventHandlers(parts),
    ...ledgerHandlers(parts),
    'server.status': () => parts.status(),
    'check.next': async ({ after }) => {
      const { versions, bytes, skipped, findings, next } = await parts.check(after ?? '');
      return { versions, bytes, skipped, findings: findings.map(findingRow), next };
    },
  };
  return guard(acts, parts);
}

function sessionHandlers(parts: AdministrationParts): SessionCalls {
  const { accounts, connections } = parts;
  return {
    'session.list': ({ login }) => {
      const account = login === null ? null : accounts.get(login).id;
      const sessions = connections.list().filter((session) => account === null || session.account === account);
      return {
        sessions: sessions.map((one) => ({
          session: one.session,
          login: one.login,
          tenant: one.tenantName,
          protocol: PROTOCOLS[one.connection.profile],
          address: one.address,
          credential: one.credential,
          started: moment(one.started),
          lastActive: moment(one.lastActive),
          client: one.connection.client,
          sent: one.sent,
          stored: one.stored,
        })),
      };
    },
    'session.end': async ({ session, login, reason }, by) => {
      const account = login === null ? null : accounts.get(login).id;
      if ((session === null) === (account === null)) {
        throw new WaybillError('request-invalid', 'name a session or an account');
      }
      const named = (one: Named): boolean => one.session === session || one.account === account;
      const first = connections.list().find(named);
      // They end whether it can be recorded or not.
      const ended = connections.end(named, reason);
      if (ended === 0 && session !== null) throw new WaybillError('not-found', 'no open session has this name');
      if (first !== undefined) await recordEnd(parts, first, { session, reason, ended }, by);
      return { ended };
    },
  };
}

interface Named {
  readonly session: string;
  readonly account: string;
}

/** Beside the `session-end` of each, which does not say who did it. */
function recordEnd(
  { write, ledger }: AdministrationParts,
  { account, tenant, web }: LiveSession,
  detail: { readonly session: string | null; readonly reason: string; readonly ended: number },
  { actor, approvedBy }: Acting,
): Promise<void> {
  return write(() => {
    const whose = web?.administrator === undefined ? account : null;
    ledger.append(logOf({ tenant }), changed('session.end', { actor, approvedBy, account: whose, detail }));
  });
}

export function findingRow({ problem, tenant, folder, path, version, message }: Finding): FindingRow {
  return { problem, tenant, path: folder === null ? null : `/${folder}/${path ?? ''}`, version, message };
}
