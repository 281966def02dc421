/** Against a stub that speaks Vault's documented API (vault-stub.ts says what that is worth). */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { asWaybillError } from '../../src/base/errors.ts';
import type { ErrorCode } from '../../src/base/errors.ts';
import { createLog } from '../../src/base/log.ts';
import { rootKeyProviders } from '../../src/keys/providers.ts';
import type { RootKeyOptions } from '../../src/keys/providers.ts';
import { unpackWrapped } from '../../src/keys/root-key-provider.ts';
import type { VaultCredential } from '../../src/keys/vault-client.ts';
import { VaultTransit } from '../../src/keys/vault-transit.ts';
import type { VaultTransitOptions } from '../../src/keys/vault-transit.ts';
import { crashing, Killed } from './crashing-store.ts';
import { ACT, Scene } from './scene.ts';
import type { SceneOptions } from './scene.ts';
import { VaultStub } from './vault-stub.ts';
import type { Fault } from './vault-stub.ts';

let vault: VaultStub;
let address: string;
let folder: string;
const scenes: Scene[] = [];

beforeEach(async () => {
  vault = new VaultStub();
  address = await vault.listen();
  folder = mkdtempSync(join(tmpdir(), 'waybill-vault-'));
});

afterEach(async () => {
  for (const made of scenes.splice(0)) await made.destroy();
  await vault.close();
  rmSync(folder, { recursive: true, force: true });
});

function secretFile(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  return file;
}

function byToken(): VaultCredential {
  return { kind: 'token', file: secretFile('token', vault.token()) };
}

function byRole(): VaultCredential {
  const [roleIdFile, secretIdFile] = [secretFile('role', vault.roleId), secretFile('secret', vault.secretId)];
  return { kind: 'approle', mount: 'approle', roleIdFile, secretIdFile };
}

function transit(options: Partial<VaultTransitOptions> = {}): VaultTransit {
  const credential = options.credential ?? byToken();
  return new VaultTransit({
    address,
    namespace: null,
    ca: null,
    mount: 'transit',
    key: 'waybill',
    backOff: [1, 1],
    timeoutMs: 2000,
    ...options,
    credential,
  });
}

async function scene(options: SceneOptions = {}): Promise<Scene> {
  const made = await Scene.open({ providers: () => [transit()], ...options });
  scenes.push(made);
  return made;
}

async function reopened(world: Scene, options: SceneOptions = {}): Promise<Scene> {
  world.keys.roots.close();
  const made = await world.reopen({ providers: () => [transit()], ...options });
  scenes.push(made);
  return made;
}

function pathsAsked(): string[] {
  return vault.requests.map(({ path }) => path);
}

