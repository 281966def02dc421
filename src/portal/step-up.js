/** Showing a passkey or a code again before something changes how one signs in. */
import { get, hasPasskeys, post, Problem, showPasskey } from './api.js';
import { button, element, textOf } from './page.js';
import { goAway } from './sso.js';

/**
 * Does it; where the server wants to see a strong factor first, asks for one and does it then.
 *
 * @template T
 * @param {() => Promise<T>} act
 * @param {{ readonly passkeys: readonly unknown[], readonly totp: boolean }} has what the account signs in with
 * @returns {Promise<T>}
 */
export async function strongly(act, has) {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'step-up-needed') throw error;
    await stepUp(has);
    return act();
  }
}

/** @param {{ readonly passkeys: readonly unknown[], readonly totp: boolean }} has */
function stepUp({ passkeys, totp }) {
  const dialog = element('again', HTMLDialogElement);
  const message = element('again-message', HTMLElement);
  const code = element('again-code', HTMLInputElement);
  element('again-passkey', HTMLButtonElement).hidden = passkeys.length === 0 || !hasPasskeys();
  element('again-code-part', HTMLElement).hidden = !totp;
  message.textContent = '';
  code.value = '';
  return new Promise((resolve, reject) => {
    const over = new AbortController();
    const { signal } = over;
    const end = (/** @type {() => void} */ then) => {
      over.abort();
      dialog.close();
      then();
    };
    const show = async (/** @type {() => Promise<object>} */ factor) => {
      message.textContent = '';
      try {
        /** @type {{ result: 'success' | 'failure' }} */
        const { result } = await post('account/step-up', await factor());
        if (result === 'success')
          end(() => {
            resolve(undefined);
          });
        else message.textContent = 'That was not right.';
      } catch (error) {
        message.textContent = textOf(error);
      }
    };
    const on = (/** @type {HTMLElement} */ target, /** @type {string} */ event, /** @type {() => void} */ act) => {
      const listener = (/** @type {Event} */ happened) => {
        happened.preventDefault();
        act();
      };
      target.addEventListener(event, listener, { signal });
    };
    on(element('again-passkey', HTMLButtonElement), 'click', () => {
      void show(async () => ({ passkey: await showPasskey(await post('account/step-up-options')) }));
    });
    on(element('again-form', HTMLFormElement), 'submit', () => {
      void show(() => Promise.resolve({ totp: code.value.trim() }));
    });
    const cancel = () => {
      end(() => {
        reject(new Problem(0, 'cancelled', 'Nothing was changed.', ''));
      });
    };
    on(element('again-cancel', HTMLButtonElement), 'click', cancel);
    on(dialog, 'cancel', cancel);
    offerProvider(signal, message).catch((/** @type {unknown} */ error) => {
      message.textContent = textOf(error);
    });
    dialog.showModal();
  });
}

/**
 * Whoever came by single sign-on may sign in there anew. That leaves the page: what was to be done is done again after it.
 *
 * @param {AbortSignal} over
 * @param {HTMLElement} message
 */
async function offerProvider(over, message) {
  /** @type {{ factors: string[] }} */
  const { factors } = await get('account');
  if (over.aborted || !factors.includes('sso-mfa')) return;
  const away = button('Sign in again where you came from', '', async () => {
    try {
      /** @type {{ flow: string, provider: string, address: string }} */
      const { flow, provider, address } = await post('account/sso-step-up');
      await goAway({ flow, provider, next: location.pathname }, address);
    } catch (error) {
      message.textContent = textOf(error);
    }
  });
  element('again-cancel', HTMLButtonElement).before(away);
  over.addEventListener('abort', () => {
    away.remove();
  });
}
