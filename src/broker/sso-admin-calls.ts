/** The rows of ADMIN_CALLS about identity providers. No answer holds a client secret. */
import { z } from 'zod';
import { LINK_CLAIMS } from '../sso/provider.ts';

const label = z.string().min(1).max(255);
const login = z.string().min(1).max(64);
const name = z.string().min(1).max(40);
const title = z.string().min(1).max(60);
const values = z.array(z.string().max(100)).max(20);
const secret = z.string().min(1).max(255);
const count = z.number().int().min(0);
const moment = z.string();

const provider = z.object({
  name,
  tenant: label,
  title,
  issuer: z.string(),
  clientId: z.string(),
  claim: z.enum(LINK_CLAIMS),
  multiFactor: z.boolean(),
  listed: z.boolean(),
  requireAcr: values,
  requireAmr: values,
  /** Accounts that are linked. */
  links: count,
  /** Thumbprints (RFC 7638) of keys that have signed somebody in. */
  keys: z.array(z.string()),
  added: moment,
  /** The path that the provider has to send browsers back to, at each address of ours. */
  callback: z.string(),
});
export type ProviderRow = z.infer<typeof provider>;

const link = z.object({
  login,
  tenant: label,
  provider: name,
  /** Of the provider; null until the first sign-in where another claim finds the person. */
  subject: z.string().nullable(),
  expected: z.string().nullable(),
  added: moment,
  lastUsed: moment.nullable(),
});
export type SsoLinkRow = z.infer<typeof link>;

const reads = { who: 'administrator', writes: false, records: [], eyes: 'one' } as const;
const changes = { who: 'administrator', writes: true, records: ['changed'], eyes: 'one' } as const;
const guarded = { ...changes, eyes: 'two' } as const;

export const SSO_ADMIN_CALLS = {
  /** A provider can sign in as everybody of the tenant who is linked with it. */
  'sso.add': {
    ...guarded,
    request: z.object({
      ...{ tenant: label, name, title, issuer: z.string().max(2048), clientId: z.string().max(255) },
      ...{ clientSecret: secret, claim: z.enum(LINK_CLAIMS), ca: z.string().max(65_536).nullable() },
      ...{ multiFactor: z.boolean(), listed: z.boolean(), requireAcr: values, requireAmr: values },
    }),
    response: provider,
  },
  'sso.list': {
    ...reads,
    request: z.object({ tenant: label.nullable() }),
    response: z.object({ providers: z.array(provider) }),
  },
  /** Null stays as it is. */
  'sso.set': {
    ...guarded,
    request: z.object({
      ...{ name, title: title.nullable(), clientSecret: secret.nullable() },
      ...{ multiFactor: z.boolean().nullable(), listed: z.boolean().nullable() },
      ...{ requireAcr: values.nullable(), requireAmr: values.nullable() },
    }),
    response: provider,
  },
  /** Asks the provider about itself. */
  'sso.test': {
    ...reads,
    request: z.object({ name }),
    response: z.object({
      ...{ name, issuer: z.string(), callback: z.string() },
      ...{ authorizationEndpoint: z.string(), tokenEndpoint: z.string(), keysEndpoint: z.string() },
      algorithms: z.array(z.string()),
    }),
  },
  /** What it has opened ends before the answer. */
  'sso.remove': { ...changes, request: z.object({ name }), response: z.object({ links: count, ended: count }) },
  /** `person`: what the provider's claim says of him. */
  'sso.link': {
    ...guarded,
    request: z.object({ login, provider: name, person: z.string().min(1).max(255) }),
    response: link,
  },
  'sso.unlink': {
    ...changes,
    request: z.object({ login, provider: name }),
    response: z.object({ ended: count }),
  },
  'sso.links': {
    ...reads,
    request: z.object({ login: login.nullable(), provider: name.nullable() }),
    response: z.object({ links: z.array(link) }),
  },
} as const;
