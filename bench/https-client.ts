/** The clients of the table of HTTPS: curl for files; for small requests sockets that do as little as they can. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { CIPHER } from './https-servers.ts';
import type { HttpsServer } from './https-servers.ts';

const PINNED = ['--http1.1', '--tlsv1.3', '--tls13-ciphers', CIPHER];

/** Runs curl to its end and gives seconds; rejects for every answer that is a refusal. */
export function curl(server: HttpsServer, target: string, ...words: string[]): Promise<number> {
  const headers = server.headers.flatMap((header) => ['-H', header]);
  const url = `https://localhost:${server.port}${target}`;
  const args = ['-sS', '--fail', ...PINNED, '--cacert', server.certificate, ...headers, ...words, url];
  return new Promise((resolve, reject) => {
    const start = performance.now();
    const child = spawn('curl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let errors = '';
    child.stderr.on('data', (chunk: Buffer) => {
      errors += chunk.toString();
    });
    child.on('exit', (code) => {
      if (code === 0) resolve((performance.now() - start) / 1000);
      else reject(new Error(`${server.name}: curl ended with ${String(code)}: ${errors.trim()}`));
    });
  });
}

/** Requests a second over that many connections, each sending the next request when the answer before has come. */
export async function requestsPerSecond(
  server: HttpsServer,
  target: string,
  { connections, seconds }: { connections: number; seconds: number },
): Promise<number> {
  const request = Buffer.from(
    [`GET ${target} HTTP/1.1`, 'Host: localhost', ...server.headers, '', ''].join('\r\n'),
    'latin1',
  );
  const clients = await Promise.all(Array.from({ length: connections }, () => Client.open(server, request)));
  try {
    // Each connection signs in with its first request, and code is compiled: neither is what is measured.
    await Promise.all(clients.map((client) => client.ask()));
    const start = performance.now();
    const end = start + seconds * 1000;
    const counts = await Promise.all(clients.map((client) => client.askUntil(end)));
    return counts.reduce((sum, count) => sum + count, 0) / ((performance.now() - start) / 1000);
  } finally {
    for (const client of clients) client.close();
  }
}

const HEAD_END = Buffer.from('\r\n\r\n');

class Client {
  private readonly socket: TLSSocket;
  private readonly request: Buffer;
  private received: Buffer[] = [];
  private bytes = 0;
  /** Of the answer that comes now, head and body; null while its head is not whole. */
  private length: number | null = null;
  private waiting: { resolve: () => void; reject: (error: Error) => void } | null = null;

  static open(server: HttpsServer, request: Buffer): Promise<Client> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: server.port, servername: 'localhost', ciphers: CIPHER };
      const socket = connect({ ...options, ca: readFileSync(server.certificate), minVersion: 'TLSv1.3' });
      socket.setNoDelay(true);
      socket.once('secureConnect', () => {
        resolve(new Client(socket, request));
      });
      socket.once('error', reject);
    });
  }

  private constructor(socket: TLSSocket, request: Buffer) {
    this.socket = socket;
    this.request = request;
    socket.on('data', (chunk: Buffer) => {
      this.take(chunk);
    });
    socket.on('close', () => {
      this.waiting?.reject(new Error('the server closed a connection'));
    });
    socket.on('error', () => undefined);
  }

  ask(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(this.request);
    });
  }

  async askUntil(end: number): Promise<number> {
    let count = 0;
    for (; performance.now() < end; count++) await this.ask();
    return count;
  }

  close(): void {
    this.socket.destroy();
  }

  private take(chunk: Buffer): void {
    this.received.push(chunk);
    this.bytes += chunk.length;
    this.length ??= this.lengthOf(Buffer.concat(this.received));
    if (this.length === null || this.bytes < this.length) return;
    const chunked = this.length === CHUNKED;
    if (chunked && !Buffer.concat(this.received).subarray(-5).equals(LAST_CHUNK)) return;
    const { waiting } = this;
    this.received = [];
    this.bytes = 0;
    this.length = null;
    this.waiting = null;
    waiting?.resolve();
  }

  private lengthOf(received: Buffer): number | null {
    const end = received.indexOf(HEAD_END);
    if (end < 0) return null;
    const head = received.toString('latin1', 0, end);
    if (!head.startsWith('HTTP/1.1 200 ')) this.waiting?.reject(new Error(head.split('\r\n')[0] ?? ''));
    const length = /^content-length: (\d+)$/im.exec(head)?.[1];
    // nginx makes its index while it sends it.
    return length === undefined ? CHUNKED : end + HEAD_END.length + Number(length);
  }
}

const CHUNKED = 0;
const LAST_CHUNK = Buffer.from('0\r\n\r\n');
