/** Identity providers and links as administrators change them: each change with its entry, in one transaction. */
import { X509Certificate } from 'node:crypto';
import type { Account } from '../accounts/account.ts';
import type { Acting } from '../base/acting.ts';
import type { Clock } from '../base/clock.ts';
import { WaybillError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Sealer } from '../keys/sealer.ts';
import { changed } from '../ledger/changed.ts';
import type { Json } from '../ledger/core/fields.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { checkIssuer } from './addresses.ts';
import type { LinkClaim, Provider, ProviderTerms, SsoLink, SsoStore } from './provider.ts';

const PROVIDERS_MAX = 500;
/** It stands in addresses. */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;
const PRINTABLE = /^[\x20-\x7e]{1,255}$/;
const TITLE = /^[^\p{C}]{1,60}$/u;

export interface ProvidersParts {
  readonly store: SsoStore;
  readonly sealer: Sealer;
  readonly ledger: Ledger | null;
  readonly clock: Pick<Clock, 'now'>;
  /** Host names that may be on a private network (--outbound-allow). */
  readonly allow: readonly string[];
}

export interface ProviderSpec extends ProviderTerms {
  readonly name: string;
  readonly tenant: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly claim: LinkClaim;
  readonly ca: string | null;
}

export class Providers {
  private readonly parts: ProvidersParts;
  /** Told of one that was changed or removed. */
  onChanged: ((id: string) => void) | null = null;

  constructor(parts: ProvidersParts) {
    this.parts = parts;
  }

  get store(): SsoStore {
    return this.parts.store;
  }

  byName(name: string): Provider {
    const found = this.parts.store.providerByName(name);
    if (found === null) throw new WaybillError('not-found', 'no identity provider has this name');
    return found;
  }

  /** Throws what `add` would; changes nothing. */
  check(spec: ProviderSpec): void {
    const { store, allow } = this.parts;
    if (!NAME.test(spec.name))
      throw invalid('its name stands in addresses; allowed are 1 to 40 of a-z, 0-9 and "-", not "-" at an end');
    if (store.providerByName(spec.name) !== null)
      throw new WaybillError('already-exists', 'an identity provider has this name');
    if (store.providers().length >= PROVIDERS_MAX) throw invalid(`there are ${PROVIDERS_MAX} already`);
    if (!PRINTABLE.test(spec.clientId)) throw invalid('a client id has 1 to 255 printable characters of ASCII');
    checkIssuer(spec.issuer, allow);
    checkSecret(spec.clientSecret);
    checkTerms(spec);
    try {
      if (spec.ca !== null) new X509Certificate(spec.ca);
    } catch (cause) {
      throw new WaybillError('option-invalid', 'the certificates are not a PEM file', { cause });
    }
  }

  async add(spec: ProviderSpec, by: Acting): Promise<Provider> {
    this.check(spec);
    const { store, clock } = this.parts;
    const { clientSecret, ...rest } = spec;
    const id = newId();
    const provider = { ...rest, id, sealed: this.seal(id, clientSecret), keys: [], created: clock.now() };
    const { name, issuer, clientId, claim } = spec;
    await this.change(provider, by, 'sso.add', { name, issuer, clientId, claim, ...termsOf(spec) }, () => {
      store.addProvider(provider);
    });
    return provider;
  }

  /** `clientSecret` null: the one it has. */
  async set(name: string, terms: ProviderTerms, clientSecret: string | null, by: Acting): Promise<Provider> {
    checkTerms(terms);
    const provider = this.byName(name);
    const sealed = clientSecret === null ? provider.sealed : this.seal(provider.id, clientSecret);
    const detail = { name, newSecret: clientSecret !== null, ...termsOf(terms) };
    await this.change(provider, by, 'sso.set', detail, () => {
      if (!this.parts.store.setProvider(provider.id, { ...terms, sealed }))
        throw new WaybillError('not-found', 'no identity provider has this name');
    });
    this.onChanged?.(provider.id);
    return { ...provider, ...terms, sealed };
  }

  /** Answers the links that went with it. */
  async remove(name: string, by: Acting): Promise<string[]> {
    const provider = this.byName(name);
    const links = this.linksOf(provider).map(({ id }) => id);
    const detail = { name, issuer: provider.issuer, links: links.length };
    await this.change(provider, by, 'sso.remove', detail, () => {
      this.parts.store.removeProvider(provider.id);
    });
    this.onChanged?.(provider.id);
    return links;
  }

