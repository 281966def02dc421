/** The whole way: a real server, a real OpenID provider, and people in a real Chromium between them. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Browser } from 'playwright-core';
import { totpCode, totpStep } from '../../src/accounts/totp.ts';
import { fromBase32 } from '../accounts/base32.ts';
import { RunningServer } from '../../src/cli/connect.ts';
import { NO_BROWSER, Person, startBrowser } from '../browser/browser.ts';
import { startServer, waybill } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';
import { CLIENT, CLIENT_SECRET, startRealProvider } from './real-provider.ts';
import type { RealProvider } from './real-provider.ts';

describe('single sign-on in a browser', { skip: NO_BROWSER, timeout: 120_000 }, () => {
  let server: TestServer;
  let browser: Browser;
  let real: RealProvider;
  let admin: RunningServer;
  let origin = '';

  before(async () => {
    const args = ['--https', '127.0.0.1:0', '--fronts', '1', '--penalties', 'false', '--outbound-allow', '127.0.0.1'];
    server = await startServer({ args });
    ({ origin } = new URL(server.enrol ?? ''));
    real = await startRealProvider(['corp', 'one'].map((name) => `${origin}/sign-in/sso-callback/${name}`));
    browser = await startBrowser(path.join(server.data, 'keys', 'tls.crt'));
    admin = new RunningServer(server.data, () => null);
    const { tenant } = server;
    const client = {
      tenant,
      issuer: real.issuer,
      clientId: CLIENT,
      clientSecret: CLIENT_SECRET,
      claim: 'sub' as const,
      ca: null,
    };
    const terms = { multiFactor: false, listed: false, requireAcr: [], requireAmr: [] };
    await admin.call('account.add', { tenant, login: 'anna', displayName: '', administrator: false });
    await admin.call('sso.add', { ...client, ...terms, name: 'one', title: 'One' } as const);
    const secret = path.join(server.data, 'client-secret');
    writeFileSync(secret, `${CLIENT_SECRET}\n`);
    const words = ['--issuer', real.issuer, '--client-id', CLIENT, '--client-secret-file', secret];
    await waybill(server, ['sso', 'add', tenant, 'corp', ...words, '--title', 'Acme', '--multi-factor', '--listed']);
    for (const provider of ['corp', 'one']) await admin.call('sso.link', { login: 'anna', provider, person: 'anna' });
  });
  after(async () => {
    await browser.close();
    admin.close();
    real.close();
    await server.remove();
  });

  /** The forms of the provider, as far as it shows them. */
  const atProvider = async ({ page }: Person, login: string, until: (url: URL) => boolean): Promise<void> => {
    await page.getByPlaceholder('Enter any login').fill(login);
    await page.getByPlaceholder('and password').fill('any');
    await page.getByRole('button', { name: 'Sign-in' }).click();
    const consent = page.getByRole('button', { name: 'Continue' });
    await Promise.race([consent.click().catch(() => undefined), page.waitForURL(until)]);
    await page.waitForURL(until);
  };
  const codeOf = (secret: string): string => totpCode(fromBase32(secret), totpStep(Date.now()));
  /** The provider's test pages ask for a font and a picture that are not there. */
  const ours = ({ complaints }: Person): string[] =>
    complaints.filter((one) => !one.includes('fonts.googleapis.com') && !one.startsWith(real.issuer));
  const toAccount = (url: URL): boolean => url.pathname === '/account';

  it('answers what administrators ask about it', async () => {
    assert.match(await waybill(server, ['sso', 'test', 'corp']), /browsers go to http:.*signatures: RS256\./);
  });

  it('signs in at the provider and comes back signed in; a strong factor is shown by going there again', async () => {
    const anna = await Person.open(browser);
    const { page } = anna;
    await page.goto(`${origin}/sign-in`);
    await anna.picture('sso');
    await page.getByRole('button', { name: 'Sign in with Acme' }).click();
    await atProvider(anna, 'anna', toAccount);
    await page.getByRole('heading', { level: 1, name: 'anna' }).waitFor();
    const cookies = await anna.context.cookies(origin);
    const cookie = cookies.find(({ name }) => name === '__Host-waybill');
    assert.deepEqual([cookie?.sameSite, cookie?.httpOnly], ['Strict', true]);
    // Nothing of the way is left in the tab.
    assert.equal(await page.evaluate('sessionStorage.length'), 0);
    await page.getByRole('button', { name: 'Make new ones' }).click();
    await page.getByRole('button', { name: 'Sign in again where you came from' }).click();
    await atProvider(anna, 'anna', toAccount);
    await page.getByRole('button', { name: 'Make new ones' }).click();
    await page.getByRole('heading', { name: 'Your recovery codes' }).waitFor();
    assert.deepEqual(ours(anna), []);
    await anna.context.close();
  });

  it('names the host at the address of one provider, and asks for a code after it where one factor is not enough', async () => {
    const { secret } = await admin.call('account.totp-enrol', { login: 'anna' });
    const anna = await Person.open(browser);
    const { page } = anna;
    await page.goto(`${origin}/sign-in/sso/one`);
    await page.getByRole('button', { name: `Sign in with one (${new URL(real.issuer).host})` }).click();
    await atProvider(anna, 'anna', (url) => url.origin === origin);
    await page.getByLabel('Code').fill(codeOf(secret));
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.waitForURL(toAccount);
    assert.deepEqual(ours(anna), []);
    await anna.context.close();
  });

  it('gives nobody anything for a link that another browser began', async () => {
    const [attacker, victim] = [await Person.open(browser), await Person.open(browser)];
    const sent: string[] = [];
    await attacker.page.route('**/api/v1/sign-in/sso-finish', (route) => route.abort());
    attacker.page.on('framenavigated', (frame) => sent.push(frame.url()));
    await attacker.page.goto(`${origin}/sign-in/sso/corp`);
    await attacker.page.getByRole('button', { name: /^Sign in with Acme/ }).click();
    const arrives = (url: URL): boolean => url.pathname.startsWith('/sign-in/sso-callback/');
    await atProvider(attacker, 'anna', arrives);
    const link = sent.find((url) => url.includes('code='));
    assert.ok(link !== undefined);
    await victim.page.goto(link);
    await victim.page.getByText('This tab has not begun a sign-in.').waitFor();
    assert.deepEqual(await victim.context.cookies(origin), []);
    // The code is not left in the address either.
    assert.equal(victim.page.url(), `${origin}/sign-in/sso-callback/corp`);
    await Promise.all([attacker.context.close(), victim.context.close()]);
  });

  it('tells a stranger no more than that it did not work', async () => {
    const ben = await Person.open(browser);
    await ben.page.goto(`${origin}/sign-in/sso/corp`);
    await ben.page.getByRole('button', { name: /^Sign in with Acme/ }).click();
    await atProvider(ben, 'ben', (url) => url.origin === origin);
    await ben.page.getByText('That did not sign you in.').waitFor();
    await ben.page.getByRole('link', { name: 'Sign in again' }).click();
    await ben.page.waitForURL(`${origin}/sign-in`);
    await ben.page.goto(`${origin}/sign-in/sso/nobody`);
    await ben.page.getByText('No identity provider has this name').waitFor();
    await ben.context.close();
  });
});
