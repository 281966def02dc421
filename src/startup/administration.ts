/** Serves the calls of administrators on the socket of the data folder. */
import { ADMIN_CALLS } from '../broker/admin-calls.ts';
import type { AdminCalls } from '../broker/admin-calls.ts';
import { AdminServer } from '../broker/admin-server.ts';
import { callerOf } from '../broker/administration-administrators.ts';
import { administrationHandlers } from '../broker/administration.ts';
import type { AdminCallers } from '../broker/administration-parts.ts';
import { Broker } from '../broker/broker.ts';
import { createDispatch } from '../broker/dispatch.ts';
import type { DataFolder } from '../config/data-folder.ts';
import type { ServerOptions } from '../config/options.ts';
import { checkNext } from '../files/check.ts';
import { KeyActs } from '../keys/key-acts.ts';
import { LedgerFolder } from '../ledger/verify/ledger-files.ts';
import { Approvals } from '../policy/approvals.ts';
import { SqliteProposals } from '../store/sqlite/approvals.ts';
import manifest from '../../package.json' with { type: 'json' };
import type { Ready } from '../main.ts';
import type { Rooms } from './rooms.ts';
import type { Undo } from './undo.ts';

export async function startAdministration(
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
  const { administrators } = rooms.administration;
  const approvals = new Approvals({ store: new SqliteProposals(database), sealer: keys, ledger, administrators });
  const handlers = administrationHandlers({
    ...rooms,
    administrators,
    approvals,
    ledgerFiles: new LedgerFolder(folder.ledger),
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
      https: listeners.filter(({ profile }) => profile === 'https').map(({ host, port }) => ({ host, port })),
      tlsKey: broker.tlsKey,
      tcpCongestion: broker.tcpCongestion,
      fronts: broker.frontCount,
      connections: connections.count,
      sessions: connections.list().length,
    }),
    check: (after) => checkNext({ store, blobs, keys }, after),
  });
  rooms.administration.open(handlers);
  const server = new AdminServer(folder.root, (token) =>
    createDispatch<AdminCalls, AdminCallers>(
      ADMIN_CALLS,
      handlers,
      () => callerOf({ administrators }, token),
      rooms.log,
      rooms.out.traces?.administered ?? null,
    ),
  );
  undo.push(() => {
    server.close();
  });
  await server.listen();
}
