/**
 * Four eyes: an act that weakens a control waits until a second administrator approves it. What waits is sealed with a
 * key of the key hierarchy, so that whoever writes the database alters no request, name or end of it unseen. Which acts
 * these are, and what they rest on, is broker/four-eyes.ts.
 *
 * Against whom: one administrator, or whoever has his token, acts alone as himself, without a name, under another form
 * of a name, twice, late, or on something else than what the second one saw. Whoever can write the database and knows
 * the sealing key is the machine's owner, and needs none of this (SECURITY.md).
 */
import { createHash } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import { newReference } from '../base/references.ts';
import type { Sealer } from '../keys/sealer.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** An administrator, as far as approvals need one. */
export interface Person {
  readonly id: string;
  readonly name: string;
  readonly tokenHash: Buffer;
}

export interface Act {
  /** The call that is waiting, and its request, which has passed its schema. */
  readonly action: string;
  readonly request: unknown;
  /** In whose log it is recorded; null is the operator's. */
  readonly tenant: string | null;
  /** For the person who decides. */
  readonly summary: string;
  /** What the act rests on, as it was proposed: when any of it has changed, the act is not what was looked at. */
  readonly about: string;
}

export interface Proposal extends Act {
  readonly reference: string;
  readonly proposer: { readonly id: string; readonly name: string; readonly token: string };
  /** Milliseconds since 1970. */
  readonly created: number;
  readonly expires: number;
}

export type Outcome = 'approved' | 'denied' | 'withdrawn' | 'expired';

export interface ProposalRow {
  readonly reference: string;
  /** Of the proposer: only to count; what counts is what is sealed. */
  readonly proposer: string;
  readonly outcome: Outcome | null;
  readonly decidedBy: string;
  readonly decided: number | null;
  readonly sealed: Buffer;
}

/** Changes join the transaction under way. */
export interface ProposalStore {
  write<T>(action: () => T): Promise<T>;
  proposal(reference: string): ProposalRow | null;
  /** Undecided, in the order in which they were made. */
  waiting(): ProposalRow[];
  add(row: ProposalRow): void;
  /** False when it was decided before. */
  decide(reference: string, outcome: Outcome, by: string, at: number): boolean;
  forgetDecidedBefore(time: number): void;
}

export interface ApprovalsParts {
  readonly store: ProposalStore;
  readonly sealer: Sealer;
  readonly ledger: Ledger;
  readonly administrators: { find(id: string): Person | null };
  readonly now?: () => number;
}

const DAY_MS = 86_400_000;
const LIFETIME_MS = 7 * DAY_MS;
const REMEMBERED_MS = 90 * DAY_MS;
const WAITING_PER_PERSON = 100;

export class Approvals {
  private readonly parts: ApprovalsParts;
  private readonly now: () => number;

  constructor(parts: ApprovalsParts) {
    this.parts = parts;
    this.now = parts.now ?? Date.now;
  }

  /** `within`: as in Acting; what made the proposal necessary must still hold. */
  async propose(act: Act, by: Person, within: () => void): Promise<Proposal> {
    const { store, ledger } = this.parts;
    const created = this.now();
    const proposer = { id: by.id, name: by.name, token: tokenOf(by) };
    const made = { ...act, reference: newReference('A'), proposer, created, expires: created + LIFETIME_MS };
    const body = JSON.stringify(made);
    const sealed = this.parts.sealer.seal(purposeOf(made.reference), Buffer.from(body));
    await store.write(() => {
      within();
      this.requirePerson(proposer);
      store.forgetDecidedBefore(created - REMEMBERED_MS);
      if (store.waiting().filter((row) => row.proposer === by.id).length >= WAITING_PER_PERSON)
        throw new WaybillError('in-use', `${WAITING_PER_PERSON} proposals of ${by.name} wait already`);
      const { reference } = made;
      store.add({ reference, proposer: by.id, outcome: null, decidedBy: '', decided: null, sealed });
      const digest = createHash('sha256').update(body).digest('hex');
      const detail = { summary: act.summary, digest, expires: made.expires };
      ledger.append(act.tenant, { kind: 'proposal', reference, action: act.action, actor: by.name, detail });
    });
    return made;
  }

  /** What waits, without what was altered: that is told by `altered`. */
  async waiting(): Promise<{ proposals: Proposal[]; altered: string[] }> {
    await this.expire();
    const proposals: Proposal[] = [];
    const altered: string[] = [];
    for (const row of this.parts.store.waiting()) {
      const proposal = this.opened(row);
      if (proposal === null) altered.push(row.reference);
      else proposals.push(proposal);
    }
    return { proposals, altered };
  }

