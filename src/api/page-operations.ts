/** The pages for people, and what they are made of. A further page is a row here, NAME.html and NAME.js in src/portal. */
import { z } from 'zod';
import type { Operation } from './operation.ts';

const page = { method: 'GET', scope: null } as const;
const html = [{ status: 200, doc: 'A page', body: 'bytes', type: 'text/html' }] as const;

export const PAGE_OPERATIONS = {
  'page.home': {
    ...page,
    path: '/',
    doc: 'Leads to the page for signing in.',
    answers: [{ status: 303, doc: 'Location', body: null }],
  },
  'page.sign-in': {
    ...page,
    path: '/sign-in',
    doc: 'The page for signing in.',
    query: { next: z.string().max(2000).optional().meta({ description: 'Where to go then: a page of this server.' }) },
    answers: html,
  },
  'page.enrol': {
    ...page,
    path: '/enrol',
    doc: 'The page for enrolling; its secret stands behind the # of the link.',
    answers: html,
  },
  'page.account': { ...page, path: '/account', doc: "The page about one's own account.", answers: html },
  'page.device': {
    ...page,
    path: '/device',
    doc: 'The page for confirming what a machine asks with waybill login.',
    answers: html,
  },
  'page.part': {
    ...page,
    path: '/portal/{id}',
    doc: 'Scripts, styles and pictures of the pages.',
    headers: { 'If-None-Match': 'ETags that are there already.' },
    answers: [
      { status: 200, doc: 'The part', body: 'bytes' },
      { status: 304, doc: 'It has not changed', body: null },
    ],
  },
} as const satisfies Readonly<Record<string, Operation>>;
