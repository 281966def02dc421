/** Administrators, four eyes and flow policies as people use them: commands against a real server, and a real client. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Client } from 'ssh2';
import type { SFTPWrapper } from 'ssh2';
import { asWaybillError } from '../../src/base/errors.ts';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import { RunningServer } from '../../src/cli/connect.ts';
import { exitCodeOf } from '../../src/cli/exit-codes.ts';
import { Output } from '../../src/cli/output.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { readTokenFile } from '../../src/config/token-file.ts';
import { PROJECT, startServer } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';

const WAYBILL = path.join(PROJECT, 'src/cli/waybill.ts');

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let server: TestServer;
before(async () => {
  server = await startServer();
});
after(() => server.remove());

/** As the command does it, in this process: starting a hundred of them takes a minute. `as`: name of a token file. */
async function run(as: string | null, words: readonly string[]): Promise<Ran> {
  const ran = { stdout: '', stderr: '' };
  const output = new Output(
    words.includes('--json'),
    { write: (text) => (ran.stdout += text) },
    { write: (text) => (ran.stderr += text) },
  );
  const calls = new RunningServer(server.data, () => readTokenFile(as === null ? null : fileOf(as), {}));
  try {
    const parsed = parseCommandLine(COMMANDS, words);
    assert.ok(parsed.kind === 'run');
    const nothing = (): Promise<string> => Promise.resolve('');
    const context = {
      output,
      dataFolder: server.data,
      server: calls,
      ledgerFolder: nothing,
      readSecret: nothing,
      readTextFile: nothing,
    };
    const code: unknown = await parsed.command.run(parsed.input, context);
    return { ...ran, status: typeof code === 'number' ? code : 0 };
  } catch (thrown) {
    const error = asWaybillError(thrown);
    output.failure(error);
    return { ...ran, status: exitCodeOf(error.code) };
  } finally {
    calls.close();
  }
}

/** The command itself. */
function start(words: readonly string[], env: Record<string, string> = {}): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [WAYBILL, ...words, '--data', server.data], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  return { status, stdout, stderr };
}

async function done(as: string | null, ...words: string[]): Promise<string> {
  const { status, stdout, stderr } = await run(as, words);
  assert.equal(status, 0, `${words.join(' ')}: ${stderr}`);
  return stdout;
}

async function json(as: string | null, ...words: string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await done(as, ...words, '--json')) as Record<string, unknown>;
}

/** The reference under which it waits. */
async function proposed(as: string, ...words: string[]): Promise<string> {
  const { status, stderr } = await run(as, words);
  assert.equal(status, 10, stderr);
  assert.match(stderr, /approval-needed/);
  return /A-[0-9A-Z]{5}-[0-9A-Z]{5}/.exec(stderr)?.[0] ?? assert.fail(stderr);
}

function fileOf(name: string): string {
  return path.join(server.temporary, `${name}.token`);
}

async function sftp(): Promise<{ client: Client; files: SFTPWrapper }> {
  const client = new Client();
  client.on('error', () => undefined);
  const { host, port, login: username } = server;
  client.connect({ host, port, username, privateKey: readFileSync(server.key) });
  await once(client, 'ready');
  const files = await new Promise<SFTPWrapper>((resolve, reject) => {
    client.sftp((error, wrapper) => {
      if (error === undefined) resolve(wrapper);
      else reject(error);
    });
  });
  return { client, files };
}

function read(files: SFTPWrapper, file: string): Promise<string> {
  return new Promise((resolve, reject) => {
    files.readFile(file, (error, content) => {
      if (error === undefined) resolve(content.toString());
      else reject(error);
    });
  });
}

function write(files: SFTPWrapper, file: string, content: string): Promise<void> {
  return new Promise((resolve, reject) => {
    files.writeFile(file, content, (error) => {
      if (error == null) resolve();
      else reject(error);
    });
  });
}

function remove(files: SFTPWrapper, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    files.unlink(file, (error) => {
      if (error == null) resolve();
      else reject(error);
    });
  });
}

