/** How each operation is asked for a thing: an operation that names things and has no recipe fails the test. */
import { ADMIN_CALLS } from '../../src/broker/admin-calls.ts';
import type { Names } from './two-tenants.ts';

export interface Wish {
  /** In the place of `{path}` or `{id}`. */
  readonly rest?: string;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string;
}

export interface Recipe {
  /** Whose thing it names: a path of the tenant, or something of the account alone. `nobody`'s: only marks are looked for. */
  readonly names: 'path' | 'own' | 'flow' | 'nobody';
  readonly wish: (names: Names) => Wish;
  /** It answers before it looks: what it began must never come to anything. */
  readonly begins?: true;
  /** What Ben himself gets for it, when he is asked at the end; left out where asking proves nothing. */
  readonly owner?: { readonly by: 'token' | 'person'; readonly status: number };
}

const TUS = { 'tus-resumable': '1.0.0' };
const STREAM = { ...TUS, 'content-type': 'application/offset+octet-stream' };
const nothing: Recipe = { names: 'nobody', wish: () => ({}) };
const file = (status: number): Recipe => ({
  names: 'path',
  wish: (of) => ({ rest: of.file.slice(1) }),
  owner: { by: 'token', status },
});
const flow = (names: (of: Names) => string, json: object): Recipe => ({
  names: 'flow',
  wish: (of) => ({ json: { flow: names(of), ...json } }),
});
const signIn = (json: object): Recipe => flow((of) => of.flow, json);
const enrolment = (json: object): Recipe => flow((of) => of.enrolment, json);
const own = (wish: Recipe['wish'], status: number, by: 'token' | 'person' = 'person'): Recipe => ({
  names: 'own',
  wish,
  owner: { by, status },
});
const id = 'A'.repeat(43);
const assertion = {
  id,
  rawId: id,
  type: 'public-key',
  clientExtensionResults: {},
  response: { clientDataJSON: 'e30', authenticatorData: 'AA', signature: 'AA' },
};
const registration = { ...assertion, response: { clientDataJSON: 'e30', attestationObject: 'AA' } };

/** In the order in which Ben is asked at the end: what takes things away comes last. */
export const RECIPES: Readonly<Record<string, Recipe>> = {
  'api.openapi': nothing,
  'api.page': nothing,
  'tus.options': nothing,
  'files.get': file(200),
  'content.get': file(200),
  'content.head': file(200),
  'checksum.get': file(200),
  'archive.get': {
    names: 'path',
    wish: (of) => ({ rest: of.directory.slice(1) }),
    owner: { by: 'token', status: 200 },
  },
  'content.put': { ...file(200), wish: (of) => ({ rest: of.file.slice(1), body: 'other' }) },
  'files.mkdir': {
    names: 'path',
    wish: (of) => ({ json: { path: `${of.directory}/made` } }),
    owner: { by: 'token', status: 201 },
  },
  'files.rename': {
    names: 'path',
    wish: (of) => ({ json: { from: of.file, to: `${of.directory}/taken`, replace: true } }),
    owner: { by: 'token', status: 200 },
  },
  'files.remove': {
    names: 'path',
    wish: (of) => ({ rest: `${of.directory.slice(1)}/secret` }),
    owner: { by: 'token', status: 204 },
  },
  'tus.create': {
    names: 'path',
    wish: (of) => ({
      headers: {
        ...STREAM,
        'upload-length': '3',
        'upload-metadata': `path ${Buffer.from(`${of.directory}/up`).toString('base64')}`,
      },
      body: 'abc',
    }),
    owner: { by: 'token', status: 201 },
  },
  'tus.head': own((of) => ({ rest: of.upload, headers: TUS }), 200, 'token'),
  'tus.patch': own(
    (of) => ({ rest: of.upload, headers: { ...STREAM, 'upload-offset': '5' }, body: 'x' }),
    204,
    'token',
  ),
  'tus.remove': own((of) => ({ rest: of.upload, headers: TUS }), 204, 'token'),

  'transfers.download': {
    ...{ names: 'path', begins: true },
    wish: (of) => ({ json: { files: [{ path: of.file, size: 32 }] } }),
  },
  'transfers.upload': {
    ...{ names: 'path', begins: true },
    wish: (of) => ({ json: { files: [{ path: `${of.directory}/fast`, size: 3 }] } }),
  },
  'transfers.ready': nothing,
  'transfers.get': { names: 'own', wish: (of) => ({ rest: of.transfer }) },
  'transfers.end': { names: 'own', wish: (of) => ({ rest: of.transfer }) },

  'page.home': nothing,
  'page.sign-in': nothing,
  'page.enrol': nothing,
  'page.account': nothing,
  'page.device': nothing,
  'page.part': { names: 'nobody', wish: () => ({ rest: 'none' }) },

  'sign-in.start': nothing,
  'sign-in.passkey-options': signIn({}),
  'sign-in.passkey': signIn({ response: assertion }),
  'sign-in.password': signIn({ login: 'ann', password: 'no' }),
  'sign-in.totp': signIn({ code: '123456' }),
  'sign-in.recovery': signIn({ code: 'abcd' }),
  'page.sign-in-at': { names: 'nobody', wish: () => ({ rest: 'none' }) },
  'page.sso-callback': { names: 'nobody', wish: () => ({ rest: 'none' }) },
  'sso.listed': nothing,
  'sso.show': { names: 'nobody', wish: () => ({ rest: 'none' }) },
  'sso.start': signIn({ provider: 'none' }),
  'sso.finish': signIn({ provider: 'none', code: 'x', state: 'x' }),
  'sso.step-up': nothing,
  // Whoever has the secret is the one it is for.
  'enrolment.start': { names: 'nobody', wish: () => ({ json: { secret: 'wbe_no' } }) },
  'enrolment.passkey-options': enrolment({}),
  'enrolment.passkey': enrolment({ label: 'mine', response: registration }),
  'enrolment.password': enrolment({ password: 'correct horse battery staple' }),
  'enrolment.totp': enrolment({ code: '123456' }),

  'login.start': { names: 'nobody', wish: () => ({ json: { publicKey: 'x' } }) },
  // A code that is for Ben is none for others; and only the machine that asked, from where it asked, gets an answer.
  'login.show': own((of) => ({ json: { userCode: of.userCode } }), 200),
  'login.confirm': { names: 'own', wish: (of) => ({ json: { userCode: of.userCode, fingerprint: of.fingerprint } }) },
  'login.token': { names: 'flow', wish: (of) => ({ json: { deviceCode: of.deviceCode } }) },
  'login.refuse': own((of) => ({ json: { userCode: of.userCode } }), 204),

  'account.get': nothing,
  'account.sessions': nothing,
  'account.credentials': nothing,
  'account.tokens': nothing,
  'account.step-up-options': nothing,
  'account.passkey-options': nothing,
  'account.recovery-codes': nothing,
  // A wrong code six times ends the own session: what is asked here is not about anybody.
  'account.step-up': { names: 'nobody', wish: () => ({ json: {} }) },
  'account.add-passkey': { names: 'nobody', wish: () => ({ json: { label: 'x', response: registration } }) },
  'account.add-token': { names: 'nobody', wish: () => ({ json: {} }) },
  'account.certificate': { names: 'nobody', wish: () => ({ json: {} }) },
  'account.end-session': own((of) => ({ rest: of.session }), 204),
  'account.remove-token': own((of) => ({ rest: of.token }), 204),
  'account.remove-passkey': own((of) => ({ rest: of.passkey }), 204),
};

