/**
 * Sign-in calls of fronts: each connection has its one SignIn of accounts/, made over what the broker itself knows of
 * the connection. Success makes the session here and nowhere else.
 */
import { randomBytes } from 'node:crypto';
import type { Account } from '../accounts/account.ts';
import { SignIn } from '../accounts/sign-in.ts';
import type { SignInOutcome, SignInParts, SignInSuccess } from '../accounts/sign-in.ts';
import { isFull, WaybillError } from '../base/errors.ts';
import { lastingIds, proofIds, stillStands } from '../accounts/publickey-step.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { LedgerNode } from '../ledger/node.ts';
import { marksOf } from '../policy/budgets/acquaintances.ts';
import type { Seen } from '../policy/budgets/acquaintances.ts';
import type { HostKey, SignInAnswer } from './calls.ts';
import type { Connection, Connections, LiveSession } from './connections.ts';

export interface SignInsParts {
  readonly signIn: Omit<SignInParts, 'signedIn'>;
  readonly ledger: Ledger;
  readonly connections: Connections;
  readonly node: LedgerNode;
  /** Inside the write of a sign-in; returns what the account came with for the first time. */
  meet(account: string, seen: Seen): string[];
  /** A write that nobody waits for; it joins the next commit. */
  inBackground(action: () => void): void;
  /** Null when the tenant is not there (any more). */
  tenantName(tenant: string): string | null;
  /** Where the sessions of this account start. */
  home(account: string): string;
}

interface UnderWay {
  readonly signIn: SignIn;
  /** Chosen before, so that the record of the sign-in can name it. */
  readonly session: string;
  /** A certificate and the bare key are the same host key; which of them the client saw, it says itself. */
  readonly place: { readonly address: string; readonly sessionId: Buffer; hostKey: Buffer };
  readonly hostKey: HostKey;
}

export class SignIns {
  private readonly parts: SignInsParts;
  private readonly underWay = new Map<Connection, UnderWay>();

  constructor(parts: SignInsParts) {
    this.parts = parts;
  }

  /** Remembers what the first signature of a connection was over: later ones change nothing. */
  identify(connection: Connection, sessionId: Buffer, hostKey: HostKey): void {
    connection.identity ??= { sessionId: Buffer.from(sessionId), hostKey };
  }

  async step(connection: Connection, run: (signIn: SignIn) => Promise<SignInOutcome>): Promise<SignInAnswer> {
    const current = this.of(connection);
    try {
      return this.answer(connection, current, await run(current.signIn));
    } catch (error) {
      // Nobody comes in without a durable record of it; who asks is told, and need not wait for a time-out.
      if (!isFull(error)) throw error;
      return { result: 'disconnect', reason: 'the server has no space left to record a sign-in; try again later' };
    }
  }

  /** For publickey-hostbound-v00@openssh.com, before the step that names the host key. */
  hostKeySeen(connection: Connection, claimed: Buffer | undefined): void {
    const { place, hostKey } = this.of(connection);
    const certified = claimed !== undefined && hostKey.certificate?.equals(claimed) === true;
    place.hostKey = certified && hostKey.certificate !== null ? hostKey.certificate : hostKey.blob;
  }

  async query(
    connection: Connection,
    run: (signIn: SignIn) => Promise<{ acceptable: boolean; answer: SignInOutcome }>,
  ): Promise<{ acceptable: boolean; answer: SignInAnswer }> {
    const current = this.of(connection);
    const { acceptable, answer } = await run(current.signIn);
    return { acceptable, answer: this.answer(connection, current, answer) };
  }

  /** The connection is gone. Answers how many tries were refused. */
  gone(connection: Connection): number {
    const current = this.underWay.get(connection);
    this.underWay.delete(connection);
    if (current === undefined) return 0;
    current.signIn.close();
    if (connection.session === null && current.signIn.failures > 0) this.recordFailure(connection, current.signIn);
    return current.signIn.failures;
  }

  private of(connection: Connection): UnderWay {
    if (connection.session !== null) throw new WaybillError('call-forbidden', 'the connection is signed in already');
    const known = this.underWay.get(connection);
    if (known !== undefined) return known;
    if (connection.identity === null) throw new WaybillError('call-forbidden', 'sign-in before the key exchange');
    const session = randomBytes(16).toString('hex');
    const { sessionId, hostKey } = connection.identity;
    const place = { address: connection.address, sessionId, hostKey: hostKey.blob };
    const signedIn = (success: SignInSuccess): void => {
      this.record(connection, success, session);
    };
    const signIn = new SignIn({ ...this.parts.signIn, signedIn }, place);
    const made = { signIn, session, place, hostKey };
    this.underWay.set(connection, made);
    return made;
  }

  private answer(connection: Connection, current: UnderWay, outcome: SignInOutcome): SignInAnswer {
    if (outcome.result !== 'success') return outcome;
    if (this.underWay.get(connection) !== current) throw new WaybillError('session-ended', 'the connection is over');
    const session = this.start(connection, current.session, outcome);
    const { login, tenantName, account } = session;
    const home = this.parts.home(account);
    return { result: 'success', session: { session: session.session, login, tenant: tenantName, account, home } };
  }

  private start(connection: Connection, id: string, { account, credentials }: SignInSuccess): LiveSession {
    const tenantName = this.parts.tenantName(account.tenant);
    if (tenantName === null || !this.stands(account, credentials)) {
      throw new WaybillError('sign-in-refused', 'the account or its credential was withdrawn');
    }
    return this.parts.connections.signIn(connection, {
      session: id,
      account: account.id,
      tenant: account.tenant,
      login: account.login,
      tenantName,
      credential: credentials.map(({ description }) => description).join(' + '),
      proofs: credentials.flatMap(proofIds),
      lasting: credentials.flatMap(lastingIds),
      marks: marksOf(shown(connection, credentials)),
    });
  }

  /** A suspension or removal may have become durable since the sign-in did, before there was a session to end. */
  private stands(account: Account, credentials: SignInSuccess['credentials']): boolean {
    const { signIn } = this.parts;
    const active = signIn.store.account(account.id)?.status === 'active';
    return active && credentials.every((used) => stillStands(signIn, used));
  }

  private record(connection: Connection, { account, factors, credentials }: SignInSuccess, session: string): void {
    this.parts.ledger.append(account.tenant, {
      kind: 'sign-in',
      session,
      account: account.id,
      login: account.login,
      ...this.seen(connection),
      factors,
      credentials: credentials.map(({ id }) => id),
      descriptions: credentials.map(({ description }) => description),
      firsts: this.parts.meet(account.id, shown(connection, credentials)),
    });
  }

  /** One entry for a connection that tried and did not come in; the log has each try. */
  private recordFailure(connection: Connection, signIn: SignIn): void {
    const { account, factors, reason } = signIn.refused;
    this.parts.inBackground(() => {
      const { protocol, address, client, run } = this.seen(connection);
      this.parts.ledger.append(account?.tenant ?? null, {
        kind: 'sign-in-failed',
        account: account?.id ?? null,
        login: account?.login ?? '',
        protocol,
        address,
        client,
        run,
        factors,
        tries: signIn.failures,
        reason,
      });
    });
  }

  private seen({ address, client }: Connection) {
    const { run, name: node, software } = this.parts.node;
    return { protocol: 'sftp', address, client, run, node, software };
  }
}

function shown({ address, client }: Connection, credentials: SignInSuccess['credentials']): Seen {
  return { address, client, credentials: credentials.flatMap(lastingIds) };
}
