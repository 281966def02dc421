/** What administrators do about single sign-on. */
import { WaybillError } from '../base/errors.ts';
import type { Provider, ProviderTerms, SsoLink } from '../sso/provider.ts';
import { CALLBACK_PATH } from '../sso/single-sign-on.ts';
import type { AdminRequest } from './admin-calls.ts';
import { moment } from './administration-parts.ts';
import type { AdminHandlers, AdministrationParts } from './administration-parts.ts';
import type { Judges } from './four-eyes.ts';
import type { ProviderRow, SsoLinkRow } from './sso-admin-calls.ts';

type SsoCalls = Pick<AdminHandlers, Extract<keyof AdminHandlers, `sso.${string}`>>;
type Parts = Pick<AdministrationParts, 'sso' | 'tenants' | 'accounts' | 'connections' | 'web'>;

export function ssoAdministration(parts: Parts): SsoCalls {
  const { sso, accounts, connections } = parts;
  const { providers } = sso;
  const endBy = (links: readonly string[], reason: string): number =>
    connections.end(({ proofs }) => links.some((id) => proofs.includes(id)), reason);
  return {
    'sso.add': async (request, by) => providerRow(parts, await providers.add(specOf(parts, request), by)),
    'sso.list': ({ tenant }) => {
      const id = tenant === null ? null : parts.tenants.byName(tenant).id;
      const found = providers.store.providers().filter((one) => id === null || one.tenant === id);
      return { providers: found.map((one) => providerRow(parts, one)) };
    },
    'sso.set': async (request, by) => {
      const before = providers.byName(request.name);
      const after = await providers.set(request.name, termsAfter(before, request), request.clientSecret, by);
      if (before.multiFactor && !after.multiFactor)
        endBy(
          providers.linksOf(after).map(({ id }) => id),
          'the identity provider of this session counts as one factor now',
        );
      return providerRow(parts, after);
    },
    'sso.test': async ({ name }) => {
      const { issuer } = providers.byName(name);
      return { name, issuer, callback: CALLBACK_PATH + name, ...(await sso.test(name)) };
    },
    'sso.remove': async ({ name }, by) => {
      const links = await providers.remove(name, by);
      return { links: links.length, ended: endBy(links, 'the identity provider of this session was removed') };
    },
    'sso.link': async ({ login, provider: name, person }, by) => {
      const provider = providers.byName(name);
      return linkRow(parts, await providers.link(provider, accounts.get(login), person, by));
    },
    'sso.unlink': async ({ login, provider: name }, by) => {
      const link = await providers.unlink(providers.byName(name), accounts.get(login), by);
      return { ended: endBy([link], 'the account was unlinked from its identity provider') };
    },
    'sso.links': ({ login, provider: name }) => {
      const account = login === null ? null : accounts.get(login).id;
      const provider = name === null ? null : providers.byName(name).id;
      const found = providers.store.links(account).filter((one) => provider === null || one.provider === provider);
      return { links: found.map((one) => linkRow(parts, one)) };
    },
  };
}

/** Whoever says who somebody is can be anybody: what gives a provider that word, or more of it, takes two. */
export function ssoJudges(parts: Parts) {
  const { sso, tenants, accounts } = parts;
  const { providers } = sso;
  return {
    'sso.add': (request) => {
      const spec = specOf(parts, request);
      providers.check(spec);
      const { tenant, name, issuer, clientId } = request;
      const summary =
        `people of ${tenant} may sign in at ${issuer} (client ${clientId}), as ${name}, ` +
        `found by ${request.claim}; ${termsText(spec)}`;
      return { weakens: true, tenant: spec.tenant, summary, about: { tenant: spec.tenant } };
    },
    'sso.set': (request) => {
      const before = providers.byName(request.name);
      const after = termsAfter(before, request);
      const changed = request.clientSecret === null ? '' : ', with a new client secret';
      const summary = `identity provider ${before.name}: ${termsText(after)}${changed}; before: ${termsText(before)}`;
      const { id, tenant, multiFactor, requireAcr, requireAmr } = before;
      const about = { id, multiFactor, requireAcr, requireAmr };
      return { weakens: isLaxer(before, after), tenant, summary, about };
    },
    'sso.link': ({ login, provider: name, person }) => {
      const provider = providers.byName(name);
      const account = accounts.get(login);
      providers.checkLink(provider, account, person);
      const { id, status, administrator } = account;
      const { tenant, claim, issuer, multiFactor } = provider;
      const what = administrator ? 'the administrator' : 'the account';
      const summary = `who is ${claim} ${JSON.stringify(person)} at ${name} (${issuer}) signs in ${what} ${login} of ${tenants.get(tenant).name}`;
      return { weakens: true, tenant, summary, about: { id, status, provider: provider.id, multiFactor } };
    },
  } satisfies Partial<Judges>;
}

function specOf({ tenants }: Parts, request: AdminRequest<'sso.add'>) {
  return { ...request, tenant: tenants.byName(request.tenant).id };
}

function termsAfter(before: ProviderTerms, request: AdminRequest<'sso.set'>): ProviderTerms {
  return {
    title: request.title ?? before.title,
    multiFactor: request.multiFactor ?? before.multiFactor,
    listed: request.listed ?? before.listed,
    requireAcr: request.requireAcr ?? before.requireAcr,
    requireAmr: request.requireAmr ?? before.requireAmr,
  };
}

function isLaxer(before: ProviderTerms, after: ProviderTerms): boolean {
  const moreAcr = after.requireAcr.length === 0 || !after.requireAcr.every((one) => before.requireAcr.includes(one));
  return (
    (after.multiFactor && !before.multiFactor) ||
    (before.requireAcr.length > 0 && moreAcr) ||
    !before.requireAmr.every((one) => after.requireAmr.includes(one))
  );
}

function termsText({ multiFactor, listed, requireAcr, requireAmr }: ProviderTerms): string {
  const acr = requireAcr.length === 0 ? '' : `, acr one of ${requireAcr.join(' ')}`;
  const amr = requireAmr.length === 0 ? '' : `, amr all of ${requireAmr.join(' ')}`;
  return `${multiFactor ? 'counts as two factors' : 'counts as one factor'}${acr}${amr}${listed ? ', everybody sees it' : ''}`;
}

function providerRow(parts: Parts, provider: Provider): ProviderRow {
  const { name, title, issuer, clientId, claim, multiFactor, listed, requireAcr, requireAmr, keys } = provider;
  return {
    ...{ name, tenant: tenantName(parts, provider.tenant), title, issuer, clientId, claim, multiFactor, listed },
    ...{ requireAcr: [...requireAcr], requireAmr: [...requireAmr], keys: [...keys] },
    links: parts.sso.providers.linksOf(provider).length,
    added: moment(provider.created),
    callback: CALLBACK_PATH + name,
  };
}

function linkRow(parts: Parts, { account, provider, subject, expected, created, lastUsed }: SsoLink): SsoLinkRow {
  const owner = parts.web.parts.accounts.account(account);
  return {
    login: owner?.login ?? account,
    tenant: owner === null ? '' : tenantName(parts, owner.tenant),
    provider: parts.sso.providers.store.provider(provider)?.name ?? provider,
    ...{ subject, expected, added: moment(created) },
    lastUsed: lastUsed === null ? null : moment(lastUsed),
  };
}

/** A provider may outlive its tenant; it signs nobody in then. */
function tenantName({ tenants }: Parts, id: string): string {
  try {
    return tenants.get(id).name;
  } catch (error) {
    if (error instanceof WaybillError && error.code === 'not-found') return id;
    throw error;
  }
}
