/**
 * What happens in one tenant's log: people and services sign in from where they usually are, list, read, upload, rename
 * and leave; some readings are cut off, some sessions never end. Endless, and the same for the same seed; how much of it
 * is taken is the caller's choice.
 */
import { encodeEntry } from '../src/ledger/core/entry.ts';
import { blindedIdentifier } from '../src/ledger/core/head.ts';
import type { Event } from '../src/ledger/core/kinds.ts';
import { FastEncoder } from './ledger-encoder.ts';
import { Random } from './ledger-random.ts';

export const SEGMENT_BYTES = 8 * 1024 * 1024;
const FILES_KEPT = 20_000;
const OPEN_SESSIONS = 6;
const CLIENTS = [
  'OpenSSH_9.2p1',
  'OpenSSH_9.9',
  'WinSCP_6.3.5',
  'FileZilla_3.67',
  'rclone/v1.68',
  'paramiko_3.5.0',
  'lftp-4.9',
];
const SOFTWARE = ['waybill 1.0.0', 'waybill 1.0.1', 'waybill 1.1.0', 'waybill 1.2.0'];
const NODES = ['node-a', 'node-b', 'node-c'];
const PRODUCTS = ['Payments', 'Statements', 'Claims', 'Cards', 'Lending', 'Treasury', 'Payroll'];
const DIRECTORIES = ['', '/in', '/out', '/2026/01', '/2026/02', '/archive/2025', '/reports/daily', '/recovery'];
const NAMES = ['statement', 'positions', 'claims', 'payroll', 'export', 'batch', 'ledger', 'scan'];
const NO_ID = Buffer.alloc(16);
const SUFFIXES = ['csv', 'xml', 'pdf', 'zip', 'pgp', 'json'];

interface File {
  readonly id: Buffer;
  readonly version: Buffer;
  readonly folder: Buffer;
  readonly path: Buffer;
  readonly size: number;
}
interface Account {
  readonly id: string;
  readonly login: string;
  readonly credentials: readonly string[];
  readonly addresses: readonly string[];
  readonly client: string;
}
interface Session {
  readonly id: Buffer;
  readonly account: Account;
  left: number;
  reading: { readonly id: Buffer; readonly file: File; next: number; readonly until: number } | null;
}

export class Traffic {
  readonly log: string;
  readonly tenant: string | null;
  readonly name: string;
  private readonly random: Random;
  private readonly encoder = new FastEncoder();
  private readonly salt: string;
  private readonly accounts: Account[];
  private readonly folders: Buffer[];
  private readonly files: File[] = [];
  private readonly open: Session[] = [];
  private readonly preface: Event[] = [];
  private readonly run: string;
  private readonly started: number;
  private readonly spans: number;

  /** `started` and `spans`: when the software changes, in milliseconds. */
  constructor(seed: number, number: number, started: number, spans = 30 * 24 * 3600_000) {
    this.random = new Random(seed, number + 1);
    this.started = started;
    this.spans = spans;
    this.tenant = number === 0 ? null : this.hexId();
    this.name = number === 0 ? 'installation' : `tenant-${String(number).padStart(3, '0')}`;
    this.salt = this.random.bytes(32).toString('hex');
    this.log = blindedIdentifier(this.tenant ?? '0'.repeat(32), this.salt);
    this.run = new Random(seed, 0).id().toString('hex');
    this.accounts = Array.from({ length: 3 + this.random.below(12) }, (_, index) => this.account(number, index));
    this.folders = Array.from({ length: 2 + this.random.below(6) }, () => this.random.id());
    this.preface.push({ kind: 'opened', tenant: this.tenant, name: this.name, salt: this.salt });
    if (this.tenant === null) return;
    this.folders.forEach((folder, index) => {
      this.preface.push(this.changed('folder.add', folder, { name: index === 0 ? 'inbox' : `share-${index}` }));
      if (this.random.chance(0.7))
        this.preface.push(this.changed('product.add', folder, { product: this.random.pick(PRODUCTS) }));
    });
  }

