/** A real Chromium with a virtual authenticator, against a real server whose certificate it is told to know. */
import { createHash, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, CDPSession, Page } from 'playwright-core';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const CHROMIUM = PLACES.find((place) => existsSync(place));

/** Why tests with a browser are skipped; false when they are not. Demanded where nothing may be skipped. */
export const NO_BROWSER: string | false =
  CHROMIUM !== undefined || process.env['WAYBILL_TEST_ALL'] === '1' ? false : 'Chromium is not installed';

/** As an authenticator of a phone or laptop: it finds the person's passkey by itself, and asks for a finger. */
const AUTHENTICATOR = {
  protocol: 'ctap2',
  ctap2Version: 'ctap2_1',
  transport: 'internal',
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
} as const;

/** Only this one key is taken besides those that everybody knows; nothing is waved through. */
export async function startBrowser(certificate: string, more: readonly string[] = []): Promise<Browser> {
  const { publicKey } = new X509Certificate(readFileSync(certificate));
  const pin = createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('base64');
  return await chromium.launch({
    executablePath: CHROMIUM ?? 'chromium',
    // Tests run as root in containers.
    args: ['--no-sandbox', `--ignore-certificate-errors-spki-list=${pin}`, ...more],
  });
}

/** One person at one device: own cookies, own passkeys. */
export class Person {
  readonly context: BrowserContext;
  readonly page: Page;
  /** What pages said on the console, and what they threw. */
  readonly complaints: string[] = [];
  private readonly cdp: CDPSession;
  private readonly authenticator: string;

  private constructor(context: BrowserContext, page: Page, cdp: CDPSession, authenticator: string) {
    this.context = context;
    this.page = page;
    this.cdp = cdp;
    this.authenticator = authenticator;
    page.on('pageerror', (error) => this.complaints.push(error.message));
    page.on('console', (message) => {
      // A refusal that a page deals with is an error to the console.
      const { url } = message.location();
      if (message.type() === 'error' && !url.includes('/api/v1/')) this.complaints.push(`${url}: ${message.text()}`);
    });
  }

  static async open(browser: Browser, options: Parameters<Browser['newContext']>[0] = {}): Promise<Person> {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    const cdp = await context.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    const { authenticatorId } = await cdp.send('WebAuthn.addVirtualAuthenticator', { options: AUTHENTICATOR });
    return new Person(context, page, cdp, authenticatorId);
  }

  /** The id of each passkey of the device. */
  async passkeys(): Promise<string[]> {
    const { credentials } = await this.cdp.send('WebAuthn.getCredentials', { authenticatorId: this.authenticator });
    return credentials.map(({ credentialId }) => credentialId);
  }

  /** The same person at another device: with the cookie and the passkeys of this one. */
  async again(browser: Browser): Promise<Person> {
    const other = await Person.open(browser);
    await other.context.addCookies(await this.context.cookies());
    const { credentials } = await this.cdp.send('WebAuthn.getCredentials', { authenticatorId: this.authenticator });
    for (const credential of credentials) {
      // Counters of two devices would go apart; zero has none.
      const copy = { authenticatorId: other.authenticator, credential };
      await other.cdp.send('WebAuthn.addCredential', copy);
    }
    return other;
  }

  async forget(credentialId: string): Promise<void> {
    await this.cdp.send('WebAuthn.removeCredential', { authenticatorId: this.authenticator, credentialId });
  }

  async message(): Promise<string> {
    return (await this.page.locator('#message').textContent()) ?? '';
  }

  /** For docs and eyes: only where the folder is named. */
  async picture(name: string): Promise<void> {
    const folder = process.env['WAYBILL_PICTURES'];
    if (folder !== undefined) await this.page.screenshot({ path: path.join(folder, `${name}.png`), fullPage: true });
  }
}