  /** Throws what `link` would. */
  checkLink(provider: Provider, account: Account, person: string): void {
    const { store } = this.parts;
    if (account.tenant !== provider.tenant)
      throw invalid('the account is of another tenant than the identity provider');
    if (!PRINTABLE.test(person)) throw invalid(`its ${provider.claim} has 1 to 255 printable characters of ASCII`);
    const others = this.linksOf(provider);
    const wanted = personOf(provider, person);
    if (others.some((one) => one.account === account.id))
      throw new WaybillError('already-exists', 'the account is linked with this provider; unlink it first');
    if (store.linkBySubject(provider.id, wanted) !== null || store.linkByExpected(provider.id, wanted) !== null)
      throw new WaybillError('already-exists', 'another account is linked with this person');
  }

  async link(provider: Provider, account: Account, person: string, by: Acting): Promise<SsoLink> {
    const { store, clock } = this.parts;
    this.checkLink(provider, account, person);
    const wanted = personOf(provider, person);
    const lasting = provider.claim === 'sub';
    const link = {
      ...{ id: newId(), provider: provider.id, account: account.id },
      ...{ subject: lasting ? wanted : null, expected: lasting ? null : wanted },
      ...{ created: clock.now(), lastUsed: null },
    };
    const detail = { provider: provider.name, [provider.claim]: wanted };
    await this.change(
      provider,
      by,
      'sso.link',
      detail,
      () => {
        this.checkLink(provider, account, person);
        store.addLink(link);
      },
      { account: account.id, credential: link.id },
    );
    return link;
  }

  /** Answers the id of the link that is gone. */
  async unlink(provider: Provider, account: Account, by: Acting): Promise<string> {
    const link = this.linksOf(provider).find((one) => one.account === account.id);
    if (link === undefined) throw new WaybillError('not-found', 'the account is not linked with this provider');
    const about = { account: account.id, credential: link.id };
    await this.change(
      provider,
      by,
      'sso.unlink',
      { provider: provider.name },
      () => {
        this.parts.store.removeLink(link.id);
      },
      about,
    );
    return link.id;
  }

  linksOf({ id }: Pick<Provider, 'id'>): SsoLink[] {
    return this.parts.store.links(null).filter((one) => one.provider === id);
  }

  clientSecret({ id, sealed }: Provider): string {
    return this.parts.sealer.open(purposeOf(id), sealed).toString('utf8');
  }

  /**
   * Whether a session that this link opened as `factor` still may be: an unlinked account's may not, nor one that
   * counted as two factors when its provider no longer does.
   */
  stands(factor: string, id: string): boolean {
    const link = this.parts.store.link(id);
    const provider = link === null ? null : this.parts.store.provider(link.provider);
    return provider !== null && (factor === 'sso' || (factor === 'sso-mfa' && provider.multiFactor));
  }

  private seal(id: string, clientSecret: string): Buffer {
    checkSecret(clientSecret);
    return this.parts.sealer.seal(purposeOf(id), Buffer.from(clientSecret));
  }

  private change(
    { tenant }: Pick<Provider, 'tenant'>,
    by: Acting,
    action: string,
    detail: Readonly<Record<string, Json>>,
    apply: () => void,
    about: { readonly account?: string; readonly credential?: string } = {},
  ): Promise<void> {
    return this.parts.store.write(() => {
      by.within?.();
      apply();
      const { actor, approvedBy } = by;
      this.parts.ledger?.append(tenant, changed(action, { actor, approvedBy, ...about, detail }));
    });
  }
}

/** Mail addresses are compared without regard to case, as people type them. */
function personOf({ claim }: Pick<Provider, 'claim'>, person: string): string {
  return claim === 'email' ? person.toLowerCase() : person;
}

function purposeOf(id: string): string {
  return `client secret of identity provider ${id}`;
}

function termsOf({ title, multiFactor, listed, requireAcr, requireAmr }: ProviderTerms) {
  return { title, multiFactor, listed, requireAcr: [...requireAcr], requireAmr: [...requireAmr] };
}

function checkSecret(clientSecret: string): void {
  if (!PRINTABLE.test(clientSecret)) throw invalid('a client secret has 1 to 255 printable characters of ASCII');
}

function checkTerms({ title, requireAcr, requireAmr }: ProviderTerms): void {
  if (!TITLE.test(title)) throw invalid('a title has 1 to 60 characters, without control characters');
  if (requireAcr.length > 20 || requireAmr.length > 20) throw invalid('at most 20 values of acr or amr');
  if (![...requireAcr, ...requireAmr].every((one) => /^[\x21-\x7e]{1,100}$/.test(one)))
    throw invalid('a value of acr or amr has 1 to 100 printable characters of ASCII, without spaces');
}

function invalid(why: string): WaybillError {
  return new WaybillError('option-invalid', `the identity provider cannot be used so: ${why}`);
}
