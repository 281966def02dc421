/** A front that somebody has taken over, with the real link to a real broker: everything that it could ask for. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, suite, test } from 'node:test';
import type { Request } from '../../src/broker/calls.ts';
import { readExchange } from '../../src/broker/exchange.ts';
import { MESSAGE_MAX } from '../../src/broker/wire.ts';
import { checkStore } from '../../src/files/check.ts';
import { SEGMENT_PLAIN } from '../../src/keys/layout.ts';
import { publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { Client, oneTenant, World } from '../files/world.ts';
import { codeOf, exchangeBytes, proof, Scene, signing } from './hostile-scene.ts';
import type { Given, Hostile, User } from './hostile-scene.ts';

const ID = '0'.repeat(32);
const FREE = 'f'.repeat(32);
let scene: Scene;

function refusal(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'possible', codeOf);
}

async function refused(promise: Promise<unknown>, ...codes: string[]): Promise<void> {
  const code = await refusal(promise);
  assert.ok(codes.includes(code), `${code}, expected ${codes.join(' or ')}`);
}

/** Committed by somebody else, before. */
async function stored(user: User, path: string, size: number): Promise<Buffer> {
  const content = randomBytes(size);
  const client = new Client(scene.world, user.account.id, user.account.tenant);
  await client.put(path, content);
  await client.end();
  return content;
}

type Session = Given & { session: string };

function start(on: Session, path: string) {
  return on.front.call('upload.open', { session: on.session, path, create: true, exclusive: false, truncate: true });
}

/** As they are recorded, in order. */
function releases(): { readonly session: string | null; readonly path: unknown }[] {
  return scene.world.ledger
    .pending('release')
    .flatMap(({ entry }) => (entry.kind === 'release' ? [{ session: entry.session, path: entry.path }] : []));
}

/** Under an id that nobody has. */
async function openRead(on: Pick<Session, 'front' | 'session'>, path: string): Promise<string> {
  const reading = randomBytes(16).toString('hex');
  await on.front.call('file.open-read', { session: on.session, path, reading });
  return reading;
}

function commit(
  on: Session,
  upload: string,
  size: number,
  blob: string | null,
  more: Partial<Request<'upload.commit'>> = {},
) {
  const runs = blob === null ? [] : [{ first: 0, count: Math.ceil(size / SEGMENT_PLAIN), blob }];
  const request = { session: on.session, upload, size, runs, inline: null, mtime: null, atime: null, ...more };
  return on.front.call('upload.commit', request);
}

/** Every call of a session, as well-formed as can be. */
function sessionCalls(session: string, reading: string, upload: string): [string, object][] {
  const path = '/inbox/x';
  const extent = { size: 1, runs: [] };
  return [
    ['files.stat', { path }],
    ['files.list', { path: '/inbox', after: null, limit: 10 }],
    ['files.mkdir', { path: '/inbox/made' }],
    ['files.rmdir', { path: '/inbox/made' }],
    ['files.remove', { path }],
    ['files.rename', { from: path, to: '/inbox/y', replace: true }],
    ['files.set-times', { path, mtime: 1, atime: 1 }],
    ['files.quota', { path: '/inbox' }],
    ['file.open-read', { path, reading: FREE }],
    ['release', { reading, first: 0, count: 1 }],
    ['file.close', { reading, sent: [] }],
    ['upload.open', { path: '/inbox/z', create: true, exclusive: false, truncate: true }],
    ['upload.persist', { upload }],
    ['upload.keys', { upload, first: 0, count: 1, size: 1 }],
    ['upload.progress', { upload, ...extent, durable: true, idle: false }],
    ['upload.commit', { upload, ...extent, inline: Buffer.alloc(29), mtime: null, atime: null }],
    ['upload.discard', { upload }],
  ].map(([call, body]) => [call as string, { session, ...(body as object) }]);
}

beforeEach(async () => {
  scene = await Scene.open();
});
afterEach(() => scene.close());

