/** Coming back from an identity provider: what it says goes to the server with the flow that only this tab has. */
import { post } from './api.js';
import { nextPage } from './next.js';
import { element, fail, onAct, say, showHost } from './page.js';
import { comeBack } from './sso.js';

/**
 * @typedef {{ result: 'success' } | { result: 'failure', methods: string[], partial: boolean }
 *   | { result: 'over', reason: string } | { result: 'stepped-up' }} Step
 */

const second = element('second', HTMLElement);
const code = element('code', HTMLInputElement);
let flow = '';
let next = '';

async function load() {
  const given = new URLSearchParams(location.search);
  const provider = location.pathname.split('/').at(-1) ?? '';
  // The code is not left in the history of the browser.
  history.replaceState(null, '', location.pathname);
  const away = comeBack();
  if (away === null) {
    over('This tab has not begun a sign-in. Begin again here.');
    return;
  }
  ({ flow, next } = away);
  /** @type {Record<string, string>} */
  const body = { flow, provider };
  for (const name of ['code', 'state', 'iss', 'error']) {
    const value = given.get(name);
    if (value !== null) body[name] = value;
  }
  take(await post('sign-in/sso-finish', body));
}

/** @param {Step} step */
function take(step) {
  if (step.result === 'success' || step.result === 'stepped-up') {
    location.replace(nextPage(`?next=${encodeURIComponent(next)}`, location.origin));
  } else if (step.result === 'failure' && step.partial) {
    second.hidden = false;
    code.value = '';
    code.focus();
  } else over('That did not sign you in. Either it took too long, or this account is not set up for it here.');
}

/** @param {string} text */
function over(text) {
  second.hidden = true;
  element('again', HTMLElement).hidden = false;
  say(text);
}

onAct(element('code-form', HTMLFormElement), async () => {
  const text = code.value.trim();
  take(await post(/^\d{6}$/.test(text) ? 'sign-in/totp' : 'sign-in/recovery', { flow, code: text }));
});

showHost();
load().catch(fail);
