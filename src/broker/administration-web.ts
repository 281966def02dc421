/** What administrators do about signing in over HTTPS: tokens, enrolment, kinds of accounts, policies of tenants. */
import { tokenFingerprint } from '../accounts/access-token.ts';
import type { Account } from '../accounts/account.ts';
import { enrolmentLink } from '../accounts/web/origins.ts';
import { change } from '../accounts/web/parts.ts';
import { isLaxer } from '../accounts/web/store.ts';
import type { ApiToken } from '../accounts/web/store.ts';
import { changed } from '../ledger/changed.ts';
import type { TokenRow } from './admin-calls.ts';
import { moment } from './administration-parts.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';
import type { Identity } from './connections.ts';

type WebCalls = Pick<AdminHandlers, Extract<keyof AdminHandlers, `token.${string}` | `sign-in.${string}`>>;

export function webAdministration(parts: AdministrationParts): WebCalls {
  const { accounts, tenants, connections, web } = parts;
  const { tokens, enrolments } = web;
  const endBy = (ids: readonly string[], reason: string): number =>
    connections.end(({ proofs }) => proofs.some((id) => ids.includes(id)), reason);
  const row = (token: ApiToken, account: Account): TokenRow =>
    tokenRow(token, account, tenants.get(account.tenant).name);
  return {
    'token.add': async ({ login, label, fingerprint, scopes, addresses, expires }, by) => {
      const until = expires === null ? null : Date.parse(expires);
      const token = await tokens.add({ login, label, fingerprint, scopes, addresses, expires: until }, by);
      return row(token, accounts.get(login));
    },
    'token.list': ({ login }) => ({ tokens: tokens.list(login).map(({ token, account }) => row(token, account)) }),
    'token.remove': async ({ token }, by) => {
      await tokens.remove(token, by);
      return { ended: endBy([token], 'the token of this session was removed') };
    },
    'token.renew': async ({ token: id, fingerprint, overlap }, by) => {
      const { token, ended } = await tokens.renew(id, fingerprint, overlap, by);
      endBy(ended, 'the token of this session was renewed');
      return row(token, tokens.find(token.id).account);
    },
    'sign-in.enrol': async ({ login }, by) => {
      const { secret, expires } = await enrolments.issue(accounts.get(login), by);
      const origin = web.origins.first;
      return { login, secret, link: origin === null ? null : enrolmentLink(origin, secret), expires: moment(expires) };
    },
    'sign-in.set-kind': async ({ login, kind }, by) => {
      const account = accounts.get(login);
      await change(web.parts, account, by, 'account.kind', { detail: { kind } }, () => {
        web.parts.store.setKind(account.id, kind);
      });
      // What it opened as a person does not go on, nor what it opened as a service with less than a person shows.
      connections.end(
        (one) => one.account === account.id && (kind === 'service' ? isOfPerson(one) : isOverSsh(one)),
        `the account is a ${kind} now`,
      );
      return { login, kind };
    },
    'sign-in.set-policy': async ({ tenant: name, policy }, by) => {
      const tenant = tenants.byName(name).id;
      const before = web.parts.store.policyOf(tenant);
      await parts.write(() => {
        by.within?.();
        web.parts.store.setPolicy(tenant, policy);
        const { actor, approvedBy } = by;
        const detail = { policy };
        parts.ledger.append(tenant, changed('tenant.policy', { actor, approvedBy, detail }));
      });
      if (policy === 'passkey')
        connections.end(
          (one) => one.tenant === tenant && one.web?.webSession != null && !one.web.factors.includes('passkey'),
          'the tenant asks for passkeys now',
        );
      // Which steps opened a session over SSH is not kept: a stricter policy asks for all of them again.
      if (isLaxer(before, policy))
        connections.end(
          (one) => one.tenant === tenant && isOverSsh(one) && web.parts.store.kindOf(one.account) === 'person',
          'the tenant asks for more at sign-in now',
        );
      return { tenant: name, policy };
    },
  };
}

function isOfPerson({ web }: Identity): boolean {
  return web?.webSession != null;
}

function isOverSsh({ web }: Identity): boolean {
  return web == null;
}

function tokenRow(token: ApiToken, account: Account, tenant: string): TokenRow {
  const { id, label, scopes, addresses, created, expires, lastUsed, suspended, successor } = token;
  const optional = (time: number | null): string | null => (time === null ? null : moment(time));
  return {
    id,
    login: account.login,
    tenant,
    label,
    fingerprint: tokenFingerprint(token.hash),
    scopes: [...scopes],
    addresses,
    added: moment(created),
    expires: optional(expires),
    lastUsed: optional(lastUsed),
    suspended: optional(suspended),
    successor,
  };
}
