/** A server whose clocks the test moves, and the operator's and customers' hands on it. */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { RunningServer } from '../../src/cli/connect.ts';
import { PROJECT, run } from '../interop/server.ts';

const WAYBILL = join(PROJECT, 'src/cli/waybill.ts');
const CLOCK = join(import.meta.dirname, 'machine-time.ts');
const DAY = 86_400_000;

export interface Customer {
  readonly tenant: string;
  readonly login: string;
  /** Private key file of its account. */
  readonly key: string;
  readonly folder: string;
}

export interface ClientEnd {
  readonly code: number;
  readonly output: string;
}

export class Operator {
  readonly temporary: string;
  readonly data: string;
  readonly calls: RunningServer;
  private readonly child: ChildProcess;
  private readonly port: number;
  private ahead = 0;

  private constructor(temporary: string, child: ChildProcess, port: number) {
    this.temporary = temporary;
    this.data = join(temporary, 'data');
    this.child = child;
    this.port = port;
    this.calls = new RunningServer(this.data, () => null);
  }

  static async start(args: readonly string[]): Promise<Operator> {
    const temporary = mkdtempSync(join(tmpdir(), 'waybill-story-'));
    const where = ['--data', join(temporary, 'data'), '--sftp', '127.0.0.1:0', '--https', 'none'];
    const serve = ['serve', ...where, '--json', ...args];
    const child = spawn(process.execPath, ['--import', CLOCK, WAYBILL, ...serve], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    let log = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
    const port = await new Promise<number>((resolve, reject) => {
      child.once('exit', (code) => {
        reject(new Error(`the server ended with ${code}:\n${log}`));
      });
      if (child.stdout === null) throw new Error('no output');
      createInterface({ input: child.stdout }).once('line', (line) => {
        resolve((JSON.parse(line) as { sftp: { port: number } }).sftp.port);
      });
    });
    return new Operator(temporary, child, port);
  }

  /** Milliseconds since 1970, as the server has it. */
  now(): number {
    return Date.now() + this.ahead;
  }

  async passTime(milliseconds: number): Promise<void> {
    this.ahead += milliseconds;
    const set = once(this.child, 'message');
    this.child.send({ ahead: this.ahead });
    await set;
  }

  /** Everything that has happened is in the signed ledger: sessions that clients have left are over, and sealed. */
  async settled(): Promise<void> {
    const database = new DatabaseSync(join(this.data, 'meta', 'waybill.db'), { readOnly: true });
    const unsealed = database.prepare(
      `SELECT (SELECT count(*) FROM open_sessions) + (SELECT count(*) FROM ledger_sealings)
       + (SELECT count(*) FROM ledger_entries WHERE seq > (SELECT through FROM ledger_heads)) AS count`,
    );
    try {
      for (let tries = 0; (unsealed.get() as { count: number }).count > 0; tries++) {
        if (tries > 1000) throw new Error('the ledger is not sealed');
        await delay(20);
      }
    } finally {
      database.close();
    }
  }

  nextDay(): Promise<void> {
    return this.passTime(DAY);
  }

  async addCustomer(number: number): Promise<Customer> {
    const tenant = `bank-${String(number).padStart(2, '0')}`;
    const login = `${tenant}-service`;
    const key = join(this.temporary, login);
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', login, '-f', key]);
    const { calls } = this;
    await calls.call('tenant.add', { name: tenant, displayName: '' });
    await calls.call('folder.add', { tenant, name: `statements-${number}` });
    await calls.call('account.add', { tenant, login, displayName: '', administrator: false, kind: 'service' });
    await calls.call('key.add', { login, line: await readFile(`${key}.pub`, 'utf8') });
    const folder = `statements-${number}`;
    const rights = ['list', 'read', 'write', 'delete'] as const;
    await calls.call('grant.add', { login, tenant: null, folder, rights: [...rights], policy: null });
    return { tenant, login, key, folder: `/${folder}` };
  }

  /** The real client, with these commands; never rejects. */
  sftp(customer: Customer, commands: readonly string[], options: readonly string[] = []): Promise<ClientEnd> {
    const { promise, resolve } = Promise.withResolvers<ClientEnd>();
    const given = ['-F', '/dev/null', '-i', customer.key, '-o', 'IdentitiesOnly=yes', '-o', 'LogLevel=ERROR'];
    const unknownHost = ['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'];
    const place = ['-P', String(this.port), '-b', '-', `${customer.login}@127.0.0.1`];
    const child = spawn('sftp', ['-q', ...given, ...unknownHost, ...options, ...place]);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('close', (code) => {
      resolve({ code: code ?? -1, output });
    });
    child.stdin.on('error', () => undefined);
    child.stdin.end(`${commands.join('\n')}\n`);
    return promise;
  }

  async localFile(name: string, content: Buffer): Promise<string> {
    const folder = join(this.temporary, 'local');
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, name), content);
    return join(folder, name);
  }

  async stop(): Promise<void> {
    this.calls.close();
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.temporary, { recursive: true, force: true });
  }
}

/** The command line alone, in any folder: what somebody has who has nothing but the packs, the key and the program. */
export async function waybillAt(folder: string, args: readonly string[]): Promise<ClientEnd> {
  const { promise, resolve } = Promise.withResolvers<ClientEnd>();
  const child = spawn(process.execPath, [WAYBILL, ...args], { cwd: folder });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (output += text));
  child.on('close', (code) => {
    resolve({ code: code ?? -1, output });
  });
  return promise;
}
