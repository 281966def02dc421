/**
 * Builds the parts of the server in the order in which they need each other, and takes them down in the opposite one.
 * Whatever fails on the way takes down what stands already: nothing starts half.
 */
import { hostname } from 'node:os';
import path from 'node:path';
import { SIGN_IN_LIMITS } from './accounts/sign-in.ts';
import { Accounts } from './accounts/accounts.ts';
import { openBreachedPasswords, OWN_LIST } from './accounts/breached-passwords.ts';
import type { WebStore } from './accounts/web/store.ts';
import { Administrators } from './accounts/administrators.ts';
import { HostAuthority } from './accounts/authority-host.ts';
import { OwnAuthority } from './accounts/authority-own.ts';
import { KeyLife } from './accounts/key-life.ts';
import { Slowing } from './accounts/slowing.ts';
import { WorkLine } from './accounts/work-line.ts';
import { SYSTEM_CLOCK } from './base/clock.ts';
import { isFull, WaybillError } from './base/errors.ts';
import { createLog } from './base/log.ts';
import type { Log } from './base/log.ts';
import { Retries } from './base/retries.ts';
import { ADMIN_CALLS } from './broker/admin-calls.ts';
import type { AdminCalls } from './broker/admin-calls.ts';
import { AdminServer } from './broker/admin-server.ts';
import { callerOf } from './broker/administration-administrators.ts';
import { administrationHandlers } from './broker/administration.ts';
import type { AdminCallers } from './broker/administration-parts.ts';
import { Broker } from './broker/broker.ts';
import type { TlsIdentity } from './broker/calls.ts';
import { Certificates } from './broker/certificates.ts';
import { createDispatch } from './broker/dispatch.ts';
import { frontArguments } from './broker/front-permissions.ts';
import { HostKeys } from './broker/host-keys.ts';
import { justShown } from './broker/web-handlers.ts';
import { openWebRooms } from './broker/web-rooms.ts';
import type { WebRooms } from './broker/web-rooms.ts';
import { openEvents } from './broker/start-events.ts';
import type { StartedEvents } from './broker/start-events.ts';
import { prepareDataFolder } from './config/data-folder.ts';
import type { DataFolder } from './config/data-folder.ts';
import type { ServerOptions } from './config/options.ts';
import { readBanner } from './config/read-options.ts';
import type { Address } from './config/values.ts';
import { checkNext } from './files/check.ts';
import { Files } from './files/files.ts';
import { UNLIMITED } from './files/parts.ts';
import { Folders } from './files/folders.ts';
import { Tenants } from './files/tenants.ts';
import { completeFirstStart, OPERATOR_TENANT } from './first-start/first-account.ts';
import type { FirstAccount } from './first-start/first-account.ts';
import { openAuthorityKey } from './first-start/authority-keys.ts';
import { firstEnrolment } from './first-start/first-administrator.ts';
import { openHostKeys } from './first-start/host-keys.ts';
import { openTlsIdentity, tlsFiles, watchTlsFiles } from './first-start/tls-identity.ts';
import type { TlsFiles } from './first-start/tls-identity.ts';
import type { LoadedHostKey } from './first-start/host-keys.ts';
import { KeyActs } from './keys/key-acts.ts';
import { Keys } from './keys/keys.ts';
import { recordsInto } from './keys/records.ts';
import { rootKeyProviders } from './keys/providers.ts';
import type { RootKeyProvider } from './keys/root-key-provider.ts';
import { dependenciesDigest } from './ledger/dependencies.ts';
import type { LedgerNode } from './ledger/node.ts';
import { openLedger } from './ledger/open-ledger.ts';
import type { OpenLedger } from './ledger/open-ledger.ts';
import type { Recorder } from './ledger/recorder.ts';
import type { Sequencer } from './ledger/sequencer.ts';
import { Acquaintances } from './policy/budgets/acquaintances.ts';
import { Budgets } from './policy/budgets/budgets.ts';
import { Approvals } from './policy/approvals.ts';
import { Grants } from './policy/grants.ts';
import { fingerprint } from './sshkeys/public-key.ts';
import { BlobFolder } from './store/folder/blob-folder.ts';
import { TileFolder } from './store/folder/tile-folder.ts';
import { SqliteAccounts } from './store/sqlite/accounts.ts';
import { SqliteAdministrators } from './store/sqlite/administrators.ts';
import { SqliteProposals } from './store/sqlite/approvals.ts';
import { SqliteAcquaintances } from './store/sqlite/acquaintances.ts';
import { SqliteBudgets } from './store/sqlite/budgets.ts';
import { SqliteCertificates } from './store/sqlite/certificates.ts';
import { Database } from './store/sqlite/database.ts';
import { SqliteEvents } from './store/sqlite/events.ts';
import { SqliteFiles } from './store/sqlite/files.ts';
import { lockFolder } from './store/sqlite/folder-lock.ts';
import { SqliteHolds } from './store/sqlite/holds.ts';
import { SqliteKeys } from './store/sqlite/keys.ts';
import { SqliteLedger } from './store/sqlite/ledger.ts';
import { SqliteGrants } from './store/sqlite/policy.ts';
import { SqliteWeb } from './store/sqlite/web.ts';
import { Checkpointer } from './store/sqlite/checkpointer.ts';
import { SpareRoom } from './store/sqlite/spare-room.ts';
import manifest from '../package.json' with { type: 'json' };