describe('keys in Vault', () => {
  test('are wrapped there, named with provider and version, and asked for at the start only', async () => {
    const world = await scene();
    await world.tenant('t');
    await world.storeFile('t', 'f');
    const segment = world.segment('f');
    const row = world.store.currentTenantKey('t');
    assert.equal(row?.root, 'vault:transit/waybill:1');
    const wrapped = unpackWrapped(row.wrapped);
    assert.equal(wrapped?.root, row.root);
    assert.match(wrapped.payload.toString('latin1'), /^vault:v1:[A-Za-z0-9+/]+=*$/);
    const again = await reopened(world);
    vault.requests.length = 0;
    assert.equal(again.segment('f'), segment);
    again.keys.newFileKey('t', 'g');
    assert.deepEqual(vault.requests, [], 'a transfer asks Vault for nothing');
    assert.throws(() => readFileSync(world.file), { code: 'ENOENT' });
  });

  test('more tenants than one request holds are asked for in parts', async () => {
    const world = await scene();
    const tenants = Array.from({ length: 300 }, (_, at) => `t${at}`);
    for (const tenant of tenants) await world.tenant(tenant);
    vault.requests.length = 0;
    const again = await reopened(world);
    assert.ok(pathsAsked().filter((path) => path === 'transit/decrypt/waybill').length <= 4);
    for (const tenant of tenants) again.keys.newFileKey(tenant, 'f');
  });

  test('swapped rows open nothing', async () => {
    const world = await scene();
    for (const tenant of ['t', 'u']) await world.tenant(tenant);
    const rows = ['t', 'u'].map((tenant) => world.store.currentTenantKey(tenant)?.wrapped ?? Buffer.alloc(0));
    const swap = world.database.sql.prepare('UPDATE tenant_keys SET wrapped = ? WHERE tenant = ?');
    for (const [at, tenant] of ['u', 't'].entries()) swap.run(rows[at] ?? null, tenant);
    const again = await reopened(world);
    for (const tenant of ['t', 'u'])
      assert.throws(() => again.keys.newFileKey(tenant, 'f'), { code: 'key-unavailable' });
  });

  test('a rotation makes a version there and rewraps without a key in sight; old ones stay in Vault', async () => {
    const world = await scene();
    await world.tenant('t');
    await world.storeFile('t', 'f');
    const segment = world.segment('f');
    vault.requests.length = 0;
    const done = await world.acts.rotateRoot(ACT);
    assert.equal(done.to, 'vault:transit/waybill:2');
    assert.deepEqual([done.retired, done.destroyed], [['vault:transit/waybill:1'], false]);
    assert.ok(pathsAsked().includes('transit/rewrap/waybill'));
    assert.ok(!pathsAsked().includes('transit/keys/waybill/trim'), 'only a shredding destroys versions');
    assert.deepEqual(new Set(world.store.tenantKeysOf('t').map(({ root }) => root)), new Set([done.to]));
    const again = await reopened(world);
    assert.equal(again.segment('f'), segment);
  });

  test('a key that was rotated in Vault is followed at the next start', async () => {
    const world = await scene();
    await world.tenant('t');
    await world.storeFile('t', 'f');
    const segment = world.segment('f');
    const key = vault.keys.get('waybill');
    assert.ok(key !== undefined);
    key.versions.set(++key.latest, Buffer.alloc(32, 9));
    await world.tenant('meanwhile');
    assert.equal(world.store.currentTenantKey('meanwhile')?.root, 'vault:transit/waybill:2');
    const again = await reopened(world);
    again.acts.resume();
    await again.acts.settled();
    assert.deepEqual(again.acts.overview().versions, [{ root: 'vault:transit/waybill:2', state: 'current', keys: 3 }]);
    assert.deepEqual(
      again.records.map(({ action, detail }) => [action, detail['reason'] ?? null]),
      [
        ['rootkey.rotate', 'found at the start'],
        ['rootkey.retire', null],
      ],
    );
    key.minDecryption = 2;
    const after = await reopened(again);
    assert.equal(after.segment('f'), segment);
  });

  test('from a file to Vault and back, files untouched; the file goes with its last key', async () => {
    const world = await scene({ providers: (local) => [local] });
    await world.tenant('t');
    await world.storeFile('t', 'f');
    const [segment, row] = [world.segment('f'), world.row('f')];
    const moving = await reopened(world, { providers: (local) => [transit(), local] });
    assert.match(moving.acts.overview().current, /^file:/, 'until it is asked to move');
    const { from, to } = await moving.acts.rotateRoot(ACT);
    assert.match(`${from} ${to}`, /^file:[0-9a-f]{16} vault:transit\/waybill:2$/);
    assert.throws(() => readFileSync(world.file), { code: 'ENOENT' });
    const there = await reopened(moving);
    assert.equal(there.segment('f'), segment);
    const back = await reopened(there, { providers: (local) => [local, transit()] });
    await back.acts.rotateRoot(ACT);
    const home = await reopened(back, { providers: (local) => [local] });
    assert.equal(home.segment('f'), segment);
    assert.deepEqual(home.row('f'), row);
  });

  test('a move that is killed at any write goes on', async () => {
    for (let at = 1, crashed = true; crashed; at++) {
      const world = await scene({ providers: (local) => [local] });
      await world.tenant('t');
      await world.storeFile('t', 'f');
      const segment = world.segment('f');
      const killer = crashing({ at, when: 'after' });
      const both: SceneOptions = { providers: (local) => [transit(), local] };
      const dying = await reopened(world, { ...both, wrapStore: killer.wrap });
      await dying.acts.rotateRoot(ACT).catch((error: unknown) => {
        assert.ok(error instanceof Killed);
      });
      await dying.acts.settled();
      const healed = await reopened(dying, both);
      healed.acts.resume();
      await healed.acts.settled();
      assert.deepEqual(healed.failures, []);
      assert.match(healed.acts.overview().current, /^vault:/);
      assert.equal(healed.acts.overview().versions.length, 1);
      assert.equal(healed.segment('f'), segment);
      crashed = killer.dead();
      assert.ok(crashed || at > 6);
    }
  });

  test('a version that was retiring when the options of its provider were taken away is dropped', async () => {
    const world = await scene();
    await world.tenant('t');
    const moving = await reopened(world, { providers: (local) => [local, transit()] });
    await moving.acts.rotateRoot(ACT);
    moving.database.sql.exec(`INSERT INTO root_versions (root, check_value, state, created)
      VALUES ('vault:transit/waybill:1', NULL, 'retiring', 0)`);
    const alone = await reopened(moving, { providers: (local) => [local] });
    alone.acts.resume();
    await alone.acts.settled();
    assert.deepEqual(alone.failures, []);
    assert.equal(alone.acts.overview().versions.length, 1);
    assert.equal(alone.records.at(-1)?.detail['destroyed'], false);
  });

  test('without the options of the provider that wraps it, a data folder is refused', async () => {
    const world = await scene();
    world.crash();
    const alone = { folder: world.folder, providers: undefined as never };
    await assert.rejects(Scene.open({ ...alone, providers: (local) => [local] }), (error: Error) => {
      assert.equal(asWaybillError(error).code, 'root-key-missing');
      return error.message.includes('vault:transit/waybill:1');
    });
    vault.makeKey('other');
    const other = Scene.open({ ...alone, providers: () => [transit({ key: 'other' })] });
    await assert.rejects(other, { code: 'root-key-wrong' });
  });

  test('another key of the same name and version is found out', async () => {
    const world = await scene();
    world.crash();
    vault.makeKey('waybill');
    await assert.rejects(reopened(world), { code: 'root-key-wrong' });
  });

  test('shredding trims the versions before in Vault, where it may', async () => {
    const world = await scene();
    for (const tenant of ['t', 'u']) await world.tenant(tenant);
    await world.storeFile('u', 'f');
    const segment = world.segment('f');
    assert.equal((await world.acts.shred('t', ACT)).traces, 'gone');
    assert.deepEqual([...(vault.keys.get('waybill')?.versions.keys() ?? [])], [2]);
    assert.equal((await reopened(world)).segment('f'), segment);
  });

  test('and says that they are kept where it may not', async () => {
    vault.forbidden.add('transit/keys/waybill/config');
    const world = await scene();
    await world.tenant('t');
    assert.equal((await world.acts.shred('t', ACT)).traces, 'kept');
    assert.deepEqual([...(vault.keys.get('waybill')?.versions.keys() ?? [])], [1, 2]);
    assert.equal(world.records.find(({ action }) => action === 'rootkey.retire')?.detail['destroyed'], false);
  });

  test('a version that a damaged key still needs is never trimmed', async () => {
    const world = await scene();
    for (const tenant of ['t', 'u']) await world.tenant(tenant);
    world.database.sql.exec("UPDATE tenant_keys SET wrapped = substr(wrapped, 1, 60) WHERE tenant = 'u'");
    assert.equal((await world.acts.shred('t', ACT)).traces, 'kept');
    assert.deepEqual([...(vault.keys.get('waybill')?.versions.keys() ?? [])], [1, 2]);
  });
});