suite('sign-in', () => {
  test('an honest exchange and proof open a session, once', async () => {
    const user = await scene.user('ann');
    const on = await scene.session(user);
    const sessionId = readExchange('sha256', exchangeBytes(Buffer.from(on.cookie, 'hex'), await scene.hostKey())).hash;
    const again = proof(user, on.connection, sessionId);
    await refused(on.front.call('signin.publickey', again), 'call-forbidden');
    const other = await scene.user('bob');
    await refused(on.front.call('signin.publickey', proof(other, on.connection, sessionId)), 'call-forbidden');
    await refused(on.front.call('signin.none', { connection: on.connection, user: 'bob' }), 'call-forbidden');
  });

  test("a user's signature, kept, signs in on no other connection", async () => {
    const user = await scene.user('ann');
    const first = await scene.connection();
    const sessionId = await scene.exchange(first);
    const kept = proof(user, first.connection, sessionId);
    const second = await scene.connection();
    const shown = exchangeBytes(Buffer.from(first.cookie, 'hex'), await scene.hostKey());
    // The same session identifier cannot be had for another connection.
    await refused(second.front.call('hostkey.sign', signing(second.connection, shown)), 'request-invalid');
    await refused(second.front.call('signin.publickey', { ...kept, connection: second.connection }), 'call-forbidden');
    await scene.exchange(second);
    const answer = await second.front.call('signin.publickey', { ...kept, connection: second.connection });
    assert.equal(answer.result, 'failure');
    // A later exchange changes nothing.
    await second.front.call('hostkey.sign', signing(second.connection, shown));
    const late = await second.front.call('signin.publickey', { ...kept, connection: second.connection });
    assert.equal(late.result, 'failure');
    assert.equal(scene.broker.connections.list().length, 0);
  });

  test('no signature of the host key over chosen bytes, and few before sign-in', async () => {
    const { front, connection, cookie } = await scene.connection();
    const hostKey = await scene.hostKey();
    const good = exchangeBytes(Buffer.from(cookie, 'hex'), hostKey);
    // 64 bytes that ssh-keygen -Y verify would take as a signed file, if the host key signed them as they are.
    const sshsig = Buffer.concat([Buffer.from('SSHSIG'), randomBytes(58)]);
    for (const exchange of [sshsig, Buffer.alloc(32), Buffer.of(), good.subarray(0, 150), Buffer.alloc(100_000, 0xff)])
      await refused(front.call('hostkey.sign', signing(connection, exchange)), 'request-invalid');
    await refused(front.say('hostkey.sign', { connection, algorithm: 'ssh-ed25519', hash: sshsig }), 'request-invalid');
    const other = exchangeBytes(Buffer.from(cookie, 'hex'), randomBytes(51));
    await refused(front.call('hostkey.sign', signing(connection, other)), 'request-invalid');
    const { blob, algorithm } = { blob: hostKey, algorithm: 'ssh-ed25519' };
    await refused(front.call('hostkey.prove', { connection, blob, algorithm }), 'call-forbidden');
    const fresh = await scene.connection();
    const own = exchangeBytes(Buffer.from(fresh.cookie, 'hex'), hostKey);
    for (let n = 0; n < 3; n++) await fresh.front.call('hostkey.sign', signing(fresh.connection, own));
    await refused(fresh.front.call('hostkey.sign', signing(fresh.connection, own)), 'call-forbidden');
    await refused(
      fresh.front.call('hostkey.prove', { connection: fresh.connection, blob, algorithm }),
      'call-forbidden',
    );
  });

  test('before the key exchange there is no sign-in, and guesses are counted over all methods and users', async () => {
    const { front, connection, ...rest } = await scene.connection();
    for (const call of ['signin.password', 'signin.publickey', 'signin.interactive', 'signin.answers', 'signin.none'])
      await refused(
        front.say(call, {
          connection,
          user: 'ann',
          password: Buffer.of(1),
          answers: [],
          algorithm: 'x',
          blob: Buffer.of(),
          signature: Buffer.of(),
        }),
        'call-forbidden',
      );
    await scene.exchange({ front, connection, ...rest });
    const results: string[] = [];
    for (let n = 0; n < 30; n++) {
      const password = Buffer.from(`guess ${n}`);
      results.push((await front.call('signin.password', { connection, user: `user${n % 3}`, password })).result);
    }
    assert.ok(results.filter((result) => result === 'failure').length <= 10, results.join(' '));
    assert.equal(results.at(-1), 'disconnect');
  });
});

