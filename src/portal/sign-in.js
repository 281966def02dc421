/** The sign-in page. Nothing that it holds outlives it: the cookie is the browser's, and no script reads that. */
import { get, hasPasskeys, post, Problem, showPasskey } from './api.js';
import { nextPage } from './next.js';
import { element, fail, onAct, say, showHost } from './page.js';
import { offerProviders } from './sso.js';

/** @typedef {{ result: 'success' } | { result: 'failure', methods: string[], partial: boolean } | { result: 'over', reason: string }} Step */

const first = element('first', HTMLElement);
const second = element('second', HTMLElement);
const login = element('login', HTMLInputElement);
const password = element('password', HTMLInputElement);
const code = element('code', HTMLInputElement);
const other = element('other', HTMLButtonElement);

/** @type {{ flow: string, methods: string[] } | null} */
let started = null;
/** @type {'totp' | 'recovery'} */
let second_ = 'totp';

async function begin() {
  started ??= await post('sign-in/start');
  return /** @type {NonNullable<typeof started>} */ (started);
}

/**
 * One step; a sign-in that is over by its age begins again by itself, once.
 *
 * @param {string} path
 * @param {(flow: string) => unknown} body
 */
async function step(path, body) {
  const { flow } = await begin();
  /** @type {Step} */
  const answer = await post(`sign-in/${path}`, await body(flow));
  if (answer.result === 'success') {
    location.replace(nextPage(location.search, location.origin));
    // The page goes; its buttons must not come back.
    return new Promise(() => undefined);
  }
  if (answer.result === 'over') startAgain(`${answer.reason[0]?.toUpperCase() ?? ''}${answer.reason.slice(1)}.`);
  else if (answer.partial) askForCode('totp');
  else if (path === 'totp' || path === 'recovery') startAgain('That was not right. Begin again with your password.');
  else say('That did not sign you in. Check what you typed, and that it is the right account.');
  return undefined;
}

/** @param {string} message */
function startAgain(message) {
  started = null;
  second.hidden = true;
  first.hidden = false;
  code.value = '';
  say(message);
  password.value = '';
  (login.value === '' ? login : password).focus();
}

/** @param {'totp' | 'recovery'} kind */
function askForCode(kind) {
  second_ = kind;
  const app = kind === 'totp';
  element('code-help', HTMLElement).textContent = app
    ? 'Open your authenticator app and type the code that it shows for Waybill.'
    : 'Type one of the recovery codes that you kept. It is used up by this.';
  element('code-label', HTMLElement).textContent = app ? 'Code' : 'Recovery code';
  other.textContent = app ? 'Use a recovery code' : 'Use the authenticator app';
  code.inputMode = app ? 'numeric' : 'text';
  code.value = '';
  first.hidden = true;
  second.hidden = false;
  code.focus();
}

onAct(element('passkey', HTMLButtonElement), async () => {
  const options = async () => {
    const { flow } = await begin();
    return post('sign-in/passkey-options', { flow });
  };
  const asked = await options().catch((/** @type {unknown} */ error) => {
    if (!(error instanceof Problem) || error.code !== 'sign-in-refused') throw error;
    started = null;
    return options();
  });
  const response = await showPasskey(asked);
  await step('passkey', (flow) => ({ flow, response }));
});
onAct(element('password-form', HTMLFormElement), () =>
  step('password', (flow) => ({ flow, login: login.value.trim(), password: password.value })),
);
onAct(element('code-form', HTMLFormElement), () => step(second_, (flow) => ({ flow, code: code.value.trim() })));
onAct(other, () => {
  askForCode(second_ === 'totp' ? 'recovery' : 'totp');
});
onAct(element('again', HTMLButtonElement), () => {
  startAgain('');
});

offerProviders(begin, nextPage(location.search, location.origin)).catch(fail);
showHost();
if (!hasPasskeys()) {
  element('passkey', HTMLButtonElement).hidden = true;
  element('or', HTMLElement).hidden = true;
}
get('account').then(
  () => {
    location.replace(nextPage(location.search, location.origin));
  },
  () => undefined,
);