export interface Ready {
  readonly sftp: Address & { readonly fingerprints: readonly string[] };
  /** Every address, the first one included. */
  readonly listeners: readonly (Address & { readonly profile: 'default' | 'legacy' | 'https' })[];
  /** Null when its key file has been taken away. */
  readonly first: FirstAccount | null;
  /** The secret by which the first administrator enrols over HTTPS; null once it was used. */
  readonly enrol: string | null;
  /** Whether this start made the data folder's content. */
  readonly created: boolean;
  readonly fronts: readonly number[];
}

export interface RunningServer {
  readonly ready: Ready;
  /** Clean: fronts put uploads away, records become durable. */
  stop(): Promise<void>;
  /** At once; safe as a crash is. */
  kill(): void;
}

const FRONT_ENTRY = path.join(import.meta.dirname, 'front', 'main.ts');
const HTTPS_ENTRY = path.join(import.meta.dirname, 'front', 'https-main.ts');
const DRAIN_MILLISECONDS = 8000;
const SWEEP_MILLISECONDS = 3_600_000;
const BUDGETS_SWEEP_MILLISECONDS = 60_000;

/** Undone in the opposite order. */
type Undo = () => void | Promise<void>;

export async function startServer(options: ServerOptions): Promise<RunningServer> {
  const log = createLog(options['log-level']);
  const undo: Undo[] = [];
  const takeDown = async (): Promise<void> => {
    for (const step of undo.reverse()) await step();
    undo.length = 0;
  };
  try {
    // What is only a mistake in the options must not leave a data folder behind.
    const banner = readBanner(options.banner);
    const rootKeys = rootKeyProviders(options, (err) => {
      log.warn({ err }, 'the token for the root key could not be renewed; it is asked for again when it is needed');
    });
    const folder = prepareDataFolder(options.data);
    lock(folder, undo);
    const rooms = await openRooms(folder, rootKeys(folder.rootKey), options, log, undo);
    const tls = options.https.length === 0 ? null : await openTls(options, folder);
    const broker = await startBroker(options, rooms, banner, tls?.identity ?? null, undo);
    if (tls !== null)
      undo.push(
        watchTlsFiles(tls.files, log, (identity) => {
          broker.changeTls(identity);
        }),
      );
    const keyActs = startKeyActs(rooms, broker, undo);
    const listeners = await listen(options, broker);
    const { first, created } = await completeFirstStart({
      dataFolder: folder.root,
      ...rooms,
      defaultQuota: options.quota,
    });
    const operator = rooms.tenants.list().find(({ name }) => name === OPERATOR_TENANT);
    const enrol =
      operator === undefined ? null : await firstEnrolment({ ...rooms, dataFolder: folder.root }, operator.id);
    await startAdministration(options, folder, { ...rooms, keyActs }, broker, listeners, undo);
    await startAuthorities(options, rooms, broker, undo);
    startSweeping(rooms.files, log, undo);
    rooms.out.begin(() => ({
      sessions: broker.connections.list().length,
      connections: broker.connections.count,
      fronts: broker.frontCount,
      holds: rooms.budgets.holds.list().length,
    }));
    const ready = {
      listeners,
      first,
      enrol,
      created,
      fronts: broker.frontPids,
      sftp: firstAddress(listeners, rooms.hostKeys),
    };
    log.info({ listeners, fronts: broker.frontCount, recovered: rooms.files.recovered }, 'ready');
    return {
      ready,
      stop: takeDown,
      kill: () => {
        broker.kill();
      },
    };
  } catch (error) {
    await takeDown();
    throw error;
  }
}