describe('administrators', () => {
  it('are added with a token in a file of their own, or shown once, or by a fingerprint', async () => {
    assert.match(await done(null, 'administrator', 'list'), /No administrators/);
    const ada = await json(null, 'administrator', 'add', 'ada', '--token-out', fileOf('ada'));
    assert.equal(ada['token'], undefined);
    assert.equal(statSync(fileOf('ada')).mode & 0o777, 0o600);
    const made = await run(null, ['administrator', 'token', '--token-out', fileOf('ben'), '--json']);
    const { fingerprint } = JSON.parse(made.stdout) as { fingerprint: string };
    await done('ada', 'administrator', 'add', 'ben', '--fingerprint', fingerprint);
    const { administrators } = (await json('ben', 'administrator', 'list')) as {
      administrators: Record<string, unknown>[];
    };
    assert.deepEqual(
      administrators.map(({ name }) => name),
      ['ada', 'ben'],
    );
    assert.equal(administrators[1]?.['fingerprint'], fingerprint);
    assert.equal(administrators[0]?.['fingerprint'], ada['fingerprint']);
    assert.doesNotMatch(server.log(), /waybill_admin_/);
  });

  it('a token file that others can read, that is missing or holds something else is refused', async () => {
    const loose = fileOf('loose');
    writeFileSync(loose, readFileSync(fileOf('ada')));
    chmodSync(loose, 0o644);
    assert.match((await run('loose', ['status'])).stderr, /others can read.*chmod 600/);
    assert.match((await run('nowhere', ['status'])).stderr, /--as-token-file is .* cannot be read \(ENOENT\)/);
    writeFileSync(fileOf('wrong'), 'waybill_admin_of_nobody\n', { mode: 0o600 });
    const wrong = await run('wrong', ['status']);
    assert.deepEqual([wrong.status, /sign-in-refused/.test(wrong.stderr)], [5, true]);
    const byVariable = start(['status'], { WAYBILL_TOKEN_FILE: fileOf('wrong') });
    assert.equal(byVariable.status, 5);
    assert.equal(start(['status'], { WAYBILL_TOKEN_FILE: fileOf('ada') }).status, 0);
    assert.equal(start(['status', '--as-token-file', fileOf('wrong')]).status, 5);
    // A file that is there is never written over.
    const before = readFileSync(fileOf('ada'), 'utf8');
    assert.equal((await run('ada', ['administrator', 'renew', 'ada', '--token-out', fileOf('ada')])).status, 2);
    assert.equal(readFileSync(fileOf('ada'), 'utf8'), before);
  });

  it('what weakens a control waits for the other one', async () => {
    await done('ada', 'account', 'add', 'paul', '--tenant', 'first');
    const reference = await proposed('ada', 'grant', 'add', 'paul', 'exchange', '--rights', 'list,read');
    const asJson = await run('ada', ['grant', 'add', 'paul', 'exchange', '--json']);
    assert.equal((JSON.parse(asJson.stderr) as { code: string }).code, 'approval-needed');
    assert.match(await done('ben', 'approvals'), /paul may list, read in first\/exchange; before: nothing/);
    assert.equal((await run('ada', ['approve', reference])).status, 5);
    assert.equal((await run(null, ['approve', reference])).status, 5);
    assert.equal((await run(null, ['grant', 'add', 'paul', 'exchange'])).status, 5);
    assert.match(await done('ben', 'approve', reference.toLowerCase()), /Approved and done: paul may list, read/);
    assert.match(await done('ada', 'grant', 'list', '--login', 'paul'), /list,read/);
    const { proposals } = (await json('ben', 'approvals')) as { proposals: { reference: string }[] };
    assert.match(await done('ben', 'deny', proposals[0]?.reference ?? ''), /is denied/);
    assert.match(await done('ben', 'approvals'), /Nothing waits/);
  });

  it('a third one takes both, and his token is kept for him', async () => {
    const reference = await proposed('ada', 'administrator', 'add', 'cleo', '--token-out', fileOf('cleo'));
    assert.equal((await run('cleo', ['status'])).status, 5);
    await done('ben', 'approve', reference);
    await done('cleo', 'status');
    // What cannot be leaves no file.
    assert.equal((await run('ada', ['administrator', 'renew', 'nobody', '--token-out', fileOf('nobody')])).status, 3);
    assert.equal(existsSync(fileOf('nobody')), false);
    await done('ada', 'administrator', 'remove', 'cleo');
    assert.equal((await run('cleo', ['status'])).status, 5);
  });

  it('names and proposals outlive a restart', async () => {
    const reference = await proposed('ada', 'account', 'require', 'paul', 'password');
    await server.stop();
    server = await startServer({ temporary: server.temporary });
    await done('ben', 'approve', reference);
    const { accounts } = (await json('ben', 'account', 'list', 'first')) as { accounts: Record<string, unknown>[] };
    assert.deepEqual(accounts.find(({ login }) => login === 'paul')?.['require'], [['password']]);
  });
});