suite('what belongs to others', () => {
  test('connections and sessions of another front, guessed ids and ended ones', async () => {
    const user = await scene.user('ann');
    const on = await scene.session(user);
    const thief = scene.fronts.find((front) => front !== on.front) as Hostile;
    const reading = ID;
    for (const [call, body] of sessionCalls(on.session, reading, ID))
      await refused(thief.say(call, body), 'not-your-session');
    for (const [call, body] of sessionCalls(randomBytes(16).toString('hex'), reading, ID))
      await refused(thief.say(call, body), 'session-ended');
    const { connection } = on;
    await refused(thief.call('connection.closed', { connection, reason: '', offence: 'none' }), 'not-your-session');
    await refused(thief.call('signin.none', { connection, user: 'ann' }), 'not-your-session');
    const shown = exchangeBytes(Buffer.from(on.cookie, 'hex'), await scene.hostKey());
    await refused(thief.call('hostkey.sign', signing(connection, shown)), 'not-your-session');
    assert.ok(scene.log.some((line) => line.includes('"attack":true')));
    for (const call of ['session.list', 'account.add', 'server.status', 'key.add', '__proto__', 'constructor'])
      await refused(thief.say(call, {}), 'call-unknown');
    assert.equal(scene.broker.connections.list().length, 1);
  });

  test('a certificate that would outlive the session: fronts of SSH have no such call', async () => {
    const on = await scene.session(await scene.user('cy'));
    const { publicKey } = generateKeyPairSync('ed25519');
    const wish = { session: on.session, publicKey: publicKeyLine(publicKeyFrom(publicKey)) };
    await refused(on.front.say('certificate.issue', wish), 'call-unknown');
  });

  test('administration, and tokens that would outlive the session: neither', async () => {
    const { front, session } = await scene.session(await scene.user('cy'));
    await refused(front.say('admin.call', { session, call: 'tenant.list', request: {} }), 'call-unknown');
    await refused(front.say('tenant.list', {}), 'call-unknown');
    await refused(front.say('own.tokens', { session }), 'call-unknown');
  });

  test('readings and uploads of another session of the same front', async () => {
    const [ann, bob] = [await scene.user('ann'), await scene.user('bob')];
    await stored(ann, '/inbox/f', 1000);
    const mine = await scene.session(ann);
    let other = await scene.session(bob);
    while (other.front !== mine.front) other = await scene.session(bob);
    const reading = await openRead(mine, '/inbox/f');
    const { upload, blob } = await start(mine, '/inbox/g');
    for (const [call, body] of sessionCalls(other.session, reading, upload))
      if (call !== 'file.open-read' && ('reading' in body || 'upload' in body))
        await refused(other.front.say(call, body), 'handle-invalid');
    const own = await start(other, '/inbox/h');
    await other.front.call('upload.persist', { session: other.session, upload: own.upload });
    await refused(commit(other, own.upload, 1000, blob), 'request-invalid');
    await refused(commit(other, own.upload, 1000, 'not an id'), 'request-invalid');
  });

  test('paths that are none, and names that leave the folder', async () => {
    const on = await scene.session(await scene.user('ann'));
    const { front, session } = on;
    const long = `/inbox/${'x'.repeat(5000)}`;
    for (const path of [
      '/inbox/../secret',
      '/inbox/..',
      '../x',
      '/inbox/a\0b',
      '/inbox//x',
      '/inbox/./x',
      'x',
      long,
      '',
      '/inbox/a/',
    ]) {
      const calls = sessionCalls(session, ID, ID).filter(([, body]) => 'path' in body || 'from' in body);
      for (const [call, body] of calls) {
        const lie = 'from' in body ? { ...body, from: '/inbox/f', to: path } : { ...body, path };
        await refused(front.say(call, lie), 'name-invalid', 'path-too-long', 'request-invalid', 'not-found');
      }
    }
    await refused(front.call('files.stat', { session, path: '/other' }), 'not-found');
    await refused(front.call('files.mkdir', { session, path: '/new' }), 'permission-denied', 'not-found');
    await refused(front.call('files.remove', { session, path: '/inbox' }), 'permission-denied');
  });
});

