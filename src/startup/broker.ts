/** Starts the broker with its fronts. */
import path from 'node:path';
import { demandOf } from '../accounts/demands.ts';
import { SIGN_IN_LIMITS } from '../accounts/sign-in.ts';
import { Slowing } from '../accounts/slowing.ts';
import { WorkLine } from '../accounts/work-line.ts';
import { Networks } from '../base/addresses.ts';
import { SYSTEM_CLOCK } from '../base/clock.ts';
import { WaybillError } from '../base/errors.ts';
import { Broker } from '../broker/broker.ts';
import type { BrokerParts } from '../broker/broker.ts';
import type { TlsIdentity } from '../broker/calls.ts';
import { Certificates } from '../broker/certificates.ts';
import { frontArguments } from '../broker/front-permissions.ts';
import type { FrontFolders } from '../broker/front-permissions.ts';
import { HostKeys } from '../broker/host-keys.ts';
import { justShown } from '../broker/web-handlers.ts';
import type { ServerOptions } from '../config/options.ts';
import manifest from '../../package.json' with { type: 'json' };
import { httpsAddresses } from './https.ts';
import { openListeningSockets } from '../tcp/listening-sockets.ts';
import type { Rooms } from './rooms.ts';
import type { Undo } from './undo.ts';

const FRONT_ENTRY = path.join(import.meta.dirname, '..', 'front', 'main.ts');
const HTTPS_ENTRY = path.join(import.meta.dirname, '..', 'front', 'https-main.ts');
const FAST_ENTRY = path.join(import.meta.dirname, '..', 'front', 'fast-main.ts');
const DRAIN_MILLISECONDS = 8000;

export async function startBroker(
  options: ServerOptions,
  rooms: Rooms,
  banner: string | null,
  tls: TlsIdentity | null,
  undo: Undo[],
): Promise<Broker> {
  const folders = { blobs: rooms.blobs.blobs, incoming: rooms.blobs.incomingFolder };
  const { acquaintances } = rooms;
  const webStore = rooms.web.parts.store;
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
    sso: rooms.sso,
    loginElsewhere: new Networks(options['login-elsewhere']),
    proxies: new Networks(options['trusted-proxy']),
    administration: rooms.administration,
    signIn: {
      store: accountStore,
      sealer: keys,
      clock: SYSTEM_CLOCK,
      log,
      passwords: new WorkLine(),
      slowing: new Slowing(),
      certificates: rooms.userAuthority,
      demand: ({ id, tenant }) => demandOf(webStore.kindOf(id), webStore.policyOf(tenant)),
      limits: SIGN_IN_LIMITS,
    },
    node: rooms.node,
    traces: rooms.out.traces,
    write: (action) => database.write(action),
    writePatiently: (action) => database.writePatiently(action),
    tenantName: (tenant) => fileStore.tenant(tenant)?.name ?? null,
    fronts: {
      size: options.fronts,
      args: frontArguments(folders, FRONT_ENTRY),
    },
    listening: await openListeningSockets(options['tcp-congestion'], log),
    https: tls === null ? null : { size: options.fronts, args: frontArguments(folders, HTTPS_ENTRY, 'https'), tls },
    fast: fastOf(options, folders),
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

/** They are begun over HTTPS: without it there are none. */
function fastOf(options: ServerOptions, { blobs, incoming }: FrontFolders): BrokerParts['fast'] {
  const { fast, 'fast-backend': backend } = options;
  if (fast === null || httpsAddresses(options).length === 0) return null;
  const args = frontArguments({ blobs, incoming }, FAST_ENTRY, 'fast');
  return { address: fast === 'same' ? null : fast, host: options['fast-host'], args, blobs, incoming, backend };
}
