/** Opens the ledger: what a crash left is recovered before anything else starts. */
import { hostname } from 'node:os';
import path from 'node:path';
import type { Log } from '../base/log.ts';
import type { DataFolder } from '../config/data-folder.ts';
import type { ServerOptions } from '../config/options.ts';
import { dependenciesDigest } from '../ledger/dependencies.ts';
import { openLedger } from '../ledger/open-ledger.ts';
import type { OpenLedger } from '../ledger/open-ledger.ts';
import { TileFolder } from '../store/folder/tile-folder.ts';
import { Database } from '../store/sqlite/database.ts';
import { SqliteLedger } from '../store/sqlite/ledger.ts';
import manifest from '../../package.json' with { type: 'json' };
import type { Undo } from './undo.ts';

export async function startLedger(
  options: ServerOptions,
  folder: DataFolder,
  database: Database,
  nameOf: (tenant: string) => string,
  log: Log,
  undo: Undo[],
): Promise<OpenLedger> {
  const root = path.join(import.meta.dirname, '..', '..');
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
