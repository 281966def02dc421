import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ADMIN_CALLS } from '../../src/broker/admin-calls.ts';
import type { AdminCaller } from '../../src/broker/admin-calls.ts';
import type { Context } from '../../src/cli/command.ts';
import { COMMANDS, GROUPS } from '../../src/cli/commands/index.ts';
import { Output } from '../../src/cli/output.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { ANSWERS, ED25519, FILES, ID, LINES } from './command-lines.ts';

interface Ran {
  readonly code: unknown;
  readonly out: string;
  readonly err: string;
  readonly calls: readonly { call: string; request: unknown }[];
}

async function run(
  words: string,
  options: {
    secret?: string;
    files?: Record<string, string>;
    answers?: Partial<Record<keyof typeof ADMIN_CALLS, () => unknown>>;
  } = {},
): Promise<Ran> {
  const parsed = parseCommandLine(COMMANDS, words.split(' '));
  assert.ok(parsed.kind === 'run');
  const ran = { out: '', err: '', calls: [] as { call: string; request: unknown }[] };
  const server = {
    call: (call: keyof typeof ADMIN_CALLS, request: unknown) => {
      // What the command sends must pass the broker's own schema.
      ADMIN_CALLS[call].request.parse(request);
      ran.calls.push({ call, request });
      return Promise.resolve(ADMIN_CALLS[call].response.parse(options.answers?.[call]?.() ?? ANSWERS[call]));
    },
  };
  const context: Context = {
    output: new Output(parsed.json, { write: (text) => (ran.out += text) }, { write: (text) => (ran.err += text) }),
    dataFolder: '/nowhere',
    ledgerFolder: () => Promise.resolve('/nowhere/ledger'),
    server: server as unknown as AdminCaller,
    readSecret: () => Promise.resolve(options.secret ?? ''),
    readTextFile: (file) => Promise.resolve(options.files?.[file] ?? ''),
  };
  const code: unknown = await parsed.command.run(parsed.input, context);
  return { ...ran, code };
}

describe('the table of commands', () => {
  it('has a help group for each row and a row for each group', () => {
    const groups = new Set(COMMANDS.map(({ name }) => name.split(' ')[0]));
    assert.deepEqual([...groups].sort(), GROUPS.map(({ name }) => name).sort());
  });

  it('has names once, in letters that shells leave alone, and a doc for everything', () => {
    assert.equal(new Set(COMMANDS.map(({ name }) => name)).size, COMMANDS.length);
    for (const row of COMMANDS) {
      assert.match(row.name, /^[a-z]+( [a-z-]+)?$/);
      const specs = [row, ...Object.values(row.arguments), ...Object.values(row.options)];
      for (const { doc } of specs) assert.match(doc, /^[A-Z].*[.]$/s, `${row.name}: ${doc}`);
      for (const option of Object.keys(row.options)) assert.match(option, /^[a-z][a-z-]+$/);
    }
  });

  it('is covered by a line in this test, except what needs no server', () => {
    const rest = COMMANDS.map(({ name }) => name).filter((name) => LINES[name] === undefined);
    assert.deepEqual(rest, [
      ...[
        'serve',
        'token make',
        'login',
        'logout',
        'put',
        'get',
        'sync',
        'administrator token',
        'verify',
        'pack',
        'ledger key',
        'ledger checkpoint',
        'ledger status',
      ],
      ...['witness', 'investigate', 'completion'],
    ]);
  });

  it('reaches every administrator call', async () => {
    const reached = new Set<string>();
    const further = [
      'account totp anna --remove',
      'approve H-00000-00000 --amount 2K --for 1h',
      'deny H-00000-00000 --suspend',
    ];
    for (const line of [...Object.values(LINES), ...further]) {
      for (const { call } of (await run(line, { secret: 's', files: FILES })).calls) reached.add(call);
    }
    // Of commands that read a ledger first: test/cli/ledger.test.ts.
    for (const call of ['ledger.status', 'ledger.sign-pack', 'ledger.list', 'ledger.read']) reached.add(call);
    assert.deepEqual([...reached].sort(), Object.keys(ADMIN_CALLS).sort());
  });

  for (const [name, line] of Object.entries(LINES)) {
    it(`${name}: JSON is one document; people get words without control characters`, async () => {
      const json = await run(`${line} --json`, { secret: 's', files: FILES });
      assert.match(json.out, /^\{.*\}\n$/s);
      assert.equal(json.out.trim().split('\n').length, 1);
      assert.doesNotThrow(() => JSON.parse(json.out) as unknown);
      assert.equal(json.err, '');
      const people = await run(line, { secret: 's', files: FILES });
      assert.match(people.out, /\n$/);

      assert.doesNotMatch(people.out, /[\u0000-\u0009\u000b-\u001f]/);
    });
  }
});

