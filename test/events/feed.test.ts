/** Order, retries, what is given up, and places that outlive the process; with receivers and a clock of our own. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { LOCAL_OPERATOR } from '../../src/base/acting.ts';
import { WaybillError } from '../../src/base/errors.ts';
import type { DeliverAnswer, DeliverRequest } from '../../src/events/calls.ts';
import { Events } from '../../src/events/events.ts';
import type { TargetSpec } from '../../src/events/events.ts';
import { LedgerTail } from '../../src/events/ledger-tail.ts';
import { backOff, GIVE_UP_MS } from '../../src/events/schedule.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import type { OpenLedger } from '../../src/ledger/open-ledger.ts';
import { TileFolder } from '../../src/store/folder/tile-folder.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteEvents } from '../../src/store/sqlite/events.ts';
import { SqliteLedger } from '../../src/store/sqlite/ledger.ts';

const A = 'aa'.repeat(16);
const B = 'bb'.repeat(16);
const DELIVERED_ALL = 1_000_000;

/** Opens for the same purpose only, as the real one does. */
const sealer = {
  seal: (purpose: string, bytes: Uint8Array) => Buffer.concat([Buffer.from(`${purpose}\0`), bytes]),
  open: (purpose: string, sealed: Uint8Array) => {
    const start = Buffer.from(`${purpose}\0`);
    assert.ok(Buffer.from(sealed.subarray(0, start.length)).equals(start));
    return Buffer.from(sealed.subarray(start.length));
  },
};

