/** `waybill login` as a person has it: a real server whose clocks the test moves, the command, ssh-agent, sftp. */
import { spawn } from 'node:child_process';
import type { ChildProcess, ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { PROJECT, run } from '../interop/server.ts';
import { Operator } from '../story/operator.ts';

const WAYBILL = join(PROJECT, 'src/cli/waybill.ts');
const FOLDER = 'exchange';

export interface Code {
  readonly event: 'code';
  readonly userCode: string;
  readonly fingerprint: string;
  readonly pageWithCode: string;
}
export interface Certified {
  readonly event: 'certificate';
  readonly login: string;
  readonly address: string;
  readonly sftp: string;
  readonly agent: boolean;
  readonly files: readonly string[];
}

export class LoginStory {
  readonly operator: Operator;
  readonly https: number;
  readonly sftp: number;
  private readonly agent: ChildProcess;
  private readonly socket: string;

  private constructor(operator: Operator, https: number, sftp: number, agent: ChildProcess, socket: string) {
    this.operator = operator;
    this.https = https;
    this.sftp = sftp;
    this.agent = agent;
    this.socket = socket;
  }

  static async open(): Promise<LoginStory> {
    const names = ['--host-name', 'localhost', '--host-name', '127.0.0.1'];
    const operator = await Operator.start([
      '--https',
      '127.0.0.1:0',
      '--fronts',
      '1',
      '--penalties',
      'false',
      ...names,
    ]);
    const { https, sftp } = await operator.calls.call('server.status', {});
    const socket = join(operator.temporary, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(createInterface(agent.stdout), 'line');
    const story = new LoginStory(operator, https[0]?.port ?? 0, sftp[0]?.port ?? 0, agent, socket);
    story.prepareHome();
    return story;
  }

  get home(): string {
    return join(this.operator.temporary, 'home');
  }

  /** The address that the "browser" was asked to open. */
  async opened(): Promise<string> {
    const file = join(this.home, 'opened');
    while (!existsSync(file)) await delay(20);
    return readFileSync(file, 'utf8');
  }

  get knownHosts(): string {
    return join(this.home, '.ssh', 'known_hosts');
  }

  get server(): string {
    return `https://localhost:${this.https}`;
  }

  get certificate(): string {
    return join(this.operator.data, 'keys', 'tls.crt');
  }

  private prepareHome(): void {
    const bin = join(this.home, 'bin');
    mkdirSync(bin, { recursive: true });
    writeFileSync(
      join(bin, 'xdg-open'),
      `#!/bin/sh\nprintf %s "$1" > "$HOME/draft"; mv "$HOME/draft" "$HOME/opened"\n`,
    );
    chmodSync(join(bin, 'xdg-open'), 0o700);
    // OpenSSH finds its home by the user's entry, not by HOME: this is all that keeps the test out of the real one.
    writeFileSync(
      join(this.home, 'ssh_config'),
      `UserKnownHostsFile ${this.knownHosts}\nGlobalKnownHostsFile /dev/null\nStrictHostKeyChecking yes\nBatchMode yes\n`,
    );
  }

  /** Answers the link by which the person enrols. */
  async addPerson(login: string): Promise<string> {
    const { calls } = this.operator;
    const known = (await calls.call('tenant.list', {})).tenants.some(({ name }) => name === 'acme');
    if (!known) {
      await calls.call('tenant.add', { name: 'acme', displayName: '' });
      await calls.call('folder.add', { tenant: 'acme', name: FOLDER });
    }
    await calls.call('account.add', { tenant: 'acme', login, displayName: '', administrator: false, kind: 'person' });
    const rights = ['list', 'read', 'write', 'delete'] as const;
    await calls.call('grant.add', { login, tenant: null, folder: FOLDER, rights: [...rights], policy: null });
    const { secret } = await calls.call('sign-in.enrol', { login });
    return `${this.server}/enrol#${secret}`;
  }

  /** The command, until it shows its code; `ended` is what it says in the end. */
  async login(words: readonly string[] = [], environment: Readonly<Record<string, string>> = {}): Promise<Running> {
    const place = ['--server', this.server, '--trust', this.certificate];
    const child = spawn(process.execPath, [WAYBILL, 'login', ...place, '--json', ...words], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...this.environment, ...environment },
    });
    return Running.of(child);
  }

  waybill(...words: string[]): Promise<string> {
    return run(process.execPath, [WAYBILL, ...words], { env: this.environment });
  }

  get environment(): Record<string, string> {
    const { PATH = '' } = process.env;
    const own = { HOME: this.home, PATH: `${join(this.home, 'bin')}:${PATH}`, SSH_AUTH_SOCK: this.socket };
    return { ...own, SSH_CONNECTION: '', DISPLAY: ':99' };
  }

  /** What login said to type, typed; `commands` as a person would type them then. */
  type(sftp: string, commands: string, ...options: string[]): Promise<string> {
    const more = options.map((one) => `-o ${one}`).join(' ');
    const line = sftp.replace(/^sftp /, `sftp -b - -F '${join(this.home, 'ssh_config')}' ${more} `);
    return run('sh', ['-c', line], { input: `${commands}\n`, env: this.environment });
  }

  agentKeys(): Promise<string> {
    return run('ssh-add', ['-L'], { env: this.environment });
  }

  async close(): Promise<void> {
    this.agent.kill();
    await this.operator.remove();
  }
}

export class Running {
  readonly code: Code;
  /** Rejects with what it wrote when it fails. */
  readonly ended: Promise<Certified>;

  private constructor(code: Code, ended: Promise<Certified>) {
    this.code = code;
    this.ended = ended;
    // Whoever wants to know waits for it; until then it is no unhandled failure.
    ended.catch(() => undefined);
  }

  static async of(child: ChildProcessByStdio<null, Readable, Readable>): Promise<Running> {
    const lines: string[] = [];
    let wrong = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (wrong += text));
    const reader = createInterface(child.stdout).on('line', (line) => lines.push(line));
    const closed = once(child, 'close').then(([code]) => {
      if (code !== 0) throw new Error(`waybill login ended with ${String(code)}: ${wrong}`);
      return JSON.parse(lines[1] ?? '') as Certified;
    });
    await Promise.race([once(reader, 'line'), closed]);
    return new Running(JSON.parse(lines[0] ?? '') as Code, closed);
  }
}
