/** Two tenants on one server: Ann's, who asks for what is not hers, and Ben's, who has it; and two of Ben's colleagues. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { newId } from '../../src/base/ids.ts';
import type { Scope } from '../../src/api/operation.ts';
import type { RightName } from '../../src/broker/admin-calls.ts';
import { RealServer } from './real-server.ts';
import type { Credential } from './real-server.ts';

/** What stands for a thing of Ben's in a request; each has a twin of the same form that is nothing. */
export interface Names {
  /** The folder that only Ben's tenant has. */
  readonly folder: string;
  readonly file: string;
  readonly directory: string;
  readonly upload: string;
  /** A fast transfer under way; where none is served, as one that is over. */
  readonly transfer: string;
  readonly session: string;
  readonly passkey: string;
  readonly token: string;
  readonly login: string;
  readonly tenant: string;
  readonly flow: string;
  readonly enrolment: string;
  readonly userCode: string;
  readonly deviceCode: string;
  readonly serial: string;
  readonly fingerprint: string;
  readonly receiver: string;
}

export interface Asker {
  readonly name: string;
  readonly credential: Credential;
  /** `files`: Ben's paths are none of his; `own`: only what belongs to Ben himself is not. */
  readonly stranger: 'files' | 'own';
}

export interface TwoTenants {
  readonly server: RealServer;
  readonly bens: Names;
  readonly nothing: Names;
  /** Of Ben's account. */
  readonly account: string;
  readonly ben: { readonly token: Credential; readonly person: Credential };
  readonly askers: readonly Asker[];
  /** May only put files into Ben's folder. */
  readonly dropper: Credential;
  /** Ben's own, for nothing that reads or writes. */
  readonly lister: Credential;
}

export const CONTENT = 'what only Ben may read: 5f1c0a77';
const ALL: readonly RightName[] = ['list', 'read', 'write', 'delete', 'rename', 'share'];

export async function openTwoTenants(project?: string): Promise<TwoTenants> {
  const server = await RealServer.open(project === undefined ? {} : { project });
  try {
    return await fill(server);
  } catch (error) {
    const log = server.server.log();
    await server.close();
    throw new Error(`the tenants could not be made:\n${log}`, { cause: error });
  }
}

async function fill(server: RealServer): Promise<TwoTenants> {
  const { admin } = server;
  const add = async (tenant: string, login: string, folder: string, rights = ALL, administrator = false) => {
    await admin.call('account.add', { tenant, login, displayName: '', administrator });
    await admin.call('grant.add', { login, tenant, folder, rights: [...rights], policy: null });
  };
  for (const [tenant, folder] of [
    ['ann-tenant', 'ann-box'],
    ['ben-tenant', 'ben-box'],
  ] as const) {
    await admin.call('tenant.add', { name: tenant, displayName: '' });
    for (const name of [folder, 'shared-name']) await admin.call('folder.add', { tenant, name });
  }
  await add('ann-tenant', 'ann', 'ann-box');
  await admin.call('grant.add', {
    login: 'ann',
    tenant: 'ann-tenant',
    folder: 'shared-name',
    rights: [...ALL],
    policy: null,
  });
  await add('ann-tenant', 'ann-chief', 'ann-box', ALL, true);
  await add('ben-tenant', 'ben-login', 'ben-box');
  await add('ben-tenant', 'ben-mate', 'ben-box');
  await add('ben-tenant', 'ben-neighbour', 'shared-name');
  await add('ben-tenant', 'ben-dropper', 'ben-box', ['write']);

  const token = await server.token('ben-login');
  const put = (file: string): Promise<unknown> =>
    server.ask('PUT', `/api/v1/content${file}`, { by: token, body: CONTENT });
  await server.ask('POST', '/api/v1/mkdir', { by: token, json: { path: '/ben-box/things' } });
  await put('/ben-box/secret');
  await put('/ben-box/things/secret');
  const upload = await beginUpload(server, token, '/ben-box/upload');
  const transfer = await beginTransfer(server, token, '/ben-box/secret');
  const [person, other] = [await server.signIn('ben-login'), await server.signIn('ben-login')];
  const spare = await server.token('ben-login', ['files:list']);
  const flow = await flowOf(server, 'sign-in', {});
  const { secret } = await admin.call('sign-in.enrol', { login: 'ben-neighbour' });
  const { serial, fingerprint, line } = await issue(server, 'ben-login');
  const { userCode, deviceCode } = await askToLogIn(server, 'ben-login', line);
  const bens: Names = {
    ...{ userCode, deviceCode, transfer },
    ...{ folder: 'ben-box', file: '/ben-box/secret', directory: '/ben-box/things', upload },
    ...{ session: other.session, passkey: person.passkey, token: spare.id, login: 'ben-login', tenant: 'ben-tenant' },
    ...{
      flow,
      enrolment: await flowOf(server, 'enrolment', { secret }),
      serial,
      fingerprint,
      receiver: 'ben-receiver',
    },
  };
  const asker = async (name: string, login: string, stranger: 'files' | 'own', scopes?: readonly Scope[]) => [
    { name: `${name}, by token`, credential: await server.token(login, scopes), stranger },
    { name: `${name}, signed in`, credential: await server.signIn(login), stranger },
  ];
  const askers: Asker[] = [
    ...(await asker('a person of another tenant', 'ann', 'files')),
    ...(await asker('an administrator of another tenant', 'ann-chief', 'files', [
      'files:list',
      'files:read',
      'files:write',
      'admin',
    ])),
    ...(await asker('one of the tenant without a grant', 'ben-neighbour', 'files')),
    ...(await asker('one with the same folder', 'ben-mate', 'own')),
  ];
  const dropper = await server.token('ben-dropper');
  const { id: account } = JSON.parse((await server.ask('GET', '/api/v1/account', { by: person })).text) as {
    id: string;
  };
  return { server, bens, nothing: twinOf(bens), account, ben: { token, person }, askers, dropper, lister: spare };
}

