/**
 * The root key in a local file. Who reads this file and the data folder reads everything, so it must be the owner's
 * alone, and a safe copy of it belongs somewhere else: without it the content is lost.
 */
import { createHmac, randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { WaybillError } from '../base/errors.ts';

export const ROOT_KEY_BYTES = 32;
const FORM = /^waybill-root-key 1\nid ([0-9a-f]{16})\nkey ([A-Za-z0-9+/]{43}=)\n$/;
const FILE_MAX = 4096;

export interface RootKey {
  readonly id: string;
  readonly key: Buffer;
}

/** Where root keys come from; a key management service would stand behind the same promise. */
export interface RootKeyProvider {
  /** For messages: the file, or the service. */
  readonly place: string;
  /** Null when there is none. Throws when there is one that cannot be used. */
  load(): RootKey | null;
  /** Makes a new one, durable before it returns. Never replaces one that is there. */
  create(): RootKey;
}

/** Tells one root key from another and gives nothing of it away. */
export function checkValue(root: RootKey): Buffer {
  return createHmac('sha256', root.key).update('waybill root key check').update(root.id).digest();
}

function wrong(file: string, what: string): WaybillError {
  return new WaybillError(
    'root-key-wrong',
    `${file}: ${what}. Put the root key of this data folder back from its safe copy`,
  );
}

export class RootKeyFile implements RootKeyProvider {
  readonly place: string;

  constructor(file: string) {
    this.place = file;
  }

  load(): RootKey | null {
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
      const found = FORM.exec(readFileSync(descriptor, 'latin1'));
      if (found?.[1] === undefined || found[2] === undefined)
        throw wrong(file, 'the file was altered or is no root key');
      return { id: found[1], key: Buffer.from(found[2], 'base64') };
    } finally {
      closeSync(descriptor);
    }
  }

  create(): RootKey {
    const root = { id: randomBytes(8).toString('hex'), key: randomBytes(ROOT_KEY_BYTES) };
    const text = `waybill-root-key 1\nid ${root.id}\nkey ${root.key.toString('base64')}\n`;
    // link() fails when the name is taken, and a crash leaves either no key or a whole one.
    const draft = `${this.place}.new-${root.id}`;
    const descriptor = openSync(draft, 'wx', 0o600);
    try {
      writeSync(descriptor, text);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    try {
      linkSync(draft, this.place);
    } finally {
      unlinkSync(draft);
    }
    const folder = openSync(dirname(this.place), 'r');
    try {
      fsyncSync(folder);
    } finally {
      closeSync(folder);
    }
    return root;
  }
}
