/** What all pages ask the server by: calls of the API, and passkeys in WebAuthn's own JSON. */

/** A failure as the server tells it (problem+json), or none from it at all: `code` is then `no-answer`. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {string} code
   * @param {string} title
   * @param {string} detail
   */
  constructor(status, code, title, detail) {
    super(detail === '' ? title : detail);
    this.status = status;
    this.code = code;
    this.title = title;
  }
}

/**
 * @template T
 * @param {'GET' | 'POST' | 'PUT' | 'DELETE'} method
 * @param {string} path below /api/v1/
 * @param {unknown} [body]
 * @returns {Promise<T>} what the answer holds; undefined when it holds nothing
 */
export async function call(method, path, body) {
  const response = await fetch(`/api/v1/${path}`, {
    method,
    credentials: 'same-origin',
    cache: 'no-store',
    redirect: 'error',
    ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  }).catch(() => {
    throw new Problem(0, 'no-answer', 'The server does not answer. Try again.', '');
  });
  const text = await response.text();
  const value = text === '' ? undefined : JSON.parse(text);
  if (response.ok) return value;
  throw new Problem(response.status, value?.code ?? 'internal', value?.title ?? '', value?.detail ?? '');
}

/** @template T @param {string} path @returns {Promise<T>} */
export const get = (path) => call('GET', path);
/** @template T @param {string} path @param {unknown} [body] @returns {Promise<T>} */
export const post = (path, body) => call('POST', path, body);
/** @param {string} path @returns {Promise<void>} */
export const remove = (path) => call('DELETE', path);

/** Whether this browser can have passkeys here: it knows their JSON, and the address is a name. */
export function hasPasskeys() {
  const key = /** @type {Partial<typeof PublicKeyCredential> | undefined} */ (globalThis.PublicKeyCredential);
  const numeric = /^[\d.]+$|^\[/.test(location.hostname);
  return key?.parseRequestOptionsFromJSON !== undefined && !numeric;
}

/**
 * Asks for a passkey that is there.
 *
 * @param {PublicKeyCredentialRequestOptionsJSON} options
 * @returns {Promise<unknown>} for the server
 */
export async function showPasskey(options) {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return asJson(await navigator.credentials.get({ publicKey }).catch(refused));
}

/**
 * Makes a new one.
 *
 * @param {PublicKeyCredentialCreationOptionsJSON} options
 * @returns {Promise<unknown>} for the server
 */
export async function makePasskey(options) {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  return asJson(await navigator.credentials.create({ publicKey }).catch(refused));
}

/** @param {Credential | null} credential */
function asJson(credential) {
  const { authenticatorAttachment, ...json } = /** @type {PublicKeyCredential} */ (credential).toJSON();
  // Some browsers write null for what is optional.
  return authenticatorAttachment == null ? json : { ...json, authenticatorAttachment };
}

/** @param {unknown} error @returns {never} */
function refused(error) {
  const name = error instanceof Error ? error.name : '';
  const text =
    {
      NotAllowedError: 'No passkey was used: it was cancelled, took too long, or there is none for this address.',
      InvalidStateError: 'This device has a passkey for this account already.',
      SecurityError: 'This address cannot have passkeys.',
    }[name] ?? 'The passkey did not work.';
  throw new Problem(0, 'passkey-not-shown', text, '');
}

/** What to call a new passkey, until its owner says otherwise. */
export function deviceName() {
  const { userAgent } = navigator;
  const names = ['iPhone', 'iPad', 'Android', 'Windows', 'Mac', 'Linux'];
  return names.find((name) => userAgent.includes(name)) ?? 'Passkey';
}
