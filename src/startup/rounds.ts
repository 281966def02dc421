/** What comes round by itself: certificates, unused keys, old uploads, rotations that a stop left half done. */
import type { Log } from '../base/log.ts';
import { Broker } from '../broker/broker.ts';
import type { ServerOptions } from '../config/options.ts';
import { Files } from '../files/files.ts';
import { KeyActs } from '../keys/key-acts.ts';
import { recordsInto } from '../keys/records.ts';
import type { Rooms } from './rooms.ts';
import type { Undo } from './undo.ts';

const SWEEP_MILLISECONDS = 3_600_000;

/** What a stop or a crash left of rotations and shreddings goes on from here. */
export function startKeyActs({ keys, keyStore, ledger, files, log }: Rooms, broker: Broker, undo: Undo[]): KeyActs {
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

/** Certificates of the host keys, before the server says that it is ready; and what comes round by itself. */
export async function startAuthorities(
  options: ServerOptions,
  rooms: Rooms,
  broker: Broker,
  undo: Undo[],
): Promise<void> {
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

export function startSweeping(files: Files, log: Log, undo: Undo[]): void {
  const timer = setInterval(() => {
    files.sweep().catch((err: unknown) => {
      log.error({ err }, 'old uploads in progress could not be discarded');
    });
  }, SWEEP_MILLISECONDS);
  undo.push(() => {
    clearInterval(timer);
  });
}