suite('release', () => {
  test('only of what a reading pins, and never after it ended', async () => {
    const user = await scene.user('ann');
    await stored(user, '/inbox/f', 1000);
    const { front, session } = await scene.session(user);
    const reading = await openRead({ front, session }, '/inbox/f');
    for (const [first, count] of [
      [0, 2],
      [1, 1],
      [2 ** 30, 1],
      [0, 64],
    ] as const)
      await refused(front.call('release', { session, reading, first, count }), 'offset-invalid');
    for (const [first, count] of [
      [-1, 1],
      [0, 0],
      [0, 65],
      [0.5, 1],
      [NaN, 1],
      [2 ** 53, 1],
      ['0', 1],
    ] as const)
      await refused(front.say('release', { session, reading, first, count }), 'request-invalid');
    await front.call('file.close', { session, reading, sent: [] });
    await refused(front.call('release', { session, reading, first: 0, count: 1 }), 'handle-invalid');
    await refused(front.call('release', { session, reading: ID, first: 0, count: 1 }), 'handle-invalid');
  });

  test('under an id of another session, only of what the session opened itself', async () => {
    const [ann, bob] = [await scene.user('ann'), await scene.user('bob')];
    await stored(ann, '/inbox/f', 1000);
    await stored(ann, '/inbox/g', 2000);
    const mine = await scene.session(ann);
    let other = await scene.session(bob);
    while (other.front !== mine.front) other = await scene.session(bob);
    const reading = await openRead(mine, '/inbox/f');
    const { keys } = await mine.front.call('release', { session: mine.session, reading, first: 0, count: 1 });
    // Whether the id is in use elsewhere cannot be told: it opens as any other.
    const { session } = other;
    await other.front.call('file.open-read', { session, path: '/inbox/g', reading });
    const got = await other.front.call('release', { session, reading, first: 0, count: 1 });
    assert.equal(got.keys.length, 1);
    assert.notDeepEqual(got.keys, keys);
    assert.deepEqual(releases().at(-1), { session, path: '/g' });
    await other.front.call('file.close', { session, reading, sent: [] });
    await refused(other.front.call('release', { session, reading, first: 0, count: 1 }), 'handle-invalid');
    assert.deepEqual(
      await mine.front.call('release', { session: mine.session, reading, first: 0, count: 1 }),
      { keys },
      'the other session ended its own reading, and no other',
    );
  });

  test('under an id that is in use, of nothing new', async () => {
    const user = await scene.user('ann');
    for (const name of ['f', 'g']) await stored(user, `/inbox/${name}`, 1000);
    const on = await scene.session(user);
    const { front, session } = on;
    const reading = await openRead(on, '/inbox/f');
    const { upload, reading: base } = await start(on, '/inbox/h');
    for (const used of [reading, base])
      for (const path of ['/inbox/f', '/inbox/g', '/inbox/none', '/none'])
        await refused(front.call('file.open-read', { session, path, reading: used }), 'request-invalid');
    await front.call('release', { session, reading, first: 0, count: 1 });
    assert.equal(releases().at(-1)?.path, '/f');
    await front.call('upload.discard', { session, upload });
    await front.call('file.open-read', { session, path: '/inbox/g', reading: base });
    // Closed and opened anew while a release of the old one waits for its commit: that one gives nothing.
    const before = releases().length;
    const release = { session, reading, first: 0, count: 1 };
    const [late, , , now] = await Promise.all([
      refusal(front.call('release', release)),
      front.call('file.close', { session, reading, sent: [] }),
      front.call('file.open-read', { session, path: '/inbox/g', reading }),
      front.call('release', release),
    ]);
    assert.equal(late, 'session-ended');
    assert.equal(now.keys.length, 1);
    assert.deepEqual(
      releases()
        .slice(before)
        .map(({ path }) => path),
      ['/g'],
    );
  });

  test('together with the opening: not before it, and nothing when it fails', async () => {
    const user = await scene.user('ann');
    await stored(user, '/inbox/f', 1000);
    const { front, session } = await scene.session(user);
    const reading = FREE;
    const open = (path: string) => refusal(front.call('file.open-read', { session, path, reading }));
    const release = () => refusal(front.call('release', { session, reading, first: 0, count: 1 }));
    for (const path of ['/inbox/none', '/inbox', '/none/f'])
      assert.equal((await Promise.all([open(path), release()]))[1], 'handle-invalid');
    assert.deepEqual(await Promise.all([release(), open('/inbox/f')]), ['handle-invalid', 'possible']);
    assert.deepEqual(releases(), []);
    await front.call('file.close', { session, reading, sent: [] });
    assert.deepEqual(await Promise.all([open('/inbox/f'), release()]), ['possible', 'possible']);
    assert.equal(releases().length, 1);
  });

  test('not without the right, and not after the grant, the account or the session went', async () => {
    const writer = await scene.user('writer', ['list', 'write']);
    const reader = await scene.user('reader');
    await stored(reader, '/inbox/f', 1000);
    const blind = await scene.session(writer);
    await refused(openRead(blind, '/inbox/f'), 'permission-denied');
    const change = { path: '/inbox/f', create: false, exclusive: false, truncate: false };
    await refused(blind.front.call('upload.open', { session: blind.session, ...change }), 'permission-denied');

    const on = await scene.session(reader);
    const reading = await openRead(on, '/inbox/f');
    const release = { session: on.session, reading, first: 0, count: 1 };
    assert.equal((await on.front.call('release', release)).keys.length, 1);
    await scene.world.grants.revoke(reader.account.id, scene.folder.id);
    await refused(on.front.call('release', release), 'permission-denied');

    await scene.world.grants.grant({ account: reader.account, folder: scene.folder, rights: ['read'] });
    assert.equal((await on.front.call('release', release)).keys.length, 1);
    await scene.accounts.suspend('reader');
    scene.broker.connections.end(({ account }) => account === reader.account.id, 'suspended');
    await refused(on.front.call('release', release), 'session-ended');
  });

  test('writes a record before each answer', async () => {
    const user = await scene.user('ann');
    await stored(user, '/inbox/f', 1000);
    const { front, session } = await scene.session(user);
    const reading = await openRead({ front, session }, '/inbox/f');
    const count = () => releases().length;
    const before = count();
    for (let n = 1; n <= 5; n++) {
      await front.call('release', { session, reading, first: 0, count: 1 });
      assert.equal(count(), before + n);
    }
  });
});

