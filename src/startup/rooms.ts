/** Opens the rooms of the broker on the store, in the order in which they need each other. */
import { Accounts } from '../accounts/accounts.ts';
import { openBreachedPasswords, OWN_LIST } from '../accounts/breached-passwords.ts';
import { HostAuthority } from '../accounts/authority-host.ts';
import { OwnAuthority } from '../accounts/authority-own.ts';
import { KeyLife } from '../accounts/key-life.ts';
import { SYSTEM_CLOCK } from '../base/clock.ts';
import { isFull } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { Retries } from '../base/retries.ts';
import type { SingleSignOn } from '../sso/single-sign-on.ts';
import type { RemoteAdministration } from '../broker/remote-administration.ts';
import { openWebRooms } from '../broker/web-rooms.ts';
import type { WebRooms } from '../broker/web-rooms.ts';
import { openEvents } from '../broker/start-events.ts';
import type { StartedEvents } from '../broker/start-events.ts';
import type { DataFolder } from '../config/data-folder.ts';
import type { ServerOptions } from '../config/options.ts';
import { Files } from '../files/files.ts';
import { UNLIMITED } from '../files/parts.ts';
import { Folders } from '../files/folders.ts';
import { Tenants } from '../files/tenants.ts';
import { openAuthorityKey } from '../first-start/authority-keys.ts';
import { openHostKeys } from '../first-start/host-keys.ts';
import type { LoadedHostKey } from '../first-start/host-keys.ts';
import { Keys } from '../keys/keys.ts';
import type { RootKeyProvider } from '../keys/root-key-provider.ts';
import type { LedgerNode } from '../ledger/node.ts';
import type { OpenLedger } from '../ledger/open-ledger.ts';
import type { Recorder } from '../ledger/recorder.ts';
import type { Sequencer } from '../ledger/sequencer.ts';
import { Acquaintances } from '../policy/budgets/acquaintances.ts';
import { Budgets } from '../policy/budgets/budgets.ts';
import { Grants } from '../policy/grants.ts';
import { BlobFolder } from '../store/folder/blob-folder.ts';
import { TileFolder } from '../store/folder/tile-folder.ts';
import { SqliteAccounts } from '../store/sqlite/accounts.ts';
import { SqliteCertificates } from '../store/sqlite/certificates.ts';
import { Database } from '../store/sqlite/database.ts';
import { SqliteEvents } from '../store/sqlite/events.ts';
import { SqliteFiles } from '../store/sqlite/files.ts';
import { SqliteKeys } from '../store/sqlite/keys.ts';
import { SqliteLedger } from '../store/sqlite/ledger.ts';
import { SqliteGrants } from '../store/sqlite/policy.ts';
import { SqliteWeb } from '../store/sqlite/web.ts';
import { Checkpointer } from '../store/sqlite/checkpointer.ts';
import { SpareRoom } from '../store/sqlite/spare-room.ts';
import manifest from '../../package.json' with { type: 'json' };
import { openRemoteAdministration } from './administrators.ts';
import { startBudgets } from './budgets.ts';
import { startLedger } from './ledger.ts';
import { openSingleSignOn } from './single-sign-on.ts';
import { acmeSettings } from './acme.ts';
import type { Undo } from './undo.ts';

export interface Rooms {
  readonly log: Log;
  readonly database: Database;
  readonly blobs: BlobFolder;
  readonly keys: Keys;
  readonly keyStore: SqliteKeys;
  readonly ledger: Recorder;
  readonly node: LedgerNode;
  readonly sequencer: Sequencer;
  readonly ledgerKey: OpenLedger;
  readonly budgets: Budgets;
  readonly acquaintances: Acquaintances;
  readonly grants: Grants;
  readonly fileStore: SqliteFiles;
  readonly files: Files;
  readonly retries: Retries;
  readonly folders: Folders;
  readonly tenants: Tenants;
  readonly accountStore: SqliteAccounts;
  readonly accounts: Accounts;
  readonly web: WebRooms;
  readonly sso: SingleSignOn;
  readonly administration: RemoteAdministration;
  readonly hostKeys: readonly LoadedHostKey[];
  readonly out: StartedEvents;
  readonly events: StartedEvents['events'];
  readonly userAuthority: OwnAuthority;
  readonly hostAuthority: HostAuthority;
  readonly keyLife: KeyLife;
}

