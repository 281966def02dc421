/** Receivers of events: added and removed by administrators, fed from the ledger while the server runs. */
import { createHash, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto';
import type { Acting } from '../base/acting.ts';
import { WaybillError } from '../base/errors.ts';
import { changed } from '../ledger/changed.ts';
import type { KindName } from '../ledger/core/kinds.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { Sealer } from '../keys/sealer.ts';
import type { OutgoingTarget, Sender } from './calls.ts';
import { Feed } from './feed.ts';
import type { LedgerTail, SealedLog } from './ledger-tail.ts';
import { checkTargetAddress } from './target-address.ts';
import type { TargetAddress } from './target-address.ts';
export type { Target } from './target.ts';
import type { DeadRow, Target, TargetKind, TargetSecrets, TargetStore } from './target.ts';

const TARGETS_MAX = 100;
const DEAD_SHOWN = 1000;
/** For how long webhooks are signed with the old secret as well. */
const OVERLAP_MS = 86_400_000;
const SECRET_BYTES = 32;
/** What mail is for: somebody has to do something. */
export const MAIL_KINDS: readonly KindName[] = ['hold', 'proposal', 'decision', 'containment', 'incident'];

export interface EventsParts {
  readonly store: TargetStore;
  readonly tail: LedgerTail;
  readonly sealer: Sealer;
  readonly sender: Sender;
  readonly ledger: Ledger;
  readonly tenantName: (tenant: string) => string;
  readonly software: string;
  /** Host names that may be on a private network. */
  readonly allow: readonly string[];
  readonly mail: boolean;
  readonly report: (error: unknown) => void;
  readonly now?: () => number;
  readonly random?: () => number;
}

export interface TargetSpec {
  readonly name: string;
  readonly tenant: string | null;
  readonly kind: TargetKind;
  readonly address: string;
  readonly only: readonly KindName[];
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly clientKey: string | null;
}

export interface TargetStatus {
  readonly target: Target;
  readonly behind: number;
  readonly dead: number;
  readonly failure: { readonly since: number; readonly error: string; readonly nextTry: number } | null;
}

export class Events {
  private readonly parts: EventsParts;
  private readonly now: () => number;
  private readonly feeds = new Map<string, Feed>();
  /** Sealed secrets that are younger than the target's own. */
  private readonly rotated = new Map<string, Buffer>();
  private started = false;

  constructor(parts: EventsParts) {
    this.parts = parts;
    this.now = parts.now ?? Date.now;
    for (const target of parts.store.targets()) this.feeds.set(target.id, this.feedOf(target));
  }

  start(): void {
    this.started = true;
    // With what was published between opening and now.
    for (const feed of this.feeds.values()) feed.start();
  }

  async stop(): Promise<void> {
    await Promise.all([...this.feeds.values()].map((feed) => feed.stop()));
  }

  /** The ledger has published these logs. */
  sealed(rows: readonly SealedLog[]): void {
    const logs = [...this.parts.tail.sealed(rows)];
    if (this.started) for (const feed of this.feeds.values()) feed.grown(logs);
  }

  list(): TargetStatus[] {
    return [...this.feeds.values()]
      .map((feed) => ({
        target: feed.target,
        behind: feed.behind(),
        dead: this.parts.store.deadCount(feed.target.id),
        failure: feed.failure(),
      }))
      .sort((a, b) => (a.target.name < b.target.name ? -1 : 1));
  }

  byName(name: string): Target {
    for (const { target } of this.feeds.values()) if (target.name === name) return target;
    throw new WaybillError('not-found', 'no receiver of events has this name');
  }

  /** Throws what `add` would; changes nothing. */
  check(spec: TargetSpec): TargetAddress {
    if ([...this.feeds.values()].some(({ target }) => target.name === spec.name))
      throw new WaybillError('already-exists', 'a receiver of events has this name');
    if (this.feeds.size >= TARGETS_MAX)
      throw new WaybillError('option-invalid', `there are ${TARGETS_MAX} receivers already`);
    if (spec.kind === 'mail' && !this.parts.mail)
      throw new WaybillError('option-invalid', 'the server sends no mail: it needs --smtp-url and --mail-from');
    checkCertificates(spec);
    return checkTargetAddress(spec.kind, spec.address, this.parts.allow);
  }

  /** From what is sealed next on. The secret is answered here and never again. */
  async add(spec: TargetSpec, by: Acting): Promise<{ target: Target; secret: string | null }> {
    const { store, tail, ledger } = this.parts;
    const { full, shown } = this.check(spec);
    const id = randomBytes(16).toString('hex');
    const secret = spec.kind === 'webhook' ? newSecret() : null;
    const signing = secret === null ? [] : [{ secret, until: null }];
    const { name, tenant, kind, ca, certificate, clientKey } = spec;
    const only = spec.only.length === 0 && kind === 'mail' ? MAIL_KINDS : spec.only;
    const sealed = this.seal(id, { address: full, signing, clientKey });
    const target = { id, name, tenant, kind, address: shown, only, ca, certificate, sealed, created: this.now() };
    await store.write(() => {
      by.within?.();
      store.insertTarget(target);
      for (const { log, size } of tail.logsOf(tenant))
        store.saveQueue({
          ...{ target: id, log, position: size },
          ...{ failingSince: null, attempts: 0, nextTry: 0, error: '' },
        });
      const detail = { name, kind, address: shown, only: [...only] };
      ledger.append(tenant, changed('event.add', { ...byOf(by), detail }));
    });
    const feed = this.feedOf(target);
    this.feeds.set(id, feed);
    if (this.started) feed.start();
    return { target, secret };
  }

  async remove(name: string, by: Acting): Promise<void> {
    const { id, tenant, kind, address } = this.byName(name);
    const { store, ledger } = this.parts;
    await store.write(() => {
      by.within?.();
      store.removeTarget(id);
      ledger.append(tenant, changed('event.remove', { ...byOf(by), detail: { name, kind, address } }));
    });
    const feed = this.feeds.get(id);
    this.feeds.delete(id);
    void feed?.stop();
  }

  /** A new secret; the old one signs as well for a day, so that the receiver can change at its own time. */
  async rotateSecret(name: string, by: Acting): Promise<string> {
    const target = this.byName(name);
    if (target.kind !== 'webhook') throw new WaybillError('unsupported', 'only webhooks are signed');
    const secret = newSecret();
    const now = this.now();
    const { store, ledger } = this.parts;
    let rotated = target.sealed;
    await store.write(() => {
      by.within?.();
      const secrets = this.open(this.byName(name));
      const [current] = secrets.signing;
      const old = current === undefined ? [] : [{ secret: current.secret, until: now + OVERLAP_MS }];
      const sealed = this.seal(target.id, { ...secrets, signing: [{ secret, until: null }, ...old] });
      store.saveSealed(target.id, sealed);
      rotated = sealed;
      ledger.append(target.tenant, changed('event.rotate-secret', { ...byOf(by), detail: { name } }));
    });
    this.rotated.set(target.id, rotated);
    return secret;
  }

  /** What was given up, oldest first. */
  dead(name: string): DeadRow[] {
    return this.parts.store.dead(this.byName(name).id, DEAD_SHOWN);
  }

  /** Sends what was given up once more, out of order; stops at the first that the receiver refuses. */
  async retry(name: string, number: number | null, by: Acting): Promise<{ delivered: number; failure: string | null }> {
    const target = this.byName(name);
    const { store, ledger } = this.parts;
    const rows = this.dead(name).filter((row) => number === null || row.number === number);
    if (rows.length === 0)
      throw new WaybillError('not-found', 'nothing of this receiver was given up under this number');
    let delivered = 0;
    for (const row of rows) {
      const answer = await this.feeds.get(target.id)?.sendAgain(row.log, row.entry);
      if (answer === undefined || answer.delivered < 1)
        return { delivered, failure: answer?.failure ?? 'the receiver was removed' };
      delivered++;
      await store.write(() => {
        store.removeDead(row.number);
        const detail = { name, log: row.log, entry: row.entry };
        ledger.append(target.tenant, changed('event.retry', { ...byOf(by), detail }));
      });
    }
    return { delivered, failure: null };
  }

  private feedOf(target: Target): Feed {
    const { store, tail, sender, tenantName, software, report, random = Math.random } = this.parts;
    const parts = { target, store, tail, sender, tenantName, software, report, random, now: this.now };
    return new Feed({ ...parts, outgoing: () => this.outgoing(target) });
  }

  private outgoing(target: Target): OutgoingTarget {
    const { id, kind, ca, certificate } = target;
    const { address, signing, clientKey } = this.open(target);
    const now = this.now();
    const secrets = signing.filter(({ until }) => until === null || until > now).map(({ secret }) => secret);
    return { id: `${id}-${digestOf(this.sealedOf(target))}`, kind, address, ca, certificate, clientKey, secrets };
  }

  private seal(id: string, secrets: TargetSecrets): Buffer {
    return this.parts.sealer.seal(purposeOf(id), Buffer.from(JSON.stringify(secrets)));
  }

  private sealedOf({ id, sealed }: Target): Buffer {
    return this.rotated.get(id) ?? sealed;
  }

  private open(target: Target): TargetSecrets {
    const sealed = this.sealedOf(target);
    return JSON.parse(this.parts.sealer.open(purposeOf(target.id), sealed).toString('utf8')) as TargetSecrets;
  }
}

function purposeOf(id: string): string {
  return `event target ${id}`;
}

/** Connections that are kept open belong to one state of the receiver. */
function digestOf(sealed: Buffer): string {
  return createHash('sha256').update(sealed).digest('hex').slice(0, 16);
}

/** Standard Webhooks: 24 to 64 random bytes in base64, with a beginning that scanners find. */
function newSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`;
}

function byOf({ actor, approvedBy }: Acting): { actor: string; approvedBy: string } {
  return { actor, approvedBy };
}

function checkCertificates({ kind, ca, certificate, clientKey }: TargetSpec): void {
  if ((certificate === null) !== (clientKey === null))
    throw new WaybillError('option-invalid', 'a client certificate and its key go together');
  if (kind === 'mail' && (ca !== null || certificate !== null))
    throw new WaybillError('option-invalid', 'mail goes by the server of --smtp-url, with its certificates');
  try {
    if (ca !== null) new X509Certificate(ca);
    if (certificate !== null && clientKey !== null) {
      const matches = new X509Certificate(certificate).checkPrivateKey(createPrivateKey(clientKey));
      if (!matches) throw new Error('the key is another one');
    }
  } catch (cause) {
    throw new WaybillError('option-invalid', 'the certificates or the key are not PEM files that go together', {
      cause,
    });
  }
}
