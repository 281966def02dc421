/**
 * Fast transfers as the broker knows them: each has a connection and a session of its own on the front of UDP, made from the
 * session that asked over HTTPS. It ends with that account, credential or tenant as every session does; budgets and
 * scopes are those of who asked.
 */
import { randomBytes } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import type { Ledger } from '../ledger/ledger.ts';
import type { LedgerNode } from '../ledger/node.ts';
import type { FrontCalls, Response } from './calls.ts';
import type { Connection, Connections, FrontEnd, LiveSession, WebIdentity } from './connections.ts';
import type { Handlers } from './dispatch.ts';
import type { FastBegin, FastOrder, FastState } from './fast-calls.ts';
import type { FrontCallers } from './front-handlers.ts';

export type FastHandlers = Pick<
  Handlers<FrontCalls, FrontCallers>,
  Extract<keyof FrontCalls, `fast.${string}` | `transfer.${string}`>
>;

export interface FastTransfersParts {
  /** Null where there are none. */
  readonly hello: () => Response<'fast.hello'> | null;
  /** Starts the front, when it is first needed. */
  readonly start: () => Promise<void>;
  /** Where clients reach it, when that is not the host of the API. */
  readonly host: string | null;
  readonly connections: Connections;
  readonly ledger: Ledger;
  readonly node: LedgerNode;
  readonly write: (action: () => void) => Promise<void>;
  readonly home: (account: string) => string;
}

/** A front that can be told to begin. */
export interface FastFront extends FrontEnd {
  readonly isReady: boolean;
  event(name: string, body: unknown): void;
}

interface Transfer {
  readonly id: string;
  /** Who asked: an account. */
  readonly account: string;
  readonly connection: Connection;
  readonly session: LiveSession;
  /** Memory of the front, in bytes. */
  readonly window: number;
  state: FastState;
  endedAt: number | null;
  changed: () => void;
}

/** Of one account, at once; each holds memory of the front. */
const OPEN_MAX = 16;
const ALL_MAX = 256;
/** Of the windows of one account, and of all: whoever asks for much at once gets less of it each time. */
const OWN_WINDOWS = 512 * 2 ** 20;
const ALL_WINDOWS = 2 ** 31;
const WINDOW_LEAST = 2 ** 20;
/** How long its end can be asked for. */
const KEPT_MILLISECONDS = 15 * 60_000;
const END_MILLISECONDS = 5000;
/** After its end a front closes what it counted and puts away what is left of uploads. */
const CLOSING_MILLISECONDS = 60_000;
const SCOPE_OF = { download: 'files:read', upload: 'files:write' } as const;
const FRESH: FastState = { state: 'open', files: 0, bytes: 0, held: null, failure: null };

export class FastTransfers {
  readonly handlers: FastHandlers;
  private readonly parts: FastTransfersParts;
  private readonly transfers = new Map<string, Transfer>();
  private front: FastFront | null = null;
  private port = 0;
  private starting: Promise<void> | null = null;

  constructor(parts: FastTransfersParts) {
    this.parts = parts;
    this.handlers = {
      'fast.hello': () => {
        const hello = parts.hello();
        if (hello === null) throw new WaybillError('call-forbidden', 'there are no fast transfers here');
        return hello;
      },
      'fast.listening': ({ port }, front) => {
        this.front = front as FastFront;
        this.port = port;
        return {};
      },
      'fast.report': ({ transfer, state, files, bytes, held, failure }, session) => {
        this.report(transfer, { state, files, bytes, held, failure }, session);
        return {};
      },
      'transfer.ready': async () => ({ available: await this.ready().then(Boolean, () => false) }),
      'transfer.begin': ({ direction, files, window, policy, rate, roundTrip, length }, session) =>
        this.begin({ direction, files, window, policy, rate, roundTrip, length }, session),
      'transfer.state': async ({ transfer, wait }, session) => this.stateOf(transfer, wait, session),
      'transfer.end': async ({ transfer }, session) => {
        await this.end(this.of(transfer, session));
        return {};
      },
    };
  }

  /** 0: no front listens. */
  get listening(): number {
    return this.port;
  }

  /** The connection of a transfer is gone, whoever ended it. */
  gone(connection: Connection): void {
    for (const transfer of this.transfers.values()) {
      if (transfer.connection !== connection || transfer.endedAt !== null) continue;
      if (transfer.state.state === 'open') {
        const detail = transfer.session.ended ?? 'the transfer broke off';
        transfer.state = { ...transfer.state, state: 'failed', failure: { code: 'session-ended', path: null, detail } };
      }
      transfer.endedAt = Date.now();
      transfer.changed();
    }
  }

  sweep(now = Date.now()): void {
    for (const [id, { endedAt, connection, session }] of this.transfers) {
      if (endedAt !== null && endedAt < now - KEPT_MILLISECONDS) this.transfers.delete(id);
      // An honest front says by itself that it is through; another one keeps no session of somebody.
      const over = endedAt ?? (session.ended === null ? Infinity : session.endedAt);
      if (over >= now - CLOSING_MILLISECONDS) continue;
      this.parts.connections.end((one) => one === session, 'the transfer is over');
      this.parts.connections.close(connection, 'the transfer is over');
    }
  }

  private async begin(order: FastOrder, asking: LiveSession): Promise<Response<'transfer.begin'>> {
    const { web } = asking;
    if (web === undefined || web.administrator !== undefined)
      throw new WaybillError('call-forbidden', 'only an account transfers files');
    const needed = SCOPE_OF[order.direction];
    if (!web.scopes.includes(needed)) throw new WaybillError('scope-missing', `this needs the scope ${needed}`);
    this.requireRoom(asking.account);
    const front = await this.ready();
    const session = newId();
    await this.parts.write(() => {
      this.record(session, asking);
    });
    // What ended meanwhile must not go on under another name.
    if (asking.ended !== null) throw new WaybillError('session-ended', 'the session was ended');
    return this.start(front, order, asking, session);
  }

