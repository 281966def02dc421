import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ADMIN_CALLS } from '../../src/broker/admin-calls.ts';
import type { AdminCaller } from '../../src/broker/admin-calls.ts';
import type { Context } from '../../src/cli/command.ts';
import { COMMANDS, GROUPS } from '../../src/cli/commands/index.ts';
import { Output } from '../../src/cli/output.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';

const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJuq5BSvLiMmELyHNqBOvDKL3fMbGIyqVxZB4yVsmqBn somebody';
const ID = '0123456789abcdef0123456789abcdef';

const tenant = { name: 't', displayName: 'T', quota: null, used: 5, folders: 1, accounts: 1, state: 'in-use' };
const folder = { tenant: 't', name: 'f', files: 1, bytes: 2048 };
const apiToken = {
  id: 'ab'.repeat(16),
  login: 'anna',
  tenant: 't',
  label: '',
  fingerprint: `SHA256:${'A'.repeat(43)}`,
  scopes: ['files:read'],
  addresses: null,
  added: '2026-11-23T12:00:00.000Z',
  expires: null,
  lastUsed: null,
  suspended: null,
  successor: null,
};
const account = {
  login: 'anna',
  tenant: 't',
  displayName: 'Anna',
  state: 'active',
  administrator: false,
  password: false,
  totp: false,
  keys: 1,
  require: [['publickey', 'totp']],
  kind: 'person',
  demand: 'mfa',
};
const policy = {
  readOnce: true,
  addresses: ['192.0.2.0/24'],
  hours: ['Mon-Fri 08:00-18:00 UTC'],
  expires: '2027-02-01T00:00:00.000Z',
  removeAfterDays: 7,
};
const grant = { login: 'anna', tenant: 't', folder: 'f', path: '/f', rights: ['list', 'read'], policy };
const receiver = {
  ...{ name: 'siem', tenant: null, kind: 'webhook' as const, address: 'https://siem.example/…', only: ['hold'] },
  ...{ added: '2026-01-01T00:00:00Z', behind: 2, dead: 1 },
  failing: { since: '2026-01-01T00:00:00Z', error: 'HTTP status 500', nextTry: '2026-01-01T00:01:00Z' },
};
const administrator = {
  name: 'ada',
  fingerprint: 'SHA256:x',
  account: false,
  added: '2026-01-01T00:00:00Z',
  renewed: '2026-01-01T00:00:00Z',
};
const proposal = {
  reference: 'A-00000-00000',
  action: 'grant.add',
  summary: 'anna may read',
  proposer: 'ada',
  proposed: '2026-01-01T00:00:00Z',
  expires: '2026-01-08T00:00:00Z',
};
const hold = {
  reference: 'H-00000-00000',
  login: 'anna',
  tenant: 't',
  path: '/f/a\u001b[2J',
  scope: 'account/anna',
  dimension: 'bytes',
  window: 600,
  used: 1,
  limit: 2,
  asked: 3,
  opened: '2026-01-01T00:00:00Z',
  state: 'open',
};
const legalHold = { tenant: 't', folder: 'f', reason: 'case 7', since: '2026-01-01T00:00:00Z', actor: 'ada' };
const key = {
  id: ID,
  login: 'anna',
  tenant: 't',
  kind: 'key',
  algorithm: 'ssh-ed25519',
  fingerprint: 'SHA256:x',
  comment: 'somebody',
  options: [],
  added: '2026-01-01T00:00:00Z',
  lastUsed: '2026-01-02T00:00:00Z',
  suspended: '2026-02-01T00:00:00Z',
};
const issued = {
  serial: '7',
  login: 'anna',
  fingerprint: 'SHA256:x',
  addresses: null,
  factors: [],
  issued: '2026-01-01T00:00:00Z',
  until: '2026-01-01T08:00:00Z',
  lastUsed: null,
  state: 'valid',
};
const session = {
  session: ID,
  login: 'anna',
  tenant: 't',
  protocol: 'sftp',
  address: '127.0.0.1',
  credential: 'publickey SHA256:x\u001b[2J',
  started: '2026-01-01T00:00:00Z',
  lastActive: '2026-01-01T00:00:00Z',
  client: 'SSH-2.0-x',
  sent: 1,
  stored: 2,
};
const revocation = { kind: 'key', authority: null, value: 'SHA256:x', revoked: '2026-01-01T00:00:00Z' };
const nothing = {};