describe('flow policies, with a real client', () => {
  const regrant = async (...words: string[]): Promise<void> => {
    await done('ben', 'approve', await proposed('ada', 'grant', 'add', 'first', 'exchange', ...words));
  };

  it('read once, from an address, at hours, until a day', async () => {
    const { client, files } = await sftp();
    await write(files, '/exchange/report', 'figures');
    // Narrowing needs one.
    await done('ada', 'grant', 'add', 'first', 'exchange', '--read-once');
    assert.match(await done('ada', 'grant', 'list', '--login', 'first'), /once/);
    assert.equal(await read(files, '/exchange/report'), 'figures');
    await assert.rejects(read(files, '/exchange/report'), /picked up at/);
    await done('ada', 'grant', 'add', 'first', 'exchange', '--read-once', '--address', '192.0.2.0/24');
    await assert.rejects(read(files, '/exchange/report'), /does not hold for the address 127\.0\.0\.1/);
    await regrant('--expires', '2020-01-01');
    await assert.rejects(read(files, '/exchange/report'), /ended at 2020-01-02T00:00/);
    await regrant('--address', '127.0.0.0/8', '--hours', 'Mon-Sun 00:00-24:00 Europe/Vienna');
    assert.equal(await read(files, '/exchange/report'), 'figures');
    await regrant();
    client.end();
  });

  it('a drop box takes and shows nothing', async () => {
    await done('ada', 'grant', 'add', 'first', 'exchange', '--drop-box');
    const { client, files } = await sftp();
    await write(files, '/exchange/letter', 'words');
    await assert.rejects(read(files, '/exchange/letter'));
    await regrant();
    assert.equal(await read(files, '/exchange/letter'), 'words');
    client.end();
  });

  it('a folder on hold keeps what it has', async () => {
    await done('ada', 'folder', 'hold', 'first/exchange', '--reason', 'case 7');
    const { client, files } = await sftp();
    await assert.rejects(remove(files, '/exchange/letter'), /legal hold/);
    await assert.rejects(write(files, '/exchange/letter', 'others'), /legal hold/);
    assert.match(await done('ben', 'folder', 'holds'), /first\/exchange.*ada.*case 7/);
    const reference = await proposed('ada', 'folder', 'unhold', 'first/exchange');
    await assert.rejects(remove(files, '/exchange/letter'), /legal hold/);
    await done('ben', 'approve', reference);
    await remove(files, '/exchange/letter');
    client.end();
  });

  it('conditions that cannot be are refused in one line', async () => {
    for (const [words, message] of [
      [['--hours', 'always'], /such as "Mon-Fri 08:00-18:00 Europe\/Vienna"/],
      [['--address', 'example.org'], /is no address/],
      [['--expires', 'soon'], /--expires is "soon"; allowed: 2027-01-31/],
      [['--delete-after-delivery', '7'], /allowed: a number of days, such as 7d/],
      [['--drop-box', '--rights', 'read'], /either --drop-box or --rights/],
    ] as const) {
      const { status, stderr } = await run('ada', ['grant', 'add', 'first', 'exchange', ...words]);
      assert.equal(status, 2, stderr);
      assert.match(stderr, message);
      assert.equal(stderr.trimEnd().split('\n').length, 1);
    }
  });
});

describe('budgets', () => {
  it('hold what is over them; one by name approves, more than usual takes two, denying can suspend', async () => {
    const { client, files } = await sftp();
    await write(files, '/exchange/one', 'x'.repeat(1000));
    await write(files, '/exchange/two', 'y'.repeat(1000));
    await done('ada', 'budget', 'set', 'account/first', '1500', '--in', '1h');
    assert.equal((await read(files, '/exchange/one')).length, 1000);
    const held = await read(files, '/exchange/two').then(
      () => assert.fail('not held'),
      (error: unknown) => String(error),
    );
    const reference = /H-[0-9A-Z]{5}-[0-9A-Z]{5}/.exec(held)?.[0] ?? assert.fail(held);
    assert.match(await done('ada', 'approvals'), new RegExp(`${reference}  first`));
    assert.equal((await run(null, ['approve', reference])).status, 5);
    await proposed('ada', 'approve', reference, '--amount', '1G');
    await proposed('ada', 'approve', reference, '--for', '2d');
    await proposed('ada', 'budget', 'set', 'account/first', 'none', '--in', '1h');
    await proposed('ada', 'budget', 'clear', 'account/first');
    assert.match(await done('ada', 'approve', reference, '--amount', '1200', '--for', '1h'), /1\.2 KiB of bytes more/);
    assert.equal((await read(files, '/exchange/two')).length, 1000);
    assert.match(await done('ada', 'budget', 'show', 'account/first'), /bytes +1h +2\.0 KiB +2\.6 KiB/);
    await done('ada', 'budget', 'set', 'account/first', '0', '--of', 'files', '--in', '10m');
    await write(files, '/exchange/three', 'z');
    const again = await read(files, '/exchange/three').then(() => '', String);
    const second = /H-[0-9A-Z]{5}-[0-9A-Z]{5}/.exec(again)?.[0] ?? assert.fail(again);
    const closed = once(client, 'close');
    assert.match(await done('ben', 'deny', second, '--suspend'), /first is suspended; 1 sessions are ended/);
    await closed;
    await proposed('ada', 'account', 'activate', 'first');
  });

  it('what was seen of an account is listed, confirmed and forgotten', async () => {
    assert.match(await done('ada', 'account', 'seen', 'first'), /address +127\.0\.0\.1/);
    await done('ada', 'account', 'confirm', 'first', '--address', '192.0.2.9');
    assert.match(await done('ada', 'account', 'seen', 'first'), /192\.0\.2\.9.*yes/);
    await done('ada', 'account', 'forget', 'first', '--address', '192.0.2.9');
    assert.doesNotMatch(await done('ada', 'account', 'seen', 'first'), /192\.0\.2\.9/);
    assert.equal((await run('ada', ['account', 'confirm', 'first'])).status, 2);
    assert.equal((await run(null, ['account', 'confirm', 'first', '--client', 'x'])).status, 5);
  });
});
