/** An open directory: pages of SessionFiles.list cut into the smaller pages of READDIR answers. */
import { WaybillError } from '../../base/errors.ts';
import type { Attributes, DirectoryEntry } from '../../broker/calls.ts';
import type { SessionFiles } from '../../transfer/transfer.ts';

/** 100 names of 255 bytes with their `ls -l` lines stay well below the packet bound. */
const NAMES_PER_ANSWER = 100;
/** A session may hold many directories open; only so many of them keep a page in memory. */
const PAGES_KEPT = 4;

/** Forgets the pages of the directories that were read least recently. */
export class PageKeeper {
  private readonly recent: DirectoryReader[] = [];

  touch(reader: DirectoryReader): void {
    const at = this.recent.indexOf(reader);
    if (at !== -1) this.recent.splice(at, 1);
    this.recent.push(reader);
    if (this.recent.length > PAGES_KEPT) this.recent.shift()?.forget();
  }

  drop(reader: DirectoryReader): void {
    const at = this.recent.indexOf(reader);
    if (at !== -1) this.recent.splice(at, 1);
  }
}

export class DirectoryReader {
  private readonly files: SessionFiles;
  private readonly path: string;
  private readonly keeper: PageKeeper;
  /** "." and "..", which every answer to a first READDIR has on other servers too. */
  private dots: DirectoryEntry[];
  private page: DirectoryEntry[];
  private at = 0;
  private more: boolean;
  private last: string | null = null;

  private constructor(
    files: SessionFiles,
    path: string,
    keeper: PageKeeper,
    self: Attributes,
    first: { entries: DirectoryEntry[]; more: boolean },
  ) {
    this.files = files;
    this.path = path;
    this.keeper = keeper;
    this.dots = [
      { ...self, name: '.' },
      { ...self, name: '..' },
    ];
    this.page = first.entries;
    this.more = first.more;
    keeper.touch(this);
  }

  /** Reads the first page at once, so that OPENDIR itself tells of a path that is missing or may not be listed. */
  static async open(files: SessionFiles, path: string, keeper: PageKeeper): Promise<DirectoryReader> {
    const [self, first] = await Promise.all([files.stat(path), files.list(path, null)]);
    if (self.kind !== 'directory') throw new WaybillError('not-a-directory', 'the path is a file');
    return new DirectoryReader(files, path, keeper, self, first);
  }

  /** The next names; an empty list at the end. */
  async next(): Promise<DirectoryEntry[]> {
    if (this.dots.length > 0) {
      const dots = this.dots;
      this.dots = [];
      return [...dots, ...this.cut(NAMES_PER_ANSWER - dots.length)];
    }
    while (this.at === this.page.length) {
      if (!this.more) return [];
      await this.load();
    }
    this.keeper.touch(this);
    return this.cut(NAMES_PER_ANSWER);
  }

  private async load(): Promise<void> {
    const { entries, more } = await this.files.list(this.path, this.last);
    this.page = entries;
    this.at = 0;
    // A page without names would be asked for again and again.
    this.more = more && entries.length > 0;
  }

  private cut(count: number): DirectoryEntry[] {
    const entries = this.page.slice(this.at, this.at + count);
    this.at += entries.length;
    this.last = entries.at(-1)?.name ?? this.last;
    return entries;
  }

  /** The page is read again after the last name that was answered. */
  forget(): void {
    if (this.at < this.page.length) this.more = true;
    this.page = [];
    this.at = 0;
  }

  close(): void {
    this.keeper.drop(this);
    this.page = [];
  }
}