/** Every call once, with an answer of the right form. */
const ANSWERS: Readonly<Record<keyof typeof ADMIN_CALLS, unknown>> = {
  'server.status': {
    version: '1',
    pid: 1,
    started: '2026-01-01T00:00:00Z',
    sftp: [{ host: '::1', port: 2022 }],
    fronts: 2,
    connections: 1,
    sessions: 1,
  },
  'tenant.add': tenant,
  'tenant.list': { tenants: [tenant] },
  'tenant.set-quota': tenant,
  'tenant.remove': nothing,
  'tenant.lock': { name: 't', ended: 1 },
  'tenant.unlock': nothing,
  'tenant.rotate-key': { name: 't', key: ID },
  'tenant.shred': { name: 't', keys: 1, ended: 1, traces: 'gone' },
  'rootkey.show': {
    provider: 'file',
    place: '/d/keys/root.key',
    current: 'file:1',
    versions: [{ root: 'file:1', state: 'current', keys: 3 }],
    rotating: [],
  },
  'rootkey.rotate': { from: 'file:1', to: 'file:2', rewrapped: 3, stuck: 0, retired: ['file:1'], destroyed: true },
  'folder.add': folder,
  'folder.list': { folders: [folder] },
  'folder.remove': nothing,
  'product.add': { product: 'p', tenant: 't', folder: 'f' },
  'product.list': { products: [{ product: 'p', tenant: 't', folder: 'f' }] },
  'product.remove': nothing,
  'account.add': account,
  'account.list': { accounts: [account] },
  'account.suspend': account,
  'account.activate': account,
  'account.remove': nothing,
  'account.password': account,
  'account.totp-enrol': { secret: 'ABC', uri: 'otpauth://totp/x' },
  'account.totp-remove': account,
  'account.require': account,
  'token.add': apiToken,
  'token.list': { tokens: [apiToken] },
  'token.remove': { ended: 1 },
  'token.renew': apiToken,
  'sign-in.enrol': { login: 'anna', secret: 'wbe_x', expires: '2026-11-24T12:00:00.000Z' },
  'sign-in.set-kind': { login: 'anna', kind: 'service' },
  'sign-in.set-policy': { tenant: 't', policy: 'passkey' },
  'grant.add': grant,
  'grant.list': { grants: [grant] },
  'grant.remove': nothing,
  'key.add': key,
  'key.add-authority': key,
  'key.list': { keys: [key] },
  'key.remove': nothing,
  'key.revoke': { revoked: revocation, ended: 2 },
  'key.revoked': { revoked: [revocation] },
  'key.host': { keys: [{ algorithm: 'ssh-ed25519', fingerprint: 'SHA256:x', line: 'ssh-ed25519 AAAA' }] },
  'key.issue': { issued, certificate: 'ssh-ed25519-cert-v01@openssh.com AAAA' },
  'key.issued': { certificates: [issued] },
  'key.certificate': { issued, certificate: 'ssh-ed25519-cert-v01@openssh.com AAAA' },
  'key.host-ca': { line: '@cert-authority files.example.com ssh-ed25519 AAAA', userCa: 'SHA256:u' },
  'key.rotate': { added: key, replaced: key },
  'key.reinstate': key,
  'session.list': { sessions: [session] },
  'session.end': { ended: 1 },
  'folder.hold': legalHold,
  'folder.unhold': nothing,
  'folder.holds': { holds: [legalHold] },
  'administrator.list': { administrators: [administrator] },
  'administrator.add': administrator,
  'administrator.renew': administrator,
  'administrator.remove': nothing,
  'approval.list': { proposals: [proposal], altered: ['A-11111-11111'] },
  'approval.approve': { reference: 'A-00000-00000', action: 'grant.add', summary: 'anna may read' },
  'approval.deny': { reference: 'A-00000-00000', outcome: 'denied' },
  'budget.set': nothing,
  'budget.clear': nothing,
  'budget.list': { limits: [{ scope: 'tenant/t', dimension: 'bytes', window: 86_400, limit: null }] },
  'budget.show': {
    scope: 'tenant/t',
    usage: [{ dimension: 'files', window: 600, used: 3, limit: 100 }],
  },
  'hold.list': { holds: [hold] },
  'hold.approve': { hold, extra: 2048 },
  'hold.deny': { hold, suspended: true, ended: 1 },
  'account.confirm': { login: 'anna', kind: 'address', value: '192.0.2.1' },
  'account.forget': { login: 'anna', kind: 'client', value: 'OpenSSH' },
  'account.seen': {
    seen: [
      {
        login: 'anna',
        kind: 'client',
        value: 'evil\u001b[2J',
        firstSeen: '2026-01-01T00:00:00Z',
        confirmed: false,
      },
    ],
  },
  'ledger.status': {
    key: 'waybill/ledger+00000000+AQ==',
    waiting: 0,
    witnesses: [{ name: 'w', url: 'https://w.example', size: 1, time: '2026-01-01T00:00:00Z', error: null }],
  },
  'ledger.sign-pack': { signature: 'x' },
  'ledger.list': { entries: [{ name: 'vkey', folder: false }], more: false },
  'ledger.read': { files: [{ path: 'vkey', size: 1, bytes: 'eA==' }] },
  'event.add': { receiver, secret: 'whsec_x' },
  'event.list': { receivers: [receiver] },
  'event.remove': nothing,
  'event.rotate-secret': { secret: 'whsec_y' },
  'event.dead': { dead: [{ number: 1, log: 'ab', entry: 3, time: '2026-01-01T00:00:00Z', attempts: 20, error: 'x' }] },
  'event.retry': { delivered: 1, failure: null },
  'check.next': { versions: 1, bytes: 10, skipped: 0, findings: [], next: null },
};

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