describe('a Vault that does not do as it is asked', () => {
  const path = 'transit/keys/waybill';
  const faults: readonly [string, ErrorCode, Fault | 'sealed' | 'gone' | 'denied' | 'absent'][] = [
    ['is sealed', 'root-key-sealed', 'sealed'],
    ['is not initialised', 'root-key-sealed', () => ({ status: 501, body: { errors: [] } })],
    ['is not there', 'root-key-unreachable', 'gone'],
    ['denies', 'root-key-denied', 'denied'],
    ['has no such key', 'root-key-missing', 'absent'],
    ['breaks off', 'root-key-unreachable', () => 'drop'],
    ['never answers', 'root-key-unreachable', () => 'hang'],
    ['fails inside', 'root-key-unreachable', () => ({ status: 500, body: { errors: ['oops'] } })],
    ['answers a redirect', 'root-key-answer-invalid', () => ({ status: 307 })],
    ['answers no JSON', 'root-key-answer-invalid', () => ({ raw: '<html>hello</html>' })],
    ['answers half of it', 'root-key-answer-invalid', () => ({ raw: '{"data":{"latest_ver' })],
    ['answers nothing', 'root-key-answer-invalid', () => ({ raw: '' })],
    ['answers null', 'root-key-answer-invalid', () => ({ raw: 'null' })],
    ['answers something else', 'root-key-answer-invalid', () => ({ status: 200, body: { data: { keys: [] } } })],
    ['answers without end', 'root-key-answer-invalid', () => ({ raw: `"${'x'.repeat(5 * 2 ** 20)}"` })],
    ['has version 0', 'root-key-answer-invalid', () => ({ status: 200, body: { data: { latest_version: 0 } } })],
    [
      'has a key that only signs',
      'root-key-wrong',
      () => ({
        status: 200,
        body: { data: { latest_version: 1, supports_encryption: false, supports_decryption: false } },
      }),
    ],
  ];
  for (const [what, code, fault] of faults) {
    test(`${what}: the start is refused with ${code}, and nothing is half made`, async () => {
      if (fault === 'sealed') vault.sealed = true;
      else if (fault === 'gone') await vault.close();
      else if (fault === 'denied') vault.forbidden.add(path);
      else if (fault === 'absent') vault.keys.clear();
      else vault.fault = (asked, body) => (asked === path ? fault(asked, body) : null);
      const start = scene({ folder, providers: () => [transit({ timeoutMs: 300 })] });
      await assert.rejects(start, (error) => {
        assert.equal(asWaybillError(error).code, code, asWaybillError(error).message);
        return true;
      });
      [vault.sealed, vault.fault] = [false, () => null];
      vault.forbidden.clear();
      vault.makeKey('waybill');
      if (fault === 'gone') address = await vault.listen();
      const world = await scene({ folder });
      await world.tenant('t');
    });
  }

  test('a request that fails for a moment is tried again', async () => {
    let failures = 0;
    vault.fault = () => (failures++ % 3 === 2 ? null : { status: 503, body: { errors: ['Vault is sealed'] } });
    const world = await scene();
    await world.tenant('t');
    assert.ok(failures >= 6);
  });

  test('a key is never encrypted under a name before Vault has shown it: that could make a key', async () => {
    await scene();
    const asked = pathsAsked();
    assert.ok(asked.indexOf(path) < asked.indexOf('transit/encrypt/waybill'));
  });

  test('when it fails while keys change, nothing changes, and the next try finishes', async () => {
    for (const action of ['encrypt', 'decrypt', 'rewrap', 'keys']) {
      const world = await scene({ folder: mkdtempSync(join(tmpdir(), 'waybill-keys-')) });
      await world.tenant('t');
      await world.storeFile('t', 'f');
      const segment = world.segment('f');
      vault.fault = (asked) => (asked.startsWith(`transit/${action}/`) ? { status: 500, body: { errors: [] } } : null);
      if (action !== 'rewrap')
        await assert.rejects(world.tenant('u'), { code: 'root-key-unreachable' }, action).catch((error: unknown) => {
          // The name of the key is asked for once in a process.
          if (action !== 'keys') throw error;
        });
      await world.acts.rotateRoot(ACT).catch((error: unknown) => {
        assert.equal(asWaybillError(error).code, 'root-key-unreachable');
      });
      vault.fault = () => null;
      assert.equal(world.segment('f'), segment);
      world.acts.resume();
      await world.acts.settled();
      const again = await reopened(world);
      again.acts.resume();
      await again.acts.settled();
      assert.equal(again.segment('f'), segment, action);
      assert.equal(again.acts.overview().versions.length, 1, action);
      await again.destroy();
    }
  });

  test('what it wrapped must open again before anything relies on it', async () => {
    const world = await scene();
    await world.tenant('t');
    await world.storeFile('t', 'f');
    const segment = world.segment('f');
    const junk = `vault:v1:${Buffer.alloc(80, 5).toString('base64')}`;
    for (const action of ['encrypt', 'rewrap']) {
      vault.fault = (asked, { batch_input: input }) =>
        asked === `transit/${action}/waybill`
          ? {
              status: 200,
              body: { data: { batch_results: (input as unknown[]).map(() => ({ ciphertext: junk })) } },
            }
          : null;
      if (action === 'encrypt') await assert.rejects(world.tenant('u'), { code: 'root-key-answer-invalid' });
      else await world.acts.rotateRoot(ACT);
    }
    vault.fault = () => null;
    assert.equal((await reopened(world)).segment('f'), segment);
  });

  test('any answer to a batch is taken as what it is or refused by code, never half believed', async () => {
    const world = await scene();
    await world.tenant('t');
    await world.storeFile('t', 'f');
    const segment = world.segment('f');
    const item = fc.oneof(
      fc.record({ ciphertext: fc.string() }),
      fc.record({ plaintext: fc.oneof(fc.string(), fc.base64String()) }),
      fc.record({ error: fc.string() }),
      fc.jsonValue(),
    );
    const body = fc.oneof(
      fc.record({ data: fc.record({ batch_results: fc.array(item, { maxLength: 3 }) }) }),
      fc.jsonValue(),
    );
    const provider = transit();
    const wrapped = unpackWrapped(world.store.currentTenantKey('t')?.wrapped ?? Buffer.alloc(0));
    assert.ok(wrapped !== null);
    await provider.latest();
    await fc.assert(
      fc.asyncProperty(body, fc.constantFrom(200, 400), async (answer, status) => {
        vault.fault = () => ({ raw: JSON.stringify(answer), status });
        for (const ask of [
          () => provider.wrap([Buffer.alloc(64)]),
          () => provider.unwrap([wrapped]),
          () => provider.rewrap([wrapped]),
        ]) {
          const outcome = await ask().then(
            (parts) => (assert.equal(parts.length, 1), 'answer'),
            (error: unknown) => asWaybillError(error).code,
          );
          assert.ok(outcome === 'answer' || outcome === 'root-key-answer-invalid', outcome);
        }
      }),
      { numRuns: 60 },
    );
    vault.fault = () => null;
    assert.equal((await reopened(world)).segment('f'), segment);
  });
});

