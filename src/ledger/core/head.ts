/**
 * The heads log: one entry for each sealing, which commits the state of every tenant's log at that moment. What a
 * tenant is shown of it tells nothing of other tenants: identifiers are blinded, and the entry holds only the root of
 * the sum tree. Which logs changed stands beside it in `changes` (its digest is in the entry), so that whoever has all
 * tiles can make the sum tree of any moment again.
 */
import { hash } from 'node:crypto';
import { WaybillError } from '../../base/errors.ts';
import { EntryReader, EntryWriter } from './fields.ts';

const HEAD_VERSION = 1;
const HEAD_KIND = 0x48;

export interface Head {
  /** Milliseconds since 1970; never less than that of the head before. */
  readonly time: number;
  /** Hash of the root of the sum tree over all tenants' logs (sum-tree.ts). */
  readonly sumRoot: Buffer;
  /** Entries in all tenants' logs together: must equal the sum of the tree. */
  readonly total: number;
  readonly tenants: number;
  /** SHA-256 of the bytes of `changes`. */
  readonly changes: Buffer;
  /** The node-start that wrote it (32 hexadecimal digits), and its software. */
  readonly run: string;
  readonly software: string;
}

/** The log of one tenant after a sealing that changed it. */
export interface LogState {
  /** Blinded identifier: 64 hexadecimal digits. */
  readonly log: string;
  readonly size: number;
  readonly root: Buffer;
}

/** Owner of the log of what belongs to no tenant: nodes, keys, sign-ins with unknown names. */
export const INSTALLATION = '0'.repeat(32);

/** A tenant's name in the heads log. Without the salt, which is entry 0 of its own log, nobody can tell whose it is. */
export function blindedIdentifier(tenant: string, salt: string): string {
  return hash('sha256', Buffer.concat([Buffer.from('waybill tenant\0'), Buffer.from(salt + tenant, 'hex')]), 'hex');
}

export function digest(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer');
}

export function encodeHead(head: Head): Buffer {
  const writer = new EntryWriter();
  writer.u8(HEAD_VERSION);
  writer.u8(HEAD_KIND);
  writer.u64(head.time);
  writer.hex(head.sumRoot.toString('hex'), 32);
  writer.u64(head.total);
  writer.u32(head.tenants);
  writer.hex(head.changes.toString('hex'), 32);
  writer.hex(head.run, 16);
  writer.text(head.software, 256);
  return writer.finish();
}

export function decodeHead(bytes: Uint8Array): Head {
  const reader = new EntryReader(bytes);
  if (reader.u8() !== HEAD_VERSION || reader.u8() !== HEAD_KIND)
    throw new WaybillError('ledger-entry-invalid', 'an entry of the heads log is of an unknown version');
  const time = reader.u64();
  const sumRoot = Buffer.from(reader.hex(32), 'hex');
  const total = reader.u64();
  const tenants = reader.u32();
  const changes = Buffer.from(reader.hex(32), 'hex');
  const run = reader.hex(16);
  const software = reader.text(256);
  reader.finish();
  return { time, sumRoot, total, tenants, changes, run, software };
}

/** In ascending order of the blinded identifiers. */
export function encodeChanges(states: readonly LogState[]): Buffer {
  const writer = new EntryWriter();
  writer.u32(states.length);
  for (const { log, size, root } of [...states].sort((a, b) => (a.log < b.log ? -1 : 1))) {
    writer.hex(log, 32);
    writer.u64(size);
    writer.hex(root.toString('hex'), 32);
  }
  return writer.finish();
}

export function decodeChanges(bytes: Uint8Array): LogState[] {
  const reader = new EntryReader(bytes);
  const count = reader.u32();
  if (count * 72 !== bytes.length - 4)
    throw new WaybillError('ledger-entry-invalid', 'the changes of a head are cut short, or too long');
  const states: LogState[] = [];
  for (let index = 0; index < count; index++) {
    const state = { log: reader.hex(32), size: reader.u64(), root: Buffer.from(reader.hex(32), 'hex') };
    if ((states.at(-1)?.log ?? '') >= state.log)
      throw new WaybillError('ledger-entry-invalid', 'the changes of a head are out of order');
    states.push(state);
  }
  reader.finish();
  return states;
}
