import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { z } from 'zod';
import { WaybillError } from '../../src/base/errors.ts';
import { createLog, SILENT } from '../../src/base/log.ts';
import { FRONT_CALLS } from '../../src/broker/calls.ts';
import type { FrontCalls } from '../../src/broker/calls.ts';
import { Connections } from '../../src/broker/connections.ts';
import type { Connection, FrontEnd, Identity } from '../../src/broker/connections.ts';
import { createDispatch } from '../../src/broker/dispatch.ts';
import type { Dispatch, Handlers } from '../../src/broker/dispatch.ts';
import { identifyFront } from '../../src/broker/front-handlers.ts';
import type { FrontCallers } from '../../src/broker/front-handlers.ts';
import type { CallRow } from '../../src/broker/calls.ts';

const ARRIVAL = { address: '192.0.2.1', port: 4000, source: '192.0.2.1', profile: 'default' } as const;
const IDENTITY: Identity = {
  session: '11'.repeat(16),
  account: 'a',
  tenant: 't',
  login: 'l',
  tenantName: 'T',
  credential: 'publickey',
  proofs: ['p'],
  marks: [],
};

function fakeFront(number: number): FrontEnd & { readonly told: string[] } {
  const told: string[] = [];
  return { number, connections: new Set(), told, sessionEnded: (connection) => told.push(connection) };
}

/** Every call answers nothing; what reached a handler is counted. */
function scene() {
  const logged: string[] = [];
  const over: string[] = [];
  const connections = new Connections(
    {
      startupOver: () => undefined,
      sessionOver: ({ session }) => over.push(session),
      gone: () => undefined,
    },
    createLog('info', (line) => logged.push(line)),
  );
  const reached: string[] = [];
  const names = Object.keys(FRONT_CALLS);
  const handlers = Object.fromEntries(
    names.map((name) => [
      name,
      () => {
        reached.push(name);
        return {};
      },
    ]),
  ) as unknown as Handlers<FrontCalls, FrontCallers>;
  const dispatchOf = (front: FrontEnd): Dispatch =>
    createDispatch<FrontCalls, FrontCallers>(FRONT_CALLS, handlers, identifyFront(front, connections), SILENT);
  return { connections, logged, over, reached, dispatchOf };
}

const closing = (connection: Connection) => ({ connection: connection.id, reason: 'x', offence: 'none' });
const quietCall = { session: IDENTITY.session, path: '/f' };

suite('dispatch of front calls', () => {
  test('refuses what another front holds, as unowned, and logs the attack', async () => {
    const { connections, logged, reached, dispatchOf } = scene();
    const [own, other] = [fakeFront(1), fakeFront(2)];
    const connection = connections.open(own, ARRIVAL);
    connections.signIn(connection, IDENTITY);
    const thief = dispatchOf(other);
    await assert.rejects(thief('files.mkdir', quietCall), { code: 'not-your-session' });
    await assert.rejects(thief('connection.closed', closing(connection)), { code: 'not-your-session' });
    assert.equal(logged.filter((line) => line.includes('"attack":true')).length, 2);
    assert.deepEqual(reached, []);
    await dispatchOf(own)('files.mkdir', quietCall);
    assert.deepEqual(reached, ['files.mkdir']);
  });

  test('refuses ids that were never given', async () => {
    const { dispatchOf, reached } = scene();
    await assert.rejects(dispatchOf(fakeFront(1))('files.mkdir', quietCall), { code: 'session-ended' });
    assert.deepEqual(reached, []);
  });

  test('refuses every call of a session from the moment it is ended', async () => {
    const { connections, over, dispatchOf } = scene();
    const front = fakeFront(1);
    const connection = connections.open(front, ARRIVAL);
    connections.signIn(connection, IDENTITY);
    assert.equal(connections.list().length, 1);
    assert.equal(
      connections.end(({ proofs }) => proofs.includes('p'), 'key removed'),
      1,
    );
    assert.deepEqual(front.told, [connection.id]);
    assert.deepEqual(over, [IDENTITY.session]);
    await assert.rejects(dispatchOf(front)('files.mkdir', quietCall), { code: 'session-ended' });
    assert.equal(connections.list().length, 0);
    await dispatchOf(front)('connection.closed', closing(connection));
    connections.close(connection, 'x');
    assert.deepEqual(over, [IDENTITY.session], 'a session ends once');
  });

  test('ends all of a front that dies', () => {
    const { connections, over } = scene();
    const front = fakeFront(1);
    connections.open(front, ARRIVAL);
    connections.signIn(connections.open(front, ARRIVAL), IDENTITY);
    connections.closeAllOf(front, 'died');
    assert.equal(connections.count, 0);
    assert.deepEqual(over, [IDENTITY.session]);
  });

  test('knows no calls but those of the table', async () => {
    const { dispatchOf } = scene();
    for (const call of ['nothing', 'constructor', '__proto__', 'toString', 'tenant.add', '']) {
      await assert.rejects(dispatchOf(fakeFront(1))(call, {}), { code: 'call-unknown' });
    }
  });

  test('lets no malformed request reach a handler, and names the field without its value', async () => {
    const { connections, reached, dispatchOf } = scene();
    const front = fakeFront(1);
    const connection = connections.open(front, ARRIVAL).id;
    const password = Buffer.alloc(2000, 'secret');
    for (const body of [null, 7, [], 'x', {}, { connection: 1 }, { connection, user: 'u', password: 'text' }]) {
      await assert.rejects(dispatchOf(front)('signin.password', body), { code: 'request-invalid' });
    }
    await assert.rejects(dispatchOf(front)('signin.password', { connection, user: 'u', password }), (error) => {
      assert.ok(error instanceof WaybillError);
      assert.match(error.message, /password/);
      return !error.message.includes('secret');
    });
    assert.deepEqual(reached, []);
  });
});

suite('dispatch', () => {
  const row = { who: 'administrator', writes: false, records: [] } as const;
  const table = {
    add: { ...row, request: z.object({ a: z.number() }), response: z.object({ sum: z.number() }) },
  } as const satisfies Record<string, CallRow>;
  type Callers = { front: null; connection: null; session: null; administrator: null };

  test('strips what the schema does not name, from requests and from answers', async () => {
    let seen: unknown;
    const add = (request: { a: number }) => {
      seen = request;
      return { sum: request.a, secret: 'x' };
    };
    const dispatch = createDispatch<typeof table, Callers>(table, { add }, () => null, SILENT);
    assert.deepEqual(await dispatch('add', { a: 1, b: 2 }), { sum: 1 });
    assert.deepEqual(seen, { a: 1 });
  });

  test('logs the cause of what it answers as internal', async () => {
    const lines: string[] = [];
    const add = (): never => {
      throw new TypeError('the cause');
    };
    const log = createLog('error', (line) => lines.push(line));
    const dispatch = createDispatch<typeof table, Callers>(table, { add }, () => null, log);
    await assert.rejects(dispatch('add', { a: 1 }), { code: 'internal', message: 'internal error' });
    assert.match(lines.join(''), /the cause/);
  });
});
