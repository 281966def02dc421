/** A whole store in a temporary folder, and a small honest front that seals frames as the real one does. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BlobStore } from '../../src/files/blobs.ts';
import { Files } from '../../src/files/files.ts';
import type { FileHandlers } from '../../src/files/files.ts';
import { Folders } from '../../src/files/folders.ts';
import { segmentCount } from '../../src/files/runs.ts';
import type { FileSession } from '../../src/files/session.ts';
import type { FileStore, Folder, Tenant } from '../../src/files/store.ts';
import { Tenants } from '../../src/files/tenants.ts';
import type { Response, SegmentRun } from '../../src/broker/calls.ts';
import { FrameCipher, NonceSequence, plainLength, storedLength, storedPosition } from '../../src/keys/frame.ts';
import { Keys } from '../../src/keys/keys.ts';
import { FRAMES_PER_SEGMENT, FRAME_PLAIN } from '../../src/keys/layout.ts';
import { RootKeyFile } from '../../src/keys/root-key.ts';
import { Recorder } from '../../src/ledger/recorder.ts';
import { UNLIMITED } from '../../src/files/parts.ts';
import { Acquaintances } from '../../src/policy/budgets/acquaintances.ts';
import { Budgets } from '../../src/policy/budgets/budgets.ts';
import type { BudgetsParts } from '../../src/policy/budgets/budgets.ts';
import { Grants } from '../../src/policy/grants.ts';
import { ALL_RIGHTS } from '../../src/policy/rights.ts';
import type { Right } from '../../src/policy/rights.ts';
import { BlobFolder } from '../../src/store/folder/blob-folder.ts';
import { SqliteAcquaintances } from '../../src/store/sqlite/acquaintances.ts';
import { SqliteBudgets } from '../../src/store/sqlite/budgets.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteFiles } from '../../src/store/sqlite/files.ts';
import { SqliteHolds } from '../../src/store/sqlite/holds.ts';
import { SqliteKeys } from '../../src/store/sqlite/keys.ts';
import { SqliteLedger } from '../../src/store/sqlite/ledger.ts';
import { SqliteGrants } from '../../src/store/sqlite/policy.ts';

export interface WorldOptions {
  readonly folder?: string;
  readonly wrapBlobs?: (blobs: BlobStore) => BlobStore;
  readonly wrapStore?: (store: FileStore) => FileStore;
  /** Nothing is counted when left out. */
  readonly budgets?: Pick<BudgetsParts, 'figures' | 'machine'>;
}

export class World {
  readonly folder: string;
  readonly database: Database;
  readonly store: FileStore;
  readonly blobFolder: BlobFolder;
  readonly keys: Keys;
  readonly ledger: Recorder;
  readonly grants: Grants;
  readonly files: Files;
  readonly tenants: Tenants;
  readonly folders: Folders;
  readonly budgets: Budgets;
  readonly acquaintances: Acquaintances;
  readonly failures: unknown[];
  readonly time: { offset: number };

  private constructor(parts: Omit<World, 'call' | 'close' | 'destroy' | 'reopen' | 'account'>) {
    this.folder = parts.folder;
    this.database = parts.database;
    this.store = parts.store;
    this.blobFolder = parts.blobFolder;
    this.keys = parts.keys;
    this.ledger = parts.ledger;
    this.grants = parts.grants;
    this.files = parts.files;
    this.tenants = parts.tenants;
    this.folders = parts.folders;
    this.budgets = parts.budgets;
    this.acquaintances = parts.acquaintances;
    this.failures = parts.failures;
    this.time = parts.time;
  }

