/**
 * Signing in and enrolling. Nobody is signed in yet, so only a page of ours may ask (login CSRF): `page`. The flow is in
 * bodies and in no cookie: nothing that another site or host could plant or make a browser send.
 */
import type { Operation } from './operation.ts';
import {
  enrolmentResult,
  enrolmentSecret,
  enrolmentStart,
  enrolPasskey,
  enrolPassword,
  flowOnly,
  signInCode,
  signInPasskey,
  signInPassword,
  signInStart,
  signInStep,
  totpSecret,
} from './sign-in.ts';
import { passkeyCreationOptions, passkeyRequestOptions } from './webauthn.ts';

const page = { method: 'POST', scope: null, page: true } as const;
const step = [{ status: 200, doc: 'How it went; success sets the cookie __Host-waybill', body: signInStep }] as const;
const enrolled = [{ status: 200, doc: 'How it went', body: enrolmentResult }] as const;

export const SIGN_IN_OPERATIONS = {
  'sign-in.start': {
    ...page,
    path: '/api/v1/sign-in/start',
    doc: 'Begins a sign-in: a passkey, or a password and then a code.',
    answers: [{ status: 200, doc: 'What can come first', body: signInStart }],
  },
  'sign-in.passkey-options': {
    ...page,
    path: '/api/v1/sign-in/passkey-options',
    doc: 'What to give navigator.credentials.get. The challenge is for one answer within five minutes.',
    body: flowOnly,
    answers: [{ status: 200, doc: 'The options', body: passkeyRequestOptions }],
  },
  'sign-in.passkey': {
    ...page,
    path: '/api/v1/sign-in/passkey',
    doc: 'Signs in with a passkey.',
    body: signInPasskey,
    answers: step,
  },
  'sign-in.password': {
    ...page,
    path: '/api/v1/sign-in/password',
    doc: 'The first step with a password; it never signs in alone.',
    body: signInPassword,
    answers: step,
  },
  'sign-in.totp': {
    ...page,
    path: '/api/v1/sign-in/totp',
    doc: 'After the password: a code of the authenticator app.',
    body: signInCode,
    answers: step,
  },
  'sign-in.recovery': {
    ...page,
    path: '/api/v1/sign-in/recovery',
    doc: 'After the password: one of the recovery codes, which is used up.',
    body: signInCode,
    answers: step,
  },
  'enrolment.start': {
    ...page,
    path: '/api/v1/enrolment/start',
    doc: 'Begins an enrolment with its secret, which is used up only when something was set up.',
    body: enrolmentSecret,
    answers: [{ status: 200, doc: 'Whose it is, and what can be set up here', body: enrolmentStart }],
  },
  'enrolment.passkey-options': {
    ...page,
    path: '/api/v1/enrolment/passkey-options',
    doc: 'What to give navigator.credentials.create.',
    body: flowOnly,
    answers: [{ status: 200, doc: 'The options', body: passkeyCreationOptions }],
  },
  'enrolment.passkey': {
    ...page,
    path: '/api/v1/enrolment/passkey',
    doc: 'Sets up a passkey.',
    body: enrolPasskey,
    answers: enrolled,
  },
  'enrolment.password': {
    ...page,
    path: '/api/v1/enrolment/password',
    doc: 'Chooses a password and gets the secret of the codes; nothing is stored before a code of it came.',
    body: enrolPassword,
    answers: [{ status: 200, doc: 'For the authenticator app; shown once', body: totpSecret }],
  },
  'enrolment.totp': {
    ...page,
    path: '/api/v1/enrolment/totp',
    doc: 'A code of the authenticator app: sets up the password and the codes.',
    body: signInCode,
    answers: enrolled,
  },
} as const satisfies Readonly<Record<string, Operation>>;
