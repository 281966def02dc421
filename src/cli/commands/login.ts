/** Signing in over SFTP as a person does: a certificate of a few hours, confirmed in a browser. */
import { generateKeyPairSync } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import { mkdir } from 'node:fs/promises';
import { isIP } from 'node:net';
import { homedir } from 'node:os';
import path from 'node:path';
import { isLogin, LOGIN_RULE } from '../../accounts/login.ts';
import { SYSTEM_CLOCK } from '../../base/clock.ts';
import { WaybillError } from '../../base/errors.ts';
import { readRemotePlace, SERVER_VARIABLE } from '../../config/remote-server.ts';
import type { RemotePlace } from '../../config/remote-server.ts';
import { command } from '../command.ts';
import type { Context } from '../command.ts';
import { HttpsClient } from '../https-client.ts';
import { addKnownHosts } from '../key-files.ts';
import { openPage } from '../login/browser.ts';
import { awaitCertificate, checkAnswer, lifetimeSeconds, startLogin } from '../login/exchange.ts';
import type { Granted, Started, Wish } from '../login/exchange.ts';
import { commentOf, forgetFiles, forgetInAgent, keep, requireAgent, usualFile, usualFiles } from '../login/keeping.ts';
import type { Keeping } from '../login/keeping.ts';
import { knownHostsLines } from '../login/known-hosts.ts';
import { commandLine, configuration } from '../login/use.ts';
import { printable } from '../output.ts';
import { readTrust, TRUST_OPTION } from '../server-trust.ts';

const server = {
  value: 'https://HOST:PORT',
  doc: `The server, as you see it in a browser; or the variable ${SERVER_VARIABLE}.`,
} as const;
const file = {
  value: 'FILE',
  doc: 'Keep the key in FILE, its certificate in FILE-cert.pub and both in FILE.ppk.',
  fallback: 'ssh-agent, and without one ~/.ssh/waybill-HOST',
} as const;

interface LoginInput {
  readonly user: string | null;
  readonly file: string | null;
  readonly hours: string | null;
  readonly 'known-hosts': string | null;
  readonly 'no-browser': boolean;
}

export const LOGIN_COMMANDS = [
  command({
    name: 'login',
    doc: 'Sign in by browser, and get a certificate of a few hours for sftp, rclone, WinSCP.',
    details: [
      'It makes a new key, which never leaves this machine, and shows a code. On the page that it names, in this or any other browser of the same network, you sign in and confirm the code. The certificate signs in from this address only.',
      'With --json it prints two lines: event "code" with what to confirm, and event "certificate".',
    ],
    arguments: {},
    options: {
      server,
      trust: TRUST_OPTION,
      user: { value: 'LOGIN', doc: 'Who has to confirm it; with anybody else it fails.' },
      file,
      hours: { value: 'HOURS', doc: 'How long it is good for.', fallback: 'as long as the server allows' },
      'known-hosts': {
        value: 'FILE',
        doc: 'Where to note the keys of the server.',
        fallback: '~/.ssh/known_hosts',
      },
      'no-browser': { doc: 'Open no browser; only print the address.' },
    },
    async run(input, context) {
      const place = placeOf(input);
      const wish = { ...newKey(), login: checkedLogin(input.user), hours: checkedHours(input.hours) };
      const keeping = await keepingOf(input.file, place.url);
      const client = new HttpsClient({ server: place.url, trust: await readTrust(place.trust, context.readTextFile) });
      try {
        const granted = await obtain(client, wish, input, context);
        await finish({ granted, wish, keeping, url: place.url, family: client.family }, input, context);
      } finally {
        client.close();
      }
    },
  }),
  command({
    name: 'logout',
    doc: 'Take what waybill login has put into ssh-agent and into files away again.',
    details: [
      'The certificate itself stays good until its time is over, for whoever has copied key and certificate before: an administrator can withdraw it (waybill key withdraw).',
    ],
    arguments: {},
    options: {
      server: { ...server, doc: 'Of this server alone; of all when left out.' },
      file: { value: 'FILE', doc: 'The file that was given to login.' },
    },
    async run({ server: given, file: named }, { output }) {
      const host = given === null ? null : hostOf(placeOf({ server: given, trust: null }).url);
      const socket = agentSocket();
      const fromAgent = socket === null ? [] : await forgetInAgent(socket, host);
      const files = await forgetFiles(named === null ? await usualFiles(homedir(), host) : [named]);
      const said = [...fromAgent.map((one) => `${printable(one)} (ssh-agent)`), ...files];
      const people = said.length === 0 ? 'There was nothing to take away.' : said.map((one) => `Removed: ${one}`);
      output.answer({ agent: fromAgent, files }, [people].flat().join('\n'));
    },
  }),
];