describe('commands', () => {
  it('never take a password from the command line, and send what was entered', async () => {
    const { calls } = await run('account password anna', { secret: 'correct horse' });
    assert.deepEqual(calls, [{ call: 'account.password', request: { login: 'anna', password: 'correct horse' } }]);
    const removed = await run('account password anna --remove');
    assert.deepEqual(removed.calls[0]?.request, { login: 'anna', password: null });
    const row = COMMANDS.find(({ name }) => name === 'account password');
    assert.deepEqual(Object.keys({ ...row?.arguments, ...row?.options }), ['login', 'remove']);
  });

  it('read quotas as people write them', async () => {
    for (const [text, bytes] of [
      ['500M', 500 * 1024 ** 2],
      ['1.5GiB', 1.5 * 1024 ** 3],
      ['0', 0],
      ['none', null],
    ] as const) {
      assert.deepEqual((await run(`tenant set-quota t ${text}`)).calls[0]?.request, { name: 't', quota: bytes });
    }
    for (const text of ['x', '-1', '1Z', '9999P', '1e3']) {
      await assert.rejects(run(`tenant add t --quota=${text}`), { code: 'option-invalid' });
    }
  });

  it('read key files, and refuse private keys before anything is sent', async () => {
    const two = await run('key add anna f', { files: { f: `${ED25519}\r\n\n${ED25519}2\n` } });
    assert.equal(two.calls.length, 2);
    const empty = run('key add anna f', { files: { f: '# nothing\n' } });
    await assert.rejects(empty, { code: 'option-invalid' });
    const secret = run('key add anna f', { files: { f: '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA' } });
    await assert.rejects(secret, /private key/);
  });

  it('understand chains, rights and folders, and name what is allowed otherwise', async () => {
    const chains = await run('account require anna publickey+totp password');
    assert.deepEqual(chains.calls[0]?.request, { login: 'anna', chains: [['publickey', 'totp'], ['password']] });
    await assert.rejects(run('account require anna publickey+sms'), /allowed: publickey, password, totp/);
    await assert.rejects(run('grant add anna f --rights read,fly'), /allowed: list, read/);
    await assert.rejects(run('folder add f'), /TENANT\/FOLDER/);
    await assert.rejects(run('folder add t/f/g'), /TENANT\/FOLDER/);
  });

  it('revoke keys, and certificates of an authority', async () => {
    const what = async (words: string) => (await run(words)).calls[0]?.request;
    assert.deepEqual(await what('key revoke SHA256:a'), { what: { kind: 'key', key: 'SHA256:a' } });
    assert.deepEqual(await what('key revoke SHA256:a --serial 7'), {
      what: { kind: 'serial', authority: 'SHA256:a', serial: '7' },
    });
    assert.deepEqual(await what('key revoke SHA256:a --key-id anna'), {
      what: { kind: 'key-id', authority: 'SHA256:a', keyId: 'anna' },
    });
    await assert.rejects(run('key revoke SHA256:a --key-id anna --serial 1'), { code: 'option-invalid' });
    await assert.rejects(run('key revoke SHA256:a --serial x'), /a whole number/);
    await assert.rejects(run('key revoke f', { files: { f: `${ED25519}\n${ED25519}` } }), /one key at a time/);
  });

  it('session end wants exactly one of SESSION and --login', async () => {
    await assert.rejects(run('session end'), { code: 'option-invalid' });
    await assert.rejects(run(`session end ${ID} --login anna`), { code: 'option-invalid' });
  });

  it('check goes through all parts and ends with its own code when something is damaged', async () => {
    const damaged = { problem: 'damaged', tenant: 't', path: '/f/a', version: ID, message: 'frame 3 was altered' };
    const orphan = { problem: 'orphan', tenant: '', path: null, version: null, message: 'no version needs it' };
    let part = 0;
    const next = () => {
      part++;
      return {
        versions: 1,
        bytes: 10,
        skipped: 0,
        findings: part === 2 ? [damaged, orphan] : [],
        next: part < 3 ? String(part) : null,
      };
    };
    const ran = await run('check --json', { answers: { 'check.next': next } });
    assert.equal(ran.code, 8);
    assert.deepEqual(JSON.parse(ran.out), { versions: 3, bytes: 30, skipped: 0, findings: [damaged, orphan] });
    assert.deepEqual(
      ran.calls.map(({ request }) => request),
      [{ after: '' }, { after: '1' }, { after: '2' }],
    );
    part = 0;
    const people = await run('check', { answers: { 'check.next': next } });
    assert.match(people.err, /^t:\/f\/a version 0123456789abcdef0123456789abcdef: damaged: frame 3/);
    assert.equal((await run('check')).code, 0);
  });
});