suite('the end of a session that its front ignores', () => {
  test('every further call is refused at once', async () => {
    const user = await scene.user('ann');
    await stored(user, '/inbox/f', 1000);
    const on = await scene.session(user);
    const reading = await openRead(on, '/inbox/f');
    const { upload } = await start(on, '/inbox/g');
    assert.equal(
      scene.broker.connections.end(() => true, 'the operator'),
      1,
    );
    for (const [call, body] of sessionCalls(on.session, reading, upload))
      await refused(on.front.say(call, body), 'session-ended');
    const { connection } = on;
    const blob = await scene.hostKey();
    await refused(on.front.call('hostkey.prove', { connection, blob, algorithm: 'ssh-ed25519' }), 'call-forbidden');
    const shown = exchangeBytes(Buffer.from(on.cookie, 'hex'), blob);
    await refused(on.front.call('hostkey.sign', signing(connection, shown)), 'session-ended');
    await refused(on.front.call('signin.none', { connection, user: 'ann' }), 'call-forbidden');
    assert.deepEqual(on.front.events, [{ name: 'session.ended', body: { connection, reason: 'the operator' } }]);
  });

  test('a commit that is under way is not carried through', async () => {
    const going = Promise.withResolvers<undefined>();
    const held = Promise.withResolvers<undefined>();
    const world = await World.open({
      wrapBlobs: (blobs) =>
        Object.assign(Object.create(blobs) as typeof blobs, {
          settle: async (id: string, length: number) => {
            going.resolve(undefined);
            await held.promise;
            await blobs.settle(id, length);
          },
        }),
    });
    const { client } = await oneTenant(world);
    const upload = await client.start('/inbox/f');
    await client.fill(upload, randomBytes(100_000));
    const work = refusal(client.commit(upload, 100_000, [{ first: 0, count: 1, blob: upload.blob }]));
    await going.promise;
    const ended = world.files.sessionEnded(client.who.session, 'by the operator');
    held.resolve(undefined);
    assert.equal(await work, 'session-ended');
    await ended;
    const node = world.store.folder(world.folders.byName(client.who.tenant, 'inbox').id)?.root ?? 0;
    assert.equal(world.store.hasChildren(node), false);
    await world.destroy();
  });

  test('and the front is killed when it does not close the connection', async (t) => {
    const on = await scene.session(await scene.user('ann'));
    scene.broker.connections.end(() => true, 'the operator');
    const now = Date.now();
    assert.equal(scene.broker.connections.lingeringSince(now - 1000).length, 0);
    assert.equal(scene.broker.connections.lingeringSince(now + 1000).length, 1);
    t.mock.timers.enable({ apis: ['Date'], now: now + 60_000 });
    const gone = new Promise((resolve) => on.client.once('close', resolve));
    on.client.resume();
    scene.broker.endStuckFronts();
    t.mock.timers.reset();
    await Promise.all([gone, on.front.closed]);
  });
});