function placeOf(given: { readonly server: string | null; readonly trust: string | null }): RemotePlace {
  const place = readRemotePlace({ ...given, data: null });
  if (place === null)
    throw new WaybillError('option-invalid', `--server https://HOST:PORT is missing (or ${SERVER_VARIABLE})`);
  return place;
}

function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function newKey() {
  return generateKeyPairSync('ed25519');
}

function checkedLogin(user: string | null): string | null {
  if (user === null || isLogin(user)) return user;
  throw new WaybillError('option-invalid', `--user is ${JSON.stringify(user)}; allowed: ${LOGIN_RULE}`);
}

function checkedHours(text: string | null): number | null {
  if (text === null) return null;
  const hours = /^\d{1,4}(\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  if (hours > 0) return hours;
  throw new WaybillError(
    'option-invalid',
    `--hours is ${JSON.stringify(text)}; allowed: a number of hours, as 8 or 0.5`,
  );
}

function agentSocket(): string | null {
  const socket = process.env['SSH_AUTH_SOCK'] ?? '';
  return socket === '' ? null : socket;
}

async function keepingOf(named: string | null, url: URL): Promise<Keeping> {
  const socket = agentSocket();
  if (named !== null || socket === null)
    return { kind: 'file', file: path.resolve(named ?? usualFile(homedir(), hostOf(url))) };
  await requireAgent(socket);
  return { kind: 'agent', socket };
}

async function obtain(
  client: HttpsClient,
  wish: Wish,
  input: LoginInput,
  { output }: Pick<Context, 'output'>,
): Promise<Granted> {
  const started = await startLogin(client, wish);
  const opened = !input['no-browser'] && openPage(started.pageWithCode);
  output.answer(codeDocument(started), codeText(started, opened));
  return checkAnswer(await awaitCertificate(client, started, SYSTEM_CLOCK), wish);
}

function codeDocument({ page, pageWithCode, userCode, fingerprint, expires }: Started) {
  return { event: 'code', page, pageWithCode, userCode, fingerprint, expires };
}

function codeText({ page, pageWithCode, userCode, fingerprint }: Started, opened: boolean): string {
  const where = opened
    ? `A browser opens ${printable(pageWithCode)}`
    : `Open this page: ${printable(page)}\nand type the code; or open ${printable(pageWithCode)}`;
  return `${where}\n\n  Code  ${printable(userCode)}\n  Key   ${printable(fingerprint)}\n\nConfirm it there only if you see the same code and key. Waiting ...`;
}

interface Finishing {
  readonly granted: Granted;
  readonly wish: Wish & ReturnType<typeof newKey>;
  readonly keeping: Keeping;
  readonly url: URL;
  readonly family: 4 | 6 | null;
}

async function finish(
  { granted, wish, keeping, url, family }: Finishing,
  input: LoginInput,
  { output }: Pick<Context, 'output'>,
): Promise<void> {
  const { login, tenant, address, until, serial, sftpPort, parsed } = granted;
  const host = hostOf(url);
  const key = { key: wish.privateKey, certificate: parsed, comment: commentOf(login, host) };
  const files = await keep(keeping, key, lifetimeSeconds(parsed, Date.now()));
  const place = sftpPort === null ? null : { host, port: sftpPort };
  const known = place === null ? false : await noteHost(place, granted, input['known-hosts']);
  const use = {
    place,
    login,
    keyFile: keeping.kind === 'file' ? keeping.file : null,
    family: await ambiguous(host, family),
  };
  const sftp = commandLine(use);
  const said = { event: 'certificate', login, tenant, serial, until, address, sftp };
  output.answer(
    { ...said, agent: keeping.kind === 'agent', files },
    [
      `You are ${login} (${printable(tenant)}) until ${printable(until)}, from ${printable(address)}.`,
      keeping.kind === 'agent' ? 'The key is in ssh-agent.' : `The key is in ${keeping.file}.`,
      ...(known ? ['The keys of the server are in known_hosts.'] : []),
      ...(sftp === null
        ? ['The server serves no SFTP.']
        : ['', `  ${sftp}`, '', 'For ~/.ssh/config:', '', ...configuration(use)]),
    ].join('\n'),
  );
}

async function noteHost(
  place: { host: string; port: number },
  granted: Granted,
  named: string | null,
): Promise<boolean> {
  const hosts = path.resolve(named ?? path.join(homedir(), '.ssh', 'known_hosts'));
  await mkdir(path.dirname(hosts), { recursive: true, mode: 0o700 });
  return addKnownHosts(hosts, knownHostsLines(place, granted));
}

/** The certificate is good from one address: where a name has both kinds, clients have to take the one that was used here. */
async function ambiguous(host: string, family: 4 | 6 | null): Promise<4 | 6 | null> {
  if (isIP(host) !== 0) return null;
  const found = await lookup(host, { all: true }).catch(() => []);
  return new Set(found.map((one) => one.family)).size > 1 ? family : null;
}
