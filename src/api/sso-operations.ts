/**
 * Signing in at an identity provider. The flow stays in the tab that began it and is in no cookie and no address: the
 * page that the provider sends the browser back to is the same for everybody, and asks by itself, as a page of ours.
 */
import { z } from 'zod';
import type { Operation } from './operation.ts';
import { flow, signInStep } from './sign-in.ts';

const provider = z
  .string()
  .regex(/^[a-z0-9-]{1,40}$/)
  .meta({ description: 'The name of the identity provider.' });
const printable = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\x20-\x7e]*$/);

const shown = z.object({
  name: provider,
  title: z.string(),
  host: z.string().meta({ description: 'Where its people sign in.' }),
});
const away = z.object({ address: z.string().meta({ description: "Where the browser goes: the provider's page." }) });

export const ssoStart = z.strictObject({ flow, provider });
export const ssoFinish = z.strictObject({
  ...{ flow, provider },
  code: printable(8192).optional(),
  state: printable(200).optional(),
  iss: printable(2048).optional().meta({ description: 'RFC 9207.' }),
  error: printable(200).optional(),
});
export const ssoStep = z.union([signInStep, z.object({ result: z.literal('stepped-up') })]);

const page = { method: 'GET', scope: null } as const;
const html = [{ status: 200, doc: 'A page', body: 'bytes', type: 'text/html' }] as const;

export const SSO_OPERATIONS = {
  'page.sign-in-at': {
    ...page,
    path: '/sign-in/sso/{id}',
    doc: 'The page for signing in at one identity provider.',
    answers: html,
  },
  'page.sso-callback': {
    ...page,
    path: '/sign-in/sso-callback/{id}',
    doc: 'Where an identity provider sends browsers back to. The page itself asks what became of it.',
    anyQuery: true,
    answers: html,
  },
  'sso.listed': {
    ...page,
    path: '/api/v1/sign-in/sso',
    doc: 'The identity providers that everybody may see.',
    answers: [{ status: 200, doc: 'Them', body: z.object({ providers: z.array(shown.omit({ host: true })) }) }],
  },
  'sso.show': {
    ...page,
    path: '/api/v1/sign-in/sso/{id}',
    doc: 'One of them, by its name.',
    answers: [{ status: 200, doc: 'What people should know before they go there', body: shown }],
  },
  'sso.start': {
    ...{ method: 'POST', scope: null, page: true },
    path: '/api/v1/sign-in/sso-start',
    doc: 'Sends a sign-in that was begun (sign-in.start) to an identity provider.',
    body: ssoStart,
    answers: [{ status: 200, doc: 'Where to', body: away }],
  },
  'sso.finish': {
    ...{ method: 'POST', scope: null, page: true },
    path: '/api/v1/sign-in/sso-finish',
    doc: 'What the browser came back with; it counts once. A second step may follow it, as after a password.',
    body: ssoFinish,
    answers: [{ status: 200, doc: 'How it went; success sets the cookie __Host-waybill', body: ssoStep }],
  },
  'sso.step-up': {
    ...{ method: 'POST', scope: 'signed-in' },
    path: '/api/v1/account/sso-step-up',
    doc: 'Shows a strong factor again by signing in anew at the identity provider that this session came from.',
    answers: [{ status: 200, doc: 'Where to', body: away.extend({ flow, provider }) }],
  },
} as const satisfies Readonly<Record<string, Operation>>;