describe('signing in to Vault', () => {
  test('by AppRole, once for many requests, and again when the token was taken away', async () => {
    const provider = transit({ credential: byRole() });
    await Promise.all([provider.latest(), provider.latest()]);
    await provider.latest();
    assert.equal(pathsAsked().filter((path) => path === 'auth/approle/login').length, 1);
    vault.tokens.clear();
    await provider.latest();
    assert.equal(pathsAsked().filter((path) => path === 'auth/approle/login').length, 2);
  });

  test('a wrong secret id is denied', async () => {
    vault.secretId = 'changed';
    const provider = transit({ credential: byRole() });
    writeFileSync(join(folder, 'secret'), 'wrong');
    await assert.rejects(provider.latest(), { code: 'root-key-denied' });
  });

  test('a token that ends is renewed before it does, and replaced when it cannot be', async (context) => {
    vault.leaseSeconds = 60;
    context.mock.timers.enable({ apis: ['setTimeout'] });
    const provider = transit({ credential: byRole(), backOff: [] });
    await provider.latest();
    const [first] = [...vault.tokens.keys()];
    const renewed = nextRequest('auth/token/renew-self');
    context.mock.timers.tick(41_000);
    await renewed;
    const { token } = vault.requests.at(-1) ?? {};
    assert.equal(token, first);
    context.mock.timers.reset();
    provider.close();
  });

  test('a token from a file is read again when it is refused', async () => {
    const provider = transit();
    await provider.latest();
    vault.tokens.clear();
    await assert.rejects(provider.latest(), { code: 'root-key-denied' });
    secretFile('token', vault.token());
    await provider.latest();
  });

  test('a token that may not ask about itself works all the same', async () => {
    vault.forbidden.add('auth/token/lookup-self');
    await transit().latest();
  });

  test('files that everybody can read, or that hold more than a token, are refused', async () => {
    const credential = byToken();
    assert.ok(credential.kind === 'token');
    chmodSync(credential.file, 0o644);
    await assert.rejects(transit({ credential }).latest(), { code: 'option-invalid' });
    for (const text of ['', 'two\nlines', 'x'.repeat(10_000), 'a\u0000b']) {
      const file = secretFile('bad', text);
      await assert.rejects(transit({ credential: { kind: 'token', file } }).latest(), { code: 'option-invalid' });
    }
  });

  test('the namespace goes with every request', async () => {
    await transit({ namespace: 'team/a' }).latest();
    assert.deepEqual(new Set(vault.requests.map(({ namespace }) => namespace)), new Set(['team/a']));
  });
});