/** A command line for each row that talks to the server. */
const LINES: Readonly<Record<string, string>> = {
  status: 'status',
  'tenant add': 'tenant add t --quota 10G',
  'tenant list': 'tenant list',
  'tenant set-quota': 'tenant set-quota t none',
  'tenant remove': 'tenant remove t',
  'tenant lock': 'tenant lock t',
  'tenant unlock': 'tenant unlock t',
  'tenant rotate-key': 'tenant rotate-key t',
  'tenant shred': 'tenant shred t --yes t',
  'rootkey show': 'rootkey show',
  'rootkey rotate': 'rootkey rotate',
  'folder add': 'folder add t/f',
  'folder list': 'folder list t',
  'folder remove': 'folder remove t/f',
  'product add': 'product add p t/f',
  'product list': 'product list',
  'product remove': 'product remove p t/f',
  'folder hold': 'folder hold t/f --reason case',
  'folder unhold': 'folder unhold t/f',
  'folder holds': 'folder holds',
  'account add': 'account add anna --tenant t --key id.pub --require publickey+totp',
  'account list': 'account list',
  'account suspend': 'account suspend anna',
  'account activate': 'account activate anna',
  'account remove': 'account remove anna',
  'account password': 'account password anna',
  'account totp': 'account totp anna',
  'account require': 'account require anna publickey+totp password+totp',
  'account enrol': 'account enrol anna',
  'account kind': 'account kind anna service',
  'tenant set-policy': 'tenant set-policy t passkey',
  'token add': 'token add anna --scopes files:read --from 192.0.2.0/24 --expires 30d',
  'token list': 'token list',
  'token remove': `token remove ${'ab'.repeat(16)}`,
  'token renew': `token renew ${'ab'.repeat(16)} --overlap 2d`,
  'grant add': 'grant add anna f --rights list,read',
  'grant list': 'grant list --login anna',
  'grant remove': 'grant remove anna t/f',
  'key add': 'key add anna id.pub',
  'key add-authority': 'key add-authority t id.pub',
  'key list': 'key list anna',
  'key remove': 'key remove SHA256:x',
  'key revoke': 'key revoke SHA256:x',
  'key revoked': 'key revoked',
  'key host': 'key host',
  'key issue': 'key issue anna --key id.pub --hours 0.5 --address 192.0.2.0/24',
  'key issued': 'key issued anna',
  'key certificate': 'key certificate 7',
  'key withdraw': 'key withdraw 7',
  'key host-ca': 'key host-ca',
  'key rotate': 'key rotate SHA256:x id.pub --overlap 12h',
  'key reinstate': 'key reinstate SHA256:x',
  'session list': 'session list',
  'session end': `session end ${ID}`,
  'administrator add': 'administrator add ada',
  'administrator list': 'administrator list',
  'administrator renew': 'administrator renew ada --fingerprint SHA256:x',
  'administrator remove': 'administrator remove ada',
  approvals: 'approvals',
  approve: 'approve a-oooo0-0000o',
  deny: 'deny A-00000-00000',
  'budget set': 'budget set tenant/t 10G --in 1h',
  'budget clear': 'budget clear account/anna',
  'budget list': 'budget list',
  'event add': 'event add siem webhook https://siem.example/x --only hold',
  'event list': 'event list',
  'event remove': 'event remove siem',
  'event secret': 'event secret siem',
  'event dead': 'event dead siem',
  'event retry': 'event retry siem 1',
  'budget show': 'budget show installation',
  'account seen': 'account seen',
  'account confirm': 'account confirm anna --address 192.0.2.1',
  'account forget': 'account forget anna --client OpenSSH',
  check: 'check',
};
const FILES = { 'id.pub': `# a comment\n${ED25519}\n` };

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
      ...['serve', 'administrator token', 'verify', 'pack', 'ledger key', 'ledger checkpoint', 'ledger status'],
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