  static async open(options: WorldOptions = {}): Promise<World> {
    const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'waybill-files-'));
    const database = new Database(join(folder, 'waybill.db'));
    const sqlite = new SqliteFiles(database);
    const store = options.wrapStore?.(sqlite) ?? sqlite;
    const blobFolder = await BlobFolder.open(folder);
    const blobs = options.wrapBlobs?.(blobFolder) ?? blobFolder;
    const keys = await Keys.open(new SqliteKeys(database), new RootKeyFile(join(folder, 'root.key')));
    const ledger = new Recorder(new SqliteLedger(database));
    const failures: unknown[] = [];
    const time = { offset: 0 };
    const now = (): number => Date.now() + time.offset;
    const grants = new Grants(new SqliteGrants(database), ledger, now);
    const report = (error: unknown): void => void failures.push(error);
    const acquaintances = new Acquaintances(new SqliteAcquaintances(database), ledger);
    const [budgetStore, holdStore] = [new SqliteBudgets(database), new SqliteHolds(database)];
    const budgets = await Budgets.open({ store: budgetStore, holdStore, ledger, acquaintances, ...options.budgets });
    const egress = options.budgets === undefined ? UNLIMITED : budgets;
    const files = await Files.open({ store, blobs, keys, grants, ledger, egress, report, now });
    const tenants = new Tenants({ store, keys, ledger });
    const folders = new Folders({ store, grants, ledger, hasUploads: (node) => files.hasUploads(node) });
    return new World({
      folder,
      database,
      store,
      blobFolder,
      keys,
      ledger,
      grants,
      files,
      tenants,
      folders,
      budgets,
      acquaintances,
      failures,
      time,
    });
  }

  /** As a crash leaves it when nothing is awaited before. */
  async reopen(options: Omit<WorldOptions, 'folder'> = {}): Promise<World> {
    await this.close();
    return World.open({ ...options, folder: this.folder });
  }

  async close(): Promise<void> {
    await this.files.settled();
    this.database.close();
  }

  async destroy(): Promise<void> {
    try {
      await this.close();
    } catch {
      // Closed before.
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  async account(tenant: Tenant, folder: Folder, rights: readonly Right[] = ALL_RIGHTS): Promise<Client> {
    const account = randomBytes(16).toString('hex');
    await this.grants.grant({ account: { id: account, tenant: tenant.id }, folder, rights });
    return new Client(this, account, tenant.id);
  }
}

/** A session of one account. */
export class Client {
  readonly who: FileSession;
  private readonly world: World;

  constructor(world: World, account: string, tenant: string, marks: readonly string[] = []) {
    this.world = world;
    const from = { address: '192.0.2.1', credentials: ['key'], marks };
    this.who = { session: randomBytes(16).toString('hex'), account, tenant, ...from };
  }

  /** Another session of the same account, perhaps on a store that was opened again. */
  again(world: World = this.world, marks: readonly string[] = []): Client {
    return new Client(world, this.who.account, this.who.tenant, marks);
  }

  async call<N extends keyof FileHandlers>(
    name: N,
    request: Omit<Parameters<FileHandlers[N]>[1], 'session'>,
  ): Promise<Awaited<ReturnType<FileHandlers[N]>>> {
    const handler = this.world.files.handlers[name] as (who: FileSession, request: unknown) => unknown;
    return (await handler(this.who, { session: this.who.session, ...request })) as Awaited<ReturnType<FileHandlers[N]>>;
  }

  end(): Promise<void> {
    return this.world.files.sessionEnded(this.who.session);
  }

  start(path: string, options: { truncate?: boolean; create?: boolean; exclusive?: boolean } = {}): Promise<Started> {
    const { truncate = true, create = true, exclusive = false } = options;
    return this.call('upload.open', { path, create, exclusive, truncate });
  }

  async put(path: string, content: Buffer): Promise<string> {
    const upload = await this.start(path);
    return this.finish(upload, content);
  }

  async finish(upload: Started, content: Buffer): Promise<string> {
    const small = content.length > 0 && content.length <= FRAME_PLAIN;
    const runs: SegmentRun[] =
      small || content.length === 0 ? [] : [{ first: 0, count: segmentCount(content.length), blob: upload.blob }];
    const inline = small ? sealInline(upload, content) : null;
    if (runs.length > 0) await this.fill(upload, content);
    return (await this.commit(upload, content.length, runs, inline)).version;
  }

  commit(
    upload: Started,
    size: number,
    runs: SegmentRun[],
    inline: Buffer | null = null,
  ): Promise<Response<'upload.commit'>> {
    return this.call('upload.commit', { upload: upload.upload, size, runs, inline, mtime: null, atime: null });
  }

  /** Persists the upload and writes all of the content's frames, or those of some segments. */
  async fill(upload: Started, content: Buffer, segments?: readonly number[]): Promise<void> {
    await this.call('upload.persist', { upload: upload.upload });
    const wanted = segments ?? Array.from({ length: segmentCount(content.length) }, (_, index) => index);
    const file = await open(join(this.world.blobFolder.incomingFolder, upload.blob), 'a+').then(async (made) => {
      await made.close();
      return open(join(this.world.blobFolder.incomingFolder, upload.blob), 'r+');
    });
    const nonces = new NonceSequence(upload.epoch);
    const cipher = new FrameCipher(upload.blob);
    for (const segment of wanted) {
      const request = { upload: upload.upload, first: segment, count: 1, size: content.length };
      const key = (await this.call('upload.keys', request)).keys[0]?.key ?? Buffer.alloc(0);
      for (let frame = segment * FRAMES_PER_SEGMENT; frame < (segment + 1) * FRAMES_PER_SEGMENT; frame++) {
        const length = plainLength(frame, content.length);
        if (length === 0) break;
        const plain = content.subarray(frame * FRAME_PLAIN, frame * FRAME_PLAIN + length);
        await file.writev(cipher.seal(key, nonces.next(), frame, plain), storedPosition(frame));
      }
    }
    await file.sync();
    await file.close();
  }

  async open(path: string): Promise<Opened> {
    const reading = randomBytes(16).toString('hex');
    return { reading, ...(await this.call('file.open-read', { path, reading })) };
  }

  async get(path: string): Promise<Buffer> {
    const reading = await this.open(path);
    const content = await this.read(reading);
    await this.call('file.close', { reading: reading.reading, sent: [[0, content.length]] });
    return content;
  }

  async read(reading: Opened): Promise<Buffer> {
    const { size } = reading.attributes;
    const content = Buffer.alloc(size);
    const inline = reading.inline;
    const runs = inline === null ? reading.runs : [{ first: 0, count: 1, blob: inline.blob }];
    for (const run of runs)
      for (let segment = run.first; segment < run.first + run.count; segment++) {
        const request = { reading: reading.reading, first: segment, count: 1 };
        const { keys } = await this.call('release', request);
        if (run.blob === null) continue;
        const key = keys[0]?.key ?? Buffer.alloc(0);
        const stored = inline !== null ? inline.bytes : await readFile(join(this.world.blobFolder.blobs, run.blob));
        for (let frame = segment * FRAMES_PER_SEGMENT; frame < (segment + 1) * FRAMES_PER_SEGMENT; frame++) {
          const length = plainLength(frame, size);
          if (length === 0) break;
          const at = storedPosition(frame);
          const plain = new FrameCipher(run.blob).open(key, frame, stored.subarray(at, at + storedLength(length)));
          if (plain === null) throw new Error(`frame ${frame} does not open`);
          plain.copy(content, frame * FRAME_PLAIN);
        }
      }
    return content;
  }

  async names(path: string): Promise<string[]> {
    const names: string[] = [];
    for (let after: string | null = null; ;) {
      const page: Response<'files.list'> = await this.call('files.list', { path, after, limit: 100 });
      names.push(...page.entries.map((entry) => entry.name));
      after = names.at(-1) ?? null;
      if (!page.more) return names;
    }
  }
}

export type Started = Response<'upload.open'>;
export type Opened = Response<'file.open-read'> & { readonly reading: string };

export function sealInline(upload: Started, content: Buffer): Buffer {
  const nonce = new NonceSequence(upload.epoch).next();
  return Buffer.concat(new FrameCipher(upload.blob).seal(upload.key, nonce, 0, content));
}

export async function oneTenant(
  world: World,
  quota: number | null = null,
): Promise<{ tenant: Tenant; folder: Folder; client: Client }> {
  const tenant = await world.tenants.create({ name: 'acme', quota });
  const folder = await world.folders.create(tenant.id, 'inbox');
  return { tenant, folder, client: await world.account(tenant, folder) };
}

export function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof Error && 'code' in error && error.code === expected;
}