/** Resolves once the stub has seen it. */
function nextRequest(path: string): Promise<void> {
  return new Promise((resolve) => {
    vault.fault = (asked) => {
      if (asked === path) setImmediate(resolve);
      return null;
    };
  });
}

describe('the way to Vault', () => {
  test('its certificate is checked, with the authorities that are named', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
    execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
    await vault.close();
    vault = new VaultStub({ key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') });
    address = await vault.listen();
    await transit({ ca: readFileSync(cert, 'utf8') }).latest();
    const asked = vault.requests.length;
    await assert.rejects(transit().latest(), { code: 'root-key-unreachable' });
    assert.equal(vault.requests.length, asked, 'a server that is not known is told nothing');
  });

  test('no key, token or id is in any error or log, whatever Vault repeats', async () => {
    const lines: string[] = [];
    const log = createLog('debug', (line) => void lines.push(line));
    const secrets = new Set<string>();
    const world = await scene({ providers: () => [transit({ credential: byRole(), backOff: [] })] });
    await world.tenant('t');
    let mode = 0;
    let wanted = '';
    vault.fault = (path, body) => {
      for (const { plaintext } of (body['batch_input'] ?? []) as { plaintext?: string }[])
        if (plaintext !== undefined) secrets.add(plaintext);
      const said = JSON.stringify(body);
      const replies: ReturnType<Fault>[] = [
        { status: 400, body: { errors: [said] } },
        { status: 403, body: { errors: [said] } },
        { status: 500, body: { errors: [said] } },
        { status: 200, body: { data: { batch_results: [{ ciphertext: said, plaintext: said, error: '' }] } } },
        { raw: said },
        { raw: `{"data": ${said}` },
        'drop',
      ];
      return path.startsWith(wanted) ? (replies[mode] ?? null) : null;
    };
    for (mode = 0; mode < 7; mode++) {
      for (const step of ['transit/encrypt', 'auth/']) {
        wanted = step;
        const asked =
          wanted === 'auth/' ? transit({ credential: byRole(), backOff: [] }).latest() : world.tenant(`u${mode}`);
        const error: unknown = await asked.catch((thrown: unknown) => thrown);
        assert.ok(error instanceof Error, `${wanted} ${mode}`);
        log.error({ err: error }, `mode ${mode}`);
      }
    }
    assert.ok(secrets.size >= 7);
    for (const token of vault.tokens.keys()) secrets.add(token);
    secrets.add(vault.secretId);
    for (const secret of secrets) {
      const bytes = Buffer.from(secret, 'base64').subarray(-32);
      for (const text of [secret, bytes.toString('hex'), bytes.toString('base64').slice(0, 40)])
        for (const line of lines) assert.ok(!line.includes(text), line);
    }
  });
});

describe('the options', () => {
  const options: RootKeyOptions = {
    'root-key': 'vault',
    'vault-address': 'https://vault.example:8200',
    'vault-mount': 'transit',
    'vault-key': 'waybill',
    'vault-namespace': null,
    'vault-token-file': '/t',
    'vault-role-id-file': null,
    'vault-secret-id-file': null,
    'vault-auth-mount': 'approle',
    'vault-ca': null,
  };
  const names = (given: Partial<RootKeyOptions>): string[] =>
    rootKeyProviders({ ...options, ...given }, () => undefined)('/f').map(({ name }) => name);

  test('choose where new root keys are made; the other provider is there for what it still wraps', () => {
    assert.deepEqual(names({}), ['vault', 'file']);
    assert.deepEqual(names({ 'root-key': 'file' }), ['file', 'vault']);
    assert.deepEqual(names({ 'root-key': 'file', 'vault-address': null }), ['file']);
  });

  test('that do not fit together are refused before anything is made', () => {
    for (const given of [
      { 'vault-address': null },
      { 'vault-token-file': null },
      { 'vault-role-id-file': '/r' },
      { 'vault-token-file': null, 'vault-role-id-file': '/r' },
      { 'vault-ca': '/nowhere/ca.pem' },
      { 'vault-ca': import.meta.filename },
    ])
      assert.throws(() => names(given), { code: 'option-invalid' }, JSON.stringify(given));
  });
});