function lock(folder: DataFolder, undo: Undo[]): void {
  const held = lockFolder(folder.lock);
  if (held === null) throw new WaybillError('already-running', `another server uses the data folder ${folder.root}`);
  undo.push(() => {
    held.release();
  });
}

interface Rooms {
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
  readonly hostKeys: readonly LoadedHostKey[];
  readonly out: StartedEvents;
  readonly events: StartedEvents['events'];
  readonly userAuthority: OwnAuthority;
  readonly hostAuthority: HostAuthority;
  readonly keyLife: KeyLife;
}

async function openRooms(
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
  const accounts = new Accounts({ store: accountStore, sealer: keys, clock: SYSTEM_CLOCK, ledger, issuer, breached });
  const web = openWebRooms({
    ...{ store: new SqliteWeb(database), accountStore, accounts, sealer: keys, ledger, clock: SYSTEM_CLOCK, issuer },
    origins: options['https-origin'],
    tokenIdleDays: options['suspend-unused'],
    report,
  });
  undo.push(web.start());
  const holds = (tenant: string): string | null => (accounts.list(tenant).length > 0 ? 'accounts' : null);
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
  });
  undo.push(() => out.stop());
  const authorities = await openAuthorities(options, folder, database, accountStore, web.parts.store, ledger);
  const keyLife = new KeyLife({ store: accountStore, clock: SYSTEM_CLOCK, ledger });
  return { log, ...opened, out, events: out.events, accountStore, accounts, web, hostKeys, ...authorities, keyLife };
}

async function openAuthorities(
  options: ServerOptions,
  folder: DataFolder,
  database: Database,
  accounts: SqliteAccounts,
  web: WebStore,
  ledger: Recorder,
): Promise<Pick<Rooms, 'userAuthority' | 'hostAuthority'>> {
  const store = new SqliteCertificates(database);
  const parts = { store, clock: SYSTEM_CLOCK, ledger };
  const userAuthority = new OwnAuthority({
    ...parts,
    accounts,
    key: await openAuthorityKey(folder.keys, 'user', store.authorityUsed('user')),
    hours: options['certificate-hours'],
    credentialStands: (id) => accounts.credential(id) !== null || web.passkey(id) !== null,
  });
  const key = await openAuthorityKey(folder.keys, 'host', store.authorityUsed('host'));
  return { userAuthority, hostAuthority: new HostAuthority({ ...parts, key, names: options['host-name'] }) };
}

/** Opened also when nothing is counted, so that what was held before can be seen and answered. */
async function startBudgets(
  options: ServerOptions,
  database: Database,
  ledger: Recorder,
  log: Log,
  undo: Undo[],
): Promise<{ budgets: Budgets; acquaintances: Acquaintances }> {
  const acquaintances = new Acquaintances(new SqliteAcquaintances(database), ledger);
  const [store, holdStore] = [new SqliteBudgets(database), new SqliteHolds(database)];
  const { 'budget-initial': initial, 'budget-floor': floor, 'budget-cap': cap } = options;
  const budgets = await Budgets.open({ store, holdStore, ledger, acquaintances, figures: { initial, floor, cap } });
  const timer = setInterval(() => {
    budgets.sweep().catch((err: unknown) => {
      log.error({ err }, 'what budgets have used could not be saved; it is tried again');
    });
  }, BUDGETS_SWEEP_MILLISECONDS);
  undo.push(async () => {
    clearInterval(timer);
    await budgets.stop().catch((err: unknown) => {
      log.error({ err }, 'what budgets have used could not be saved; the next start takes it as higher than it is');
    });
  });
  return { budgets, acquaintances };
}

