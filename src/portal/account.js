/** One's own account: who is signed in and where, passkeys, recovery codes. */
import { deviceName, get, hasPasskeys, makePasskey, post, remove } from './api.js';
import { button, element, fail, forMembersOnly, make, onAct, recoveryCodes, say, showHost, when } from './page.js';
import { strongly } from './step-up.js';

/**
 * @typedef {{ login: string, tenant: string, factors: string[], ends: string | null }} Account
 * @typedef {{ id: string, label: string, created: string, lastUsed: string | null }} Passkey
 * @typedef {{ passkeys: Passkey[], password: boolean, totp: boolean, recovery: number }} Credentials
 * @typedef {{ id: string, own: boolean, factors: string[], address: string, client: string, begun: string, lastUsed: string }} Session
 */

/** @type {Account} */
let account = { login: '', tenant: '', factors: [], ends: null };
/** @type {Credentials} */
let credentials = { passkeys: [], password: false, totp: false, recovery: 0 };

const FACTORS = new Map([
  ['passkey', 'passkey'],
  ['password', 'password'],
  ['totp', 'code'],
  ['recovery', 'recovery code'],
]);

/** @param {readonly string[]} factors */
const by = (factors) => factors.map((factor) => FACTORS.get(factor) ?? factor).join(' and ');

async function load() {
  /** @type {[Account, Credentials, { sessions: Session[] }]} */
  const [who, has, { sessions }] = await Promise.all([
    get('account'),
    get('account/credentials'),
    get('account/sessions'),
  ]);
  account = who;
  credentials = has;
  element('who', HTMLElement).textContent = account.login;
  const until = account.ends === null ? '' : `, until ${when(account.ends)} at the latest`;
  element('about', HTMLElement).textContent = `${account.tenant} · signed in by ${by(account.factors)}${until}`;
  showPasskeys();
  showRecovery();
  element('sessions', HTMLElement).replaceChildren(...sessions.map(sessionRow));
}

function showPasskeys() {
  const { passkeys, totp } = credentials;
  const none = make('li', { class: 'quiet' }, totp ? 'None; you sign in with a password and a code.' : 'None.');
  const rows = passkeys.map(passkeyRow);
  element('passkeys', HTMLElement).replaceChildren(...(rows.length === 0 ? [none] : rows));
  element('add-passkey', HTMLButtonElement).hidden = !hasPasskeys();
}

/** @param {Passkey} passkey */
function passkeyRow({ id, label, created, lastUsed }) {
  const used = lastUsed === null ? 'not used yet' : `last used ${when(lastUsed)}`;
  const take = button('Remove', 'small danger', async () => {
    if (credentials.passkeys.length === 1 && !credentials.totp && !confirmed(REMOVE_LAST)) return;
    await strongly(() => remove(`account/passkeys/${id}`), credentials);
    await reload('The passkey is removed.');
  });
  take.setAttribute('aria-label', `Remove the passkey ${label}`);
  const about = make('div', { class: 'quiet' }, `made ${when(created)}, ${used}`);
  return make('li', {}, make('div', {}, make('strong', {}, label), about), take);
}

const REMOVE_LAST = 'This is your only way to sign in. Without it an operator has to enrol you again. Remove it?';

/** @param {string} question */
function confirmed(question) {
  return globalThis.confirm(question);
}

function showRecovery() {
  const { recovery } = credentials;
  element('recovery', HTMLElement).textContent =
    recovery === 0 ? 'None are left.' : `${recovery} ${recovery === 1 ? 'is' : 'are'} left.`;
}

/** @param {Session} session */
function sessionRow({ id, own, factors, address, client, begun, lastUsed }) {
  const name = make('strong', {}, client === '' ? 'A browser' : shortName(client));
  if (own) name.append(' ', make('span', { class: 'badge' }, 'this one'));
  const about = `${address} · by ${by(factors)} · since ${when(begun)}, last used ${when(lastUsed)}`;
  const end = button('End', 'small danger', async () => {
    await remove(`account/sessions/${id}`);
    if (own) leave();
    else await reload('The session is over.');
  });
  end.setAttribute('aria-label', own ? 'End this session' : `End the session from ${address}`);
  return make('li', { 'data-session': id }, make('div', {}, name, make('div', { class: 'quiet' }, about)), end);
}

/** @param {string} client what it calls itself, long and historical */
function shortName(client) {
  const browser = [
    ['Edg', 'Edge'],
    ['OPR', 'Opera'],
    ['Firefox', 'Firefox'],
    ['Chrome', 'Chrome'],
    ['Safari', 'Safari'],
  ].find(([sign = '']) => client.includes(sign))?.[1];
  const system = ['iPhone', 'iPad', 'Android', 'Windows', 'Mac', 'Linux'].find((one) => client.includes(one));
  return browser === undefined ? client : `${browser}${system === undefined ? '' : ` on ${system}`}`;
}

/** @param {string} message */
async function reload(message) {
  await load();
  say(message, true);
}

function leave() {
  location.replace('/sign-in');
}

onAct(element('sign-out', HTMLButtonElement), async () => {
  await post('account/sign-out');
  leave();
});
onAct(element('add-passkey', HTMLButtonElement), async () => {
  const options = await strongly(() => post('account/passkey-options'), credentials);
  const response = await makePasskey(options);
  /** @type {{ result: string }} */
  const { result } = await post('account/passkeys', { label: newName(), response });
  if (result === 'success') await reload('The passkey is added.');
  else say('This passkey was not accepted.');
});
onAct(element('new-codes', HTMLButtonElement), async () => {
  /** @type {{ recovery: string[] }} */
  const { recovery } = await strongly(() => post('account/recovery-codes'), credentials);
  const place = element('codes-place', HTMLElement);
  const done = () => {
    place.replaceChildren();
    void reload('').catch(fail);
  };
  place.replaceChildren(recoveryCodes(recovery, { login: account.login, password: credentials.password }, done));
  place.scrollIntoView({ block: 'start' });
});

/** No two of the same name. */
function newName() {
  const taken = new Set(credentials.passkeys.map(({ label }) => label));
  const name = deviceName();
  let free = name;
  for (let at = 2; taken.has(free); at++) free = `${name} ${at}`;
  return free;
}

forMembersOnly();
showHost();
load().catch(fail);