/** Asked last by everybody: it ends what asks. */
export const LAST: ReadonlySet<string> = new Set(['account.sign-out']);

/** Requests of administration, of the names of their fields; a field that is in neither list has no recipe. */
const FIELDS: Readonly<Record<string, (of: Names) => unknown>> = {
  login: (of) => of.login,
  tenant: (of) => of.tenant,
  folder: (of) => of.folder,
  key: (of) => of.fingerprint,
  serial: (of) => of.serial,
  token: (of) => of.token,
  session: (of) => of.session,
  scope: (of) => `account/${of.login}`,
  provider: (of) => of.receiver,
};
/** What `name` is of. */
const NAMED: Readonly<Record<string, (of: Names) => unknown>> = {
  tenant: (of) => of.tenant,
  folder: (of) => of.folder,
  product: (of) => of.folder,
  event: (of) => of.receiver,
  sso: (of) => of.receiver,
  administrator: (of) => of.login,
};
const PLAIN: Readonly<Record<string, unknown>> = {
  displayName: 'x',
  quota: null,
  confirm: 'x',
  reason: 'x',
  product: 'x',
  administrator: false,
  password: 'correct horse battery staple',
  chains: [['password']],
  rights: ['read'],
  policy: null,
  line: 'x',
  what: { kind: 'key-id', authority: 'x', keyId: 'x' },
  hours: null,
  addresses: null,
  overlap: 0,
  label: 'x',
  fingerprint: 'SHA256:x',
  scopes: ['files:list'],
  expires: null,
  kind: 'key',
  value: 'x',
  dimension: 'bytes',
  window: 3600,
  limit: null,
  reference: 'H-00000-00000',
  extra: null,
  seconds: null,
  suspend: false,
  digest: 'a'.repeat(64),
  address: 'https://example.com/',
  only: [],
  ca: null,
  certificate: null,
  clientKey: null,
  number: null,
  after: null,
  title: 'x',
  issuer: 'https://id.example',
  clientId: 'x',
  clientSecret: null,
  claim: 'sub',
  multiFactor: false,
  listed: false,
  requireAcr: [],
  requireAmr: [],
  person: 'x',
  demand: 'none',
  files: ['checkpoint'],
  offset: 0,
};

/** Null: it has a field that nobody has thought of. */
export function adminRecipe(call: string): Recipe | null {
  const row = (ADMIN_CALLS as Readonly<Record<string, { request: { shape?: object } } | undefined>>)[call];
  if (row === undefined) return null;
  const fields = Object.keys(row.request.shape ?? {});
  const area = call.slice(0, call.indexOf('.'));
  const valueOf = (name: string): ((of: Names) => unknown) | null => {
    if (name === 'name' && NAMED[area] !== undefined) return NAMED[area];
    if (FIELDS[name] !== undefined) return FIELDS[name];
    return Object.hasOwn(PLAIN, name) ? () => PLAIN[name] : null;
  };
  const values = fields.map((name) => [name, valueOf(name)] as const);
  if (values.some(([, value]) => value === null)) return null;
  return {
    names: 'path',
    wish: (of) => ({ json: Object.fromEntries(values.map(([name, value]) => [name, value?.(of)])) }),
  };
}