export async function openRooms(
  folder: DataFolder,
  rootKeys: readonly RootKeyProvider[],
  options: ServerOptions,
  log: Log,
  undo: Undo[],
): Promise<Rooms> {
  const { reserve } = options;
  const database = new Database(folder.database);
  undo.push(() => {
    database.close();
  });
  const keyStore = new SqliteKeys(database);
  const keys = await Keys.open(keyStore, rootKeys);
  const hostKeys = await openHostKeys(folder.keys, Date.now());
  const nameOf = (tenant: string): string => fileStore.tenant(tenant)?.name ?? '';
  const opening = await startLedger(options, folder, database, nameOf, log, undo);
  const { recorder: ledger, node, sequencer } = opening;
  const { budgets, acquaintances } = await startBudgets(options, database, ledger, log, undo);
  const egress = options.budgets === 'on' ? budgets : UNLIMITED;
  const grants = new Grants(new SqliteGrants(database), ledger);
  const fileStore = new SqliteFiles(database);
  const blobs = await BlobFolder.open(folder.root);
  const report = (err: unknown): void => {
    log.error({ err }, 'work in the background failed');
  };
  const retries = new Retries({ again: isFull, report });
  const files = await Files.open({ store: fileStore, blobs, keys, grants, ledger, egress, report, retries, reserve });
  undo.push(() => files.settled());
  const spareRoom = new SpareRoom(database, () => blobs.space());
  undo.push(() => spareRoom.stop());
  await spareRoom.start(report);
  const checkpointer = new Checkpointer(database, folder.database);
  undo.push(() => checkpointer.stop());
  const accountStore = new SqliteAccounts(database);
  const issuer = 'Waybill';
  const breached = await openBreachedPasswords([OWN_LIST, ...options['breached-passwords']]);
  const webStore = new SqliteWeb(database);
  const accounts = new Accounts({
    ...{ store: accountStore, kinds: webStore, sealer: keys, clock: SYSTEM_CLOCK, ledger, issuer, breached },
  });
  const outside = { log, allow: options['outbound-allow'] };
  const sso = openSingleSignOn({ database, accountStore, sealer: keys, ledger, ...outside }, undo);
  const web = openWebRooms({
    ...{ store: webStore, accountStore, accounts, sealer: keys, ledger, clock: SYSTEM_CLOCK, issuer },
    origins: options['https-origin'],
    tokenIdleDays: options['suspend-unused'],
    sso: sso.providers,
    report,
  });
  undo.push(web.start());
  const holds = (tenant: string): string | null => {
    if (accounts.list(tenant).length > 0) return 'accounts';
    return sso.providers.store.providers().some((one) => one.tenant === tenant) ? 'identity providers' : null;
  };
  const tenants = new Tenants({ store: fileStore, keys, ledger, holds });
  const hasUploads = (directory: number): boolean => files.hasUploads(directory);
  const folders = new Folders({ store: fileStore, grants, ledger, hasUploads });
  const opened = {
    database,
    blobs,
    keys,
    keyStore,
    ledger,
    node,
    sequencer,
    ledgerKey: opening,
    budgets,
    acquaintances,
    grants,
    fileStore,
    files,
    folders,
    tenants,
    retries,
  };
  const out = openEvents({
    ...{ options, log, sequencer, recorder: ledger, sealer: keys, software: manifest.version },
    ...{ store: new SqliteEvents(database), entries: new SqliteLedger(database), tiles: new TileFolder(folder.ledger) },
    tenantName: nameOf,
    acme: acmeSettings(options),
  });
  undo.push(() => out.stop());
  const authorities = await openAuthorities(options, folder, database, { accountStore, web, sso }, ledger);
  const keyLife = new KeyLife({ store: accountStore, clock: SYSTEM_CLOCK, ledger });
  const administration = openRemoteAdministration({
    ...{ database, ledger, accountStore, tenants, web, log },
    from: options['admin-from'],
  });
  return {
    log,
    ...opened,
    out,
    events: out.events,
    accountStore,
    accounts,
    web,
    sso,
    administration,
    hostKeys,
    ...authorities,
    keyLife,
  };
}

async function openAuthorities(
  options: ServerOptions,
  folder: DataFolder,
  database: Database,
  { accountStore: accounts, web, sso }: Pick<Rooms, 'accountStore' | 'web' | 'sso'>,
  ledger: Recorder,
): Promise<Pick<Rooms, 'userAuthority' | 'hostAuthority'>> {
  const store = new SqliteCertificates(database);
  const parts = { store, clock: SYSTEM_CLOCK, ledger };
  const userAuthority = new OwnAuthority({
    ...parts,
    accounts,
    key: await openAuthorityKey(folder.keys, 'user', store.authorityUsed('user')),
    hours: options['certificate-hours'],
    credentialStands: (id) =>
      accounts.credential(id) !== null || web.parts.store.passkey(id) !== null || sso.providers.store.link(id) !== null,
  });
  const key = await openAuthorityKey(folder.keys, 'host', store.authorityUsed('host'));
  return { userAuthority, hostAuthority: new HostAuthority({ ...parts, key, names: options['host-name'] }) };
}
