/** Open files and directories of one session, under names that only this session's server can have made. */
import { randomInt } from 'node:crypto';
import { WaybillError } from '../../base/errors.ts';
import type { OpenFile } from '../../transfer/transfer.ts';
import type { DirectoryReader } from './directory.ts';

export interface FileHandle {
  readonly kind: 'file';
  readonly name: Buffer;
  readonly path: string;
  readonly file: OpenFile;
  readonly readable: boolean;
  readonly writable: boolean;
}

export interface DirectoryHandle {
  readonly kind: 'directory';
  readonly name: Buffer;
  readonly path: string;
  readonly reader: DirectoryReader;
}

export type Handle = FileHandle | DirectoryHandle;

/** The draft allows up to 256; ours are a slot number and the number of times that it has been used, blinded. */
export const HANDLE_BYTES_MAX = 256;
const HANDLE_BYTES = 8;

interface Slot {
  use: number;
  handle: Handle | null;
}

export class HandleTable {
  private readonly slots: Slot[] = [];
  private readonly free: number[] = [];
  /** So that a handle of another session (or of one before) is never taken for one of this. */
  private readonly blind = randomInt(2 ** 32);
  private readonly max: number;
  private used = 0;

  constructor(max: number) {
    this.max = max;
  }

  /** Claims a place before anything is opened, so that opens under way count too. Give it to `open` or `release`. */
  reserve(): number {
    if (this.used >= this.max) throw new WaybillError('too-many-handles', `${this.max} handles are open`);
    this.used++;
    const slot = this.free.pop();
    if (slot !== undefined) return slot;
    return this.slots.push({ use: 0, handle: null }) - 1;
  }

  release(slot: number): void {
    this.used--;
    this.free.push(slot);
  }

  open(slot: number, make: (name: Buffer) => Handle): Handle {
    const place = this.slots[slot] as Slot;
    place.use = (place.use + 1) >>> 0;
    const name = Buffer.allocUnsafeSlow(HANDLE_BYTES);
    name.writeUInt32BE(slot, 0);
    name.writeUInt32BE((place.use ^ this.blind) >>> 0, 4);
    place.handle = make(name);
    return place.handle;
  }

  find(name: Buffer): Handle | null {
    if (name.length !== HANDLE_BYTES) return null;
    const place = this.slots[name.readUInt32BE(0)];
    if (place === undefined || place.handle === null) return null;
    return (name.readUInt32BE(4) ^ this.blind) >>> 0 === place.use ? place.handle : null;
  }

  close(handle: Handle): void {
    const slot = handle.name.readUInt32BE(0);
    const place = this.slots[slot];
    if (place?.handle !== handle) return;
    place.handle = null;
    this.release(slot);
  }

  clear(): void {
    for (const place of this.slots) if (place.handle !== null) this.close(place.handle);
  }
}
