/**
 * One sign-in at a provider: the address that the browser is sent to, and the judgement of what it brings back. What
 * ties the two together (state, nonce, PKCE verifier, provider, redirect address) is chosen here, stays with the flow of
 * one browser, and is for one answer.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { Account } from '../accounts/account.ts';
import type { SsoVerdict } from '../accounts/web/sso.ts';
import { BoundedMap } from '../base/bounded-map.ts';
import type { Clock } from '../base/clock.ts';
import { asWaybillError, WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { changed } from '../ledger/changed.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { checkShown } from './addresses.ts';
import type { DiscoverAnswer, ExchangeAnswer, IdentityClient } from './calls.ts';
import { judgeIdToken } from './id-token.ts';
import type { Person } from './id-token.ts';
import type { Provider, SsoLink } from './provider.ts';
import type { Providers } from './providers.ts';

/** What a browser was sent away with. For one answer. */
export interface Pending {
  readonly provider: string;
  readonly name: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  readonly redirectUri: string;
  readonly begun: number;
  /** The person had to sign in anew. */
  readonly fresh: boolean;
}

/** What the browser brought back; see RFC 6749 4.1.2 and RFC 9207. */
export interface Returned {
  readonly code?: string | undefined;
  readonly state?: string | undefined;
  readonly iss?: string | undefined;
  readonly error?: string | undefined;
}

export interface SingleSignOnParts {
  readonly providers: Providers;
  readonly identity: (provider: Provider) => IdentityClient;
  readonly account: (id: string) => Account | null;
  readonly ledger: Ledger | null;
  readonly clock: Pick<Clock, 'now'>;
  readonly log: Log;
  readonly allow: readonly string[];
}

/** Where providers send browsers back to; each has its own (mix-up, RFC 9700 section 4.4). */
export const CALLBACK_PATH = '/sign-in/sso-callback/';
/** A person may have to find a telephone. */
const PENDING_MILLISECONDS = 10 * 60_000;
const SCOPES: Readonly<Record<Provider['claim'], string>> = {
  sub: 'openid',
  oid: 'openid profile',
  email: 'openid email',
  preferred_username: 'openid profile',
};
const KEYS_KEPT = 50;
/** Where a provider's page is changes about never; one that does not answer is left alone for a moment. */
const FOUND_MILLISECONDS = 5 * 60_000;
const FAILED_MILLISECONDS = 5000;
const FOUND_MAX = 500;

export class SingleSignOn {
  readonly providers: Providers;
  private readonly parts: SingleSignOnParts;
  private readonly found = new BoundedMap<string, { readonly at: string | null; readonly until: number }>(FOUND_MAX);

  constructor(parts: SingleSignOnParts) {
    this.parts = parts;
    this.providers = parts.providers;
  }

  /** Throws `provider-refused` when the provider cannot be asked. */
  async begin(name: string, origin: string, fresh: boolean): Promise<{ address: string; pending: Pending }> {
    const provider = this.providers.byName(name);
    const authorizationEndpoint = await this.pageOf(provider);
    const pending = {
      ...{ provider: provider.id, name, state: secret(), nonce: secret(), verifier: secret() },
      ...{ redirectUri: `${origin}${CALLBACK_PATH}${name}`, begun: this.parts.clock.now(), fresh },
    };
    const address = this.shown(provider, authorizationEndpoint);
    const challenge = createHash('sha256').update(pending.verifier).digest('base64url');
    for (const [key, value] of [
      ['response_type', 'code'],
      ['response_mode', 'query'],
      ['client_id', provider.clientId],
      ['redirect_uri', pending.redirectUri],
      ['scope', SCOPES[provider.claim]],
      ['state', pending.state],
      ['nonce', pending.nonce],
      ['code_challenge', challenge],
      ['code_challenge_method', 'S256'],
      ...(provider.requireAcr.length === 0 ? [] : [['acr_values', provider.requireAcr.join(' ')]]),
      ...(fresh ? ['prompt login', 'max_age 0'].map((pair) => pair.split(' ')) : []),
    ] as [string, string][])
      address.searchParams.set(key, value);
    return { address: address.href, pending };
  }

  /** `name`: of the address that the browser came back to. */
  async finish(pending: Pending, name: string, returned: Returned): Promise<SsoVerdict> {
    const { clock, log } = this.parts;
    const provider = this.providers.store.provider(pending.provider);
    if (provider === null) return refused('sso-provider-gone');
    const say = (fault: string, why: string): SsoVerdict => {
      log.info({ provider: provider.name, fault, why }, 'single sign-on failed');
      return refused(fault);
    };
    if (name !== pending.name) return say('sso-mix-up', 'it came back to the address of another provider');
    if (!same(returned.state ?? '', pending.state)) return say('sso-state', 'the state is not that of this flow');
    if (clock.now() - pending.begun > PENDING_MILLISECONDS) return say('sso-late', 'it took too long');
    if (returned.error !== undefined) return say('sso-denied', returned.error.slice(0, 200));
    const answer = await this.exchange(provider, pending, returned);
    if (answer.result === 'refused') return say('sso-refused', answer.fault);
    const verdict = judgeIdToken(answer.idToken, answer.keys, {
      ...provider,
      nonce: pending.nonce,
      freshSince: pending.fresh ? pending.begun : null,
      now: clock.now(),
    });
    if (!verdict.good) return say(`sso-${verdict.fault}`, 'the broker refuses the ID token');
    return this.known(provider, verdict.person);
  }

