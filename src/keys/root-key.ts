/**
 * Root keys in a local file. Who reads this file and the data folder reads everything, so it must be the owner's alone,
 * and a safe copy of it belongs somewhere else: without it the content is lost. It holds every version that something is
 * still wrapped by, the youngest last.
 */
import { createHmac, createSecretKey, hkdfSync, randomBytes } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { link, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder, writeDurableFile } from '../base/durable-file.ts';
import { WaybillError } from '../base/errors.ts';
import { overwriteHeld, wipeLeftover } from './root-key-traces.ts';
import type { RootKeyProvider, RootReference, Wrapped } from './root-key-provider.ts';
import { openWith, sealWith } from './sealing.ts';

export const ROOT_KEY_BYTES = 32;
const HEAD = 'waybill-root-key 1\n';
const FORM = /^waybill-root-key 1\n(?:id [0-9a-f]{16}\nkey [A-Za-z0-9+/]{43}=\n){1,32}$/;
const VERSION = /id ([0-9a-f]{16})\nkey ([A-Za-z0-9+/]{43}=)\n/g;
const VERSIONS_MAX = 32;
const FILE_MAX = 4096;
const NAME = 'file';

interface Version {
  readonly id: string;
  readonly key: Buffer;
}

/** What is kept in memory of a version. */
interface Loaded {
  readonly wrapping: KeyObject;
  readonly oldWrapping: KeyObject;
  readonly oldSecrets: KeyObject;
  readonly check: Buffer;
}

export class RootKeyFile implements RootKeyProvider {
  readonly name = NAME;
  readonly place: string;
  readonly old = {
    unwrap: (root: RootReference, purpose: string, wrapped: Uint8Array): Buffer | null =>
      openOrNull(this.versions.get(root)?.oldWrapping, purpose, wrapped),
    secretsKey: (root: RootReference): Buffer | null => this.versions.get(root)?.oldSecrets.export() ?? null,
  };
  private readonly versions = new Map<RootReference, Loaded>();
  private youngest: RootReference | null = null;

  constructor(file: string) {
    this.place = file;
  }

  async latest(): Promise<RootReference | null> {
    await wipeLeftover(draftOf(this.place));
    const found = this.read();
    this.versions.clear();
    this.youngest = null;
    for (const version of found ?? []) {
      this.youngest = reference(version);
      this.versions.set(this.youngest, loaded(version));
    }
    wipe(found);
    return this.youngest;
  }

  async create(): Promise<RootReference> {
    const version = fresh();
    // link() fails when the name is taken, and a crash leaves either no key or a whole one.
    const draft = `${this.place}.new-${version.id}`;
    await writeDurableFile(draft, format([version]));
    try {
      await link(draft, this.place);
    } finally {
      await unlink(draft);
    }
    await syncFolder(dirname(this.place));
    wipe([version]);
    return this.mustLoad();
  }

  async rotate(): Promise<RootReference> {
    const versions = this.mustRead();
    if (versions.length >= VERSIONS_MAX) {
      wipe(versions);
      throw new WaybillError('in-use', `${this.place} holds ${VERSIONS_MAX} versions that are still in use`);
    }
    versions.push(fresh());
    await this.replace(versions);
    return this.mustLoad();
  }

  wrap(secrets: readonly Buffer[]): Promise<Wrapped[]> {
    const { youngest: root } = this;
    const wrapping = root === null ? undefined : this.versions.get(root)?.wrapping;
    if (root === null || wrapping === undefined) throw missing(this.place);
    return Promise.resolve(secrets.map((secret) => ({ root, payload: sealWith(wrapping, purposeOf(root), secret) })));
  }

  unwrap(wrapped: readonly Wrapped[]): Promise<(Buffer | null)[]> {
    return Promise.resolve(
      wrapped.map(({ root, payload }) => openOrNull(this.versions.get(root)?.wrapping, purposeOf(root), payload)),
    );
  }

  async rewrap(wrapped: readonly Wrapped[]): Promise<(Wrapped | null)[]> {
    const secrets = await this.unwrap(wrapped);
    const found = await this.wrap(secrets.filter((secret) => secret !== null));
    const answer = secrets.map((secret) => (secret === null ? null : (found.shift() ?? null)));
    for (const secret of secrets) secret?.fill(0);
    return answer;
  }

