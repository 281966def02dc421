/** One tenant's log as it is verified: its stream, and what its entries must be. */
import { WaybillError } from '../../base/errors.ts';
import { decodeEntry } from '../core/entry.ts';
import type { UnknownEntry } from '../core/entry.ts';
import { blindedIdentifier, INSTALLATION } from '../core/head.ts';
import type { Entry } from '../core/kinds.ts';
import { logFolder } from '../core/layout.ts';
import type { Findings } from './findings.ts';
import type { LedgerFiles } from './ledger-files.ts';
import { LogStream } from './log-stream.ts';
import type { SignedTree } from './log-stream.ts';

/** What the heads commit of a log, and the head that does. */
export interface Committed {
  readonly size: number;
  readonly root: Buffer;
  readonly head: number;
}

export class TenantLog {
  /** Blinded identifier. */
  readonly log: string;
  readonly stream: LogStream;
  /** Null for the log of the installation, and until entry 0 has been read. */
  tenant: string | null = null;
  name: string | null = null;
  committed: Committed | null = null;
  /** Of the youngest entry that was read. */
  time = 0;
  private readonly checker: EntryChecker;

  constructor(files: LedgerFiles, log: string, tree: SignedTree, findings: Findings, count: () => void) {
    this.log = log;
    this.checker = new EntryChecker(log, findings);
    this.stream = new LogStream(files, { log, folder: logFolder(log) }, tree, findings, (bytes, index) => {
      count();
      const entry = bytes === null ? null : this.checker.check(bytes, index);
      if (entry === null) return;
      this.time = this.checker.time;
      if (entry.kind !== 'opened' || index !== 0) return;
      this.tenant = entry.tenant;
      this.name = entry.name;
    });
  }

  async finish(): Promise<void> {
    await this.stream.finish();
    this.checker.finish();
  }
}

/** Decodes the entries of one log in their order; shared with packs. */
export class EntryChecker {
  time = 0;
  private readonly log: string;
  private readonly findings: Findings;
  private unknown = 0;

  constructor(log: string, findings: Findings) {
    this.log = log;
    this.findings = findings;
  }

  check(bytes: Buffer, index: number): Entry | UnknownEntry | null {
    const place = { log: this.log, entry: index };
    let entry: Entry | UnknownEntry;
    try {
      entry = decodeEntry(bytes);
    } catch (error) {
      // A length beyond the buffer is a RangeError of Buffer, not ours.
      if (!(error instanceof WaybillError || error instanceof RangeError)) throw error;
      this.findings.add('entry', place, error.message);
      return null;
    }
    if (entry.time < this.time)
      this.findings.add('order', place, 'its time is before that of the entry before', this.time, entry.time);
    this.time = Math.max(this.time, entry.time);
    if (entry.kind === 'unknown') this.unknown++;
    if (entry.kind === 'opened') this.checkOpened(entry, index);
    else if (index === 0)
      this.findings.add('entry', place, 'the first entry of a log must open its name', 'opened', entry.kind);
    return entry;
  }

  finish(): void {
    if (this.unknown > 0)
      this.findings.tell(
        'unknown',
        { log: this.log },
        `${this.unknown} entries are of kinds that this program does not know`,
      );
  }

  private checkOpened({ tenant, salt }: Entry & { kind: 'opened' }, index: number): void {
    const place = { log: this.log, entry: index };
    if (index > 0) {
      this.findings.add('entry', place, 'the log is opened a second time');
      return;
    }
    const name = blindedIdentifier(tenant ?? INSTALLATION, salt);
    if (name !== this.log)
      this.findings.add('entry', place, 'the tenant and salt in it do not give the name of the log', this.log, name);
  }
}
