/** `waybill login` (RFC 8628 in shape; docs/design/login.md): two questions of a machine, three of the page. */
import {
  loginCertificate,
  loginCode,
  loginConfirm,
  loginConfirmed,
  loginRequest,
  loginStart,
  loginToken,
  loginWish,
} from './login.ts';
import type { Operation } from './operation.ts';

const machine = { method: 'POST', scope: null } as const;
const person = { method: 'POST', scope: 'signed-in' } as const;

export const LOGIN_OPERATIONS = {
  'login.start': {
    ...machine,
    path: '/api/v1/login',
    doc: 'Asks for an SSH certificate for a key. Somebody has to confirm it on a page.',
    body: loginWish,
    answers: [{ status: 200, doc: 'What to show to the person, and how to go on', body: loginStart }],
  },
  'login.token': {
    ...machine,
    path: '/api/v1/login/token',
    doc: 'Whether it was confirmed: login-pending until then. From the address that asked; the certificate comes once.',
    body: loginToken,
    answers: [{ status: 200, doc: 'The certificate, and what the server is known by', body: loginCertificate }],
  },
  'login.show': {
    ...person,
    path: '/api/v1/login/show',
    doc: 'What a code stands for. Ten wrong codes in ten minutes are the most.',
    body: loginCode,
    answers: [{ status: 200, doc: 'Who asks, and from where', body: loginRequest }],
  },
  'login.confirm': {
    ...person,
    path: '/api/v1/login/confirm',
    doc: 'Gives the machine a certificate of your account. Takes a strong factor that was shown after it asked.',
    body: loginConfirm,
    answers: [{ status: 200, doc: 'Until when it is good', body: loginConfirmed }],
  },
  'login.refuse': {
    ...person,
    path: '/api/v1/login/refuse',
    doc: 'Refuses it. That is recorded.',
    body: loginCode,
    answers: [{ status: 204, doc: 'It is over', body: null }],
  },
} as const satisfies Readonly<Record<string, Operation>>;
