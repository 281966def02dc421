/** Pebble, the ACME server that Let's Encrypt tests clients with (Debian: pebble), and its DNS server, which sends every name here. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createSocket } from 'node:dgram';
import { request } from 'node:https';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Authority } from '../events/certificates.ts';

export interface Pebble {
  readonly directory: string;
  /** Certificate of the authority that signs, PEM. */
  root(): Promise<string>;
  /** What it wrote so far. */
  log(): string;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function freeUdpPort(): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const { port } = socket.address();
  socket.close();
  await once(socket, 'close');
  return port;
}

/** `ports`: where it looks for proofs. It refuses some nonces, as it does by itself. */
export async function startPebble(
  authority: Authority,
  ports: { readonly http: number; readonly tls: number },
  external: Readonly<Record<string, string>> | null = null,
): Promise<Pebble> {
  const [api, management, dns, spare] = [await freePort(), await freePort(), await freeUdpPort(), await freePort()];
  const { cert, key } = authority.issue('pebble', 'IP:127.0.0.1,DNS:localhost');
  const at = (name: string): string => path.join(authority.folder, name);
  writeFileSync(at('pebble-cert.pem'), cert);
  writeFileSync(at('pebble-key.pem'), key);
  const pebble = {
    ...{ listenAddress: `127.0.0.1:${api}`, managementListenAddress: `127.0.0.1:${management}` },
    ...{ certificate: at('pebble-cert.pem'), privateKey: at('pebble-key.pem') },
    ...{ httpPort: ports.http, tlsPort: ports.tls, ocspResponderURL: '' },
    ...{ externalAccountBindingRequired: external !== null, externalAccountMACKeys: external ?? {} },
  };
  writeFileSync(at('pebble.json'), JSON.stringify({ pebble }));
  const off = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-defaultIPv6', ''];
  const names = ['-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${spare}`, '-defaultIPv4', '127.0.0.1'];
  let log = '';
  const children: ChildProcess[] = [];
  for (const [program, args] of [
    ['pebble-challtestsrv', [...off, ...names]],
    ['pebble', ['-config', at('pebble.json'), '-dnsserver', `127.0.0.1:${dns}`]],
  ] as const) {
    const env = { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '20' };
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => {
        log += text;
      });
    children.push(child);
  }
  const get = (url: string): Promise<string> => textOf(url, authority.ca);
  const directory = `https://localhost:${api}/dir`;
  for (let tries = 0; ; tries++) {
    try {
      await get(directory);
      break;
    } catch (error) {
      if (tries === 100) throw new Error(`pebble does not answer:\n${log}`, { cause: error });
      await wait(50);
    }
  }
  return {
    directory,
    root: () => get(`https://localhost:${management}/roots/0`),
    log: () => log,
    stop: async () => {
      for (const child of children) {
        if (child.exitCode !== null || child.signalCode !== null) continue;
        const ended = once(child, 'exit');
        child.kill('SIGKILL');
        await ended;
      }
    },
  };
}

function textOf(url: string, ca: string): Promise<string> {
  return new Promise((resolve, reject) => {
    request(url, { ca, headers: { connection: 'close' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => {
        resolve(text);
      });
    })
      .on('error', reject)
      .end();
  });
}
