/** SessionFiles in memory, as its contract has it: what the tests of the protocol run against. */
import { WaybillError } from '../../../src/base/errors.ts';
import { compareNames, splitPath } from '../../../src/base/names.ts';
import type { Attributes } from '../../../src/broker/calls.ts';
import type { DirectoryPage, OpenFile, OpenOptions, Quota, SessionFiles } from '../../../src/transfer/transfer.ts';

interface Directory {
  kind: 'directory';
  children: Map<string, Node>;
  mtime: number;
  atime: number;
}

interface File {
  kind: 'file';
  content: Buffer;
  mtime: number;
  atime: number;
}

type Node = Directory | File;

export class MemoryFiles implements SessionFiles {
  readonly root: Directory = { kind: 'directory', children: new Map(), mtime: 1_700_000_000, atime: 1_700_000_000 };
  /** Every call as `name path`, in order. */
  readonly calls: string[] = [];
  readonly open_ = new Set<MemoryFile>();
  abandoned = 0;
  pageSize = 250;
  /** Awaited by every read and write, so that a test decides when they go on. */
  gate: ((what: string) => Promise<void>) | null = null;

  find(path: string): Node | null {
    let node: Node = this.root;
    for (const name of splitPath(path)) {
      if (node.kind !== 'directory') throw new WaybillError('not-a-directory', `${path} leads through a file`);
      const next = node.children.get(name);
      if (next === undefined) return null;
      node = next;
    }
    return node;
  }

  node(path: string): Node {
    const found = this.find(path);
    if (found === null) throw new WaybillError('not-found', `${path} does not exist`);
    return found;
  }

  parent(path: string): { directory: Directory; name: string } {
    const cut = path.lastIndexOf('/');
    const directory = this.node(path.slice(0, cut) || '/');
    if (directory.kind !== 'directory') throw new WaybillError('not-a-directory', `${path} leads through a file`);
    return { directory, name: path.slice(cut + 1) };
  }

  /** For tests: puts a file and the directories above it. */
  put(path: string, content: Buffer | string): void {
    let directory = this.root;
    const names = splitPath(path);
    const last = names.pop() ?? '';
    for (const name of names) {
      const next = directory.children.get(name) ?? newDirectory();
      directory.children.set(name, next);
      if (next.kind !== 'directory') throw new Error('test put through a file');
      directory = next;
    }
    directory.children.set(last, newFile(Buffer.from(content)));
  }

  content(path: string): Buffer {
    const node = this.node(path);
    if (node.kind !== 'file') throw new Error('not a file');
    return node.content;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a throw must become a rejection
  private async note<T>(call: string, act: () => T): Promise<T> {
    this.calls.push(call);
    return act();
  }

  stat(path: string): Promise<Attributes> {
    return this.note(`stat ${path}`, () => attributesOf(this.node(path)));
  }

  list(path: string, after: string | null): Promise<DirectoryPage> {
    return this.note(`list ${path}`, () => {
      const node = this.node(path);
      if (node.kind !== 'directory') throw new WaybillError('not-a-directory', `${path} is a file`);
      const names = [...node.children.keys()]
        .sort(compareNames)
        .filter((n) => after === null || compareNames(n, after) > 0);
      const page = names.slice(0, this.pageSize);
      const entries = page.map((name) => ({ name, ...attributesOf(node.children.get(name) as Node) }));
      return { directory: attributesOf(node), entries, more: names.length > page.length };
    });
  }

  mkdir(path: string): Promise<void> {
    return this.note(`mkdir ${path}`, () => {
      if (path === '/' || this.find(path) !== null) throw new WaybillError('already-exists', `${path} exists`);
      const { directory, name } = this.parent(path);
      directory.children.set(name, newDirectory());
    });
  }

  rmdir(path: string): Promise<void> {
    return this.note(`rmdir ${path}`, () => {
      const node = this.node(path);
      if (node.kind !== 'directory') throw new WaybillError('not-a-directory', `${path} is a file`);
      if (node.children.size > 0) throw new WaybillError('directory-not-empty', `${path} is not empty`);
      const { directory, name } = this.parent(path);
      directory.children.delete(name);
    });
  }

  remove(path: string): Promise<void> {
    return this.note(`remove ${path}`, () => {
      if (this.node(path).kind !== 'file') throw new WaybillError('is-a-directory', `${path} is a directory`);
      const { directory, name } = this.parent(path);
      directory.children.delete(name);
    });
  }

  rename(from: string, to: string, replace: boolean): Promise<void> {
    return this.note(`rename ${from} ${to} ${replace}`, () => {
      const node = this.node(from);
      if (this.find(to) !== null && !replace) throw new WaybillError('already-exists', `${to} exists`);
      const source = this.parent(from);
      const target = this.parent(to);
      source.directory.children.delete(source.name);
      target.directory.children.set(target.name, node);
    });
  }

  setTimes(path: string, mtime: number, atime: number): Promise<void> {
    return this.note(`setTimes ${path} ${mtime} ${atime}`, () => {
      Object.assign(this.node(path), { mtime, atime });
    });
  }

  truncate(path: string, size: number): Promise<void> {
    return this.note(`truncate ${path} ${size}`, () => {
      const node = this.node(path);
      if (node.kind !== 'file') throw new WaybillError('is-a-directory', `${path} is a directory`);
      node.content = resized(node.content, size);
    });
  }

  quota(path: string): Promise<Quota> {
    return this.note(`quota ${path}`, () => {
      this.node(path);
      return { limit: 1_000_000_000, used: 400_000_000, storeTotal: 8_000_000_000, storeFree: 5_000_000_000 };
    });
  }

  open(path: string, options: OpenOptions): Promise<OpenFile> {
    return this.note(`open ${path}`, () => {
      let node = this.find(path);
      if (node?.kind === 'directory') throw new WaybillError('is-a-directory', `${path} is a directory`);
      if (node !== null && options.exclusive) throw new WaybillError('already-exists', `${path} exists`);
      if (node === null && !options.create) throw new WaybillError('not-found', `${path} does not exist`);
      if (node === null) {
        const { directory, name } = this.parent(path);
        directory.children.set(name, (node = newFile(Buffer.alloc(0))));
      }
      if (options.truncate) node.content = Buffer.alloc(0);
      const file = new MemoryFile(this, path, node, options);
      this.open_.add(file);
      return file;
    });
  }

  abandon(): Promise<void> {
    return this.note('abandon', () => {
      this.abandoned++;
      this.open_.clear();
    });
  }
}

export class MemoryFile implements OpenFile {
  readonly path: string;
  private readonly files: MemoryFiles;
  private readonly file: File;
  private readonly options: OpenOptions;
  /** Grows by doubling: `file.content` is the used front of it. */
  private room: Buffer = Buffer.alloc(0);

