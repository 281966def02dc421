/**
 * Builds the parts of the server in the order in which they need each other, and takes them down in the opposite one.
 * Whatever fails on the way takes down what stands already: nothing starts half.
 */
import { enrolmentLink } from './accounts/web/origins.ts';
import { WaybillError } from './base/errors.ts';
import { createLog } from './base/log.ts';
import type { Broker } from './broker/broker.ts';
import { prepareDataFolder } from './config/data-folder.ts';
import type { DataFolder } from './config/data-folder.ts';
import type { ServerOptions } from './config/options.ts';
import { readBanner } from './config/read-options.ts';
import type { Address } from './config/values.ts';
import { completeFirstStart, OPERATOR_TENANT } from './first-start/first-account.ts';
import type { FirstAccount } from './first-start/first-account.ts';
import { firstEnrolment } from './first-start/first-administrator.ts';
import { watchTlsFiles } from './first-start/tls-identity.ts';
import type { LoadedHostKey } from './first-start/host-keys.ts';
import { rootKeyProviders } from './keys/providers.ts';
import { fingerprint } from './sshkeys/public-key.ts';
import { lockFolder } from './store/sqlite/folder-lock.ts';
import { startAdministration } from './startup/administration.ts';
import { startBroker } from './startup/broker.ts';
import { acmeSettings, startAcme } from './startup/acme.ts';
import { httpsAddresses, openTls, ownOrigins } from './startup/https.ts';
import { openRooms } from './startup/rooms.ts';
import { startAuthorities, startKeyActs, startSweeping } from './startup/rounds.ts';
import type { Undo } from './startup/undo.ts';

export interface Ready {
  readonly sftp: Address & { readonly fingerprints: readonly string[] };
  /** Every address, the first one included. */
  readonly listeners: readonly (Address & { readonly profile: 'default' | 'legacy' | 'https' })[];
  /** Null when its key file has been taken away. */
  readonly first: FirstAccount | null;
  /** The link by which the first administrator enrols; without HTTPS only its secret; null once it was used. */
  readonly enrol: string | null;
  /** What pins the key of HTTPS, for --trust; null where it is not served. */
  readonly tlsKey: string | null;
  /** Of connections of SFTP and HTTPS; null: left to the system. */
  readonly tcpCongestion: string | null;
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
    acmeSettings(options);
    const rootKeys = rootKeyProviders(options, (err) => {
      log.warn({ err }, 'the token for the root key could not be renewed; it is asked for again when it is needed');
    });
    const folder = prepareDataFolder(options.data);
    lock(folder, undo);
    const rooms = await openRooms(folder, rootKeys(folder.rootKey), options, log, undo);
    const tls = httpsAddresses(options).length === 0 ? null : await openTls(options, folder);
    const broker = await startBroker(options, rooms, banner, tls?.identity ?? null, undo);
    if (tls !== null && options.acme === null)
      undo.push(
        watchTlsFiles(tls.files, log, (identity) => {
          broker.changeTls(identity);
        }),
      );
    const keyActs = startKeyActs(rooms, broker, undo);
    const listeners = await listen(options, broker);
    const overHttps = listeners.filter(({ profile }) => profile === 'https');
    if (options['https-origin'].length === 0) rooms.web.origins.add(ownOrigins(overHttps));
    const { first, created } = await completeFirstStart({
      dataFolder: folder.root,
      ...rooms,
      defaultQuota: options.quota,
    });
    const operator = rooms.tenants.list().find(({ name }) => name === OPERATOR_TENANT);
    const origin = overHttps.length === 0 ? null : rooms.web.origins.first;
    const secret =
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
    if (tls !== null) {
      const { out, ledger, database } = rooms;
      const write = (action: () => void): Promise<void> => database.write(action);
      await startAcme({ options, keys: folder.keys, tls: tls.identity, log, out, ledger, write }, broker, undo);
    }
    const ready = {
      listeners,
      first,
      enrol: origin === null || secret === null ? secret : enrolmentLink(origin, secret),
      tlsKey: broker.tlsKey,
      tcpCongestion: broker.tcpCongestion,
      created,
      fronts: broker.frontPids,
      sftp: firstAddress(listeners, rooms.hostKeys),
    };
    const { frontCount: fronts, tcpCongestion } = broker;
    log.info({ listeners, fronts, tcpCongestion, recovered: rooms.files.recovered }, 'ready');
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

async function listen(options: ServerOptions, broker: Broker): Promise<Ready['listeners'][number][]> {
  const bound: Ready['listeners'][number][] = [];
  for (const [profile, addresses] of [
    ['default', options.sftp],
    ['legacy', options['sftp-legacy']],
    ['https', httpsAddresses(options)],
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
