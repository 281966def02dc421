/**
 * The processes that speak with identity providers, from the broker's side: one for each provider, started when somebody
 * signs in there, ended when nobody has for a while. A provider that takes its process over has what it had: the word
 * about its own people.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { discoverAnswer, exchangeAnswer } from '../sso/calls.ts';
import type {
  DiscoverAnswer,
  ExchangeAnswer,
  ExchangeRequest,
  IdentityClient,
  IdentitySettings,
} from '../sso/calls.ts';
import type { Provider } from '../sso/provider.ts';
import { frontEnvironment, outboundArguments } from './front-permissions.ts';
import { Link } from './link.ts';

/** The file descriptor of the link in that process. */
export const LINK_DESCRIPTOR = 3;
const SOURCES = path.resolve(import.meta.dirname, '..');
const ENTRY = path.join(SOURCES, 'sso', 'process', 'main.ts');
const PACKAGES = ['pino', 'zod', 'openid-client'];
const LINE_MAX = 2048;
const LINES_MAX = 1000;
/** Discovery, tokens and keys, each of which ends by itself after 10 seconds. */
const ANSWER_MS = 40_000;
const IDLE_MS = 60_000;
const ALIVE_MAX = 16;
/** At once with one provider; the rest waits, or is refused. */
const AT_ONCE = 8;
const WAITING_MAX = 64;
/** Between two starts of one. */
const START_MS = 250;

export function identityArguments(): string[] {
  // Its answers are small; a provider that floods it ends it.
  return outboundArguments(ENTRY, PACKAGES, ['--max-old-space-size=64', '--max-semi-space-size=1']);
}

export class IdentityProcesses {
  private readonly log: Log;
  private readonly allow: readonly string[];
  private readonly idle: number;
  private readonly alive = new Map<string, IdentityProcess>();
  private stopped = false;

  constructor(log: Log, allow: readonly string[], idle = IDLE_MS) {
    this.log = log;
    this.allow = allow;
    this.idle = idle;
  }

  get pids(): number[] {
    return [...this.alive.values()].flatMap(({ pid }) => (pid === undefined ? [] : [pid]));
  }

  of({ id, name, issuer, clientId, ca }: Provider): IdentityClient {
    if (this.stopped) throw new WaybillError('broker-unavailable', 'the server is stopping');
    const known = this.alive.get(id);
    if (known !== undefined) return known;
    this.makeRoom();
    const settings = { issuer, clientId, ca, allow: [...this.allow] };
    const made = new IdentityProcess(settings, name, this.log, this.idle, () => {
      if (this.alive.get(id) === made) this.alive.delete(id);
    });
    this.alive.set(id, made);
    return made;
  }

  /** It was changed or removed: what is under way with it fails. */
  forget(id: string): void {
    this.alive.get(id)?.stop();
    this.alive.delete(id);
  }

  stop(): void {
    this.stopped = true;
    for (const one of this.alive.values()) one.stop();
    this.alive.clear();
  }

  private makeRoom(): void {
    if (this.alive.size < ALIVE_MAX) return;
    for (const [id, one] of this.alive) {
      if (one.busy) continue;
      this.forget(id);
      return;
    }
    throw new WaybillError('provider-refused', 'too many identity providers are asked at once; try again');
  }
}

class IdentityProcess implements IdentityClient {
  private readonly settings: IdentitySettings;
  private readonly name: string;
  private readonly log: Log;
  private readonly idle: number;
  private readonly over: () => void;
  private child: ChildProcess | null = null;
  private link: Link | null = null;
  private startedAt = 0;
  private timer: NodeJS.Timeout | null = null;
  private running = 0;
  private ended = false;
  private readonly line: (() => void)[] = [];

  constructor(settings: IdentitySettings, name: string, log: Log, idle: number, over: () => void) {
    this.settings = settings;
    this.name = name;
    this.log = log;
    this.idle = idle;
    this.over = over;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  get busy(): boolean {
    return this.running > 0;
  }

  async discover(): Promise<DiscoverAnswer> {
    return discoverAnswer.parse(await this.ask('discover', {}));
  }

  async exchange(request: ExchangeRequest): Promise<ExchangeAnswer> {
    return exchangeAnswer.parse(await this.ask('exchange', request));
  }

  /** For good: whoever waits is refused, and the next sign-in gets another. */
  stop(): void {
    this.ended = true;
    if (this.timer !== null) clearTimeout(this.timer);
    const { link, child } = this;
    this.link = null;
    this.child = null;
    link?.close();
    child?.kill('SIGKILL');
    this.over();
  }

  private async ask(call: string, body: unknown): Promise<unknown> {
    await this.turn();
    if (this.timer !== null) clearTimeout(this.timer);
    let late: NodeJS.Timeout | undefined;
    try {
      const { link, child } = this.started();
      // One that holds its answer back would keep a browser waiting for ever.
      late = setTimeout(() => {
        child.kill('SIGKILL');
      }, ANSWER_MS);
      return await link.call(call, body);
    } finally {
      clearTimeout(late);
      this.running--;
      this.line.shift()?.();
      if (this.running === 0) this.rest();
    }
  }

  private async turn(): Promise<void> {
    if (this.running >= AT_ONCE) {
      if (this.line.length >= WAITING_MAX)
        throw new WaybillError('provider-refused', 'too many sign-ins with this identity provider at once');
      await new Promise<void>((resolve) => this.line.push(resolve));
    }
    this.running++;
  }

  private rest(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.stop();
    }, this.idle);
    this.timer.unref();
  }

  private started(): { link: Link; child: ChildProcess } {
    if (this.ended)
      throw new WaybillError('provider-refused', 'the identity provider was changed or removed meanwhile');
    if (this.link !== null && this.child !== null) return { link: this.link, child: this.child };
    const now = Date.now();
    if (now - this.startedAt < START_MS)
      throw new WaybillError('provider-refused', 'the process of this identity provider has just failed; try again');
    this.startedAt = now;
    const child = spawn(process.execPath, identityArguments(), {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      env: frontEnvironment(),
      cwd: '/',
    });
    for (const stream of [child.stdout, child.stderr]) this.relay(stream);
    const link = new Link(child.stdio[LINK_DESCRIPTOR] as Duplex, {
      request: (call) =>
        call === 'hello'
          ? Promise.resolve(this.settings)
          : Promise.reject(new WaybillError('call-unknown', 'no such call')),
      closed: (fault) => {
        const about = { provider: this.name };
        if (fault !== null) this.log.error({ ...about, attack: true, err: fault }, 'a provider process broke the link');
        child.kill('SIGKILL');
        if (this.link !== link) return;
        this.link = null;
        this.child = null;
        this.log.warn(about, 'the process of an identity provider ended; the next sign-in starts another');
      },
    });
    child.once('error', () => {
      link.close();
    });
    child.once('exit', () => {
      link.close();
    });
    this.link = link;
    this.child = child;
    return { link, child };
  }

  /** What it prints, cut and under its name. */
  private relay(stream: Readable | null): void {
    let lines = 0;
    stream?.setEncoding('utf8').on('data', (text: string) => {
      for (const line of text.split('\n'))
        if (line !== '' && ++lines <= LINES_MAX)
          this.log.warn({ provider: this.name, said: line.slice(0, LINE_MAX) }, 'identity provider process');
    });
  }
}
