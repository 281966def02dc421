/** What whoever is signed in does with the own account. Most of it is for people only: a token gets `call-forbidden`. */
import type { Operation } from './operation.ts';
import {
  account,
  certificate,
  certificateWish,
  newPasskey,
  newPasskeyResult,
  ownCredentials,
  ownSessions,
  recoveryCodes,
  stepUp,
  stepUpResult,
} from './sign-in.ts';
import { passkeyCreationOptions, passkeyRequestOptions } from './webauthn.ts';

const own = { scope: 'signed-in' } as const;

export const ACCOUNT_OPERATIONS = {
  'account.get': {
    ...own,
    method: 'GET',
    path: '/api/v1/account',
    doc: 'Who is signed in, by what, and for how long.',
    answers: [{ status: 200, doc: 'The account', body: account }],
  },
  'account.sign-out': {
    ...own,
    method: 'POST',
    path: '/api/v1/account/sign-out',
    doc: 'Ends the web session.',
    answers: [{ status: 204, doc: 'It is over, and the cookie is taken back', body: null }],
  },
  'account.sessions': {
    ...own,
    method: 'GET',
    path: '/api/v1/account/sessions',
    doc: 'The web sessions of the account.',
    answers: [{ status: 200, doc: 'Those that are not over', body: ownSessions }],
  },
  'account.end-session': {
    ...own,
    method: 'DELETE',
    path: '/api/v1/account/sessions/{id}',
    doc: 'Ends one of them, with everything that it has open.',
    answers: [{ status: 204, doc: 'It is over', body: null }],
  },
  'account.step-up-options': {
    ...own,
    method: 'POST',
    path: '/api/v1/account/step-up-options',
    doc: 'What to give navigator.credentials.get to show a passkey again.',
    answers: [{ status: 200, doc: 'The options', body: passkeyRequestOptions }],
  },
  'account.step-up': {
    ...own,
    method: 'POST',
    path: '/api/v1/account/step-up',
    doc: 'Shows a strong factor again: what changes how one signs in needs one within the last five minutes.',
    body: stepUp,
    answers: [{ status: 200, doc: 'How it went; six that failed end the session', body: stepUpResult }],
  },
  'account.credentials': {
    ...own,
    method: 'GET',
    path: '/api/v1/account/credentials',
    doc: 'What the account signs in with.',
    answers: [{ status: 200, doc: 'No secret among it', body: ownCredentials }],
  },
  'account.passkey-options': {
    ...own,
    method: 'POST',
    path: '/api/v1/account/passkey-options',
    doc: 'What to give navigator.credentials.create for a further passkey.',
    answers: [{ status: 200, doc: 'The options', body: passkeyCreationOptions }],
  },
  'account.add-passkey': {
    ...own,
    method: 'POST',
    path: '/api/v1/account/passkeys',
    doc: 'Adds a passkey.',
    body: newPasskey,
    answers: [{ status: 200, doc: 'How it went', body: newPasskeyResult }],
  },
  'account.remove-passkey': {
    ...own,
    method: 'DELETE',
    path: '/api/v1/account/passkeys/{id}',
    doc: 'Removes a passkey, and ends what was opened with it.',
    answers: [{ status: 204, doc: 'It is gone', body: null }],
  },
  'account.recovery-codes': {
    ...own,
    method: 'POST',
    path: '/api/v1/account/recovery-codes',
    doc: 'Makes ten new recovery codes; those before are gone.',
    answers: [{ status: 200, doc: 'Shown once', body: recoveryCodes }],
  },
  'account.certificate': {
    ...own,
    method: 'POST',
    path: '/api/v1/account/certificates',
    doc: 'An SSH certificate of a few hours for a key, bound to the address of the session.',
    body: certificateWish,
    answers: [{ status: 200, doc: 'The certificate, and what the server is known by', body: certificate }],
  },
} as const satisfies Readonly<Record<string, Operation>>;