async function startLedger(
  options: ServerOptions,
  folder: DataFolder,
  database: Database,
  nameOf: (tenant: string) => string,
  log: Log,
  undo: Undo[],
): Promise<OpenLedger> {
  const root = path.dirname(import.meta.dirname);
  const ledger = await openLedger({
    store: new SqliteLedger(database),
    tiles: new TileFolder(folder.ledger),
    keyFile: folder.ledgerKey,
    nameOf,
    node: { name: hostname(), software: `waybill ${manifest.version}` },
    build: {
      runtime: `node ${process.versions.node}`,
      dependencies: dependenciesDigest(root, ['src', 'package.json', 'package-lock.json']),
    },
    report: (err) => {
      log.error({ err }, 'the ledger could not be written; what is recorded waits and is tried again');
    },
    witnesses: options.witness,
    reportWitness: (witness, err) => {
      log.warn({ witness, err }, 'a witness has not cosigned the ledger; it is asked again after the next sealing');
    },
  });
  undo.push(() => ledger.stop());
  if (ledger.gaps > 0) log.warn({ sessions: ledger.gaps }, 'sessions were open when the server died');
  return ledger;
}

async function openTls(
  options: ServerOptions,
  folder: DataFolder,
): Promise<{ files: TlsFiles; identity: TlsIdentity }> {
  const files = tlsFiles(folder.keys, options['tls-cert'], options['tls-key']);
  const names = options.https.map(({ host }) => host).filter((host) => host !== '0.0.0.0' && host !== '::');
  const identity = await openTlsIdentity(files, [...names, '127.0.0.1', '::1'], Date.now());
  return { files, identity };
}

async function startBroker(
  options: ServerOptions,
  rooms: Rooms,
  banner: string | null,
  tls: TlsIdentity | null,
  undo: Undo[],
): Promise<Broker> {
  const folders = { blobs: rooms.blobs.blobs, incoming: rooms.blobs.incomingFolder };
  const { acquaintances } = rooms;
  const { log, blobs, files, grants, ledger, keys, accountStore, fileStore, database, retries } = rooms;
  const broker = new Broker({
    log,
    files,
    grants,
    ledger,
    acquaintances,
    retries,
    hello: {
      blobs: blobs.blobs,
      incoming: blobs.incomingFolder,
      banner,
      softwareVersion: manifest.version,
      limits: {
        loginGraceSeconds: options['login-grace'],
        rekeyBytes: options['rekey-bytes'],
        rekeySeconds: options['rekey-seconds'],
        channelsPerConnection: options.channels,
        handlesPerSession: options.handles,
        idleSeconds: options.idle,
      },
    },
    hostKeys: new HostKeys(rooms.hostKeys),
    certificates: new Certificates({
      authority: rooms.userAuthority,
      justShown: (session) => justShown(session, Date.now()),
      hostKeys: rooms.hostKeys.map(({ key }) => key.public),
      hostCa: () => rooms.hostAuthority.knownHostsLine,
    }),
    web: rooms.web,
    signIn: {
      store: accountStore,
      sealer: keys,
      clock: SYSTEM_CLOCK,
      log,
      passwords: new WorkLine(),
      slowing: new Slowing(),
      certificates: rooms.userAuthority,
      limits: SIGN_IN_LIMITS,
    },
    node: rooms.node,
    write: (action) => database.write(action),
    writePatiently: (action) => database.writePatiently(action),
    tenantName: (tenant) => fileStore.tenant(tenant)?.name ?? null,
    fronts: {
      size: options.fronts,
      args: frontArguments(folders, FRONT_ENTRY),
    },
    https: tls === null ? null : { size: options.fronts, args: frontArguments(folders, HTTPS_ENTRY, 'https'), tls },
    limits: {
      startups: options['max-startups'],
      startupsPerSource: options['max-startups-per-source'],
      connections: options['max-connections'],
      penalties: options.penalties,
    },
  });
  undo.push(() => broker.stop(DRAIN_MILLISECONDS));
  if (!(await broker.startFronts())) {
    throw new WaybillError('internal', 'a front process ended before it was ready; the log says why');
  }
  return broker;
}

/** What a stop or a crash left of rotations and shreddings goes on from here. */
function startKeyActs({ keys, keyStore, ledger, files, log }: Rooms, broker: Broker, undo: Undo[]): KeyActs {
  const keyActs = new KeyActs({
    keys,
    store: keyStore,
    record: recordsInto(ledger),
    endSessions: (tenant, reason) => broker.connections.end((session) => session.tenant === tenant, reason),
    removeContents: (tenant, stopped) => files.removeContents(tenant, stopped),
    report: (err) => {
      log.error({ err }, 'keys could not be wrapped again or removed; it is tried again');
    },
  });
  undo.push(() => keyActs.stop());
  const { current, wanted } = keys.roots;
  if (!wanted.owns(current.root)) {
    const fields = { current: current.root, wanted: wanted.place };
    log.warn(fields, 'the root key is not where the options say; to move it there, run: waybill rootkey rotate');
  }
  keyActs.resume();
  return keyActs;
}

