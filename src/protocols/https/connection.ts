/** One connection: what its client has shown to be let in, and the files of each of these sessions. */
import type { TLSSocket } from 'node:tls';
import { WaybillError } from '../../base/errors.ts';
import type { Scope } from '../../api/operation.ts';
import type { Session } from '../../broker/calls.ts';
import type { ResumableFiles } from '../../transfer/transfer.ts';
import { fingerprintOf } from './credentials.ts';
import type { Credential } from './credentials.ts';
import type { Member } from './exchange.ts';

export interface SignedIn {
  readonly session: Session;
  readonly scopes: readonly Scope[];
}

export interface ConnectionParts {
  readonly id: string;
  readonly socket: TLSSocket;
  readonly now: number;
  /** `client`: what it calls itself. */
  readonly authenticate: (connection: string, credential: Credential, client: string) => Promise<SignedIn>;
  readonly files: (session: Session) => ResumableFiles;
}

/** A proxy may bring several people over one connection; each has a session. */
const CREDENTIALS_MAX = 16;
/** Refused ones, after which the connection is not worth keeping. */
const REFUSALS_MAX = 5;

export class Connection {
  readonly id: string;
  readonly socket: TLSSocket;
  readonly opened: number;
  /** Requests that are not answered yet. */
  active = 0;
  /** The next answer is the last. */
  closing = false;
  /** For the watch: what had been written when it last looked, and since when nothing more was. */
  written = 0;
  since: number;
  private readonly parts: ConnectionParts;
  private readonly members = new Map<string, Promise<Member>>();
  private readonly allFiles = new Set<ResumableFiles>();
  private readonly running = new Set<Promise<void>>();
  private refusals = 0;
  private over = false;

  constructor(parts: ConnectionParts) {
    this.parts = parts;
    this.id = parts.id;
    this.socket = parts.socket;
    this.opened = parts.now;
    this.since = parts.now;
  }

  get signedIn(): boolean {
    return this.members.size > 0;
  }

  /** The session of a credential; the broker is asked once. */
  async member(credential: Credential, client: string): Promise<Member> {
    const fingerprint = fingerprintOf(credential);
    const known = this.members.get(fingerprint);
    if (known !== undefined) return known;
    if (this.members.size >= CREDENTIALS_MAX) {
      this.closing = true;
      throw new WaybillError('too-many-handles', `a connection may bring ${CREDENTIALS_MAX} credentials; open another`);
    }
    const asked = this.ask(credential, client);
    this.members.set(fingerprint, asked);
    try {
      return await asked;
    } catch (error) {
      this.members.delete(fingerprint);
      this.closing ||= ++this.refusals >= REFUSALS_MAX;
      throw error;
    }
  }

  /** A sign-in on this connection has made a session: who comes with its cookie has it already. */
  adopt(credential: Credential, signedIn: SignedIn): void {
    if (this.members.size >= CREDENTIALS_MAX) this.closing = true;
    else this.members.set(fingerprintOf(credential), this.admit(signedIn));
  }

  /** A session of it is over: who comes with its credential again is asked about again. */
  forget(session: string): void {
    for (const [fingerprint, known] of this.members) void this.forgetIf(session, fingerprint, known);
  }

  /** A request until its handler is done with it, which may be after its answer. */
  async during(work: Promise<void>): Promise<void> {
    this.running.add(work);
    await work;
    this.running.delete(work);
  }

  /**
   * The connection is gone: uploads are kept for resuming, readings are told. Handlers come first: they see the end of
   * their request, and know whether what they wrote is to be kept.
   */
  async abandon(): Promise<void> {
    this.over = true;
    await Promise.allSettled(this.running);
    await Promise.allSettled(this.members.values());
    await Promise.all([...this.allFiles].map((files) => files.abandon()));
  }

  private async forgetIf(session: string, fingerprint: string, known: Promise<Member>): Promise<void> {
    const member = await known.catch(() => null);
    if (member?.session.session !== session || this.members.get(fingerprint) !== known) return;
    this.members.delete(fingerprint);
    await member.files.abandon().catch(() => undefined);
    this.allFiles.delete(member.files);
  }

  private async ask(credential: Credential, client: string): Promise<Member> {
    return this.admit(await this.parts.authenticate(this.id, credential, client));
  }

  private async admit({ session, scopes }: SignedIn): Promise<Member> {
    const files = this.parts.files(session);
    this.allFiles.add(files);
    if (this.over) await files.abandon();
    return { session, scopes: new Set(scopes), files, writing: new Set() };
  }
}
