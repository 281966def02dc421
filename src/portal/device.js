/** Confirming what a machine asks with `waybill login`. The code may stand behind the # of the link: no server is sent it. */
import { get, post, Problem } from './api.js';
import { element, make, onAct, say, showHost, textOf, when } from './page.js';
import { strongly } from './step-up.js';

/**
 * @typedef {{ login: string, tenant: string }} Account
 * @typedef {{ passkeys: unknown[], totp: boolean }} Credentials
 * @typedef {{ userCode: string, fingerprint: string, address: string, client: string, asked: string, login: string | null,
 *   hours: number | null, browser: string, elsewhere: boolean, allowed: boolean }} Request
 */

/** Where the code waits while the person signs in on the other page; of this tab alone. */
const KEPT = 'waybill-device-code';

const ask = element('ask', HTMLElement);
const details = element('request', HTMLElement);
const code = element('code', HTMLInputElement);
const confirm = element('confirm', HTMLButtonElement);

/** @type {Account} */
let account = { login: '', tenant: '' };
/** @type {Credentials} */
let credentials = { passkeys: [], totp: false };
/** @type {Request | null} */
let shown = null;

async function load() {
  const linked = location.hash.slice(1);
  if (linked !== '') sessionStorage.setItem(KEPT, linked);
  // Not left in the history of the browser.
  history.replaceState(null, '', location.pathname);
  account = await get('account');
  credentials = await get('account/credentials');
  const kept = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  ask.hidden = false;
  code.value = kept ?? '';
  if (kept === null) code.focus();
  else await show(kept);
}

/** @param {string} userCode */
async function show(userCode) {
  /** @type {Request} */
  const request = await post('login/show', { userCode });
  shown = request;
  const { elsewhere, allowed, address, browser } = request;
  element('who', HTMLElement).textContent = `${account.login} (${account.tenant})`;
  const warning = element('elsewhere', HTMLElement);
  warning.hidden = !elsewhere;
  warning.textContent = allowed
    ? `The machine is at ${address}; you are at ${browser}. If somebody has sent you this link or code, he wants to get in as you: do not confirm.`
    : `The machine is at ${address}; you are at ${browser}. This cannot be confirmed from here. If somebody has sent you this link or code, he wants to get in as you.`;
  confirm.hidden = !allowed;
  element('facts', HTMLElement).replaceChildren(...factsOf(request));
  ask.hidden = true;
  details.hidden = false;
}

/** @param {Request} request */
function factsOf({ userCode, fingerprint, address, client, asked, login, hours, elsewhere }) {
  /** @type {(readonly [string, string])[]} */
  const facts = [
    ['Code', userCode],
    ['Key', fingerprint],
    ['From', elsewhere ? address : `${address}, where you are too`],
    ['Asked', when(asked)],
    ['Calls itself', client === '' ? 'nothing' : client],
  ];
  if (login !== null) facts.push(['For', login]);
  if (hours !== null) facts.push(['Hours', String(hours)]);
  return facts.flatMap(([name, text]) => [make('dt', {}, name), make('dd', { 'data-fact': name }, text)]);
}

/** @param {string} text */
function end(text) {
  details.hidden = true;
  ask.hidden = true;
  shown = null;
  say(text, true);
}

onAct(element('code-form', HTMLFormElement), () => show(code.value));
onAct(confirm, async () => {
  if (shown === null) return;
  const { userCode, fingerprint } = shown;
  /** @type {{ until: string }} */
  const { until } = await strongly(() => post('login/confirm', { userCode, fingerprint }), credentials);
  end(`Done: the machine has a certificate until ${when(until)}. Go on in your terminal; this page can be closed.`);
});
onAct(element('refuse', HTMLButtonElement), async () => {
  if (shown === null) return;
  await post('login/refuse', { userCode: shown.userCode });
  end('Refused. Nobody got in. If somebody sent you the link or code, tell your operator: it is in the records.');
});

/** @param {unknown} error */
function fail(error) {
  if (error instanceof Problem && error.status === 401) {
    location.replace('/sign-in?next=/device');
    return;
  }
  sessionStorage.removeItem(KEPT);
  ask.hidden = false;
  details.hidden = true;
  say(textOf(error));
}

showHost();
// Another link in the same tab changes no more than what stands behind the #.
addEventListener('hashchange', () => {
  if (location.hash === '') return;
  say('');
  load().catch(fail);
});
load().catch(fail);
