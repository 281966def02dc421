/**
 * A real server, a syslog and a webhook receiver that go away while work goes on, a server that is killed meanwhile and
 * once more while it catches up. What was answered, and what the signed ledger says, is held against what arrived.
 */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import type { AdminCallName, AdminRequest, AdminResponse, ReceiverRow } from '../../src/broker/admin-calls.ts';
import { RunningServer } from '../../src/cli/connect.ts';
import { parseVerifierKey } from '../../src/ledger/core/note.ts';
import { verifyLedger } from '../../src/ledger/verify/ledger.ts';
import { LedgerFolder } from '../../src/ledger/verify/ledger-files.ts';
import { run, startServer, waybill } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';
import { sshOptions } from '../interop/ssh-options.ts';
import { makeAuthority } from './certificates.ts';
import type { Authority, Identity } from './certificates.ts';
import { ocsfOfLine, ocsfOfPost, sequences, syslogReceiver, webhookReceiver } from './receivers.ts';
import type { OcsfJson, Post, SyslogReceiver, WebhookReceiver } from './receivers.ts';

const ARGS = ['--outbound-allow', '127.0.0.1', '--outbound-allow', 'localhost'];
/** Every tenant's entries: a name that only its own are about. */
const TENANTS = ['ash', 'birch', 'cedar'];

export interface OutageReport {
  /** Folders and files that the server had answered for. */
  readonly promised: number;
  readonly entries: number;
  readonly lines: number;
  readonly posts: number;
  /** Lines and posts whose id had come before. */
  readonly repeats: number;
  readonly kills: number;
}

export class Outage {
  private readonly authority: Authority;
  private readonly identity: Identity;
  private server: TestServer;
  private readonly syslogs: SyslogReceiver[] = [];
  private readonly hooks: WebhookReceiver[] = [];
  private secret = '';
  /** TENANT/NAME of folders, and names of files. */
  private readonly promised: string[] = [];
  private kills = 0;
  /** In the ledger, when it was looked at last. */
  private entries = 0;
  private round = 0;

  private constructor(authority: Authority, server: TestServer) {
    this.authority = authority;
    this.identity = authority.issue('receiver', 'IP:127.0.0.1,DNS:localhost');
    this.server = server;
  }

  static async open(): Promise<Outage> {
    const outage = new Outage(makeAuthority(), await startServer({ args: ARGS }));
    await outage.addReceivers();
    return outage;
  }

  async close(): Promise<void> {
    await this.server.remove();
    await Promise.all([...this.syslogs, ...this.hooks].map((receiver) => receiver.stop()));
    this.authority.remove();
  }

  /** Folders in three logs, one after the other in turn, and a file by SFTP. Counts what was answered. */
  async work(): Promise<void> {
    const name = `round-${++this.round}`;
    for (const tenant of TENANTS) {
      await this.asked('folder.add', { tenant, name });
      this.promised.push(`${tenant}/${name}`);
    }
    const { key, port, folder, login, host, temporary } = this.server;
    const local = path.join(temporary, 'sent');
    mkdirSync(local, { recursive: true });
    writeFileSync(path.join(local, `${name}.txt`), name);
    const put = `put "${path.join(local, `${name}.txt`)}" "/${folder}/${name}.txt"\n`;
    const words = [...sshOptions({ key, port }, 'BatchMode=yes'), '-b', '-', `${login}@${host}`];
    await run('sftp', words, { input: put });
    this.promised.push(`${name}.txt`);
  }

  /** For so long: rounds, each some time after the one before. Ends with the round that is under way. */
  async workFor(milliseconds: number, pause: number): Promise<void> {
    const end = performance.now() + milliseconds;
    while (performance.now() < end) {
      await this.work();
      await wait(Math.min(pause, Math.max(0, end - performance.now())));
    }
  }

  async receiversGo(): Promise<void> {
    await Promise.all([this.syslogs.at(-1)?.stop(), this.hooks.at(-1)?.stop()]);
  }

  async receiversComeBack(): Promise<void> {
    await this.openReceivers(this.syslogs[0]?.port ?? 0, this.hooks[0]?.port ?? 0);
  }

  async kill(): Promise<void> {
    await this.server.stop('SIGKILL');
    this.kills++;
    this.server = await startServer({ args: ARGS, temporary: this.server.temporary });
  }

  async untilFailing(): Promise<void> {
    await until('failures', async () => (await this.receivers()).every(({ failing }) => failing !== null));
  }

  async untilSomethingCame(): Promise<void> {
    const [lines, posts] = [this.lines.length, this.posts.length];
    await until('the first events', () => this.lines.length > lines && this.posts.length > posts);
  }