  /** Valid until the next call. */
  next(time: number): Uint8Array {
    const first = this.preface.shift();
    if (first !== undefined) return encodeEntry(first, time);
    if (this.tenant === null) return this.installation(time);
    const wanting = this.open.length === 0 || (this.open.length < OPEN_SESSIONS && this.random.chance(0.05));
    return wanting ? this.signIn(time) : this.act(this.random.pick(this.open), time);
  }

  private hexId(): string {
    return this.random.id().toString('hex');
  }

  private changed(action: string, folder: Buffer, detail: Record<string, string>): Event {
    const nobody = { actor: 'operator', approvedBy: '', account: null, credential: '' };
    return { kind: 'changed', action, folder: folder.toString('hex'), detail, ...nobody };
  }

  private account(tenant: number, index: number): Account {
    const network = `10.${tenant % 250}.${index}`;
    return {
      id: this.hexId(),
      login: `user-${tenant}-${index}`,
      credentials: Array.from({ length: 1 + this.random.below(2) }, () => this.hexId()),
      addresses: Array.from({ length: 1 + this.random.below(3) }, () =>
        this.random.chance(0.1)
          ? `2001:db8:${tenant.toString(16)}::${(index + 1).toString(16)}`
          : `${network}.${1 + this.random.below(250)}`,
      ),
      client: this.random.pick(CLIENTS),
    };
  }

  /** Nodes start, and strangers fail to sign in. */
  private installation(time: number): Uint8Array {
    const { run, random } = this;
    if (random.chance(0.01))
      return encodeEntry(
        {
          kind: 'node-start',
          run: this.hexId(),
          node: random.pick(NODES),
          software: this.software(time),
          runtime: 'node 26.10.0',
          dependencies: random.bytes(32).toString('hex'),
          previous: run,
        },
        time,
      );
    const address = `203.0.113.${random.below(256)}`;
    const tried = { account: null, login: '', protocol: 'sftp', client: random.pick(CLIENTS), factors: ['password'] };
    return encodeEntry({ kind: 'sign-in-failed', ...tried, address, run, tries: 1, reason: 'unknown' }, time);
  }

  private software(time: number): string {
    return SOFTWARE[
      Math.max(0, Math.min(SOFTWARE.length - 1, Math.floor((time - this.started) / this.spans)))
    ] as string;
  }

  private signIn(time: number): Uint8Array {
    const { random } = this;
    const account = random.pick(this.accounts);
    const session: Session = { id: random.id(), account, left: 3 + random.below(40), reading: null };
    this.open.push(session);
    const credential = random.pick(account.credentials);
    const both = random.chance(0.3);
    return encodeEntry(
      {
        kind: 'sign-in',
        session: session.id.toString('hex'),
        account: account.id,
        login: account.login,
        protocol: 'sftp',
        address: random.pick(account.addresses),
        client: account.client,
        run: this.run,
        node: random.pick(NODES),
        software: this.software(time),
        factors: both ? ['publickey', 'totp'] : ['publickey'],
        credentials: both ? [credential, `${credential}:totp`] : [credential],
        descriptions: both ? ['laptop', 'phone'] : ['laptop'],
        firsts: [],
      },
      time,
    );
  }

  private act(session: Session, time: number): Uint8Array {
    const { random, encoder } = this;
    if (session.reading !== null) return this.read(session, session.reading, time);
    if (session.left-- <= 0) return this.leave(session, time);
    const what = random.unit();
    if (what < 0.1)
      return encoder
        .start('listed', time)
        .id(session.id)
        .id(random.pick(this.folders))
        .u32(random.below(200))
        .text(Buffer.from(random.pick(DIRECTORIES) || '/'))
        .finish();
    if (what < 0.25 || this.files.length < 4) return this.store(session, time);
    if (what < 0.26) return this.rename(session, time);
    const file = random.pick(this.files);
    const segments = Math.max(1, Math.ceil(file.size / SEGMENT_BYTES));
    session.reading = {
      id: random.id(),
      file,
      next: 0,
      until: random.chance(0.05) ? Math.ceil(segments / 2) : segments,
    };
    return this.read(session, session.reading, time);
  }