  private known(provider: Provider, person: Person): SsoVerdict {
    const { store } = this.providers;
    const { subject, claimed } = person;
    const found =
      store.linkBySubject(provider.id, subject) ??
      (claimed === null ? null : store.linkByExpected(provider.id, claimed));
    const account = found === null ? null : this.parts.account(found.account);
    if (found === null || account?.tenant !== provider.tenant) return refused('sso-unlinked');
    if (account.status !== 'active') return { passed: false, fault: 'account-suspended', account };
    const strength = [person.acr === null ? [] : [`acr ${person.acr}`], person.amr.map((one) => `amr ${one}`)].flat();
    const shown = strength.length === 0 ? '' : ` (${strength.join(', ')})`;
    return {
      passed: true,
      account,
      factor: provider.multiFactor ? 'sso-mfa' : 'sso',
      link: found.id,
      description: `single sign-on by ${JSON.stringify(provider.name)}${shown}`,
      use: () => this.use(found.id, person),
    };
  }

  /** Inside the write that completes the sign-in; everything is looked at once more. */
  private use(id: string, { subject, claimed, key }: Person): boolean {
    const { ledger, clock } = this.parts;
    const { store } = this.providers;
    const link = store.link(id);
    const provider = link === null ? null : store.provider(link.provider);
    if (link === null || provider === null) return false;
    if (link.subject === null && !this.bind(link, provider, subject, claimed)) return false;
    if (link.subject !== null && link.subject !== subject) return false;
    store.useLink(id, clock.now());
    if (!provider.keys.includes(key)) {
      // Somebody who forges tokens with a key of his own leaves this behind.
      store.setKeys(provider.id, [...provider.keys, key].slice(-KEYS_KEPT));
      ledger?.append(provider.tenant, changed('sso.key', { detail: { provider: provider.name, thumbprint: key } }));
    }
    return true;
  }

  /** The first sign-in of a link by another claim: from here on only the subject counts. */
  private bind(link: SsoLink, { name, tenant, claim }: Provider, subject: string, claimed: string | null): boolean {
    if (claimed === null || link.expected !== claimed) return false;
    if (!this.providers.store.bindLink(link.id, subject)) return false;
    const detail = { provider: name, [claim]: claimed, sub: subject };
    const about = { account: link.account, credential: link.id };
    this.parts.ledger?.append(tenant, changed('sso.bind', { ...about, detail }));
    return true;
  }

  /** What the provider says about itself now; for administrators, who are told why it cannot. */
  async test(name: string): Promise<DiscoverAnswer> {
    const provider = this.providers.byName(name);
    this.forget(provider.id);
    return this.parts.identity(provider).discover();
  }

  /** It was changed or removed. */
  forget(id: string): void {
    this.found.delete(id);
  }

  /** What a provider says of itself is as hostile as anything. */
  private shown(provider: Provider, text: string): URL {
    try {
      return checkShown(text, this.parts.allow);
    } catch (error) {
      this.parts.log.warn({ provider: provider.name, err: asWaybillError(error) }, 'its page cannot be shown');
      throw new WaybillError('provider-refused', 'the identity provider does not answer');
    }
  }

  private async pageOf(provider: Provider): Promise<string> {
    const { clock, identity, log } = this.parts;
    const known = this.found.get(provider.id);
    let at = known !== undefined && known.until > clock.now() ? known.at : undefined;
    if (at === undefined) {
      at = await Promise.resolve()
        .then(() => identity(provider).discover())
        .then(
          ({ authorizationEndpoint }) => authorizationEndpoint,
          (error: unknown) => {
            log.warn({ provider: provider.name, err: asWaybillError(error) }, 'an identity provider is not there');
            return null;
          },
        );
      const life = at === null ? FAILED_MILLISECONDS : FOUND_MILLISECONDS;
      this.found.set(provider.id, { at, until: clock.now() + life });
    }
    // Whoever asks for a sign-in page is not told what is in our network.
    if (at === null) throw new WaybillError('provider-refused', 'the identity provider does not answer');
    return at;
  }

  private async exchange(provider: Provider, pending: Pending, { code, iss }: Returned): Promise<ExchangeAnswer> {
    const parameters = new URLSearchParams({ code: code ?? '', state: pending.state });
    if (iss !== undefined) parameters.set('iss', iss);
    const { redirectUri, state, nonce, verifier, fresh, begun } = pending;
    const maxAge = fresh ? Math.ceil((this.parts.clock.now() - begun) / 1000) : null;
    const clientSecret = this.providers.clientSecret(provider);
    const asked = { redirectUri, parameters: parameters.toString(), state, nonce, verifier, maxAge, clientSecret };
    try {
      return await this.parts.identity(provider).exchange(asked);
    } catch (error) {
      return { result: 'refused', fault: asWaybillError(error).message };
    }
  }
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

function same(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function refused(fault: string): SsoVerdict {
  return { passed: false, fault, account: null };
}
