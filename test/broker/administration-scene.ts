/** The administration as the server has it, over a real store: rooms, guard and dispatch, but no socket. */
import { Accounts } from '../../src/accounts/accounts.ts';
import { OwnAuthority } from '../../src/accounts/authority-own.ts';
import { KeyLife } from '../../src/accounts/key-life.ts';
import { Administrators } from '../../src/accounts/administrators.ts';
import { hashAccessToken, newAccessToken, tokenFingerprint } from '../../src/accounts/access-token.ts';
import type { Log } from '../../src/base/log.ts';
import { ADMIN_CALLS } from '../../src/broker/admin-calls.ts';
import type { AdminCallName, AdminCalls, AdminRequest, AdminResponse } from '../../src/broker/admin-calls.ts';
import { callerOf } from '../../src/broker/administration-administrators.ts';
import type { AdminCallers, AdministrationParts } from '../../src/broker/administration-parts.ts';
import { administrationHandlers } from '../../src/broker/administration.ts';
import type { LiveSession } from '../../src/broker/connections.ts';
import { createDispatch } from '../../src/broker/dispatch.ts';
import { Events } from '../../src/events/events.ts';
import { LedgerTail } from '../../src/events/ledger-tail.ts';
import { KeyActs } from '../../src/keys/key-acts.ts';
import { recordsInto } from '../../src/keys/records.ts';
import type { Entry } from '../../src/ledger/core/kinds.ts';
import { Approvals } from '../../src/policy/approvals.ts';
import { fromBits } from '../../src/policy/rights.ts';
import { SqliteAccounts } from '../../src/store/sqlite/accounts.ts';
import { SqliteAdministrators } from '../../src/store/sqlite/administrators.ts';
import { SqliteProposals } from '../../src/store/sqlite/approvals.ts';
import { SqliteCertificates } from '../../src/store/sqlite/certificates.ts';
import { generateHostKey, parseHostKey } from '../../src/sshkeys/host-key.ts';
import { formatPrivateKey } from '../../src/sshkeys/private-key.ts';
import { SqliteEvents } from '../../src/store/sqlite/events.ts';
import { SqliteKeys } from '../../src/store/sqlite/keys.ts';
import { openSingleSignOn } from '../../src/startup/single-sign-on.ts';
import { openWebRooms } from '../../src/broker/web-rooms.ts';
import { operatorAccounts } from '../../src/startup/administrators.ts';
import { SqliteWeb } from '../../src/store/sqlite/web.ts';
import { World } from '../files/world.ts';

const SILENT: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Every account has one. */
export const SESSION = 'ab'.repeat(16);

export interface Token {
  readonly token: string;
  readonly fingerprint: string;
}

export function token(): Token {
  const made = newAccessToken();
  return { token: made, fingerprint: tokenFingerprint(hashAccessToken(made) ?? Buffer.alloc(0)) };
}

export class AdministrationScene {
  readonly world: World;
  readonly parts: AdministrationParts;
  /** Sessions that were ended, by reason. */
  readonly ended: string[];
  /** Tokens of those that `twoAdministrators` has made. */
  readonly tokens = { ada: token(), ben: token() };

  private constructor(world: World, parts: AdministrationParts, ended: string[]) {
    this.world = world;
    this.parts = parts;
    this.ended = ended;
  }