  owns(root: RootReference): boolean {
    return root.startsWith(`${NAME}:`);
  }

  checkValue(root: RootReference): Buffer | null {
    return this.versions.get(root)?.check ?? null;
  }

  /** What held them is written over where the file system lets it; copies elsewhere are their owner's to destroy. */
  async retire(roots: readonly RootReference[]): Promise<boolean> {
    // Done before, by a retirement that a crash cut off.
    const versions = this.read() ?? [];
    const kept = versions.filter((version) => !roots.includes(reference(version)));
    if (kept.length < versions.length) await this.replace(kept);
    wipe(versions);
    await this.latest();
    return true;
  }

  /** Without a version there is no file: the keys have moved to another provider. */
  private async replace(versions: readonly Version[]): Promise<void> {
    await overwriteHeld(this.place, async () => {
      if (versions.length > 0) return writeDurableFile(this.place, format(versions));
      await unlink(this.place);
      await syncFolder(dirname(this.place));
    });
    wipe(versions);
  }

  private async mustLoad(): Promise<RootReference> {
    const youngest = await this.latest();
    if (youngest === null) throw missing(this.place);
    return youngest;
  }

  private mustRead(): Version[] {
    const versions = this.read();
    if (versions === null) throw missing(this.place);
    return versions;
  }

  private read(): Version[] | null {
    const file = this.place;
    let descriptor: number;
    try {
      descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
      throw new WaybillError('data-folder-invalid', `${file} cannot be opened`, { cause: error });
    }
    try {
      const stat = fstatSync(descriptor);
      if (!stat.isFile() || stat.size > FILE_MAX) throw wrong(file, 'this is not a root key file');
      if ((stat.mode & 0o077) !== 0)
        throw new WaybillError(
          'data-folder-invalid',
          `${file} can be read by others (mode ${(stat.mode & 0o777).toString(8)}). If nobody has read it, run: chmod 600 ${file}`,
        );
      return parse(file, readFileSync(descriptor, 'latin1'));
    } finally {
      closeSync(descriptor);
    }
  }
}

function parse(file: string, text: string): Version[] {
  const versions = FORM.test(text)
    ? [...text.matchAll(VERSION)].map(([, id = '', key = '']) => ({ id, key: Buffer.from(key, 'base64') }))
    : [];
  if (versions.length === 0 || new Set(versions.map(({ id }) => id)).size < versions.length)
    throw wrong(file, 'the file was altered or is no root key');
  return versions;
}

function format(versions: readonly Version[]): string {
  return HEAD + versions.map(({ id, key }) => `id ${id}\nkey ${key.toString('base64')}\n`).join('');
}

function fresh(): Version {
  return { id: randomBytes(8).toString('hex'), key: randomBytes(ROOT_KEY_BYTES) };
}

function loaded({ id, key }: Version): Loaded {
  const derive = (info: string): KeyObject => createSecretKey(Buffer.from(hkdfSync('sha256', key, '', info, 32)));
  return {
    wrapping: derive('waybill root: wrapped keys'),
    oldWrapping: derive('waybill root: tenant keys'),
    oldSecrets: derive('waybill root: sealed secrets'),
    check: createHmac('sha256', key).update('waybill root key check').update(id).digest(),
  };
}

function openOrNull(key: KeyObject | undefined, purpose: string, sealed: Uint8Array): Buffer | null {
  if (key === undefined) return null;
  try {
    return openWith(key, purpose, sealed);
  } catch (error) {
    if (error instanceof WaybillError) return null;
    throw error;
  }
}

function reference({ id }: Version): RootReference {
  return `${NAME}:${id}`;
}

function purposeOf(root: RootReference): string {
  return `wrapped by ${root}`;
}

function draftOf(file: string): string {
  return `${file}.new`;
}

function wipe(versions: readonly Version[] | null): void {
  for (const { key } of versions ?? []) key.fill(0);
}

function missing(file: string): WaybillError {
  return new WaybillError('root-key-missing', `${file} is missing`);
}

function wrong(file: string, what: string): WaybillError {
  return new WaybillError(
    'root-key-wrong',
    `${file}: ${what}. Put the root key of this data folder back from its safe copy`,
  );
}