  /** The proposal, when this person may approve it now. `settle` looks again. */
  async approvable(reference: string, by: Person): Promise<Proposal> {
    await this.expire();
    return this.check(reference, by);
  }

  /** Inside the write that carries the act out: the decision is durable with it, or neither is. */
  settle(reference: string, by: Person): void {
    const proposal = this.check(reference, by);
    this.decide(proposal, 'approved', by.name);
  }

  /** Its proposer withdraws it, others deny it. */
  async deny(reference: string, by: Person): Promise<Outcome> {
    await this.expire();
    return this.parts.store.write(() => {
      this.requirePerson({ ...by, token: tokenOf(by) });
      const row = this.undecided(reference);
      const proposal = this.opened(row);
      const outcome: Outcome = row.proposer === by.id ? 'withdrawn' : 'denied';
      // One that was altered can be got rid of; what it was stands in the ledger.
      this.decide(proposal ?? { reference, tenant: null, action: '' }, outcome, by.name);
      return outcome;
    });
  }

  private check(reference: string, by: Person): Proposal {
    const proposal = this.opened(this.undecided(reference));
    if (proposal === null)
      throw new WaybillError('permission-denied', `${reference} was altered in the database and is not carried out`);
    if (this.now() >= proposal.expires) throw decided(reference, 'expired', '');
    this.requirePerson({ ...by, token: tokenOf(by) });
    const { proposer } = proposal;
    if (proposer.id === by.id || proposer.token === tokenOf(by) || sameText(proposer.name, by.name))
      throw new WaybillError('permission-denied', `${reference} needs somebody else than ${by.name}, who proposed it`);
    const still = this.parts.administrators.find(proposer.id);
    if (still === null)
      throw new WaybillError('permission-denied', `${proposer.name}, who proposed ${reference}, was removed since`);
    if (tokenOf(still) !== proposer.token)
      throw new WaybillError(
        'permission-denied',
        `the token with which ${reference} was proposed was replaced since; if the act is wanted, propose it again`,
      );
    return proposal;
  }

  /** Removed, or with another token than a moment ago: his word counts no more. */
  private requirePerson({ id, token }: { readonly id: string; readonly token: string }): void {
    const still = this.parts.administrators.find(id);
    if (still === null || tokenOf(still) !== token)
      throw new WaybillError('sign-in-refused', 'the access token is of no administrator any more');
  }

  private undecided(reference: string): ProposalRow {
    const row = this.parts.store.proposal(reference);
    if (row === null) throw new WaybillError('not-found', `nothing waits under ${reference}`);
    if (row.outcome !== null) throw decided(reference, row.outcome, row.decidedBy);
    return row;
  }

  private decide(proposal: Pick<Proposal, 'reference' | 'tenant' | 'action'>, outcome: Outcome, actor: string): void {
    const { reference, tenant, action } = proposal;
    if (!this.parts.store.decide(reference, outcome, actor, this.now())) throw decided(reference, 'decided', '');
    this.parts.ledger.append(tenant, { kind: 'decision', reference, outcome, actor, detail: { action } });
  }

  /** Null when what is sealed is not what was sealed, or belongs to another reference. */
  private opened(row: ProposalRow): Proposal | null {
    try {
      const body = this.parts.sealer.open(purposeOf(row.reference), row.sealed).toString();
      const proposal = JSON.parse(body) as Proposal;
      return proposal.reference === row.reference ? proposal : null;
    } catch {
      return null;
    }
  }

  private async expire(): Promise<void> {
    const past = (row: ProposalRow): Proposal | null => {
      const proposal = this.opened(row);
      return proposal !== null && this.now() >= proposal.expires ? proposal : null;
    };
    const { store } = this.parts;
    if (store.waiting().every((row) => past(row) === null)) return;
    await store.write(() => {
      for (const row of store.waiting()) {
        const proposal = past(row);
        if (proposal !== null) this.decide(proposal, 'expired', '');
      }
    });
  }
}

function purposeOf(reference: string): string {
  return `proposal ${reference}`;
}

function tokenOf({ tokenHash }: Person): string {
  return tokenHash.toString('hex');
}

function sameText(one: string, other: string): boolean {
  const plain = (text: string): string => text.normalize('NFKC').toLowerCase();
  return plain(one) === plain(other);
}

function decided(reference: string, outcome: string, by: string): WaybillError {
  return new WaybillError('not-found', `${reference} is ${outcome}${by === '' ? '' : ` by ${by}`} and waits no more`);
}
