/** What somebody uploaded, opened in a browser by somebody who is signed in: it is saved, and does nothing. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { RealServer } from '../api/real-server.ts';
import { NO_BROWSER, Person, startBrowser } from './browser.ts';

const SCRIPT =
  "globalThis.owned = true; document.title = 'owned'; fetch('/api/v1/files/exchange/kept', {method: 'DELETE'})";
const UPLOADED: Readonly<Record<string, string>> = {
  'evil.html': `<!doctype html><script>${SCRIPT}</script><img src=x onerror="${SCRIPT}">`,
  'evil.svg': `<svg xmlns="http://www.w3.org/2000/svg" onload="${SCRIPT}"><script>${SCRIPT}</script></svg>`,
  'evil.xhtml': `<html xmlns="http://www.w3.org/1999/xhtml"><script>${SCRIPT}</script></html>`,
  'evil.js': SCRIPT,
  'evil.pdf': `%PDF-1.4 <script>${SCRIPT}</script>`,
  '"><script>owned=1<script>.html': `<script>${SCRIPT}</script>`,
};

/** Runs in the browser: every element that takes something from an address, and import(). */
const TRY = `async (places) => {
  const tags = { script: 'src', iframe: 'src', embed: 'src', object: 'data', img: 'src', link: 'href' };
  const tried = places.flatMap((place) =>
    Object.entries(tags).map(([tag, name]) => new Promise((resolve) => {
      const element = document.createElement(tag);
      for (const event of ['load', 'error']) element.addEventListener(event, resolve);
      setTimeout(resolve, 300);
      element.setAttribute(name, place);
      element.setAttribute('rel', 'stylesheet');
      document.body.append(element);
    })),
  );
  await Promise.all(tried);
  const imported = await Promise.allSettled(places.map((place) => import(place)));
  return ['owned' in globalThis, document.title === 'owned', imported.some(({ status }) => status === 'fulfilled')];
}`;

suite('uploaded pages in a browser', { skip: NO_BROWSER }, () => {
  let server: RealServer;
  let browser: Browser;
  let person: Person;
  const at = (place: string): string => `https://localhost:${server.port}${place}`;
  const content = (name: string): string => `/api/v1/content/exchange/${encodeURIComponent(name)}`;

  before(async () => {
    server = await RealServer.open({ origin: null });
    browser = await startBrowser(path.join(server.server.data, 'keys', 'tls.crt'));
    person = await Person.open(browser);
    const rights = ['list', 'read', 'write', 'delete', 'rename'] as const;
    const paula = { tenant: 'first', login: 'paula' };
    await server.admin.call('account.add', { ...paula, displayName: '', administrator: false });
    await server.admin.call('grant.add', { ...paula, folder: 'exchange', rights: [...rights], policy: null });
    const { cookie } = await server.signIn('paula');
    const flags = { secure: true, httpOnly: true, sameSite: 'Strict' } as const;
    await person.context.addCookies([{ name: '__Host-waybill', value: cookie, url: at('/'), ...flags }]);
    const by = await server.token('first');
    for (const [name, body] of Object.entries({ ...UPLOADED, kept: 'kept' }))
      assert.equal((await server.ask('PUT', content(name), { by, body })).status, 201, name);
  });
  after(async () => {
    await browser.close();
    await server.close();
  });

  test('they are saved under their names, and none is shown', async () => {
    const { page } = person;
    for (const [name, body] of Object.entries(UPLOADED)) {
      const download = page.waitForEvent('download');
      await assert.rejects(page.goto(at(content(name))), /Download is starting|ERR_ABORTED/);
      const saved = await download;
      assert.equal(readFileSync(await saved.path(), 'utf8'), body);
      assert.doesNotMatch(saved.suggestedFilename(), /[/\\"<>]/);
      assert.equal(page.url(), 'about:blank');
      assert.equal(await page.title(), '');
    }
  });

  test('a page of the server itself does not run or frame them either', async () => {
    const { page } = person;
    await page.goto(at('/api'));
    const places = Object.keys(UPLOADED).map(content);
    const ran = await page.evaluate(`(${TRY})(${JSON.stringify(places)})`);
    assert.deepEqual(ran, [false, false, false]);
    const by = await server.token('first');
    assert.equal((await server.ask('GET', content('kept'), { by })).text, 'kept');
  });
});