suite('uploads', () => {
  test('numbers and maps that are none', async () => {
    const on = await scene.session(await scene.user('ann'));
    const { upload, blob } = await start(on, '/inbox/f');
    const { front, session } = on;
    await front.call('upload.persist', { session, upload });
    const plain = { session, upload, size: 10, runs: [], inline: null, mtime: null, atime: null };
    const lies: object[] = [
      { size: -1 },
      { size: NaN },
      { size: 2 ** 53 },
      { size: 1e400 },
      { size: '10' },
      { size: 1.5 },
      { mtime: -1 },
      { mtime: 2 ** 32 },
      { runs: [{ first: 0, count: 0, blob }] },
      { runs: [{ first: -1, count: 1, blob }] },
      { runs: [{ first: 0, count: 1, blob: ID }] },
      { runs: [{ first: 0, count: 1, blob: '../../keys/root.key' }] },
      { runs: [{ first: 0, count: 2, blob: null }] },
      { runs: [{ first: 0, count: 2 ** 30, blob }], size: Number.MAX_SAFE_INTEGER - 1 },
      { runs: Array.from({ length: 12_000 }, (_, first) => ({ first, count: 1, blob })) },
      { runs: {} },
      { inline: 'text' },
      { inline: Buffer.alloc(9) },
    ];
    for (const lie of lies) {
      await refused(front.say('upload.commit', { ...plain, ...lie }), 'request-invalid', 'content-missing');
    }
    await refused(
      front.say('upload.commit', { ...plain, constructor: { prototype: 1 }, size: null }),
      'request-invalid',
    );
    assert.equal(await refusal(front.call('files.stat', { session, path: '/inbox/f' })), 'possible');
    assert.equal(readdirSync(scene.world.blobFolder.blobs).length, 0);
  });

  test('keys far outside, and beyond the quota', async () => {
    await scene.close();
    scene = await Scene.open(1, 20 * SEGMENT_PLAIN);
    const on = await scene.session(await scene.user('ann'));
    const { front, session } = on;
    const { upload } = await start(on, '/inbox/f');
    const keys = (first: number, count: number, size: number) =>
      front.call('upload.keys', { session, upload, first, count, size });
    await refused(keys(2 ** 30, 64, 0), 'offset-invalid');
    await refused(keys(1000, 64, 1), 'offset-invalid');
    await refused(keys(0, 64, 64 * SEGMENT_PLAIN), 'quota-exceeded');
    let free = 0;
    // One byte of a far segment at a time: what lies before it is charged in full when the file grows.
    for (let first = 0; first < 640; first += 64)
      if ((await refusal(keys(first, 64, first * SEGMENT_PLAIN + 1))) === 'possible') free += 64;
    assert.ok(free <= 64, `${free} keys for next to nothing`);
    const { used } = scene.world.files.usage(scene.tenant.id);
    assert.ok(used <= 20 * SEGMENT_PLAIN, `${used}`);
  });

  test('a file, a link or a folder planted in the place of the blob, before and while it is committed', async () => {
    const on = await scene.session(await scene.user('ann'));
    const { front, session } = on;
    const secret = join(scene.world.folder, 'root.key');
    const size = 100_000;
    const plants: ((place: string) => void)[] = [
      (place) => {
        symlinkSync(secret, place);
      },
      (place) => {
        symlinkSync(join(scene.world.blobFolder.blobs, ID), place);
      },
      (place) => {
        mkdirSync(place);
      },
      (place) => {
        writeFileSync(`${place}-other`, Buffer.alloc(200_000));
        linkSync(`${place}-other`, place);
      },
      (place) => {
        writeFileSync(place, 'short');
      },
    ];
    for (const plant of plants) {
      const { upload, blob } = await start(on, '/inbox/f');
      await front.call('upload.persist', { session, upload });
      plant(join(scene.world.blobFolder.incomingFolder, blob));
      await refused(commit(on, upload, size, blob), 'request-invalid', 'content-missing');
      await refusal(front.call('upload.progress', { session, upload, size: 0, runs: [], durable: true, idle: false }));
      await front.call('upload.discard', { session, upload });
    }
    assert.deepEqual(readdirSync(scene.world.blobFolder.blobs), []);
    assert.ok(existsSync(secret));
  });

  test('another thing moved into its place between the look at it and the move', async () => {
    const { blobFolder } = scene.world;
    const place = join(blobFolder.incomingFolder, ID);
    for (const plant of ['file', 'folder'] as const) {
      let caught = 0;
      for (let n = 0; n < 40; n++) {
        rmSync(place, { recursive: true, force: true });
        rmSync(`${place}-x`, { recursive: true, force: true });
        writeFileSync(place, Buffer.alloc(1000));
        if (plant === 'file') writeFileSync(`${place}-x`, Buffer.alloc(1000, 1));
        else mkdirSync(`${place}-x`);
        const work = refusal(blobFolder.settle(ID, 1000));
        for (let turn = 0; turn < n % 8; turn++) await new Promise(setImmediate);
        try {
          renameSync(place, `${place}-old`);
          renameSync(`${place}-x`, place);
        } catch {
          // Too late.
        }
        if ((await work) !== 'possible') caught++;
        const [kept] = await blobFolder.committed();
        if (kept !== undefined) assert.equal(kept.length, 1000);
        assert.equal(
          readdirSync(blobFolder.blobs).length,
          kept === undefined ? 0 : 1,
          'nothing but plain files is kept',
        );
        await blobFolder.remove(ID);
      }
      assert.ok(caught > 0);
    }
  });

  test('bytes written through a descriptor that was kept are found as damage', async () => {
    const user = await scene.user('ann', ['list', 'read', 'write', 'delete']);
    const client = new Client(scene.world, user.account.id, user.account.tenant);
    const upload = await client.start('/inbox/f');
    await client.fill(upload, randomBytes(100_000));
    const kept = openSync(join(scene.world.blobFolder.incomingFolder, upload.blob), 'r+');
    await client.commit(upload, 100_000, [{ first: 0, count: 1, blob: upload.blob }]);
    writeSync(kept, 'damage', 500);
    closeSync(kept);
    await assert.rejects(client.get('/inbox/f'), /does not open/);
    const { store, blobFolder: blobs, keys } = scene.world;
    const { findings } = await checkStore({ store, blobs, keys });
    assert.deepEqual(
      findings.map(({ problem, path }) => [problem, path]),
      [['damaged', 'f']],
    );
  });

  test('whatever is left in incoming/ does not keep the server from starting', async () => {
    const { incomingFolder } = scene.world.blobFolder;
    const deep = join(incomingFolder, 'a'.repeat(32), 'b', 'c');
    mkdirSync(deep, { recursive: true });
    writeFileSync(join(deep, 'f'), 'x');
    symlinkSync('/', join(incomingFolder, 'c'.repeat(32)));
    writeFileSync(join(incomingFolder, 'junk'), 'x');
    writeFileSync(join(incomingFolder, 'd'.repeat(32)), 'x');
    const on = await scene.session(await scene.user('ann'));
    const { upload, blob } = await start(on, '/inbox/f');
    await on.front.call('upload.persist', { session: on.session, upload });
    mkdirSync(join(incomingFolder, blob, 'in'), { recursive: true });
    chmodSync(incomingFolder, 0o777);
    scene.broker.kill();
    await scene.broker.stop(0);
    const again: World = await scene.world.reopen();
    assert.deepEqual(readdirSync(incomingFolder), []);
    assert.equal(statSync(incomingFolder).mode & 0o777, 0o700);
    assert.ok(existsSync('/etc'));
    await again.close();
  });
});