  static async open(): Promise<AdministrationScene> {
    const world = await World.open();
    const { database, keys, ledger, files } = world;
    const now = (): number => Date.now() + world.time.offset;
    const accountStore = new SqliteAccounts(database);
    const operators = operatorAccounts(accountStore, world.tenants);
    const administrators = new Administrators(new SqliteAdministrators(database), ledger, now, operators);
    const store = new SqliteProposals(database);
    const approvals = new Approvals({ store, sealer: keys, ledger, administrators, now });
    const clock = { now, wait: () => Promise.resolve() };
    const accounts = new Accounts({
      store: new SqliteAccounts(database),
      sealer: keys,
      clock,
      ledger,
      issuer: 'Waybill',
      kinds: new SqliteWeb(database),
    });
    const ended: string[] = [];
    const current = parseHostKey(formatPrivateKey(await generateHostKey('ed25519'), 'user authority'));
    const authority = new OwnAuthority({
      store: new SqliteCertificates(database),
      accounts: accountStore,
      key: { current, take: () => Promise.resolve(current) },
      clock,
      ledger,
      hours: 8,
      credentialStands: (id) => accountStore.credential(id) !== null,
    });
    const keyActs = new KeyActs({
      keys,
      store: new SqliteKeys(database),
      record: recordsInto(ledger),
      endSessions: () => 0,
      removeContents: () => Promise.resolve({ files: 0, done: true }),
      report: (error) => world.failures.push(error),
    });
    const events = new Events({
      ...{
        store: new SqliteEvents(database),
        sealer: keys,
        ledger,
        tenantName: () => '',
        software: 'test',
        mail: true,
      },
      tail: new LedgerTail({ tiles: { read: () => Promise.resolve(null) }, logs: () => [] }),
      sender: { deliver: () => Promise.reject(new Error('nothing is sent here')) },
      allow: [],
      report: (error) => world.failures.push(error),
    });
    const parts: AdministrationParts = {
      tenants: world.tenants,
      folders: world.folders,
      grants: world.grants,
      keys,
      ledger,
      ledgerKey: {
        vkey: 'test+00000000+AQ==',
        waiting: () => 0,
        witnesses: () => [],
        signPack: (digest) => `signed ${digest}`,
      },
      ledgerFiles: { read: () => Promise.resolve(null), list: () => Promise.resolve([]) },
      budgets: world.budgets,
      acquaintances: world.acquaintances,
      events,
      sso: openSingleSignOn({ database, accountStore, sealer: keys, ledger, log: SILENT, allow: ['127.0.0.1'] }, []),
      web: openWebRooms({
        ...{ store: new SqliteWeb(database), accountStore, accounts, sealer: keys, ledger, clock },
        ...{ issuer: 'Waybill', origins: [], tokenIdleDays: null, report: (error) => world.failures.push(error) },
      }),
      accounts,
      administrators,
      approvals,
      keyActs,
      connections: {
        list: () =>
          accounts
            .list(null)
            .map(({ id, tenant }) => ({ session: SESSION, account: id, tenant }) as unknown as LiveSession),
        end: (_which, reason) => {
          ended.push(reason);
          return 1;
        },
      },
      hostKeys: [],
      certificates: { authority, hostLine: () => null },
      keyLife: new KeyLife({ store: accountStore, clock, ledger }),
      defaultQuota: null,
      write: (action) => database.write(action),
      usage: (tenant) => files.usage(tenant),
      status: () => {
        throw new Error('not asked here');
      },
      check: () => Promise.reject(new Error('not asked here')),
    };
    return new AdministrationScene(world, parts, ended);
  }

  /** As a command with this token sends it; null is whoever has only the socket. */
  async call<N extends AdminCallName>(by: Token | null, name: N, request: AdminRequest<N>): Promise<AdminResponse<N>> {
    const handlers = administrationHandlers(this.parts);
    const identify = () => callerOf(this.parts, by === null ? null : by.token);
    const dispatch = createDispatch<AdminCalls, AdminCallers>(ADMIN_CALLS, handlers, identify, SILENT);
    return (await dispatch(name, request)) as AdminResponse<N>;
  }

  /** Ada and Ben; a tenant acme with the folder in and the account anna, who may list there. */
  async twoAdministrators(): Promise<void> {
    await this.call(null, 'tenant.add', { name: 'acme', displayName: 'Acme' });
    await this.call(null, 'folder.add', { tenant: 'acme', name: 'in' });
    await this.call(null, 'account.add', { tenant: 'acme', login: 'anna', displayName: '', administrator: false });
    await this.call(null, 'grant.add', { ...IN, rights: ['list'], policy: null });
    await this.call(null, 'administrator.add', { name: 'ada', fingerprint: this.tokens.ada.fingerprint });
    await this.call(null, 'administrator.add', { name: 'ben', fingerprint: this.tokens.ben.fingerprint });
  }

  /** The reference under which an act waits; fails when it happened at once. */
  async proposed<N extends AdminCallName>(by: Token, name: N, request: AdminRequest<N>): Promise<string> {
    const error = await this.call(by, name, request).then(
      () => new Error(`${name} happened at once`),
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof Error && 'code' in error && error.code === 'approval-needed')) throw error;
    const reference = /A-[0-9A-Z]{5}-[0-9A-Z]{5}/.exec(error.message)?.[0];
    if (reference === undefined) throw new Error(`no reference in: ${error.message}`);
    return reference;
  }

  /** What anna may do in acme/in, and under which conditions. */
  grant() {
    const { account, folder } = this.annasGrant();
    const grant = this.parts.grants.find(account, folder);
    return grant === undefined ? null : { rights: fromBits(grant.rights), policy: grant.policy };
  }

  annasGrant(): { account: string; folder: string } {
    const account = this.parts.accounts.get('anna').id;
    const tenant = this.parts.tenants.byName('acme').id;
    return { account, folder: this.parts.folders.byName(tenant, 'in').id };
  }

  entries<K extends Entry['kind']>(kind: K): Extract<Entry, { kind: K }>[] {
    return this.world.ledger.pending(kind).map(({ entry }) => entry as Extract<Entry, { kind: K }>);
  }

  async close(): Promise<void> {
    await this.parts.keyActs.stop();
    await this.world.destroy();
  }
}

export const IN = { login: 'anna', tenant: null, folder: 'in' } as const;
