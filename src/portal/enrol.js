/** Enrolling by the link that an operator gave. Its secret stands behind the #: browsers send that to nobody. */
import { deviceName, hasPasskeys, makePasskey, post } from './api.js';
import { element, fail, onAct, recoveryCodes, say, showHost } from './page.js';
import { qrCode } from './qr.js';

/** @typedef {{ result: 'enrolled', recovery: string[] } | { result: 'failure' }} Result */

const choice = element('choice', HTMLElement);
const app = element('app', HTMLElement);
const passwordForm = element('password-form', HTMLFormElement);
const password = element('password', HTMLInputElement);
const label = element('label', HTMLInputElement);
const code = element('code', HTMLInputElement);

/** @type {{ flow: string, login: string, methods: string[] }} */
let started = { flow: '', login: '', methods: [] };

async function begin() {
  const secret = location.hash.slice(1).trim();
  // Neither the history nor the next page gets to see it.
  history.replaceState(null, '', location.pathname);
  if (secret === '') {
    say('This page needs the whole link that you were given, with what stands behind its #.');
    return;
  }
  started = await post('enrolment/start', { secret });
  element('login', HTMLElement).textContent = started.login;
  element('username', HTMLInputElement).value = started.login;
  label.value = deviceName();
  const passkeys = started.methods.includes('passkey') && hasPasskeys();
  element('passkey-part', HTMLElement).hidden = !passkeys;
  element('use-password', HTMLButtonElement).hidden = !started.methods.includes('password');
  element('or', HTMLElement).hidden = !started.methods.includes('password');
  if (!passkeys && !started.methods.includes('password'))
    say('This account needs a passkey, and this browser has none.');
  choice.hidden = false;
}

/**
 * @param {Result} answer
 * @param {string} otherwise
 */
function finish(answer, otherwise) {
  if (answer.result === 'failure') {
    say(otherwise);
    return;
  }
  choice.hidden = true;
  app.hidden = true;
  const done = () => {
    location.assign('/sign-in');
  };
  const codes = recoveryCodes(answer.recovery, { login: started.login, password: code.value !== '' }, done);
  element('codes-place', HTMLElement).replaceChildren(codes);
  say('It is set up. You can sign in with it from now on.', true);
}

onAct(element('passkey-form', HTMLFormElement), async () => {
  const { flow } = started;
  const response = await makePasskey(await post('enrolment/passkey-options', { flow }));
  const name = label.value.trim() || deviceName();
  finish(
    await post('enrolment/passkey', { flow, label: name, response }),
    'This passkey was not accepted. Try another.',
  );
});
onAct(element('use-password', HTMLButtonElement), () => {
  element('use-password', HTMLButtonElement).hidden = true;
  passwordForm.hidden = false;
  password.focus();
});
onAct(passwordForm, async () => {
  /** @type {{ secret: string, uri: string }} */
  const { secret, uri } = await post('enrolment/password', { flow: started.flow, password: password.value });
  element('secret', HTMLElement).textContent = secret.replace(/.{4}(?=.)/g, '$& ');
  element('uri', HTMLAnchorElement).href = uri;
  element('qr', HTMLElement).replaceChildren(...pictureOf(uri));
  choice.hidden = true;
  app.hidden = false;
  code.focus();
});
/**
 * @param {string} text
 * @returns {SVGElement[]} none when it is too long: the key is there too
 */
function pictureOf(text) {
  const squares = qrCode(text);
  if (squares === null) return [];
  const space = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(space, 'svg');
  // A margin of four squares is a part of the code.
  const size = squares.length + 8;
  svg.setAttribute('viewBox', `-4 -4 ${size} ${size}`);
  svg.setAttribute('role', 'img');
  svg.setAttribute('aria-label', 'QR code of the key below');
  const path = document.createElementNS(space, 'path');
  const dark = squares.flatMap((row, y) => row.flatMap((one, x) => (one ? [`M${x} ${y}h1v1h-1z`] : [])));
  path.setAttribute('d', dark.join(''));
  svg.append(path);
  return [svg];
}

onAct(element('code-form', HTMLFormElement), async () => {
  const answer = await post('enrolment/totp', { flow: started.flow, code: code.value.trim() });
  finish(answer, 'That code is not right. Wait for the next one, and look that the clock of your device is right.');
});

showHost();
begin().catch(fail);
