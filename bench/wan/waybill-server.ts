/** A real server of ours on one side of a link. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Side } from './link.ts';
import { start, until } from './processes.ts';
import type { Started } from './processes.ts';

const project = path.join(import.meta.dirname, '..', '..');
export const COMMAND = path.join(project, 'src/cli/waybill.ts');
const BUDGET = '1000T,1000000000,1000000000';

export interface WaybillServer {
  readonly url: string;
  readonly token: string;
  readonly certificate: string;
  /** Where its account may read and write. */
  readonly folder: string;
  readonly sftp: { readonly port: number; readonly login: string; readonly key: string };
  readonly process: Started;
}

interface First {
  readonly login: string;
  readonly folder: string;
  readonly key: string;
}

interface Ready {
  readonly sftp: { readonly port: number };
  readonly https: readonly { readonly port: number }[];
  readonly first?: First;
}

/** In its own process, as all of the server: what it was given at its first start is kept beside its data. */
export async function startWaybill(
  side: Side,
  folder: string,
  seconds: number,
  control = 'system',
): Promise<WaybillServer> {
  mkdirSync(folder, { recursive: true });
  const { address } = side;
  const [data, token, known] = ['data', 'token', 'first.json'].map((name) => path.join(folder, name)) as [
    string,
    string,
    string,
  ];
  const { certificate, key } = identity(folder, address);
  const serve = [process.execPath, COMMAND, 'serve', '--data', data, '--json', '--log-level', 'warn'];
  const places = ['--sftp', `${address}:0`, '--https', `${address}:0`, '--tls-cert', certificate, '--tls-key', key];
  const server = start(side, [...serve, ...places, '--budget-initial', BUDGET, '--tcp-congestion', control], {
    seconds,
  });
  try {
    const ready = await readyLine(server);
    // It says so again until that account was used.
    if (ready.first !== undefined && !existsSync(known)) {
      const scopes = 'files:list,files:read,files:write';
      const add = ['token', 'add', ready.first.login, '--scopes', scopes, '--token-out', token, '--data', data];
      execFileSync(process.execPath, [COMMAND, ...add], { stdio: ['ignore', 'ignore', 'inherit'] });
      writeFileSync(known, JSON.stringify(ready.first));
    }
    const url = `https://${address}:${ready.https[0]?.port ?? 0}`;
    const first = JSON.parse(readFileSync(known, 'utf8')) as First;
    const sftp = { ...ready.sftp, login: first.login, key: first.key };
    openFastFront(side, url, certificate, token);
    return { url, token, certificate, folder: first.folder, sftp, process: server };
  } catch (error) {
    await server.stop();
    throw error;
  }
}

/** Its process starts when somebody asks for the first time; those of rivals are there when they are measured, too. */
function openFastFront({ enter }: Side, url: string, certificate: string, token: string): void {
  const words = ['curl', '-sS', '--fail-with-body', '--cacert', certificate, '-H', '@-', `${url}/api/v1/transfers`];
  const input = `Authorization: Bearer ${readFileSync(token, 'utf8').trim()}\n`;
  execFileSync('env', [...enter, ...words], { input, stdio: ['pipe', 'ignore', 'inherit'] });
}

async function readyLine(server: Started): Promise<Ready> {
  const ended = server.ended.then((code) => {
    throw new Error(`waybill serve ended with ${code}: ${server.errors().trim()}`);
  });
  ended.catch(() => undefined);
  const line = until('waybill serve', 30, () => {
    const said = server.output();
    return said.includes('\n') ? (said.split('\n')[0] ?? null) : null;
  });
  return JSON.parse(await Promise.race([line, ended])) as Ready;
}

function identity(folder: string, address: string): { certificate: string; key: string } {
  const [certificate, key] = [path.join(folder, 'tls.crt'), path.join(folder, 'tls.key')];
  if (existsSync(certificate)) return { certificate, key };
  const words = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench`.split(' ');
  const names = ['-addext', `subjectAltName=IP:${address}`];
  execFileSync('openssl', [...words, ...names, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  return { certificate, key };
}
