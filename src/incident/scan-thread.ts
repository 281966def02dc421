/**
 * Takes logs one after another: reads their bundles, hashes every entry into the tree, scans it into
 * batches, and says at the end whether the tree has the root that the heads commit to. The batches of a log count for
 * nothing until it has said so.
 */
import { hash } from 'node:crypto';
import path from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { asWaybillError, WaybillError } from '../base/errors.ts';
import { logFolder } from '../ledger/core/layout.ts';
import { Frontier, HASH_BYTES } from '../ledger/core/merkle.ts';
import { TILE_WIDTH } from '../ledger/core/tiles.ts';
import { FileRoom, readBundleFile } from './bundle-file.ts';
import type { BundleFile } from './bundle-file.ts';
import { LogScan } from './log-scan.ts';
import { OUTSTANDING_MAX } from './scan-messages.ts';
import type { ScanMessage, ScanOrder, ScanWorkerData } from './scan-messages.ts';
import { EMPTY_STATE } from './scan-state.ts';
import type { ScanState } from './scan-state.ts';

type Send = (message: ScanMessage, transfer?: ArrayBuffer[]) => void;

/** Texts get numbers as they come, the same in all logs of this thread. */
class Names {
  private readonly numbers = new Map<string, number>();
  private fresh: string[] = [];

  readonly number = (text: string): number => {
    const before = this.numbers.get(text);
    if (before !== undefined) return before;
    const number = this.numbers.size;
    this.numbers.set(text, number);
    this.fresh.push(text);
    return number;
  };

  take(): readonly string[] {
    const names = this.fresh;
    this.fresh = [];
    return names;
  }
}

export class ScanThread {
  private readonly data: ScanWorkerData;
  private readonly send: Send;
  private readonly names = new Names();
  private readonly outstanding: Int32Array | null;
  private readonly leaf = Buffer.alloc(HASH_BYTES);
  private readonly room = new FileRoom();
  private scanned = 0;
  private where = '';

  constructor(data: ScanWorkerData, send: Send) {
    this.data = data;
    this.send = send;
    this.outstanding = data.outstanding === null ? null : new Int32Array(data.outstanding);
  }

  run(order: ScanOrder): void {
    try {
      this.scan(order);
    } catch (thrown) {
      const { code, message } = asWaybillError(thrown);
      const cause = code === 'internal' && thrown instanceof Error ? `: ${thrown.stack ?? thrown.message}` : '';
      this.send({ kind: 'failed', code, message: message + cause });
    }
  }

  private scan(order: ScanOrder): void {
    const scan = new LogScan(order.log, this.target(), this.data.seeds, stateOf(order.state));
    const frontier = frontierOf(order);
    this.where = logFolder(order.id);
    const folder = path.join(this.data.ledger, this.where);
    for (let index = Math.floor(order.from / TILE_WIDTH); index * TILE_WIDTH < order.size; index++) {
      const first = index * TILE_WIDTH;
      const end = Math.min(order.size, first + TILE_WIDTH);
      const file = readBundleFile(folder, index, end - first, this.room);
      this.bundle(file, scan, frontier, first, Math.max(first, order.from), end);
    }
    if (frontier.root().toString('latin1') !== order.root)
      throw new WaybillError('ledger-damaged', `${this.where}: its entries do not lead to the root in the heads`);
    const state = serialize(scan.finish());
    const hashes = new Uint8Array(Buffer.concat(frontier.toHashes()));
    this.send({ kind: 'done', log: order.log, frontier: hashes, state, opened: scan.opened });
  }

  /** Entries before `from` are in the index already; those from `end` on are not in this tree. */
  private bundle(file: BundleFile, scan: LogScan, frontier: Frontier, first: number, from: number, end: number): void {
    const { bytes, width } = file;
    scan.start(bytes);
    let at = 0;
    for (let index = first; index < first + width; index++) {
      const start = at + 2;
      at = bytes.length < start ? Infinity : start + bytes.readUInt16BE(start - 2);
      if (at > bytes.length)
        throw new WaybillError(
          'ledger-damaged',
          `${this.where}/${file.name} ends within entry ${index}, before its ${width} entries`,
        );
      if (index < from || index >= end) continue;
      scan.entry(bytes, start, at, index);
      frontier.append(this.leafHash(bytes, start, at));
    }
    if (at !== bytes.length)
      throw new WaybillError(
        'ledger-damaged',
        `${this.where}/${file.name} has ${bytes.length - at} bytes after its ${width} entries`,
      );
    this.scanned += Math.max(0, Math.min(end, first + width) - from);
  }

  /** RFC 6962's prefix takes the place of the last byte of the entry's length, which has been read. */
  private leafHash(bytes: Buffer, start: number, end: number): Buffer {
    const before = bytes[start - 1] as number;
    bytes[start - 1] = 0;
    const input = new Uint8Array(bytes.buffer, bytes.byteOffset + start - 1, end - start + 1);
    this.leaf.write(hash('sha256', input, 'latin1'), 0, HASH_BYTES, 'latin1');
    bytes[start - 1] = before;
    return this.leaf;
  }

  private target() {
    return {
      name: this.names.number,
      send: (batch: Extract<ScanMessage, { kind: 'batch' }>['batch']) => {
        const names = this.names.take();
        if (names.length > 0) this.send({ kind: 'names', names });
        this.waitForRoom();
        const { scanned } = this;
        this.scanned = 0;
        this.send(
          { kind: 'batch', batch, scanned },
          batch.columns.map(({ buffer }) => buffer),
        );
      },
    };
  }

  private waitForRoom(): void {
    const { outstanding } = this;
    if (outstanding === null) return;
    for (;;) {
      const ahead = Atomics.load(outstanding, 0);
      if (ahead < OUTSTANDING_MAX) break;
      Atomics.wait(outstanding, 0, ahead);
    }
    Atomics.add(outstanding, 0, 1);
  }
}

function stateOf(bytes: Uint8Array): ScanState {
  return bytes.length === 0 ? EMPTY_STATE : (deserialize(bytes) as ScanState);
}

function frontierOf({ from, frontier }: ScanOrder): Frontier {
  const hashes = Array.from({ length: frontier.length / HASH_BYTES }, (_, at) =>
    frontier.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES),
  );
  return Frontier.fromHashes(from, hashes);
}
