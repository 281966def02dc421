/** The servers of the table of HTTPS: the same certificate and key, each on a free loopback port, ended by process id. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { commitOf, firstLine, freePort, installed, listening, serveWaybill, stopChild } from './servers.ts';
import type { Measured } from './table.ts';

/** Every connection of every row: TLS 1.3 with what curl and nginx would agree on by themselves, HTTP/1.1. */
export const CIPHER = 'TLS_AES_256_GCM_SHA384';

export interface HttpsServer extends Measured {
  readonly port: number;
  readonly pid: number;
  readonly certificate: string;
  /** With each request. */
  readonly headers: readonly string[];
  /** Before the name of a file: GET, PUT. */
  readonly content: string;
  /** Where a name is removed. */
  readonly names: string;
  /** Of a directory, as JSON. */
  listing(directory: string): string;
  makeDirectory(name: string): Promise<void>;
}

export interface HttpsWorkspace {
  readonly data: string;
  readonly certificate: string;
  readonly key: string;
}

export function makeIdentity(folder: string): { certificate: string; key: string } {
  const [certificate, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
  const words = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost';
  const names = ['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  execFileSync('openssl', [...words.split(' '), ...names, '-keyout', key, '-out', certificate], { stdio: 'ignore' });
  return { certificate, key };
}

/** With a `root` it is called "before". */
export async function startWaybillHttps(work: HttpsWorkspace, root: string | null = null): Promise<HttpsServer> {
  const name = root === null ? 'Waybill' : 'before';
  const data = join(work.data, name);
  const words = ['--https', '127.0.0.1:0', '--tls-cert', work.certificate, '--tls-key', work.key];
  const { child, ready, home } = await serveWaybill(data, root, words);
  const { login, folder } = ready.first;
  const token = join(data, 'bench-token');
  const scopes = 'files:list,files:read,files:write';
  const add = ['token', 'add', login, '--scopes', scopes, '--token-out', token, '--data', data];
  execFileSync(process.execPath, [join(home, 'src/cli/waybill.ts'), ...add], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return {
    name,
    version: commitOf(home),
    port: ready.https[0]?.port ?? 0,
    pid: child.pid ?? 0,
    certificate: work.certificate,
    headers: [`Authorization: Bearer ${readFileSync(token, 'utf8').trim()}`],
    content: `/api/v1/content${folder}/`,
    names: `/api/v1/files${folder}/`,
    listing: (directory) => `/api/v1/files${folder}/${directory}`,
    makeDirectory: (directory) =>
      makeOverHttps(work, ready.https[0]?.port ?? 0, readFileSync(token, 'utf8').trim(), `${folder}/${directory}`),
    stop: () => stopChild(child),
  };
}

async function makeOverHttps(work: HttpsWorkspace, port: number, token: string, path: string): Promise<void> {
  const body = JSON.stringify({ path });
  const headers = ['-H', `Authorization: Bearer ${token}`, '-H', 'Content-Type: application/json'];
  const url = `https://localhost:${port}/api/v1/mkdir`;
  execFileSync('curl', ['-sS', '--fail-with-body', '--cacert', work.certificate, ...headers, '-d', body, url]);
  await Promise.resolve();
}

const NGINX = '/usr/sbin/nginx';

/** Files as they lie on the disk, no sign-in, no record, no fsync. */
export async function startNginx(work: HttpsWorkspace): Promise<HttpsServer | null> {
  if (!installed(NGINX)) return null;
  const folder = join(work.data, 'nginx');
  const files = join(folder, 'files');
  mkdirSync(files, { recursive: true });
  const port = await freePort();
  const config = join(folder, 'nginx.conf');
  writeFileSync(config, nginxConfig(folder, port, work));
  const child = spawn(NGINX, ['-p', folder, '-c', config, '-e', join(folder, 'error.log')], { stdio: 'inherit' });
  await listening(port);
  return {
    name: 'nginx',
    version: firstLine(NGINX, ['-v'], 'stderr').replace('nginx version: nginx/', ''),
    port,
    pid: child.pid ?? 0,
    certificate: work.certificate,
    headers: [],
    content: '/',
    names: '/',
    listing: (directory) => `/${directory}/`,
    makeDirectory: async (directory) => {
      mkdirSync(join(files, directory), { recursive: true });
      await Promise.resolve();
    },
    stop: () => stopChild(child),
  };
}

function nginxConfig(folder: string, port: number, { certificate, key }: HttpsWorkspace): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  return [
    ...(process.getuid?.() === 0 ? ['user root;'] : []),
    'daemon off;',
    'worker_processes auto;',
    `pid ${join(folder, 'nginx.pid')};`,
    'events { worker_connections 1024; }',
    'http {',
    '  access_log off;',
    '  sendfile on;',
    '  tcp_nopush on;',
    '  keepalive_requests 1000000;',
    '  types { }',
    '  default_type application/octet-stream;',
    ...temporary.map((name) => `  ${name}_temp_path ${join(folder, name)};`),
    '  server {',
    `    listen 127.0.0.1:${port} ssl;`,
    `    ssl_certificate ${certificate};`,
    `    ssl_certificate_key ${key};`,
    '    ssl_protocols TLSv1.3;',
    `    ssl_conf_command Ciphersuites ${CIPHER};`,
    `    root ${join(folder, 'files')};`,
    '    client_max_body_size 0;',
    // The default of 16 KiB is a write for each packet.
    '    client_body_buffer_size 1m;',
    '    dav_methods PUT DELETE;',
    '    create_full_put_path on;',
    '    autoindex on;',
    '    autoindex_format json;',
    '  }',
    '}',
    '',
  ].join('\n');
}
