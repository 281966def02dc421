/** Every command from elsewhere, with only an address and a token: what it does and says is what it does and says here. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { newAccessToken } from '../../src/accounts/access-token.ts';
import { asWaybillError, WaybillError } from '../../src/base/errors.ts';
import { ADMIN_CALLS } from '../../src/broker/admin-calls.ts';
import type { AdminCaller, AdminCallName } from '../../src/broker/admin-calls.ts';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import { exitCodeOf } from '../../src/cli/exit-codes.ts';
import { Output } from '../../src/cli/output.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { RemoteServer } from '../../src/cli/remote.ts';
import { readRemotePlace } from '../../src/config/remote-server.ts';
import { AdminDoor } from './admin-door.ts';
import { ANSWERS, FILES, ID, LINES } from './command-lines.ts';

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly calls: readonly unknown[];
}

/** They answer from the ledger's files, which they copy first: test/cli/remote-server.test.ts. */
const OF_THE_LEDGER = ['pack', 'ledger key', 'ledger checkpoint', 'ledger status', 'investigate'];
/** Its own --server is where people sign in by browser: test/login. */
const BY_ITSELF = ['login', 'logout', 'put', 'get', 'sync'];

async function run(words: string, server: AdminCaller, calls: readonly unknown[]): Promise<Ran> {
  const [ran, before] = [{ out: '', err: '' }, calls.length];
  const parsed = parseCommandLine(COMMANDS, words.split(' '));
  assert.ok(parsed.kind === 'run');
  const output = new Output(
    parsed.json,
    { write: (text) => (ran.out += text) },
    { write: (text) => (ran.err += text) },
  );
  let code: unknown;
  try {
    code = await parsed.command.run(parsed.input, {
      ...{ output, server, dataFolder: '/nowhere', ledgerFolder: () => Promise.reject(new Error('no ledger here')) },
      readSecret: () => Promise.resolve('correct horse'),
      readTextFile: (file) => Promise.resolve((FILES as Record<string, string>)[file] ?? ''),
    });
  } catch (thrown) {
    const error = asWaybillError(thrown);
    output.failure(error);
    code = exitCodeOf(error.code);
  }
  return { ...ran, code: typeof code === 'number' ? code : 0, calls: calls.slice(before) };
}

/** What is random, or the time of day, is not compared. */
function plain({ code, out, err, calls }: Ran): unknown {
  const text = JSON.stringify({ code, out, err, calls });
  return JSON.parse(
    text
      .replaceAll(/(wbt_|waybill_admin_)[A-Za-z0-9_-]{43}/g, 'TOKEN')
      .replaceAll(/SHA256:[A-Za-z0-9+/]{43}/g, 'PRINT')
      .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME'),
  ) as unknown;
}

