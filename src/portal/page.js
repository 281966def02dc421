/** What pages are made of: elements, messages, buttons that wait for the server. Text only, never markup. */
import { Problem } from './api.js';

// Modules have all run by then; what a person typed and sent before would have gone nowhere.
document.addEventListener('DOMContentLoaded', () => {
  document.body.classList.remove('starting');
});

/**
 * An element of the page's own markup.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} kind
 * @returns {T}
 */
export function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${id}`);
  return found;
}

/**
 * A new element.
 *
 * @param {string} name
 * @param {Record<string, string>} attributes
 * @param {...(string | Node)} children
 * @returns {HTMLElement}
 */
export function make(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * @param {string} text
 * @param {string} className
 * @param {() => unknown} act
 * @returns {HTMLButtonElement}
 */
export function button(text, className, act) {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = className;
  made.textContent = text;
  onAct(made, act);
  return made;
}

/**
 * Read aloud, as it has the role alert. Empty takes it away.
 *
 * @param {string} text
 * @param {boolean} [good]
 */
export function say(text, good = false) {
  const message = element('message', HTMLElement);
  message.classList.toggle('good', good);
  message.textContent = text;
}

/**
 * One act at a time; what goes wrong is said.
 *
 * @param {HTMLElement} target a button that is pressed, or a form that is sent
 * @param {() => unknown} act
 */
export function onAct(target, act) {
  target.addEventListener(target instanceof HTMLFormElement ? 'submit' : 'click', (event) => {
    event.preventDefault();
    void during(target, act);
  });
}

/**
 * @param {HTMLElement} target
 * @param {() => unknown} act
 */
async function during(target, act) {
  const buttons = target instanceof HTMLFormElement ? [...target.querySelectorAll('button')] : [target];
  if (buttons.some((one) => one instanceof HTMLButtonElement && one.disabled)) return;
  const disable = (/** @type {boolean} */ on) => {
    for (const one of buttons) if (one instanceof HTMLButtonElement) one.disabled = on;
  };
  say('');
  disable(true);
  try {
    await act();
  } catch (error) {
    fail(error);
  } finally {
    disable(false);
  }
}

let forMembers = false;

/** From now on who is not signed in any more is led to signing in, and back here after it. */
export function forMembersOnly() {
  forMembers = true;
}

/** @param {unknown} error */
export function fail(error) {
  if (forMembers && error instanceof Problem && error.status === 401)
    location.replace(`/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
  else say(textOf(error));
}

/** @param {unknown} error */
export function textOf(error) {
  if (!(error instanceof Problem)) return 'Something went wrong on this page. Load it again.';
  if (error.status === 0) return error.message;
  return error.status >= 500 ? 'The server could not do it. Try again later.' : sentence(error.message);
}

/** @param {string} text */
function sentence(text) {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

const FORMAT = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** @param {string} moment */
export function when(moment) {
  return FORMAT.format(new Date(moment));
}

/**
 * Ten codes, a way to keep them, and no way on before they were kept.
 *
 * @param {readonly string[]} codes
 * @param {{ readonly login: string, readonly password: boolean }} whose with a password or without: codes count after one
 * @param {() => unknown} done
 * @returns {HTMLElement}
 */
export function recoveryCodes(codes, { login, password }, done) {
  const text = `Recovery codes of ${login} at ${location.host}\nEach is good once, after your password, in place of the authenticator app.\n\n${codes.join('\n')}\n`;
  const kept = /** @type {HTMLInputElement} */ (make('input', { type: 'checkbox', id: 'kept' }));
  const go = button('Continue', 'primary', () => {
    if (!kept.checked) say('Keep the codes in a safe place first, then tick the box.');
    else done();
  });
  const copy = button('Copy', 'small', async () => {
    await navigator.clipboard.writeText(text);
    say('Copied.', true);
  });
  const save = /** @type {HTMLAnchorElement} */ (
    make('a', { download: `waybill-recovery-${login}.txt`, class: 'quiet' }, 'Save as a file')
  );
  save.href = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
  return make(
    'section',
    { 'aria-labelledby': 'codes-title' },
    make('h2', { id: 'codes-title' }, 'Your recovery codes'),
    make(
      'p',
      { class: 'quiet' },
      'Each is good once, after your password, in place of the authenticator app. They are not shown again.',
    ),
    ...(password
      ? []
      : [
          make(
            'p',
            {},
            'You have no password: make a second passkey on another device, so that losing one is no harm.',
          ),
        ]),
    make('ul', { class: 'codes', id: 'codes' }, ...codes.map((code) => make('li', {}, code))),
    make('p', { class: 'actions' }, copy, save),
    make('label', { class: 'check' }, kept, 'I have kept them in a safe place'),
    go,
  );
}

/** People should see where they are before they type anything. */
export function showHost() {
  element('host', HTMLElement).textContent = location.host;
}