  /** Everything that was promised, and everything that is in the signed ledger, in order. */
  async untilComplete(): Promise<OutageReport> {
    const missing = async (): Promise<unknown[]> => [
      ...this.missing(this.lines),
      ...this.missing(this.events),
      ...(await this.receivers()).filter(({ behind, failing }) => behind > 0 || failing !== null),
      // Last: what a session's end adds is in the ledger a moment later.
      ...(await this.ledgerMissing()),
    ];
    await until('everything', async () => (await missing()).length === 0, missing);
    assert.ok((await this.receivers()).every(({ dead }) => dead === 0));
    const repeats = checkRepeats(this.lines) + checkRepeats(this.events);
    for (const post of this.posts)
      assert.equal(post.headers['webhook-id'], ocsfOfPost(post).metadata.uid.replace(':', '_'));
    const entries = this.entries;
    const [lines, posts, { kills }] = [this.lines.length, this.posts.length, this];
    return { promised: this.promised.length, entries, lines, posts, repeats, kills };
  }

  private get lines(): OcsfJson[] {
    return this.syslogs.flatMap((one) => one.lines).map(ocsfOfLine);
  }

  private get posts(): Post[] {
    return this.hooks.flatMap((one) => one.posts);
  }

  private get events(): OcsfJson[] {
    return this.posts.map(ocsfOfPost);
  }

  private async addReceivers(): Promise<void> {
    for (const tenant of TENANTS) await this.asked('tenant.add', { name: tenant, displayName: '' });
    await this.openReceivers(0, 0);
    const [syslog, hook] = [this.syslogs[0]?.port ?? 0, this.hooks[0]?.port ?? 0];
    const { server, authority } = this;
    await waybill(server, ['event', 'add', 'siem', 'syslog', `127.0.0.1:${syslog}`, '--ca', authority.caFile]);
    const url = `https://localhost:${hook}/in`;
    const words = ['event', 'add', 'hook', 'webhook', url, '--ca', authority.caFile, '--json'];
    this.secret = (JSON.parse(await waybill(server, words)) as { secret: string }).secret;
  }

  private async openReceivers(syslog: number, hook: number): Promise<void> {
    this.syslogs.push(await syslogReceiver(this.identity, { port: syslog }));
    // As a receiver does: what is not signed by the one secret that was shown is refused, and would come again for ever.
    const answer = ({ headers, body }: Post): { status: number } => {
      try {
        new Webhook(this.secret).verify(body, headers as Record<string, string>);
        return { status: 204 };
      } catch {
        // The first event, about the receiver itself, may come before its secret was read.
        return { status: this.secret === '' ? 503 : 401 };
      }
    };
    this.hooks.push(await webhookReceiver(this.identity, { port: hook, answer }));
  }

  /** As the command does, without a process for each. */
  private async asked<N extends AdminCallName>(call: N, request: AdminRequest<N>): Promise<AdminResponse<N>> {
    const running = new RunningServer(this.server.data, () => null);
    try {
      return await running.call(call, request);
    } finally {
      running.close();
    }
  }

  private async receivers(): Promise<readonly ReceiverRow[]> {
    return (await this.asked('event.list', {})).receivers;
  }

  /** Of what was promised, what the events do not tell of. */
  private missing(all: readonly OcsfJson[]): string[] {
    const told = new Set(
      all.flatMap(({ unmapped: { waybill: entry } }) => {
        if (entry.kind === 'stored') return [path.posix.basename(String(entry['path']))];
        if (entry['action'] !== 'folder.create') return [];
        return [`${String(entry['tenant'])}/${String((entry['detail'] as { name?: unknown }).name)}`];
      }),
    );
    return this.promised.filter((name) => !told.has(name));
  }

  /** Entries that the offline verifier finds in a log after its first event, and that did not come. */
  private async ledgerMissing(): Promise<string[]> {
    const { key } = await this.asked('ledger.status', {});
    const folder = new LedgerFolder(path.join(this.server.data, 'ledger'));
    const report = await verifyLedger(folder, { key: parseVerifierKey(key) });
    this.entries = report.entries;
    // While it writes, the newest files are of different moments.
    const missing = report.findings.map(({ message }) => message);
    for (const arrived of [sequences(this.lines), sequences(this.events)]) {
      // A log of its own for each of the three, the first account's, and the server's.
      if (arrived.size < TENANTS.length + 2) missing.push(`only ${arrived.size} logs`);
      for (const { log, size } of report.logs) {
        const came = new Set(arrived.get(log) ?? []);
        for (let at = Math.min(size, ...came); at < size; at++) if (!came.has(at)) missing.push(`${log} ${at}`);
      }
    }
    return missing;
  }
}

/** One id is one event, whenever it comes. Answers how many were repeats. */
function checkRepeats(all: readonly OcsfJson[]): number {
  const seen = new Map<string, string>();
  let repeats = 0;
  for (const { metadata, unmapped } of all) {
    const content = JSON.stringify(unmapped.waybill);
    const before = seen.get(metadata.uid);
    if (before !== undefined) {
      assert.equal(content, before, `${metadata.uid} stands for two events`);
      repeats++;
    }
    seen.set(metadata.uid, content);
  }
  return repeats;
}

async function until(what: string, done: () => Promise<boolean> | boolean, state = (): unknown => ''): Promise<void> {
  const end = performance.now() + 60_000;
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`waited too long for ${what}: ${JSON.stringify(await state())}`);
    await wait(100);
  }
}
