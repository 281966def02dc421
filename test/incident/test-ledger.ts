/** Small ledgers for tests: logs of any entries, sealed in steps, as tiles on disk with signed checkpoints. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { signCheckpoint } from '../../src/ledger/core/checkpoint.ts';
import { encodeEntry } from '../../src/ledger/core/entry.ts';
import { blindedIdentifier, digest, encodeChanges, encodeHead, INSTALLATION } from '../../src/ledger/core/head.ts';
import type { LogState } from '../../src/ledger/core/head.ts';
import type { Event } from '../../src/ledger/core/kinds.ts';
import {
  changesPath,
  checkpointPath,
  encodeChangesFile,
  HEADS,
  logFolder,
  logOrigin,
} from '../../src/ledger/core/layout.ts';
import { formatVerifierKey, generateSignerKey, signerNamed } from '../../src/ledger/core/note.ts';
import { SumTree } from '../../src/ledger/core/sum-tree.ts';
import { TILE_WIDTH } from '../../src/ledger/core/tiles.ts';
import { LogWriter } from '../../bench/ledger-log-writer.ts';

export function temporaryFolder(): string {
  return mkdtempSync(path.join(tmpdir(), 'waybill-incident-'));
}

/** 32 hexadecimal digits that look like their name. */
export function testId(kind: string, number: number): string {
  return digest(Buffer.from(`${kind} ${number}`))
    .toString('hex')
    .slice(0, 32);
}

export class TestLog {
  readonly name: string;
  readonly tenant: string | null;
  readonly id: string;
  readonly entries: Buffer[] = [];
  readonly writer: LogWriter;

  constructor(folder: string, name: string, time: number) {
    this.name = name;
    this.tenant =
      name === 'installation'
        ? null
        : testId('tenant', name.length + (name.codePointAt(0) ?? 0) * 100 + (name.codePointAt(1) ?? 0));
    const salt = digest(Buffer.from(`salt of ${name}`)).toString('hex');
    this.id = blindedIdentifier(this.tenant ?? INSTALLATION, salt);
    this.writer = new LogWriter(path.join(folder, logFolder(this.id)));
    this.add({ kind: 'opened', tenant: this.tenant, name, salt }, time);
  }

  add(event: Event, time: number): void {
    this.entries.push(encodeEntry(event, time));
  }
}

export class TestLedger {
  readonly folder = temporaryFolder();
  readonly ledger = path.join(this.folder, 'ledger');
  readonly signer = generateSignerKey('test.example/ledger');
  readonly key = this.signer.verifier;
  readonly logs = new Map<string, TestLog>();
  private readonly tree = new SumTree();
  private readonly heads = new LogWriter(path.join(this.ledger, HEADS));
  private readonly changes: Buffer[] = [];

  log(name: string, time = 0): TestLog {
    const log = this.logs.get(name) ?? new TestLog(this.ledger, name, time);
    this.logs.set(name, log);
    return log;
  }

  /** One head over everything that was added. */
  seal(time: number): void {
    const states: LogState[] = [];
    for (const { id, writer, entries } of this.logs.values()) {
      const from = writer.size;
      for (const entry of entries.slice(from)) writer.append(entry);
      if (writer.size === from) continue;
      states.push({ log: id, size: writer.size, root: writer.root() });
    }
    for (const { log, size, root } of states) this.tree.set({ id: Buffer.from(log, 'hex'), size, root });
    const { hash: sumRoot, sum: total, count: tenants } = this.tree.root();
    const changes = encodeChanges(states);
    this.changes.push(changes);
    const run = testId('run', 1);
    this.heads.append(
      encodeHead({ time, sumRoot, total, tenants, changes: digest(changes), run, software: 'waybill 1' }),
    );
  }

  /** Tiles and checkpoints of what is sealed. */
  publish(): void {
    const write = (file: string, bytes: string | Buffer): void => {
      const target = path.join(this.ledger, file);
      mkdirSync(path.dirname(target), { recursive: true });
      writeFileSync(target, bytes);
    };
    for (let at = 0; at < this.changes.length; at += TILE_WIDTH) {
      const part = this.changes.slice(at, at + TILE_WIDTH);
      write(changesPath(at / TILE_WIDTH, part.length), encodeChangesFile(part));
    }
    const sign = (folder: string, origin: string, writer: LogWriter): void => {
      writer.finish();
      const checkpoint = { origin, size: writer.size, root: writer.root(), extensions: [] };
      write(checkpointPath(folder), signCheckpoint(checkpoint, [signerNamed(this.signer, origin)]));
    };
    for (const { id, writer } of this.logs.values()) sign(logFolder(id), logOrigin(this.key.name, id), writer);
    sign(HEADS, this.key.name, this.heads);
    write('vkey', `${formatVerifierKey(this.key)}\n`);
  }

  get index(): string {
    return path.join(this.folder, 'index.duckdb');
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