  private read(session: Session, reading: NonNullable<Session['reading']>, time: number): Uint8Array {
    const { file } = reading;
    if (reading.next >= reading.until) return this.close(session, reading, time);
    const first = reading.next;
    const count = Math.min(first === 0 ? 1 : 2, reading.until - first);
    reading.next += count;
    const bytes = Math.min(file.size, (first + count) * SEGMENT_BYTES) - first * SEGMENT_BYTES;
    return this.encoder
      .start('release', time)
      .id(session.id)
      .id(reading.id)
      .id(file.folder)
      .id(file.id)
      .id(file.version)
      .u32(first)
      .u32(count)
      .u64(bytes)
      .text(file.path)
      .finish();
  }

  private close(session: Session, reading: NonNullable<Session['reading']>, time: number): Uint8Array {
    const { random } = this;
    session.reading = null;
    // The front died: nobody says what was sent, and the session ends as a gap.
    if (random.chance(0.005)) return this.leave(session, time, true);
    const { file } = reading;
    const known = !random.chance(0.01);
    const released = Math.min(file.size, reading.until * SEGMENT_BYTES);
    const sent = random.chance(0.05) ? Math.floor(released * random.unit()) : released;
    const entry = this.encoder.start('sent', time).id(session.id).id(reading.id).id(file.id).id(file.version);
    if (!known || sent === 0)
      return entry
        .u8(known ? 1 : 0)
        .u64(0)
        .u16(0)
        .finish();
    if (!random.chance(0.02) || sent < 1000) return entry.u8(1).u64(sent).u16(1).u64(0).u64(sent).finish();
    const third = Math.floor(sent / 3);
    return entry
      .u8(1)
      .u64(2 * third)
      .u16(2)
      .u64(0)
      .u64(third)
      .u64(2 * third)
      .u64(third)
      .finish();
  }

  private store(session: Session, time: number): Uint8Array {
    const { random } = this;
    // A version never changes: who reads the one before goes on reading it.
    const full = this.files.length >= FILES_KEPT || (this.files.length > 100 && random.chance(0.2));
    const index = full ? random.below(this.files.length) : this.files.length;
    const before = full && random.chance(0.5) ? this.files[index] : undefined;
    const name = `${random.pick(DIRECTORIES)}/${random.pick(NAMES)}-${random.u32().toString(36)}.${random.pick(SUFFIXES)}`;
    const file: File = {
      id: before?.id ?? random.id(),
      version: random.id(),
      folder: before?.folder ?? random.pick(this.folders),
      path: before?.path ?? Buffer.from(name),
      size: Math.floor(20_000 * 2 ** (random.unit() * random.unit() * 14)),
    };
    this.files[index] = file;
    return this.encoder
      .start('stored', time)
      .id(session.id)
      .id(file.folder)
      .id(file.id)
      .id(file.version)
      .id(before?.version ?? NO_ID)
      .u64(file.size)
      .text(file.path)
      .finish();
  }

  private rename(session: Session, time: number): Uint8Array {
    const { random } = this;
    const index = random.below(this.files.length);
    const file = this.files[index] as File;
    const toPath = Buffer.concat([file.path, Buffer.from('.done')]).subarray(0, 200);
    this.files[index] = { ...file, path: toPath };
    return this.encoder
      .start('renamed', time)
      .id(session.id)
      .id(file.folder)
      .id(file.folder)
      .text(file.path)
      .text(toPath)
      .finish();
  }

  private leave(session: Session, time: number, gap = false): Uint8Array {
    const index = this.open.indexOf(session);
    this.open.splice(index, 1);
    const reason = Buffer.from(gap ? 'node ended' : 'closed by client');
    return this.encoder
      .start('session-end', time)
      .id(session.id)
      .text(reason)
      .u8(gap ? 1 : 0)
      .finish();
  }
}
