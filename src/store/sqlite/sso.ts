/** Identity providers and links: see sso/provider.ts for the promises. */
import type { SQLOutputValue, StatementSync } from 'node:sqlite';
import type { LinkClaim, Provider, ProviderTerms, SsoLink, SsoStore } from '../../sso/provider.ts';
import { one } from './account-rows.ts';
import type { Database } from './database.ts';
import { taken } from './taken.ts';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS sso_providers (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, issuer TEXT NOT NULL, client_id TEXT NOT NULL,
  claim TEXT NOT NULL, ca TEXT, terms TEXT NOT NULL, sealed BLOB NOT NULL, keys TEXT NOT NULL, created INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS sso_links (
  id TEXT PRIMARY KEY, provider TEXT NOT NULL REFERENCES sso_providers (id) ON DELETE CASCADE,
  account TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE, subject TEXT, expected TEXT,
  created INTEGER NOT NULL, last_used INTEGER, UNIQUE (provider, account), UNIQUE (provider, subject)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS sso_links_expected ON sso_links (provider, expected) WHERE subject IS NULL;
CREATE INDEX IF NOT EXISTS sso_links_account ON sso_links (account);`;

const STATEMENTS = {
  providers: 'SELECT * FROM sso_providers ORDER BY name',
  provider: 'SELECT * FROM sso_providers WHERE id = ?',
  providerByName: 'SELECT * FROM sso_providers WHERE name = ?',
  addProvider: 'INSERT INTO sso_providers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
  setProvider: 'UPDATE sso_providers SET terms = ?2, sealed = ?3 WHERE id = ?1',
  setKeys: 'UPDATE sso_providers SET keys = ?2 WHERE id = ?1',
  removeProvider: 'DELETE FROM sso_providers WHERE id = ?',
  link: 'SELECT * FROM sso_links WHERE id = ?',
  links: 'SELECT * FROM sso_links WHERE ?1 IS NULL OR account = ?1 ORDER BY created, id',
  linkBySubject: 'SELECT * FROM sso_links WHERE provider = ? AND subject = ?',
  linkByExpected: 'SELECT * FROM sso_links WHERE provider = ? AND expected = ? AND subject IS NULL',
  addLink: 'INSERT INTO sso_links VALUES (?, ?, ?, ?, ?, ?, ?)',
  bindLink: 'UPDATE OR IGNORE sso_links SET subject = ?2 WHERE id = ?1 AND subject IS NULL',
  useLink: 'UPDATE sso_links SET last_used = ?2 WHERE id = ?1',
  removeLink: 'DELETE FROM sso_links WHERE id = ?',
} as const;

type Row = Record<string, SQLOutputValue>;

export class SqliteSso implements SsoStore {
  private readonly database: Database;
  private readonly sql: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>;

  /** After SqliteAccounts: its tables are named here. */
  constructor(database: Database) {
    this.database = database;
    database.define(SCHEMA);
    this.sql = database.prepareAll(STATEMENTS);
  }

  write<T>(action: () => T): Promise<T> {
    return this.database.write(action);
  }

  providers(): Provider[] {
    return this.sql.providers.all().map(providerOf);
  }

  provider(id: string): Provider | null {
    return one(this.sql.provider.get(id), providerOf);
  }

  providerByName(name: string): Provider | null {
    return one(this.sql.providerByName.get(name), providerOf);
  }

  addProvider(provider: Provider): void {
    const { id, name, tenant, issuer, clientId, claim, ca, sealed, keys, created } = provider;
    const terms = termsOf(provider);
    taken('an identity provider has this name', () =>
      this.sql.addProvider.run(
        ...[id, name, tenant, issuer, clientId, claim, ca, terms, sealed, JSON.stringify(keys), created],
      ),
    );
  }

  setProvider(id: string, changed: ProviderTerms & Pick<Provider, 'sealed'>): boolean {
    return this.sql.setProvider.run(id, termsOf(changed), changed.sealed).changes === 1;
  }

  setKeys(id: string, keys: readonly string[]): boolean {
    return this.sql.setKeys.run(id, JSON.stringify(keys)).changes === 1;
  }

  removeProvider(id: string): boolean {
    return this.sql.removeProvider.run(id).changes === 1;
  }

  link(id: string): SsoLink | null {
    return one(this.sql.link.get(id), linkOf);
  }

  links(account: string | null): SsoLink[] {
    return this.sql.links.all(account).map(linkOf);
  }

  linkBySubject(provider: string, subject: string): SsoLink | null {
    return one(this.sql.linkBySubject.get(provider, subject), linkOf);
  }

  linkByExpected(provider: string, expected: string): SsoLink | null {
    return one(this.sql.linkByExpected.get(provider, expected), linkOf);
  }

  addLink({ id, provider, account, subject, expected, created, lastUsed }: SsoLink): void {
    taken('the account, or the person, is linked with this provider already', () =>
      this.sql.addLink.run(id, provider, account, subject, expected, created, lastUsed),
    );
  }

  bindLink(id: string, subject: string): boolean {
    return this.sql.bindLink.run(id, subject).changes === 1;
  }

  useLink(id: string, at: number): boolean {
    return this.sql.useLink.run(id, at).changes === 1;
  }

  removeLink(id: string): boolean {
    return this.sql.removeLink.run(id).changes === 1;
  }
}

function termsOf({ title, multiFactor, listed, requireAcr, requireAmr }: ProviderTerms): string {
  return JSON.stringify({ title, multiFactor, listed, requireAcr, requireAmr } satisfies ProviderTerms);
}

// Columns are typed by STRICT tables and NOT NULL where these are used.
function providerOf(row: Row): Provider {
  return {
    id: row['id'] as string,
    name: row['name'] as string,
    tenant: row['tenant'] as string,
    issuer: row['issuer'] as string,
    clientId: row['client_id'] as string,
    claim: row['claim'] as LinkClaim,
    ca: row['ca'] as string | null,
    ...(JSON.parse(row['terms'] as string) as ProviderTerms),
    sealed: Buffer.from(row['sealed'] as Uint8Array),
    keys: JSON.parse(row['keys'] as string) as string[],
    created: row['created'] as number,
  };
}

function linkOf(row: Row): SsoLink {
  return {
    id: row['id'] as string,
    provider: row['provider'] as string,
    account: row['account'] as string,
    subject: row['subject'] as string | null,
    expected: row['expected'] as string | null,
    created: row['created'] as number,
    lastUsed: row['last_used'] as number | null,
  };
}