class Scene {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'waybill-events-'));
  database = new Database(path.join(this.folder, 'db'));
  ledger: OpenLedger | null = null;
  events: Events | null = null;
  now = 1_700_000_000_000;
  /** What arrived, as "tenant path". */
  readonly got: string[] = [];
  readonly requests: DeliverRequest[] = [];
  readonly faults: unknown[] = [];
  /** Decides about each delivery. */
  receive: (request: DeliverRequest) => Partial<DeliverAnswer> = () => ({});

  async open(): Promise<Events> {
    const tiles = new TileFolder(path.join(this.folder, 'ledger'));
    const store = new SqliteLedger(this.database);
    const build = { runtime: 'x', dependencies: '0'.repeat(64) };
    const node = { name: 'n', software: 's' };
    const report = (error: unknown) => this.faults.push(error);
    const keyFile = path.join(this.folder, 'key');
    this.ledger = await openLedger({ store, tiles, keyFile, nameOf: () => '', node, build, report });
    const tail = new LedgerTail({ tiles, logs: () => (store.sealings().length > 0 ? null : store.logs()) });
    const { recorder, sequencer } = this.ledger;
    const events = new Events({
      ...{
        store: new SqliteEvents(this.database),
        tail,
        sealer,
        ledger: recorder,
        software: 'test',
        mail: true,
        report,
      },
      ...{ tenantName: (id: string) => id.slice(0, 1), allow: [], now: () => this.now, random: () => 0 },
      sender: { deliver: (request) => this.deliver(request) },
    });
    sequencer.onGrown = (rows) => {
      events.sealed(rows);
    };
    this.events = events;
    events.start();
    return events;
  }

  private async deliver(request: DeliverRequest): Promise<DeliverAnswer> {
    await setImmediate();
    this.requests.push(request);
    const answer = { delivered: DELIVERED_ALL, failure: null, retryAfter: null, ...this.receive(request) };
    for (const { json } of request.events.slice(0, answer.delivered)) {
      const { tenant, path: name } = (JSON.parse(json) as { unmapped: { waybill: Record<string, string> } }).unmapped
        .waybill;
      this.got.push(`${String(tenant)}${String(name)}`);
    }
    return answer;
  }

  async made(tenant: string, ...names: string[]): Promise<void> {
    await this.database.write(() => {
      for (const name of names)
        this.ledger?.recorder.append(tenant, { kind: 'made', session: null, folder: null, path: `/${name}` });
    });
    await this.ledger?.sequencer.seal();
    await this.quiet();
  }

  /** Everything that can be done now is done. */
  async quiet(): Promise<void> {
    for (let turn = 0; turn < 50; turn++) await setImmediate();
    await new Promise((resolve) => setTimeout(resolve, 120));
  }

  /** As after the machine's power went: what was only in memory is gone. */
  async restart(): Promise<Events> {
    await this.events?.stop();
    await this.ledger?.stop();
    return this.open();
  }

  /** Time goes on, and the timers of feeds with it. */
  async later(milliseconds: number): Promise<void> {
    this.now += milliseconds;
    this.events?.sealed([]);
    for (const log of this.logs()) this.events?.sealed([log]);
    await this.quiet();
  }

  private logs() {
    return new SqliteLedger(this.database).logs();
  }

  async close(): Promise<void> {
    await this.events?.stop();
    await this.ledger?.stop();
    this.database.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const hook: TargetSpec = {
  ...{ name: 'hook', tenant: null, kind: 'webhook', address: 'https://hooks.example.com/secret-path', only: ['made'] },
  ...{ ca: null, certificate: null, clientKey: null },
};

describe('receivers of events', { timeout: 60_000 }, () => {
  let scene: Scene;
  let events: Events;
  beforeEach(async () => {
    scene = new Scene();
    events = await scene.open();
  });
  afterEach(() => scene.close());

  it('get what happens after they were added, in order, and nothing twice', async () => {
    await scene.made(A, 'before');
    await events.add(hook, LOCAL_OPERATOR);
    await scene.made(A, '1', '2', '3');
    await scene.made(B, '1');
    await scene.made(A, '4');
    assert.deepEqual(
      scene.got.filter((one) => one.startsWith('a')),
      ['a/1', 'a/2', 'a/3', 'a/4'],
    );
    assert.deepEqual(
      scene.got.filter((one) => one.startsWith('b')),
      ['b/1'],
    );
    await scene.restart();
    await scene.quiet();
    assert.equal(scene.got.length, 5);
    assert.deepEqual(scene.faults, []);
  });

  it('get many entries in many deliveries, none missing', async () => {
    await events.add(hook, LOCAL_OPERATOR);
    const names = Array.from({ length: 1500 }, (_, at) => String(at));
    await scene.made(A, ...names);
    for (let turn = 0; turn < 50 && scene.got.length < names.length; turn++) await scene.quiet();
    assert.deepEqual(
      scene.got,
      names.map((name) => `a/${name}`),
    );
    assert.ok(scene.requests.every((request) => request.events.length <= 32));
  });

  it('a tenant that is refused waits, the others do not; and then nothing is missing', async () => {
    await events.add(hook, LOCAL_OPERATOR);
    let refuse = true;
    scene.receive = ({ events: [first] }) =>
      refuse && first?.json.includes('"tenant":"a"') === true ? { delivered: 0, failure: 'HTTP status 500' } : {};
    await scene.made(A, '1', '2');
    await scene.made(B, '1');
    await scene.made(A, '3');
    assert.deepEqual(scene.got, ['b/1']);
    const [status] = events.list();
    assert.equal(status?.failure?.error, 'HTTP status 500');
    refuse = false;
    await scene.later(10_000);
    assert.deepEqual(scene.got, ['b/1', 'a/1', 'a/2', 'a/3']);
    assert.equal(events.list()[0]?.failure, null);
  });

  it('a delivery that was taken in part goes on behind that part', async () => {
    await events.add(hook, LOCAL_OPERATOR);
    let first = true;
    scene.receive = () => {
      if (!first) return {};
      first = false;
      return { delivered: 2, failure: 'reset' };
    };
    await scene.made(A, '1', '2', '3', '4');
    await scene.later(10_000);
    assert.deepEqual(scene.got, ['a/1', 'a/2', 'a/3', 'a/4']);
  });

  it('failures are remembered over a restart, and after days an entry stands aside, to be sent again by hand', async () => {
    await events.add(hook, LOCAL_OPERATOR);
    scene.receive = () => ({ delivered: 0, failure: 'refused' });
    await scene.made(A, '1', '2');
    const since = events.list()[0]?.failure?.since;
    events = await scene.restart();
    await scene.quiet();
    assert.equal(events.list()[0]?.failure?.since, since);
    assert.equal(events.list()[0]?.dead, 0);
    await scene.later(GIVE_UP_MS + 3_600_000);
    const dead = events.dead('hook');
    assert.equal(dead.length, 1);
    assert.equal(dead[0]?.error, 'refused');
    scene.receive = () => ({});
    await scene.later(3_600_000);
    assert.deepEqual(scene.got, ['a/2']);
    assert.deepEqual(await events.retry('hook', dead[0].number, LOCAL_OPERATOR), { delivered: 1, failure: null });
    assert.deepEqual(scene.got, ['a/2', 'a/1']);
    assert.deepEqual(events.dead('hook'), []);
    await assert.rejects(events.retry('hook', null, LOCAL_OPERATOR), { code: 'not-found' });
  });

  it('a sender that dies costs nothing but a second delivery', async () => {
    await events.add(hook, LOCAL_OPERATOR);
    scene.receive = () => {
      throw new WaybillError('broker-unavailable', 'gone');
    };
    await scene.made(A, '1');
    scene.receive = () => ({});
    await scene.later(2000);
    assert.deepEqual(scene.got, ['a/1']);
    assert.equal(events.list()[0]?.failure, null);
  });

  it('syslog takes all logs over one connection and gives nothing up; mail comes once a minute', async () => {
    await events.add({ ...hook, name: 'siem', kind: 'syslog', address: 'siem.example.com' }, LOCAL_OPERATOR);
    await events.add({ ...hook, name: 'soc', kind: 'mail', address: 'soc@example.com' }, LOCAL_OPERATOR);
    scene.receive = ({ target }) => (target.kind === 'syslog' ? { delivered: 0, failure: 'down' } : {});
    await scene.made(A, '1');
    await scene.made(B, '1');
    const letters = () => scene.requests.filter(({ target }) => target.kind === 'mail').map((one) => one.events.length);
    assert.deepEqual(letters(), [1]);
    await scene.later(GIVE_UP_MS * 2);
    assert.deepEqual(letters(), [1, 1]);
    assert.deepEqual(events.dead('siem'), []);
    scene.got.length = 0;
    scene.receive = () => ({});
    await scene.later(120_000);
    assert.deepEqual(scene.got, ['a/1', 'b/1']);
  });

  it('only those of the tenant, and only the kinds that were asked for', async () => {
    await events.add({ ...hook, tenant: A }, LOCAL_OPERATOR);
    await events.add({ ...hook, name: 'other', only: ['hold'] }, LOCAL_OPERATOR);
    await scene.made(A, '1');
    await scene.made(B, '1');
    assert.deepEqual(scene.got, ['a/1']);
    assert.deepEqual(
      events.list().map(({ behind }) => behind),
      [0, 0],
    );
  });

  it('a secret is shown once, sealed at rest, rotates with a day of both, and stands in no record', async () => {
    const { secret, target } = await events.add(hook, LOCAL_OPERATOR);
    assert.match(secret ?? '', /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.equal(target.address, 'https://hooks.example.com/…');
    const next = await events.rotateSecret('hook', LOCAL_OPERATOR);
    await scene.made(A, '1');
    assert.deepEqual(scene.requests.at(-1)?.target.secrets, [next, secret]);
    assert.equal(scene.requests.at(-1)?.target.address, 'https://hooks.example.com/secret-path');
    scene.now += 86_400_001;
    await scene.made(A, '2');
    assert.deepEqual(scene.requests.at(-1)?.target.secrets, [next]);
    const shown = JSON.stringify([events.list(), scene.ledger?.recorder.pending()], (key, value: unknown) =>
      key === 'sealed' ? null : value,
    );
    for (const hidden of [secret ?? '', next, 'secret-path']) assert.ok(!shown.includes(hidden));
    await scene.restart();
    await scene.made(A, '3');
    assert.deepEqual(scene.requests.at(-1)?.target.secrets, [next]);
  });

  it('what was removed gets nothing any more, and its name is free', async () => {
    await events.add(hook, LOCAL_OPERATOR);
    await assert.rejects(events.add(hook, LOCAL_OPERATOR), { code: 'already-exists' });
    await events.remove('hook', LOCAL_OPERATOR);
    await scene.made(A, '1');
    assert.deepEqual(scene.got, []);
    await events.add(hook, LOCAL_OPERATOR);
    await assert.rejects(events.remove('nobody', LOCAL_OPERATOR), { code: 'not-found' });
  });

  it('the pauses double up to their most, with jitter downwards', () => {
    assert.deepEqual(
      [1, 2, 3, 12, 13, 500].map((attempt) => backOff(attempt, 3_600_000, 0)),
      [1000, 2000, 4000, 2_048_000, 3_600_000, 3_600_000],
    );
    assert.equal(backOff(3, 3_600_000, 1), 3000);
  });
});