describe('commands on a server elsewhere', () => {
  const token = newAccessToken();
  const failures = new Map<AdminCallName, WaybillError>();
  const answer = (call: AdminCallName): unknown => {
    const failure = failures.get(call);
    if (failure !== undefined) throw failure;
    return ANSWERS[call];
  };
  const localCalls: unknown[] = [];
  const local: AdminCaller = {
    call: (call, request) => {
      // As JSON leaves it: what is undefined is not there.
      localCalls.push({ call, request: JSON.parse(JSON.stringify(request)) as unknown });
      return Promise.resolve().then(() => ADMIN_CALLS[call].response.parse(answer(call)) as never);
    },
  };
  let door: AdminDoor;
  let remote: RemoteServer;
  before(async () => {
    door = await AdminDoor.open(token, answer);
    remote = new RemoteServer(
      { url: door.url, trust: door.pin },
      () => token,
      () => Promise.reject(new Error('no file')),
    );
  });
  after(async () => {
    remote.close();
    await door.close();
  });

  it('each is run here, or is named as one that is not for it', () => {
    const named = new Set([...OF_THE_LEDGER, ...BY_ITSELF]);
    for (const { name, local: reason } of COMMANDS) {
      const ways = [LINES[name] !== undefined, reason !== undefined, named.has(name)].filter(Boolean);
      assert.equal(ways.length, 1, `${name} is to be in exactly one of: LINES, local, the lists above`);
    }
  });

  for (const [name, line] of Object.entries(LINES)) {
    it(`${name}: the same calls, words and code`, async () => {
      for (const words of [line, `${line} --json`])
        assert.deepEqual(plain(await run(words, remote, door.calls)), plain(await run(words, local, localCalls)));
    });
  }

  it('failures are the same failures, with the same exit codes', async () => {
    const codes = ['not-found', 'already-exists', 'in-use', 'legal-hold', 'tenant-locked', 'approval-needed'] as const;
    for (const code of [
      ...codes,
      'option-invalid',
      'permission-denied',
      'root-key-sealed',
      'step-up-needed',
    ] as const) {
      failures.set('tenant.remove', new WaybillError(code, 'A-7K3QD-0M9XZ waits for another administrator: x'));
      const [there, here] = [await run('tenant remove t', remote, door.calls), await run('tenant remove t', local, [])];
      assert.deepEqual([there.code, there.err, there.out], [here.code, here.err, here.out]);
    }
    failures.clear();
  });

  it('over one connection, and with nothing that the server would not know', async () => {
    const extra = remote.call('tenant.lock', { name: 't', force: true } as never);
    await assert.rejects(extra, { code: 'request-invalid' });
    await assert.rejects(remote.call('session.list', { login: 7 } as never), { code: 'request-invalid' });
  });

  it('are refused with a wrong token, without one, and where the key is another', async () => {
    const none = (): Promise<string> => Promise.reject(new Error('no file'));
    const { url } = door;
    const other = new RemoteServer({ url, trust: door.pin }, () => newAccessToken(), none);
    await assert.rejects(other.call('tenant.list', {}), { code: 'sign-in-refused' });
    other.close();
    const nobody = new RemoteServer({ url, trust: door.pin }, () => null, none);
    await assert.rejects(async () => nobody.call('tenant.list', {}), {
      code: 'option-invalid',
      message: /--as-token-file/,
    });
    const before = door.calls.length;
    for (const trust of [null, `sha256/${Buffer.alloc(32, 1).toString('base64')}`]) {
      const stranger = new RemoteServer({ url, trust }, () => token, none);
      await assert.rejects(stranger.call('tenant.list', {}), { code: 'server-untrusted' });
      stranger.close();
    }
    assert.equal(door.calls.length, before);
  });
});

describe('the place of a server', () => {
  const given = { server: null, trust: null, data: null };
  const place = (more: Partial<Record<'server' | 'trust' | 'data', string>>, environment = {}) => {
    const found = readRemotePlace({ ...given, ...more }, environment);
    return found === null ? null : [found.url.href, found.trust];
  };

  it('is what is said, then the environment; a data folder that is named is meant', () => {
    const environment = { WAYBILL_SERVER: 'https://files.example.com', WAYBILL_TRUST: 'ca.pem' };
    assert.equal(place({}), null);
    assert.deepEqual(place({}, environment), ['https://files.example.com/', 'ca.pem']);
    assert.deepEqual(place({ server: 'https://[::1]:8443', trust: 'x' }, environment), ['https://[::1]:8443/', 'x']);
    assert.equal(place({ data: '/srv' }, environment), null);
    assert.throws(() => place({ data: '/srv', server: 'https://a' }), { code: 'option-invalid' });
    assert.throws(() => place({ trust: 'x' }), { code: 'option-invalid' });
  });

  it('is an https origin and nothing more', () => {
    for (const server of [
      'http://a',
      'a',
      'https://a/x',
      'https://u:p@a',
      'https://a/?q',
      'https://a/#f',
      'ftp://a',
      '',
    ])
      assert.throws(() => place({ server: server === '' ? ' ' : server }), { code: 'option-invalid' }, server);
  });

  it('is refused by commands that work on this machine alone, with the reason', () => {
    for (const { name, local } of COMMANDS.filter((row) => row.local !== undefined)) {
      assert.match(local ?? '', /\.$/);
      const words = [...name.split(' '), '--server', 'https://a'];
      if (name === 'completion') words.push('bash');
      if (name === 'verify') words.push(ID, '--key', 'x');
      if (name === 'witness') words.push('--state', 'x', '--log', 'x');
      assert.throws(() => parseCommandLine(COMMANDS, words), { code: 'option-invalid', message: /on this machine/ });
    }
  });
});