function twinOf(bens: Names): Names {
  const changed = (id: string): string =>
    id.replaceAll(/[0-9a-f]/g, (digit) => (15 - parseInt(digit, 16)).toString(16));
  const [upload = '', ...rest] = JSON.parse(Buffer.from(bens.upload, 'base64url').toString()) as string[];
  return {
    folder: 'bem-box',
    file: '/bem-box/secret',
    directory: '/bem-box/things',
    upload: Buffer.from(JSON.stringify([changed(upload), ...rest])).toString('base64url'),
    transfer: changed(bens.transfer),
    session: changed(bens.session),
    passkey: changed(bens.passkey),
    token: changed(bens.token),
    login: 'bem-login',
    tenant: 'bem-tenant',
    flow: `${bens.flow.slice(0, -10)}aaaaaaaaaa`,
    enrolment: `${bens.enrolment.slice(0, -10)}aaaaaaaaaa`,
    userCode: bens.userCode.replace(/^.../, (letters) => (letters === 'BCD' ? 'FGH' : 'BCD')),
    deviceCode: `${bens.deviceCode.slice(0, -10)}aaaaaaaaaa`,
    serial: bens.serial.replace(/^./, (digit) => (digit === '9' ? '8' : '9')),
    fingerprint: `${bens.fingerprint.slice(0, -10)}aaaaaaaaaa`,
    receiver: 'bem-receiver',
  };
}

async function beginUpload(server: RealServer, by: Credential, file: string): Promise<string> {
  const headers = {
    'tus-resumable': '1.0.0',
    'upload-length': '10',
    'upload-metadata': `path ${Buffer.from(file).toString('base64')}`,
    'content-type': 'application/offset+octet-stream',
  };
  const { headers: told } = await server.ask('POST', '/api/v1/tus', { by, headers, body: 'half ' });
  return (told.location ?? '').slice('/api/v1/tus/'.length);
}

async function beginTransfer(server: RealServer, by: Credential, file: string): Promise<string> {
  const json = { files: [{ path: file, size: CONTENT.length }] };
  const { status, text } = await server.ask('POST', '/api/v1/downloads', { by, json });
  return status === 201 ? (JSON.parse(text) as { transfer: string }).transfer : newId();
}

async function flowOf(server: RealServer, area: string, json: unknown): Promise<string> {
  const headers = { 'sec-fetch-site': 'same-origin' };
  const { text } = await server.ask('POST', `/api/v1/${area}/start`, { json, headers });
  const { flow } = JSON.parse(text) as { flow?: string };
  if (flow === undefined) throw new Error(text);
  return flow;
}

/** A machine that wants to act as this login, and whose request waits for somebody. */
async function askToLogIn(
  server: RealServer,
  login: string,
  publicKey: string,
): Promise<{ userCode: string; deviceCode: string }> {
  const { text } = await server.ask('POST', '/api/v1/login', { json: { publicKey, login } });
  const { userCode, deviceCode } = JSON.parse(text) as { userCode?: string; deviceCode?: string };
  if (userCode === undefined || deviceCode === undefined) throw new Error(text);
  return { userCode, deviceCode };
}

async function issue(
  server: RealServer,
  login: string,
): Promise<{ serial: string; fingerprint: string; line: string }> {
  const file = path.join(server.server.temporary, 'ben_key');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);
  const line = readFileSync(`${file}.pub`, 'utf8').trim();
  const { fingerprint } = await server.admin.call('key.add', { login, line });
  const { issued } = await server.admin.call('key.issue', { login, line, hours: null, addresses: null });
  return { serial: issued.serial, fingerprint, line };
}
