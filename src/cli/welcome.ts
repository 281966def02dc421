/** What `waybill serve` tells people when it is ready: what is there, and the command that tries it. */
import path from 'node:path';
import { addressText } from '../config/values.ts';
import { writeKnownHosts } from '../first-start/known-hosts.ts';
import type { HostKeyRow } from '../broker/admin-calls.ts';
import type { Ready } from '../main.ts';

export interface Surroundings {
  readonly dataFolder: string;
  /** The folder in which the command will be typed. */
  readonly here: string;
  readonly hostKeys: readonly HostKeyRow[];
}

const PROFILES = { default: 'SFTP        ', legacy: 'SFTP        ', https: 'HTTPS       ' } as const;

export async function welcome(ready: Ready, around: Surroundings): Promise<string> {
  const { listeners, created } = ready;
  const near = (file: string): string => nearName(file, around.here);
  const made = 'new: root key, host keys, the tenants operator and first, the account first';
  const lines = [
    'Waybill is ready.',
    '',
    `  Data folder  ${near(around.dataFolder)}${created ? ` (${made})` : ''}`,
    ...listeners.map(
      (at) => `  ${PROFILES[at.profile]} ${addressText(at)}${at.profile === 'legacy' ? ' (older clients)' : ''}`,
    ),
    ...(ready.tlsKey === null ? [] : [`  HTTPS key    ${ready.tlsKey}`]),
    ...around.hostKeys.map(
      (key, index) => `  ${index === 0 ? 'Host keys' : '         '}    ${key.fingerprint} ${key.algorithm}`,
    ),
    '',
  ];
  if (created)
    lines.push(
      `Keep a copy of ${near(path.join(around.dataFolder, 'keys'))} in another place: without the root key the content is lost.`,
      '',
    );
  return [...lines, ...(await tryIt(ready, around)), ...enrolment(ready), 'Stop with Ctrl-C.'].join('\n');
}

async function tryIt({ first, sftp }: Ready, around: Surroundings): Promise<string[]> {
  if (first === null) return [];
  const host = reachable(sftp.host);
  const knownHosts = await writeKnownHosts(around.dataFolder, { host, port: sftp.port }, around.hostKeys);
  const near = (file: string): string => quoted(nearName(file, around.here));
  const words = [
    `sftp -P ${sftp.port} -i ${near(first.key)} -o IdentitiesOnly=yes`,
    `-o UserKnownHostsFile=${near(knownHosts)} ${first.login}@${host}`,
  ];
  return ['Try it from another terminal:', '', `  ${words.join(' ')}`, `  sftp> put README.md ${first.folder}/`, ''];
}

/** The link stands alone on its line, so that a terminal opens it whole. */
function enrolment({ enrol, listeners }: Ready): string[] {
  if (enrol === null || !listeners.some(({ profile }) => profile === 'https')) return [];
  return [
    'Set up the first administrator in a browser, within a day (whoever has the link can):',
    '',
    `  ${enrol}`,
    '',
  ];
}

/** A server that listens everywhere is reached here by the loopback address. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  return host === '::' ? '::1' : host;
}

function nearName(file: string, here: string): string {
  const relative = path.relative(here, file);
  return relative.startsWith('..') || relative === '' ? file : relative;
}

function quoted(word: string): string {
  return /^[\w./:@+-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
