/**
 * `waybill login` with nothing stood in for: the command, a real Chromium with its own WebAuthn and a virtual
 * authenticator, a real ssh-agent, the real sftp; and what ends it. Each test goes on from the one before.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { publicKeyFrom, publicKeyLine } from '../../src/sshkeys/public-key.ts';
import { generateKeyPairSync } from 'node:crypto';
import { run } from '../interop/server.ts';
import { content, skipWithout } from '../interop/suite.ts';
import { NO_BROWSER, Person, startBrowser } from './browser.ts';
import { LoginStory } from './login-scene.ts';
import type { Code } from './login-scene.ts';

const HOUR = 3_600_000;
const DENIED = /Permission denied|denied/i;

describe('waybill login in a browser', { skip: NO_BROWSER || skipWithout('ssh-agent') || skipWithout('sftp') }, () => {
  let story: LoginStory;
  let browser: Browser;
  let anna: Person;
  let sftp = '';

  before(async () => {
    story = await LoginStory.open();
    browser = await startBrowser(story.certificate);
    anna = await Person.open(browser);
    await enrol(anna, await story.addPerson('anna'));
  });
  after(async () => {
    await browser.close();
    await story.close();
  });

  async function enrol({ page }: Person, link: string): Promise<void> {
    await page.goto(link);
    await page.getByLabel('Name of this device').fill('laptop');
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByRole('button', { name: 'Continue' }).waitFor();
    await page.getByLabel('I have kept them in a safe place').check();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(`${story.server}/sign-in`);
  }
  const fact = (name: string): Promise<string | null> => anna.page.locator(`[data-fact="${name}"]`).textContent();
  const requireSame = async ({ userCode, fingerprint }: Code): Promise<void> => {
    await anna.page.getByRole('button', { name: 'This was not me' }).waitFor();
    assert.deepEqual([await fact('Code'), await fact('Key')], [userCode, fingerprint]);
  };
  const confirmed = () => anna.page.getByText(/^Done: the machine has a certificate/).waitFor();
  const there = (...options: string[]): Promise<string> => story.type(sftp, 'ls -1 /exchange', ...options);

  it('the command opens the browser, a passkey signs in and confirms, and plain sftp works', async () => {
    const running = await story.login(['--user', 'anna']);
    const { page } = anna;
    assert.equal(await story.opened(), running.code.pageWithCode);
    await page.goto(running.code.pageWithCode);
    await page.waitForURL(`${story.server}/sign-in?next=/device`);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await requireSame(running.code);
    assert.equal(page.url(), `${story.server}/device`);
    assert.match((await fact('From')) ?? '', /^127\.0\.0\.1, where you are too$/);
    assert.equal(await page.locator('#who').textContent(), 'anna (acme)');
    await anna.picture('device');
    await page.getByRole('button', { name: 'Confirm' }).click();
    await confirmed();
    const certified = await running.ended;
    assert.deepEqual([certified.login, certified.address, certified.agent], ['anna', '127.0.0.1', true]);
    ({ sftp } = certified);
    assert.equal(sftp, `sftp${/ -[46]/.exec(sftp)?.[0] ?? ''} -P ${story.sftp} anna@localhost`);
    assert.match(await story.agentKeys(), /^ssh-ed25519-cert-v01@openssh\.com \S+ waybill anna@localhost\n$/);
    // It asks nobody about the host: its authority is known for this name and port, and for no other.
    assert.match(
      readFileSync(story.knownHosts, 'utf8'),
      new RegExp(`^@cert-authority \\[localhost\\]:${story.sftp} ssh-ed25519 `),
    );
    const local = join(story.home, 'local');
    writeFileSync(local, content('login', 300_000));
    await story.type(sftp, `put ${local} /exchange/sent\nget /exchange/sent ${local}.back`);
    assert.ok(readFileSync(`${local}.back`).equals(content('login', 300_000)));
    assert.deepEqual(anna.complaints, []);
  });

  it('rclone takes it from the agent', { skip: skipWithout('rclone') }, async () => {
    const place = `:sftp,host=localhost,port=${story.sftp},user=anna,key_use_agent=true,known_hosts_file='${story.knownHosts}',shell_type=none:/exchange`;
    const words = ['--config', '/dev/null', '--retries', '1', '--low-level-retries', '1'];
    assert.equal(await run('rclone', ['lsf', place, ...words], { env: story.environment }), 'sent\n');
  });

  it('not from another address, and not while the account is suspended', async () => {
    assert.match(await there(), /sent/);
    await assert.rejects(there('BindAddress=127.0.0.2', 'AddressFamily=inet'), DENIED);
    await story.operator.calls.call('account.suspend', { login: 'anna' });
    await assert.rejects(there(), DENIED);
    await story.operator.calls.call('account.activate', { login: 'anna' });
    assert.match(await there(), /sent/);
  });

  it('somebody elsewhere who sends his code or link gets nothing, and the page says why', async () => {
    const publicKey = publicKeyLine(publicKeyFrom(generateKeyPairSync('ed25519').publicKey));
    const asked = request(`${story.server}/api/v1/login`, {
      ...{ method: 'POST', host: '127.0.0.1', localAddress: '127.0.0.2', ca: readFileSync(story.certificate) },
      headers: { 'content-type': 'application/json' },
    });
    asked.end(JSON.stringify({ publicKey }));
    const [response] = (await once(asked, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }];
    const parts: Buffer[] = [];
    for await (const part of response) parts.push(part);
    assert.equal(response.statusCode, 200);
    const { userCode } = JSON.parse(Buffer.concat(parts).toString()) as { userCode: string };
    const { page } = anna;
    await signIn();
    await page.goto(`${story.server}/device`);
    await page.getByLabel('Code', { exact: true }).fill(userCode.toLowerCase().replace('-', ' '));
    await page.getByRole('button', { name: 'Continue' }).click();
    await page
      .getByText(/The machine is at 127\.0\.0\.2; you are at 127\.0\.0\.1\. This cannot be confirmed/)
      .waitFor();
    assert.equal(await page.getByRole('button', { name: 'Confirm' }).count(), 0);
    await anna.picture('device-elsewhere');
    await page.getByRole('button', { name: 'This was not me' }).click();
    await page.getByText(/^Refused\. Nobody got in/).waitFor();
  });

  it('a page cannot make the browser of a visitor ask from his address', async () => {
    const ask = (headers: string): Promise<unknown> =>
      anna.page.evaluate(
        `fetch('/api/v1/login', { method: 'POST', headers: ${headers}, body: '{"publicKey":"x"}' }).then((one) => one.json())`,
      );
    const [asJson, asText] = [await ask(`{ 'content-type': 'application/json' }`), await ask('{}')];
    for (const answer of [asJson, asText]) assert.equal((answer as { code: string }).code, 'origin-refused');
  });

  async function signIn(): Promise<void> {
    const { page } = anna;
    await page.goto(`${story.server}/sign-in`);
    const button = page.getByRole('button', { name: 'Sign in with a passkey' });
    const account = page.waitForURL(`${story.server}/account`);
    await Promise.race([
      account,
      button
        .click()
        .catch(() => undefined)
        .then(() => account),
    ]);
  }

  it('who is signed in already shows the passkey once more; into files, for OpenSSH and PuTTY', async () => {
    await signIn();
    const file = join(story.home, 'keys', 'acme key');
    const running = await story.login(['--file', file, '--no-browser', '--hours', '2'], { SSH_AUTH_SOCK: '' });
    const { page } = anna;
    await page.goto(running.code.pageWithCode);
    await requireSame(running.code);
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByRole('heading', { name: 'Is it you?' }).waitFor();
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await confirmed();
    const certified = await running.ended;
    assert.deepEqual(certified.files, [`${file}-cert.pub`, `${file}.ppk`, file]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match(await story.type(certified.sftp, 'ls -1 /exchange', 'IdentityAgent=none'), /sent/);
    if (skipWithout('psftp') === false) {
      const fingerprints = await story.operator.calls.call('key.host', {});
      const hostKey = fingerprints.keys.find(({ algorithm }) => algorithm === 'ssh-ed25519')?.fingerprint ?? '';
      const words = ['-batch', '-noagent', '-hostkey', hostKey, '-i', `${file}.ppk`, '-P', String(story.sftp)];
      const env = { ...story.environment };
      assert.match(await run('psftp', [...words, 'anna@127.0.0.1'], { input: 'ls /exchange\nquit\n', env }), /sent/);
    }
    const said = await story.waybill('logout', '--file', file, '--server', story.server, '--json');
    assert.deepEqual(JSON.parse(said), {
      agent: ['waybill anna@localhost'],
      files: [file, `${file}.ppk`, `${file}-cert.pub`],
    });
    assert.equal(existsSync(file), false);
    await assert.rejects(there(), DENIED);
  });

  it('refused on the page the command says so; and what it gets ends by its time', async () => {
    const refused = await story.login(['--no-browser']);
    const { page } = anna;
    await page.goto(refused.code.pageWithCode);
    await requireSame(refused.code);
    await page.getByRole('button', { name: 'This was not me' }).click();
    await page.getByText(/^Refused/).waitFor();
    await assert.rejects(refused.ended, /login-denied/);
    const running = await story.login(['--no-browser']);
    await page.goto(running.code.pageWithCode);
    await requireSame(running.code);
    await page.getByRole('button', { name: 'Confirm' }).click();
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await confirmed();
    await running.ended;
    assert.match(await there(), /sent/);
    await story.operator.passTime(7.9 * HOUR);
    assert.match(await there(), /sent/);
    await story.operator.passTime(0.2 * HOUR);
    await assert.rejects(there(), DENIED);
    // The agent still has it: it is the server that takes it no more.
    assert.match(await story.agentKeys(), /waybill anna@localhost/);
  });
});
