/**
 * Read once, and removal after delivery: what each grant has given of each version.
 *
 * A pick-up starts with the first release of a version under a grant, which is durable with that release. For an hour it
 * may be begun again, because lines break; then only readings that are open go on, and get no segment a second time. It
 * is over at once when the version was released as a whole and the front reports that its end was sent.
 *
 * What a front that lies about `sent` gains: nothing. It denies that the end was sent: the hour counts from a time that
 * is the broker's, and for that hour it had the plaintext anyway. It claims that it was: its own client loses the rest.
 * For removal it has to have been given every segment first, which is in the ledger.
 */
import { WaybillError } from '../base/errors.ts';
import type { FlowStore, Pickup } from './flow-store.ts';
import type { FlowPolicy } from './flow.ts';
import { SegmentSet } from './segment-set.ts';

export interface GrantOfPickup {
  readonly account: string;
  readonly folder: string;
  readonly policy: FlowPolicy | null;
}

export interface Asked {
  /** The reading itself: what was given to it is forgotten with it. */
  readonly reading: object;
  readonly version: string;
  readonly first: number;
  readonly count: number;
}

interface Run {
  readonly first: number;
  readonly count: number;
  readonly blob: string | null;
}

const WINDOW_MS = 3_600_000;
/** Eight TiB; a bit for each segment is kept while a version is picked up. */
const SEGMENTS_MAX = 2 ** 20;
/** Of all pick-ups under way; the oldest is forgotten first, and is then never taken for delivered. */
const SETS_BYTES = 32 * 1024 * 1024;
const SET_OVERHEAD = 256;
const DAY_MS = 86_400_000;
const PAGE = 500;

export class Pickups {
  private readonly store: FlowStore;
  private readonly now: () => number;
  /** Released since the pick-up started, over all its readings. */
  private readonly given = new Map<string, SegmentSet>();
  private bytes = 0;
  private readonly ofReading = new WeakMap<object, SegmentSet>();

  constructor(store: FlowStore, now: () => number) {
    this.store = store;
    this.now = now;
  }

  /** Inside the write of the release, before its record. Throws `flow-refused`. */
  admit(grant: GrantOfPickup, asked: Asked): void {
    const { account, folder, policy } = grant;
    if (!isCounted(policy)) return;
    const { version, first, count } = asked;
    const known = this.store.pickup(account, folder, version);
    if (known === null) this.store.startPickup({ account, folder, version, started: this.now(), delivered: null });
    if (policy?.readOnce !== true) return;
    if (first + count > SEGMENTS_MAX) throw refused('a grant that gives a file once gives none of more than 8 TiB');
    if (known === null) return;
    if (known.delivered !== null)
      throw refused(`the file was picked up at ${moment(known.delivered)}, and this grant gives it once`);
    if (this.now() < known.started + WINDOW_MS) return;
    const own = this.ofReading.get(asked.reading);
    if (own === undefined || own.hasAny(first, count))
      throw refused(`the file was picked up from ${moment(known.started)} on, and this grant gives it once`);
  }

  /** Once the release is durable. */
  note(grant: GrantOfPickup, { reading, version, first, count }: Asked): void {
    if (!isCounted(grant.policy) || first + count > SEGMENTS_MAX) return;
    if (grant.policy?.readOnce === true) {
      const own = this.ofReading.get(reading) ?? new SegmentSet();
      own.add(first, count);
      this.ofReading.set(reading, own);
    }
    const key = keyOf(grant, version);
    const all = this.given.get(key) ?? new SegmentSet();
    if (!this.given.has(key)) this.bytes += SET_OVERHEAD;
    const before = all.byteLength;
    all.add(first, count);
    this.given.set(key, all);
    this.bytes += all.byteLength - before;
    for (const [oldest] of this.given) {
      if (this.bytes <= SETS_BYTES) break;
      this.drop(oldest);
    }
  }

  /** Inside a write, when a reading has ended whose front reports that it sent the end of the version. */
  endSent(grant: GrantOfPickup, version: string, runs: readonly Run[]): void {
    if (!isCounted(grant.policy)) return;
    const key = keyOf(grant, version);
    const all = this.given.get(key);
    if (all === undefined) return;
    // Segments of zeros are stored nowhere, and need no release.
    if (!runs.every((run) => run.blob === null || all.hasAll(run.first, run.count))) return;
    const known = this.store.pickup(grant.account, grant.folder, version);
    if (known?.delivered === null) this.store.deliverPickup(grant.account, grant.folder, version, this.now());
    this.drop(key);
  }

  /** What is to be removed by now. `grantOf`: the grant as it is today, whose policy decides. */
  *due(grantOf: (pickup: Pickup) => GrantOfPickup | undefined): Generator<Pickup> {
    for (let after: Pickup | null = null; ;) {
      const page: Pickup[] = this.store.deliveredAfter(after, PAGE);
      for (const pickup of page) {
        const days = grantOf(pickup)?.policy?.removeAfterDays ?? null;
        if (days !== null && pickup.delivered !== null && this.now() >= pickup.delivered + days * DAY_MS) yield pickup;
      }
      if (page.length < PAGE) return;
      after = page.at(-1) ?? null;
    }
  }

  /** Inside a write: its version is gone. */
  forget(pickup: Pickup): void {
    this.store.forgetPickup(pickup);
  }

  private drop(key: string): void {
    const set = this.given.get(key);
    if (set === undefined) return;
    this.given.delete(key);
    this.bytes -= set.byteLength + SET_OVERHEAD;
  }
}

function isCounted(policy: FlowPolicy | null): boolean {
  return policy !== null && (policy.readOnce || policy.removeAfterDays !== null);
}

function keyOf({ account, folder }: GrantOfPickup, version: string): string {
  return `${account}/${folder}/${version}`;
}

function moment(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

function refused(message: string): WaybillError {
  return new WaybillError('flow-refused', message);
}
