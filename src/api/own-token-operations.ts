/** API tokens that people make for themselves. The token is made where it will be used; here comes its fingerprint. */
import { z } from 'zod';
import type { Operation } from './operation.ts';
import { SCOPES } from './operation.ts';

const scope = z.enum(SCOPES);
const when = z.iso.datetime();

export const ownToken = z
  .object({
    id: z.string(),
    label: z.string(),
    fingerprint: z.string(),
    scopes: z.array(scope),
    addresses: z.string().nullable().meta({ description: 'From where it is taken; null is from everywhere.' }),
    created: when,
    expires: when.nullable(),
    lastUsed: when.nullable(),
    suspended: when.nullable(),
  })
  .meta({ id: 'OwnToken' });

const newToken = z
  .strictObject({
    label: z.string().min(1).max(80).meta({ description: 'What it is for.' }),
    fingerprint: z
      .string()
      .max(100)
      .meta({
        description:
          '"SHA256:" and SHA-256 of the whole token in base64 without "=". The token is wbt_ and 43 of 0-9A-Za-z.',
        examples: ['SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU'],
      }),
    scopes: z.array(scope).min(1).max(SCOPES.length).meta({ description: 'None that the session has not itself.' }),
    addresses: z.string().max(4096).nullable().default(null),
    expires: when.meta({ description: 'Within 366 days.' }),
  })
  .meta({ id: 'NewOwnToken' });

const own = { scope: 'signed-in' } as const;

export const OWN_TOKEN_OPERATIONS = {
  'account.tokens': {
    ...own,
    method: 'GET',
    path: '/api/v1/account/tokens',
    doc: 'The API tokens of the account. A token itself gets `call-forbidden`.',
    answers: [{ status: 200, doc: 'No secret among it', body: z.object({ tokens: z.array(ownToken) }) }],
  },
  'account.add-token': {
    ...own,
    method: 'POST',
    path: '/api/v1/account/tokens',
    doc: 'Adds an API token to the account; a strong factor must just have been shown.',
    body: newToken,
    answers: [{ status: 201, doc: 'The token', body: ownToken }],
  },
  'account.remove-token': {
    ...own,
    method: 'DELETE',
    path: '/api/v1/account/tokens/{id}',
    doc: 'Removes one, and ends what it opened.',
    answers: [{ status: 204, doc: 'It is gone', body: null }],
  },
} as const satisfies Readonly<Record<string, Operation>>;
