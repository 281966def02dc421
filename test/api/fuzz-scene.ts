/** Who asks in the fuzz runs, and what is there to be asked for. */
import { randomBytes } from 'node:crypto';
import type { Described } from './document.ts';
import { PASSWORD } from './fuzz.ts';
import type { Role } from './fuzz.ts';
import type { Dictionary } from './json-values.ts';
import { RealServer } from './real-server.ts';

export interface FuzzScene {
  readonly server: RealServer;
  readonly roles: readonly Role[];
  dictionary(operation: Described): Dictionary;
}

const PATHS = [
  '/exchange',
  '/exchange/a',
  '/exchange/dir',
  '/exchange/dir/b',
  '/exchange/new',
  '/exchange/absent',
  '/',
];

export async function openFuzzScene(args: readonly string[] = []): Promise<FuzzScene> {
  const server = await RealServer.open({ args });
  const { admin } = server;
  await admin.call('account.add', { tenant: 'operator', login: 'boss', displayName: '', administrator: true });
  // The first account is a service, and signs in on no page.
  await admin.call('account.add', { tenant: 'first', login: 'paula', displayName: '', administrator: false });
  const rights = ['list', 'read', 'write', 'delete', 'rename'] as const;
  await admin.call('grant.add', {
    login: 'paula',
    tenant: 'first',
    folder: 'exchange',
    rights: [...rights],
    policy: null,
  });
  // What administrators may lose; the people who ask are in another tenant.
  await admin.call('tenant.add', { name: 'spare', displayName: '' });
  await admin.call('folder.add', { tenant: 'spare', name: 'drawer' });
  await admin.call('account.add', { tenant: 'spare', login: 'paul', displayName: '', administrator: false });
  const { id: token } = await server.token('paul');
  const first = await server.token('first');
  const put = (name: string): Promise<unknown> =>
    server.ask('PUT', `/api/v1/content/exchange/${name}`, { by: first, body: 'hello' });
  await put('a');
  await server.ask('POST', '/api/v1/mkdir', { by: first, json: { path: '/exchange/dir' } });
  await put('dir/b');
  const begun = await server.ask('POST', '/api/v1/tus', {
    by: first,
    headers: {
      'tus-resumable': '1.0.0',
      'upload-length': '5',
      'upload-metadata': `path ${Buffer.from('/exchange/upload').toString('base64')}`,
    },
  });
  const upload = (begun.headers.location ?? '').slice('/api/v1/tus/'.length);
  const spare = await server.signIn('paul');
  const { secret } = await admin.call('sign-in.enrol', { login: 'paul' });
  const flows = {
    'sign-in': await flowOf(server, 'sign-in', {}),
    enrolment: await flowOf(server, 'enrolment', { secret }),
  };

  const roles: Role[] = [
    { name: 'nobody', credential: () => Promise.resolve(null) },
    { name: 'an account by token', credential: () => server.token('first') },
    { name: 'a person by cookie', credential: () => server.signIn('paula') },
    { name: 'an administrator by token', credential: () => server.token('boss', ['admin']) },
    { name: 'an administrator by cookie', credential: () => server.signIn('boss') },
  ];
  const named: Dictionary = {
    path: PATHS,
    from: PATHS,
    to: PATHS,
    login: ['paul', 'nobody-at-all'],
    user: ['paul', 'nobody-at-all'],
    tenant: ['spare', 'absent'],
    folder: ['drawer', 'absent'],
    name: ['spare', 'drawer', 'absent'],
    token: [token],
    session: [spare.session],
    reference: ['H-00000-00000'],
    ...(await askedToLogIn(server)),
    passkey: [spare.passkey],
    password: [PASSWORD],
    secret: [PASSWORD],
    scope: ['account/paul', 'tenant/spare'],
  };
  const ids: Readonly<Record<string, readonly string[]>> = {
    tus: [upload],
    token: [token],
    session: [spare.session],
    account: [spare.session, spare.passkey, token],
  };
  return {
    server,
    roles,
    dictionary: ({ id }) => {
      const area = id.slice(0, id.indexOf('.'));
      const flow = area === 'enrolment' ? flows.enrolment : flows['sign-in'];
      return { ...named, flow, id: ids[area] ?? [token] };
    },
  };
}

/** A machine that waits for somebody. */
async function askedToLogIn(server: RealServer): Promise<Dictionary> {
  const publicKey = `ssh-ed25519 ${Buffer.concat([
    Buffer.from([0, 0, 0, 11]),
    Buffer.from('ssh-ed25519'),
    Buffer.from([0, 0, 0, 32]),
    randomBytes(32),
  ]).toString('base64')}`;
  const { text } = await server.ask('POST', '/api/v1/login', { json: { publicKey } });
  const { userCode, deviceCode } = JSON.parse(text) as { userCode?: string; deviceCode?: string };
  const known = { publicKey: [publicKey], line: [publicKey] };
  return userCode === undefined ? known : { ...known, userCode: [userCode], deviceCode: [deviceCode] };
}

/** A sign-in or enrolment that has begun. */
async function flowOf(server: RealServer, area: string, json: unknown): Promise<string[]> {
  const begun = await server.ask('POST', `/api/v1/${area}/start`, {
    json,
    headers: { 'sec-fetch-site': 'same-origin' },
  });
  const { flow } = JSON.parse(begun.text) as { flow?: string };
  return flow === undefined ? [] : [flow];
}