suite('floods', () => {
  test('more calls than may be under way wait, and all are answered', async () => {
    const on = await scene.session(await scene.user('ann'));
    const calls = Array.from({ length: 20_000 }, () =>
      on.front.call('files.stat', { session: on.session, path: '/inbox' }),
    );
    const answers = await Promise.all(calls);
    assert.equal(answers.length, 20_000);
    const other = scene.fronts.find((front) => front !== on.front);
    assert.equal((await other?.call('hello', {}))?.softwareVersion, 'test');
  });

  test('a file of as many parts as can be, opened again and again, is held only so often', async () => {
    const on = await scene.session(await scene.user('ann'));
    const { front, session } = on;
    const parts = 12_000;
    const { upload } = await start(on, '/inbox/f');
    const runs = Array.from({ length: parts }, (_, first) => ({ first, count: 1, blob: null }));
    await commit(on, upload, parts * SEGMENT_PLAIN, null, { runs });
    let held = 0;
    const open = () => refusal(openRead({ front, session }, '/inbox/f'));
    while ((await open()) === 'possible') held++;
    assert.equal(await open(), 'too-many-handles');
    assert.ok(held > 50 && held < 100, `${held}`);
    assert.equal(await refusal(front.call('files.stat', { session, path: '/inbox/f' })), 'possible');
  });

  test('a front that does not read its answers holds up itself alone', async () => {
    const user = await scene.user('ann');
    await stored(user, '/inbox/f', 60_000);
    const on = await scene.session(user);
    const { front, session } = on;
    front.wire.pause();
    const asked = Array.from({ length: 3000 }, () => refusal(openRead({ front, session }, '/inbox/f')));
    const other = scene.fronts.find((one) => one !== front) as Hostile;
    const began = Date.now();
    for (let n = 0; n < 20; n++) await other.call('hello', {});
    assert.ok(Date.now() - began < 10_000);
    const held = process.memoryUsage().arrayBuffers + process.memoryUsage().external;
    assert.ok(held < 600 * 1024 * 1024, `${held} bytes`);
    front.wire.resume();
    assert.equal((await Promise.all(asked)).filter((code) => code === 'possible').length, 3000);
  });

  for (const [what, bytes] of [
    ['longer than a message may be', lengths(MESSAGE_MAX + 1)],
    ['of 4 GiB', lengths(0xffffffff)],
    ['without a header', Buffer.concat([lengths(1), Buffer.of(1)])],
    ['of no kind', Buffer.concat([lengths(9), Buffer.of(9), Buffer.alloc(8)])],
    ['whose JSON is longer than itself', Buffer.concat([lengths(9), Buffer.of(1), Buffer.alloc(4), lengths(100)])],
    ['that is no JSON', json('{')],
    ['that answers nothing', json('{"body":1}', 2)],
    ['with an event for the broker', json('{"name":"shutdown"}', 4)],
    ['that refers to no attachment', json('{"call":"hello","body":{"$":5}}')],
    ['with __proto__', json('{"call":"hello","body":{"__proto__":{"connection":1}}}')],
    ['that is too deep', json(`{"call":"hello","body":${'['.repeat(5000)}${']'.repeat(5000)}}`)],
    ['without a call', json('{"body":{}}')],
    ['that is null', json('null')],
  ] as const) {
    test(`a message ${what} is the end of that front, and of no other`, async () => {
      const [front, other] = scene.fronts as [Hostile, Hostile];
      front.wire.write(bytes);
      await front.closed;
      assert.ok(scene.log.some((line) => line.includes('a front broke the link')));
      assert.equal((await other.call('hello', {})).softwareVersion, 'test');
    });
  }
});

function lengths(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function json(text: string, kind = 1): Buffer {
  const body = Buffer.from(text);
  return Buffer.concat([lengths(9 + body.length), Buffer.of(kind), lengths(7), lengths(body.length), body]);
}