async function listen(options: ServerOptions, broker: Broker): Promise<Ready['listeners'][number][]> {
  const bound: Ready['listeners'][number][] = [];
  for (const [profile, addresses] of [
    ['default', options.sftp],
    ['legacy', options['sftp-legacy']],
    ['https', options.https],
  ] as const) {
    for (const address of addresses) bound.push({ ...(await broker.listen(address, profile)), profile });
  }
  return bound;
}

function firstAddress(listeners: Ready['listeners'], hostKeys: readonly LoadedHostKey[]): Ready['sftp'] {
  const [first] = listeners;
  const fingerprints = hostKeys.map(({ key }) => fingerprint(key.public.blob));
  return { host: first?.host ?? '', port: first?.port ?? 0, fingerprints };
}

async function startAdministration(
  options: ServerOptions,
  folder: DataFolder,
  rooms: Rooms & { readonly keyActs: KeyActs },
  broker: Broker,
  listeners: Ready['listeners'],
  undo: Undo[],
): Promise<void> {
  const started = new Date().toISOString();
  const { fileStore: store, blobs, keys, files, connections } = { ...rooms, connections: broker.connections };
  const { database, ledger } = rooms;
  const administrators = new Administrators(new SqliteAdministrators(database), ledger);
  const approvals = new Approvals({ store: new SqliteProposals(database), sealer: keys, ledger, administrators });
  const handlers = administrationHandlers({
    ...rooms,
    administrators,
    approvals,
    connections,
    hostKeys: rooms.hostKeys.map(({ key }) => key.public),
    certificates: { authority: rooms.userAuthority, hostLine: () => rooms.hostAuthority.knownHostsLine },
    defaultQuota: options.quota,
    write: (action) => rooms.database.write(action),
    usage: (tenant) => files.usage(tenant),
    status: () => ({
      version: manifest.version,
      pid: process.pid,
      started,
      sftp: listeners.filter(({ profile }) => profile !== 'https').map(({ host, port }) => ({ host, port })),
      fronts: broker.frontCount,
      connections: connections.count,
      sessions: connections.list().length,
    }),
    check: (after) => checkNext({ store, blobs, keys }, after),
  });
  const server = new AdminServer(folder.root, (token) =>
    createDispatch<AdminCalls, AdminCallers>(
      ADMIN_CALLS,
      handlers,
      () => callerOf({ administrators }, token),
      rooms.log,
    ),
  );
  undo.push(() => {
    server.close();
  });
  await server.listen();
}

/** Certificates of the host keys, before the server says that it is ready; and what comes round by itself. */
async function startAuthorities(options: ServerOptions, rooms: Rooms, broker: Broker, undo: Undo[]): Promise<void> {
  const { hostAuthority, userAuthority, keyLife, hostKeys, log } = rooms;
  const days = options['suspend-unused'];
  // A certificate that the operator put beside a key stays.
  const keys = hostKeys.filter(({ certificate }) => certificate === null).map(({ key }) => key.public);
  const round = async (): Promise<void> => {
    if (hostAuthority.due) broker.changeHostCertificates(await hostAuthority.certify(keys));
    await userAuthority.sweep();
    for (const { id, fingerprint: print } of days === null ? [] : await keyLife.suspendUnused(days)) {
      log.warn({ key: print }, `a key was suspended: it was not used for ${days} days`);
      broker.connections.end(({ proofs }) => proofs.includes(id), 'the key of this session is suspended');
    }
  };
  await round();
  const timer = setInterval(() => {
    round().catch((err: unknown) => {
      log.error({ err }, 'certificates of host keys or unused keys could not be looked after; it is tried again');
    });
  }, SWEEP_MILLISECONDS);
  undo.push(() => {
    clearInterval(timer);
  });
}

function startSweeping(files: Files, log: Log, undo: Undo[]): void {
  const timer = setInterval(() => {
    files.sweep().catch((err: unknown) => {
      log.error({ err }, 'old uploads in progress could not be discarded');
    });
  }, SWEEP_MILLISECONDS);
  undo.push(() => {
    clearInterval(timer);
  });
}
