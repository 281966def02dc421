/** Measures what is wanted and not known yet: run by run through all rows, so that it may be ended at any time. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { Contender, Task } from './contender.ts';
import { openEmulatedLink } from './emulated-link.ts';
import { pending } from './estimate.ts';
import type { Wanted } from './estimate.ts';
import { isTimed, loopback, madeBefore } from './link.ts';
import type { Link, LinkSpec } from './link.ts';
import type { Result } from './meter.ts';
import { hasNetem, openNetemLink } from './netem-link.ts';
import type { Measurement } from './plan.ts';
import { LEAD_SECONDS } from './rows.ts';
import type { Sources } from './sources.ts';
import { beginAt, Stage } from './stage.ts';
import { keep, keepCounters } from './state.ts';
import type { Measured, Run } from './state.ts';

export interface SessionOptions {
  readonly wanted: Wanted;
  readonly measured: Measured;
  readonly emulator: string | null;
  /** Of the bench, on a disk: what arrives is kept there. */
  readonly folder: string;
  readonly sources: Sources;
  readonly commit: string;
  /** No run is begun later, as performance.now() has it. */
  readonly deadline: number;
  /** After each run, and after each link. */
  readonly changed: (row: Measurement, who: string | null) => void;
}

const TRIES = 2;
/** Servers that were not ready in time cost a try, where that counts; the next waits longer for them. */
const TIMED_TRIES = 3;
/** What may lie on the disk before a row goes on with empty servers. */
const KEPT_BYTES = 16e9;
/** Of servers that have their file already, all together. */
const LIBRARY_BYTES = 30e9;

export class Session {
  private readonly options: SessionOptions;
  /** Directories of servers that have their file, with its size; oldest first. */
  private readonly libraries = new Map<string, number>();
  private stage: Stage | null = null;
  private stored = 0;

  constructor(options: SessionOptions) {
    this.options = options;
  }

  async run(): Promise<void> {
    const { wanted, measured, deadline } = this.options;
    for (let run = 0; run < wanted.runs; run++)
      for (const row of wanted.rows) {
        try {
          for (const who of pending(row, wanted, run, measured)) {
            if (performance.now() > deadline) return;
            await this.measure(row, who, run);
            // What happens to a link happens once.
            if (row.link !== null && isTimed(row.link)) await this.leave(row);
          }
        } finally {
          await this.leave(row);
        }
      }
  }

  /** One that fails is tried again on a new link with new servers; after that it is told as failed. */
  private async measure(row: Measurement, who: Contender, run: number): Promise<void> {
    const { measured, commit, changed } = this.options;
    const aim = who.finishes === true ? row.fileSeconds : row.seconds;
    const record = (rest: Pick<Run, 'result' | 'tries'> & { failed?: string }): void => {
      keep(measured, row.id, who.name, { run, at: new Date().toISOString(), commit, aim, ...rest });
      changed(row, who.name);
    };
    const most = row.link !== null && isTimed(row.link) ? TIMED_TRIES : TRIES;
    for (let tries = 1; tries <= most; tries++) {
      try {
        const result = await this.once(row, who, run, LEAD_SECONDS * 2 ** (tries - 1));
        if (result === null) record({ result, tries, failed: 'not on this machine' });
        else record({ result, tries });
        return;
      } catch (error) {
        const failed = reasonOf(error);
        process.stderr.write(`${row.id} ${who.name}, try ${tries}: ${failed}\n`);
        await this.leave(row);
        if (tries === most) record({ result: null, tries, failed });
      }
    }
  }

  private async once(row: Measurement, who: Contender, run: number, lead: number): Promise<Result | null> {
    const { folder, sources } = this.options;
    const source = sources.of(row);
    const stage = (this.stage ??= await this.openStage(row, run, source, lead));
    const scratch = mkdtempSync(path.join(folder, 'run-'));
    const seconds = who.finishes === true ? row.patience : row.seconds;
    const { bytes, files } = row;
    const spec = row.link ?? { mbit: 0, rtt: 0 };
    const task: Task = { stage, link: stage.link, spec, seconds, bytes, files, scratch, source };
    try {
      await who.prepare?.(task);
      // What the one before left to be written to the disk is not this one's burden.
      execFileSync('sync', ['-f', folder]);
      if (row.link !== null && isTimed(row.link)) await beginAt(task, lead);
      return await who.run(task);
    } finally {
      rmSync(scratch, { recursive: true, force: true });
      this.stored += bytes;
      if (this.stored > KEPT_BYTES) await this.leave(row);
    }
  }

  private async openStage(row: Measurement, run: number, source: string, lead: number): Promise<Stage> {
    const { folder } = this.options;
    const key = `library-${row.link === null ? 'here-' : ''}${row.bytes}-${row.files}`;
    const library = path.join(folder, key);
    const each = row.contenders.map(({ finishes }) => (finishes === true ? row.patience : row.seconds));
    const seconds = each.reduce((sum, one) => sum + one + 60, 120);
    const spec = row.link === null ? null : madeBefore(row.link, lead);
    const link = await this.openLink(spec, run + 1, seconds);
    const stageFolder = path.join(folder, `stage-${row.id}`);
    mkdirSync(stageFolder, { recursive: true });
    try {
      return new Stage({
        ...{ link, source, library, seconds, folder: stageFolder },
        libraryIsNew: () => !this.libraries.has(key),
        libraryIsMade: () => {
          this.keepLibrary(key, row.bytes);
        },
      });
    } catch (error) {
      await link.close();
      throw error;
    }
  }

  private keepLibrary(key: string, bytes: number): void {
    this.libraries.set(key, bytes);
    for (const old of this.libraries.keys()) {
      const all = [...this.libraries.values()].reduce((sum, one) => sum + one, 0);
      if (all <= LIBRARY_BYTES || old === key) return;
      rmSync(path.join(this.options.folder, old), { recursive: true, force: true });
      this.libraries.delete(old);
    }
  }

  private openLink(spec: LinkSpec | null, seed: number, seconds: number): Promise<Link> {
    const { emulator } = this.options;
    if (spec === null) return Promise.resolve(loopback());
    if (emulator !== null) return openEmulatedLink(emulator, spec, seed, seconds);
    if (hasNetem()) return openNetemLink(spec, seconds);
    throw new Error('this kernel has no netem; name an emulator (--emulator PATH), as bench/README.md describes it');
  }

  private async leave(row: Measurement): Promise<void> {
    const { stage } = this;
    this.stage = null;
    this.stored = 0;
    if (stage === null) return;
    keepCounters(this.options.measured, row.id, await stage.close());
    this.options.changed(row, null);
  }
}

const REASON_MAX = 300;

/** For a line of the report. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replaceAll(/\s+/g, ' ').trim().slice(0, REASON_MAX) || 'for no reason that was told';
}