  /** The front, which is started when it is needed for the first time. */
  private async ready(): Promise<FastFront> {
    if (this.parts.hello() !== null) await (this.starting ??= this.parts.start());
    if (this.front === null || !this.front.isReady)
      throw new WaybillError('unsupported', 'this server has no fast transfers just now; use HTTPS');
    return this.front;
  }

  private start(front: FastFront, order: FastOrder, asking: LiveSession, id: string): Response<'transfer.begin'> {
    const { connections, host, home } = this.parts;
    const { address, port, source } = asking.connection;
    const connection = connections.open(front, { address, port, source, profile: 'fast' });
    connection.client = asking.connection.client;
    const { account, tenant, login, tenantName, credential, proofs, lasting, marks, web } = asking;
    const identity = { account, tenant, login, tenantName, credential, proofs, marks };
    const session = connections.signIn(connection, {
      ...identity,
      session: id,
      ...(lasting === undefined ? {} : { lasting }),
      ...(web === undefined ? {} : { web: forTransfer(web, order) }),
    });
    const transfer = connection.id;
    const keys = { transfer, connectionId: randomBytes(8), secret: randomBytes(32) };
    const fresh = { state: FRESH, endedAt: null, changed: () => undefined };
    const window = this.windowOf(account, order.window);
    this.transfers.set(transfer, { id: transfer, account, connection, session, window, ...fresh });
    const names = { session: id, login, tenant: tenantName, account, home: home(account) };
    front.event('fast.begin', {
      ...keys,
      connection: connection.id,
      address,
      session: names,
      order: { ...order, window },
    } satisfies FastBegin);
    return { ...keys, host, port: this.port };
  }

  private get open(): Transfer[] {
    return [...this.transfers.values()].filter((one) => !isOver(one));
  }

  /** Half of what is left at the most: the next one shall have some too. */
  private windowOf(account: string, asked: number): number {
    const { open } = this;
    const sum = (some: readonly Transfer[]): number => some.reduce((bytes, { window }) => bytes + window, 0);
    const own = OWN_WINDOWS - sum(open.filter((one) => one.account === account));
    const left = Math.min(own, ALL_WINDOWS - sum(open));
    return Math.min(asked, Math.max(WINDOW_LEAST, Math.floor(left / 2)));
  }

  private requireRoom(account: string): void {
    const { open } = this;
    const own = open.filter((one) => one.account === account);
    if (own.length >= OPEN_MAX || open.length >= ALL_MAX)
      throw new WaybillError('too-many-handles', 'too many fast transfers are open; wait for one to end');
  }

  private record(session: string, asking: LiveSession): void {
    const { run, name: node, software } = this.parts.node;
    const { account, tenant, login, address, credential, proofs, web, connection } = asking;
    this.parts.ledger.append(tenant, {
      kind: 'sign-in',
      session,
      account,
      login,
      protocol: 'udp',
      ...{ address, client: connection.client, run, node, software },
      factors: [...(web?.factors ?? [])],
      credentials: proofs.filter((id) => id !== web?.webSession),
      descriptions: [credential],
      firsts: [],
    });
  }

  private report(id: string, state: FastState, session: LiveSession): void {
    const transfer = this.transfers.get(id);
    if (transfer?.session !== session) throw new WaybillError('not-found', 'this session has no such transfer');
    // What was the end stays it: whoever asks again and again is not told that it goes on.
    if (isOver(transfer)) return;
    transfer.state = state;
    if (state.state !== 'open') transfer.endedAt ??= Date.now();
    transfer.changed();
  }

  /** In order: what its front has of an upload is put away first. */
  private async end(transfer: Transfer): Promise<void> {
    if (isOver(transfer)) return;
    (transfer.connection.front as FastFront).event('fast.end', { connection: transfer.connection.id });
    const until = Date.now() + END_MILLISECONDS;
    while (!isOver(transfer) && Date.now() < until) await this.change(transfer, until - Date.now());
    if (!isOver(transfer)) this.parts.connections.end((one) => one === transfer.session, 'ended by its owner');
  }

  private async stateOf(id: string, seconds: number, session: LiveSession): Promise<FastState> {
    const transfer = this.of(id, session);
    const until = Date.now() + seconds * 1000;
    for (;;) {
      const left = until - Date.now();
      if (transfer.endedAt !== null || left <= 0) return transfer.state;
      await this.change(transfer, left);
    }
  }

  private change(transfer: Transfer, milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const before = transfer.changed;
      const timer = setTimeout(resolve, milliseconds);
      transfer.changed = () => {
        clearTimeout(timer);
        before();
        resolve();
        transfer.changed = () => undefined;
      };
    });
  }

  /** Of others' transfers nobody hears that there are any. */
  private of(id: string, { account }: LiveSession): Transfer {
    const transfer = this.transfers.get(id);
    if (transfer?.account !== account) throw new WaybillError('not-found', 'no transfer has this id');
    return transfer;
  }
}

/** All that the transfer needs, and nothing of what else the session may that it is made from. */
function forTransfer(web: WebIdentity, { direction, files }: FastOrder): WebIdentity {
  const paths = new Set(files.map(({ path }) => path));
  // Idle it cannot be; its end is that of what it was made from.
  return { ...web, scopes: [SCOPE_OF[direction]], paths, idle: null, refusals: 0 };
}

function isOver({ endedAt }: Transfer): boolean {
  return endedAt !== null;
}