  constructor(files: MemoryFiles, path: string, file: File, options: OpenOptions) {
    this.files = files;
    this.path = path;
    this.file = file;
    this.options = options;
  }

  stat(): Attributes {
    return attributesOf(this.file);
  }

  async read(offset: number, length: number): Promise<readonly Buffer[]> {
    if (!this.files.open_.has(this)) throw new WaybillError('internal', 'read of a closed file');
    await this.files.gate?.(`read ${offset}`);
    const bytes = this.file.content.subarray(offset, offset + length);
    if (bytes.length < 2) return bytes.length === 0 ? [] : [bytes];
    const half = bytes.length >> 1;
    return [bytes.subarray(0, half), bytes.subarray(half)];
  }

  async write(offset: number, data: Buffer): Promise<void> {
    if (!this.files.open_.has(this)) throw new WaybillError('internal', 'write to a closed file');
    await this.files.gate?.(`write ${offset}`);
    const at = this.options.append ? this.file.content.length : offset;
    const end = Math.max(this.file.content.length, at + data.length);
    if (this.room.length < end || this.file.content.buffer !== this.room.buffer) {
      this.room = Buffer.alloc(Math.max(end, 2 * this.room.length, 65536));
      this.file.content.copy(this.room);
    }
    data.copy(this.room, at);
    this.file.content = this.room.subarray(0, end);
  }

  truncate(size: number): Promise<void> {
    this.file.content = resized(this.file.content, size);
    return Promise.resolve();
  }

  setTimes(mtime: number, atime: number): void {
    Object.assign(this.file, { mtime, atime });
  }

  sync(): Promise<void> {
    this.files.calls.push(`sync ${this.path}`);
    return Promise.resolve();
  }

  async close(): Promise<void> {
    await this.files.gate?.(`close ${this.path}`);
    this.files.open_.delete(this);
  }
}

function newDirectory(): Directory {
  return { kind: 'directory', children: new Map(), mtime: 1_700_000_000, atime: 1_700_000_000 };
}

function newFile(content: Buffer): File {
  return { kind: 'file', content, mtime: 1_700_000_000, atime: 1_700_000_000 };
}

function attributesOf(node: Node): Attributes {
  const { kind, mtime, atime } = node;
  const size = node.kind === 'file' ? node.content.length : 0;
  return { kind, size, mtime, atime, permissions: kind === 'directory' ? 0o750 : 0o640, partial: false };
}

function resized(content: Buffer, size: number): Buffer {
  const next = Buffer.alloc(size);
  content.copy(next);
  return next;
}
