/** What the contenders of a row share within a run: one link, and servers that are started when the first needs them. */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import path from 'node:path';
import type { Task } from './contender.ts';
import type { Counters, Link } from './link.ts';
import { startSshd } from './openssh.ts';
import type { SshServer } from './openssh.ts';
import { onAnyExit, start } from './processes.ts';
import type { Started } from './processes.ts';
import { COMMAND, startWaybill } from './waybill-server.ts';
import type { WaybillServer } from './waybill-server.ts';

export interface StageOptions {
  readonly link: Link;
  /** Removed with it. */
  readonly folder: string;
  /** Of a server on A that has the file already, from an earlier run; made by the first that asks. */
  readonly library: string;
  readonly source: string;
  /** At most, for everything together. */
  readonly seconds: number;
  /** Nobody made it yet. */
  readonly libraryIsNew: () => boolean;
  readonly libraryIsMade: () => void;
}

export class Stage {
  readonly link: Link;
  private readonly options: StageOptions;
  private readonly forget: () => void;
  private numbered = 0;
  private receiving: Promise<WaybillServer> | null = null;
  private sending: Promise<WaybillServer> | null = null;
  private control = 'system';
  private ssh: Promise<SshServer> | null = null;

  constructor(options: StageOptions) {
    this.link = options.link;
    this.options = options;
    this.forget = onAnyExit(() => {
      rmSync(options.folder, { recursive: true, force: true });
    });
    if (options.link.a.keeper !== null) asUntuned(options.link);
  }

  /** A number that no other has. */
  next(): number {
    return this.numbered++;
  }

  /** Ours on B, empty at first. */
  waybill(): Promise<WaybillServer> {
    const { link, folder, seconds } = this.options;
    return (this.receiving ??= startWaybill(link.b, path.join(folder, 'waybill'), seconds));
  }

  /** Ours on A, with the file in it; `control`: of its connections, one at a time. */
  async library(control = 'system'): Promise<WaybillServer> {
    if (control !== this.control && this.sending !== null) {
      await (await this.sending).process.stop();
      this.sending = null;
    }
    this.control = control;
    return (this.sending ??= this.startLibrary(control));
  }

  sshd(): Promise<SshServer> {
    const { link, folder, seconds } = this.options;
    return (this.ssh ??= startSshd(link.b, path.join(folder, 'ssh'), seconds));
  }

  private async startLibrary(control: string): Promise<WaybillServer> {
    const { link, library, source, seconds, libraryIsNew, libraryIsMade } = this.options;
    const isNew = libraryIsNew();
    if (isNew) rmSync(library, { recursive: true, force: true });
    const server = await startWaybill(link.a, library, seconds, control);
    if (!isNew) return server;
    const { url, certificate, token, folder } = server;
    const words = [COMMAND, 'put', source, `:${folder}/`, '--server', url, '--trust', certificate];
    const environment = { XDG_CACHE_HOME: path.join(library, 'cache') };
    const put = start(link.a, [process.execPath, ...words, '--token-file', token], { seconds, environment });
    const code = await put.ended;
    if (code !== 0) throw new Error(`the server to fetch from could not be filled: ${put.errors().trim()}`);
    libraryIsMade();
    return server;
  }

  /** What the link did with the packets of A, where it says so. */
  async close(): Promise<Counters | null> {
    const stop = async (server: Promise<{ readonly process: Started }> | null): Promise<void> => {
      await server?.then(
        ({ process: started }) => started.stop(),
        () => undefined,
      );
    };
    await Promise.all([stop(this.receiving), stop(this.sending), stop(this.ssh)]);
    const counters = await this.link.close();
    rmSync(this.options.folder, { recursive: true, force: true });
    this.forget();
    return counters;
  }
}

/**
 * sftp and HTTPS have cubic, as on hosts that nobody tuned (iperf3 names its own); by the routes, because a namespace may not set
 * what the machine has not allowed. And nobody learns from the connections of whoever was on the link before.
 */
function asUntuned({ a, b }: Link): void {
  for (const { enter } of [a, b]) {
    const inside = (...words: readonly string[]): string =>
      execFileSync('env', [...enter, ...words], { encoding: 'utf8' });
    inside('sysctl', '-qw', 'net.ipv4.tcp_no_metrics_save=1');
    for (const line of inside('ip', '-4', 'route', 'show').split('\n')) {
      const route = line.trim().split(/ +/);
      if (route[0] !== '') inside('ip', 'route', 'replace', ...route, 'congctl', 'cubic');
    }
  }
}

/** Waits for the second at which who meets something on the link begins. */
export async function beginAt({ link }: Task, lead: number): Promise<void> {
  const left = link.madeAt + lead * 1000 - performance.now();
  if (left < 0) throw new Error(`what is needed was not there ${lead} s after the link was made`);
  await new Promise((resolve) => setTimeout(resolve, left));
}
