/**
 * The sealed ledger, read from its tiles as it grows. Every entry is kept there for ever, in order, so nothing has to
 * be stored a second time for receivers that are behind; and what is read is what the tree commits to.
 */
import { decodeEntry } from '../ledger/core/entry.ts';
import type { UnknownEntry } from '../ledger/core/entry.ts';
import { readEntries } from '../ledger/core/entry-reader.ts';
import { TileHashReader } from '../ledger/core/hash-reader.ts';
import { INSTALLATION } from '../ledger/core/head.ts';
import type { Entry } from '../ledger/core/kinds.ts';
import { logFolder } from '../ledger/core/layout.ts';
import type { TileSource } from '../ledger/core/tiles.ts';
import { SeenSessions } from './seen-sessions.ts';

export interface SealedLog {
  readonly tenant: string;
  readonly log: string;
  readonly size: number;
  readonly root: Buffer;
}

export interface TailParts {
  readonly tiles: TileSource;
  /** All logs as they are published; null while a sealing is between its row and its tiles. */
  readonly logs: () => readonly SealedLog[] | null;
}

export interface TailEntry {
  readonly index: number;
  readonly entry: Entry | UnknownEntry;
}

export class LedgerTail {
  readonly sessions = new SeenSessions();
  private readonly parts: TailParts;
  private readonly known = new Map<string, SealedLog>();
  private complete = false;

  constructor(parts: TailParts) {
    this.parts = parts;
    this.loadAll();
  }

  /** After each publication, with the logs that it changed; answers the logs to look at. */
  sealed(rows: readonly SealedLog[]): Iterable<string> {
    if (!this.complete) this.loadAll();
    for (const row of rows) this.known.set(row.log, row);
    return this.complete && rows.length < this.known.size ? rows.map(({ log }) => log) : this.known.keys();
  }

  get logs(): ReadonlyMap<string, SealedLog> {
    return this.known;
  }

  /** Of tenant, or of everybody. */
  logsOf(tenant: string | null): SealedLog[] {
    return [...this.known.values()].filter((log) => tenant === null || log.tenant === tenant);
  }

  /** At most `most`, and fewer at the end of a bundle. */
  async read(log: string, from: number, most: number): Promise<TailEntry[]> {
    const state = this.known.get(log);
    if (state === undefined || from >= state.size) return [];
    const source: TileSource = { read: (path) => this.parts.tiles.read(`${logFolder(log)}/${path}`) };
    const reader = new TileHashReader(source, state.size, state.root);
    for await (const { first, entries } of readEntries(source, reader, from, Math.min(state.size, from + most))) {
      return entries.map((bytes, at) => {
        const entry = decodeEntry(bytes);
        this.sessions.note(entry);
        return { index: first + at, entry };
      });
    }
    return [];
  }

  private loadAll(): void {
    const rows = this.parts.logs();
    if (rows === null) return;
    for (const row of rows) this.known.set(row.log, row);
    this.complete = true;
  }
}

/** The installation's own log belongs to no tenant. */
export function tenantOf(log: SealedLog): string | null {
  return log.tenant === INSTALLATION ? null : log.tenant;
}
