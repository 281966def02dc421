/** Reads a ledger on disk by its public key, as a stranger would; for tests that ask what a server recorded. */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeBundle } from '../../src/ledger/core/bundle.ts';
import { openCheckpoint } from '../../src/ledger/core/checkpoint.ts';
import { decodeEntry } from '../../src/ledger/core/entry.ts';
import type { UnknownEntry } from '../../src/ledger/core/entry.ts';
import type { Entry, EntryOf, KindName } from '../../src/ledger/core/kinds.ts';
import { Frontier, leafHash } from '../../src/ledger/core/merkle.ts';
import { parseVerifierKey, verifierNamed } from '../../src/ledger/core/note.ts';
import { tilePath } from '../../src/ledger/core/tiles.ts';

export interface SignedLog {
  /** Below the ledger's folder: "heads", or "logs/" and a blinded identifier. */
  readonly place: string;
  readonly size: number;
  readonly root: Buffer;
}

/** What the checkpoints in the folder say, each verified. */
export function signedLogs(ledger: string): SignedLog[] {
  if (!existsSync(join(ledger, 'vkey'))) return [];
  const vkey = parseVerifierKey(readFileSync(join(ledger, 'vkey'), 'utf8').trim());
  const logs = existsSync(join(ledger, 'logs')) ? readdirSync(join(ledger, 'logs')) : [];
  const places = [
    { place: 'heads', origin: vkey.name },
    ...logs.map((log) => ({ place: `logs/${log}`, origin: `${vkey.name}/${log}` })),
  ];
  return places.flatMap(({ place, origin }) => {
    const file = join(ledger, place, 'checkpoint');
    if (!existsSync(file)) return [];
    const { size, root } = openCheckpoint(readFileSync(file), verifierNamed(vkey, origin), origin);
    return [{ place, size, root }];
  });
}

/** The first `size` entries of a log, as they stand in its bundles. */
export function entryBytes(ledger: string, { place, size }: SignedLog): Buffer[] {
  const entries: Buffer[] = [];
  for (let index = 0; index * 256 < size; index++) {
    const width = Math.min(256, size - index * 256);
    const file = join(ledger, place, tilePath({ level: 'entries', index, width }));
    entries.push(...decodeBundle(readFileSync(file), width));
  }
  return entries;
}

/** Of all tenants' logs, by blinded identifier, each under its signed root. */
export function readLedger(ledger: string): Map<string, (Entry | UnknownEntry)[]> {
  const found = new Map<string, (Entry | UnknownEntry)[]>();
  for (const log of signedLogs(ledger)) {
    if (log.place === 'heads') continue;
    const frontier = new Frontier();
    const bytes = entryBytes(ledger, log);
    for (const entry of bytes) frontier.append(leafHash(entry));
    assert.deepEqual(frontier.root(), log.root, `${log.place} does not lead to its root`);
    found.set(
      log.place.slice('logs/'.length),
      bytes.map((entry) => decodeEntry(entry)),
    );
  }
  return found;
}

export function entriesOfKind<K extends KindName>(ledger: string, kind: K): EntryOf<K>[] {
  return [...readLedger(ledger).values()].flat().filter((entry): entry is EntryOf<K> => entry.kind === kind);
}
