/**
 * People sign in: a real Chromium, its own WebAuthn with a virtual authenticator, the real pages, a real server with its
 * fronts. Each test goes on from where the one before left the administrator.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { totpCode, totpStep } from '../../src/accounts/totp.ts';
import { Database } from '../../src/store/sqlite/database.ts';
import { SqliteWeb } from '../../src/store/sqlite/web.ts';
import { fromBase32 } from '../accounts/base32.ts';
import { startServer, waybill } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';
import { NO_QR_READER, readQr } from '../portal/qr-reader.ts';
import { NO_BROWSER, Person, startBrowser } from './browser.ts';

describe('people in a browser', { skip: NO_BROWSER }, () => {
  let server: TestServer;
  let browser: Browser;
  let link = '';
  let administrator: Person;

  before(async () => {
    server = await startServer({ args: ['--https', '127.0.0.1:0', '--fronts', '1', '--penalties', 'false'] });
    link = server.enrol ?? '';
    const mapped = `--host-resolver-rules=MAP evil.example:443 127.0.0.1:${new URL(link).port}`;
    browser = await startBrowser(path.join(server.data, 'keys', 'tls.crt'), [mapped]);
    administrator = await Person.open(browser);
  });
  after(async () => {
    await browser.close();
    await server.remove();
  });

  const at = (page: string): string => `${new URL(link).origin}${page}`;
  const signIn = async (person: Person): Promise<void> => {
    await person.page.goto(at('/sign-in'));
    await person.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await person.page.waitForURL(at('/account'));
    await person.page.locator('#sessions li').first().waitFor();
  };
  const cookieOf = async ({ context }: Person) => {
    const cookies = await context.cookies();
    return cookies.find(({ name }) => name === '__Host-waybill');
  };

  it('the first administrator enrols by the link that the start printed', async () => {
    const { page } = administrator;
    assert.match(link, /^https:\/\/localhost:\d+\/enrol#wbe_[\w-]{43}$/);
    await page.goto(link);
    await page.getByText('This is for the account administrator.').waitFor();
    assert.equal(page.url(), at('/enrol'));
    await administrator.picture('enrol');
    await page.getByLabel('Name of this device').fill('laptop');
    await page.getByRole('button', { name: 'Make a passkey' }).click();
    await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
    assert.equal(await page.locator('#codes li').count(), 10);
    await administrator.picture('codes');
    await page.getByRole('button', { name: 'Continue' }).click();
    assert.match(await administrator.message(), /^Keep the codes/);
    await page.getByLabel('I have kept them in a safe place').check();
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.waitForURL(at('/sign-in'));
    assert.equal(await cookieOf(administrator), undefined);
    await page.goto(link);
    await page.getByText('This link was used already, or is too old.').waitFor();
  });

  it('signs in by passkey, and out', async () => {
    const { page } = administrator;
    await signIn(administrator);
    const cookie = await cookieOf(administrator);
    assert.ok(cookie !== undefined);
    assert.deepEqual(
      [cookie.secure, cookie.httpOnly, cookie.sameSite, cookie.path, cookie.domain, cookie.expires],
      [true, true, 'Strict', '/', 'localhost', -1],
    );
    assert.equal(await page.evaluate('document.cookie'), '');
    assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'administrator');
    await administrator.picture('account');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.waitForURL(at('/sign-in'));
    assert.equal(await cookieOf(administrator), undefined);
    await administrator.context.addCookies([cookie]);
    await page.goto(at('/account'));
    await page.waitForURL(at('/sign-in?next=%2Faccount'));
    await administrator.context.clearCookies();
  });

  it('shows the passkey again, adds a second, removes the first, and signs in by the second', async () => {
    const { page } = administrator;
    const [first = ''] = await administrator.passkeys();
    await signIn(administrator);
    // One that is of another device: this one already has a passkey for the account.
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByText('This device has a passkey for this account already.').waitFor();
    await administrator.forget(first);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByText('The passkey is added.').waitFor();
    assert.equal(await page.locator('#passkeys li').count(), 2);
    await page.getByRole('button', { name: 'Remove the passkey laptop' }).click();
    // What was opened with the first one is over, this session too.
    await page.waitForURL(at('/sign-in?next=%2Faccount'));
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.waitForURL(at('/account'));
    await page.locator('#sessions li').first().waitFor();
    assert.equal(await page.locator('#passkeys li').count(), 1);
  });

  it('sees where else the account is signed in, and ends that', async () => {
    const { page } = administrator;
    const elsewhere = await Person.open(browser);
    const cookie = await otherSession(administrator);
    await elsewhere.context.addCookies([cookie]);
    await elsewhere.page.goto(at('/account'));
    await elsewhere.page.locator('#sessions li').first().waitFor();
    await signIn(administrator);
    assert.equal(await page.locator('#sessions li').count(), 2);
    await page.getByRole('button', { name: /End the session from/ }).click();
    await page.getByText('The session is over.').waitFor();
    await elsewhere.page.reload();
    await elsewhere.page.waitForURL(at('/sign-in?next=%2Faccount'));
    await elsewhere.context.close();
  });

  it('shows a strong factor again when the last one was long ago', async () => {
    const { page } = administrator;
    const id = (await page.locator('#sessions li').first().getAttribute('data-session')) ?? '';
    const database = new Database(path.join(server.data, 'meta', 'waybill.db'));
    const web = new SqliteWeb(database);
    const begun = web.session(id)?.begun ?? 0;
    await database.write(() => web.touchSession(id, begun, begun - 600_000));
    database.close();
    // Connections that are open hold what they were told; those of another browser ask.
    const late = await administrator.again(browser);
    await late.page.goto(at('/account'));
    await late.page.getByRole('button', { name: 'Make new ones' }).click();
    const dialog = late.page.getByRole('dialog', { name: 'Is it you?' });
    await dialog.waitFor();
    await late.picture('step-up');
    await late.page.keyboard.press('Escape');
    await late.page.getByText('Nothing was changed.').waitFor();
    await late.page.getByRole('button', { name: 'Make new ones' }).click();
    await dialog.getByRole('button', { name: 'Use a passkey' }).click();
    await late.page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
    assert.deepEqual(late.complaints, []);
    await late.context.close();
  });

  /** Takes its cookie along, as if it had been another browser. */
  async function otherSession(person: Person) {
    const cookie = await cookieOf(person);
    assert.ok(cookie !== undefined);
    await person.context.clearCookies();
    return cookie;
  }

  it('a person enrols with a password and codes, and signs in with them', async () => {
    await waybill(server, ['account', 'add', 'anna', '--tenant', server.tenant]);
    const given = JSON.parse(await waybill(server, ['account', 'enrol', 'anna', '--json'])) as { link: string };
    const anna = await Person.open(browser);
    const { page } = anna;
    await page.goto(given.link);
    await page.getByRole('button', { name: 'Use a password and an authenticator app' }).click();
    await page.getByLabel('New password').fill('password1234');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.locator('#message:not(:empty)').waitFor();
    await page.getByLabel('New password').fill('vivid pelican drum');
    await page.getByRole('button', { name: 'Continue' }).click();
    const picture = page.getByRole('img', { name: 'QR code of the key below' });
    await picture.waitFor();
    await anna.picture('authenticator');
    const uri = await page.getByRole('link', { name: 'Open the app on this device' }).getAttribute('href');
    if (NO_QR_READER === false) assert.equal(await readQr(await picture.screenshot()), uri);
    const secret = fromBase32((await page.locator('#secret').textContent())?.replaceAll(' ', '') ?? '');
    await page.getByLabel('Code', { exact: true }).fill(totpCode(secret, totpStep(Date.now())));
    await page.getByRole('button', { name: 'Finish' }).click();
    await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
    const code = (await page.locator('#codes li').first().textContent()) ?? '';
    await page.getByLabel('I have kept them').check();
    await page.getByRole('button', { name: 'Continue' }).click();

    await page.getByLabel('Login').fill('anna');
    await page.getByLabel('Password').fill('something else');
    await page.getByLabel('Password').focus();
    await page.keyboard.press('Enter');
    await page.getByText('That did not sign you in.').waitFor();
    await page.getByLabel('Password').fill('vivid pelican drum');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('Open your authenticator app').waitFor();
    await anna.picture('code');
    // A code is good once; the next one is half a minute away, and a recovery code is not.
    await page.getByRole('button', { name: 'Use a recovery code' }).click();
    await page.getByLabel('Recovery code', { exact: true }).fill(code);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.waitForURL(at('/account'));
    await page.getByText('9 are left.').waitFor();
    assert.deepEqual(anna.complaints, []);
    await anna.context.close();
  });

  it('at an address that is not ours nobody gets in, with whatever passkey', async () => {
    const victim = await Person.open(browser);
    await victim.page.goto('https://evil.example/sign-in');
    await victim.page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await victim.page.getByText('Nobody signs in at this address').waitFor();
    await victim.context.close();
  });

  it('no page complained about anything', () => {
    assert.deepEqual(administrator.complaints, []);
  });

  // WAYBILL_PICTURES=FOLDER npm test -- browser/sign-in
  if (process.env['WAYBILL_PICTURES'] !== undefined)
    it('pictures, in light and dark, large and small', async () => {
      const phone = { viewport: { width: 375, height: 720 }, deviceScaleFactor: 2 };
      const kinds = {
        light: {},
        dark: { colorScheme: 'dark' },
        phone,
        'phone-dark': { ...phone, colorScheme: 'dark' },
      } as const;
      const cookie = await cookieOf(administrator);
      for (const [name, options] of Object.entries(kinds)) {
        const eye = await Person.open(browser, options);
        await eye.page.goto(at('/sign-in'));
        await eye.page.waitForLoadState('networkidle');
        await eye.picture(`sign-in-${name}`);
        if (cookie !== undefined) await eye.context.addCookies([cookie]);
        await eye.page.goto(at('/account'));
        await eye.page.locator('#sessions li').first().waitFor();
        await eye.picture(`account-${name}`);
        await eye.context.close();
      }
    });
});
