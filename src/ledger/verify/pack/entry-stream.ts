/** The entries of a tenant's log out of a pack, in parts of any size: hashed into their tree, and handed on decoded. */
import type { UnknownEntry } from '../../core/entry.ts';
import type { Entry } from '../../core/kinds.ts';
import { Frontier, leafHash } from '../../core/merkle.ts';
import { malformed } from '../../core/text-forms.ts';
import { EntryChecker } from '../tenant-log.ts';
import type { Findings } from '../findings.ts';

export class EntryStream {
  readonly frontier = new Frontier();
  /** Entry 0, once it is read. */
  first: Buffer | null = null;
  private readonly checker: EntryChecker;
  private readonly take: (entry: Entry | UnknownEntry, index: number) => void;
  private readonly watched: ReadonlyMap<number, (root: Buffer) => void>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(
    log: string,
    findings: Findings,
    take: (entry: Entry | UnknownEntry, index: number) => void,
    watched: ReadonlyMap<number, (root: Buffer) => void> = new Map(),
  ) {
    this.checker = new EntryChecker(log, findings);
    this.take = take;
    this.watched = watched;
  }

  add(part: Buffer): void {
    const bytes = this.rest.length === 0 ? part : Buffer.concat([this.rest, part]);
    let at = 0;
    while (bytes.length - at >= 2) {
      const end = at + 2 + bytes.readUInt16BE(at);
      if (end > bytes.length) break;
      this.entry(bytes.subarray(at + 2, end));
      at = end;
    }
    this.rest = Buffer.from(bytes.subarray(at));
  }

  private entry(bytes: Buffer): void {
    const index = this.frontier.size;
    this.frontier.append(leafHash(bytes));
    this.first ??= Buffer.from(bytes);
    const entry = this.checker.check(bytes, index);
    if (entry !== null) this.take(entry, index);
    this.watched.get(index + 1)?.(this.frontier.root());
  }

  finish(): void {
    if (this.rest.length > 0) throw malformed('the entries of the pack end within one');
    this.checker.finish();
  }
}
