/**
 * A real server, real receivers: they go away, the server is killed meanwhile, everything comes back, and nothing is
 * missing or out of order.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { AdminCallName, AdminRequest, AdminResponse, ReceiverRow } from '../../src/broker/admin-calls.ts';
import { RunningServer } from '../../src/cli/connect.ts';
import { startServer, waybill } from '../interop/server.ts';
import type { TestServer } from '../interop/server.ts';
import { makeAuthority } from './certificates.ts';
import type { Authority, Identity } from './certificates.ts';
import { ocsfOfLine, ocsfOfPost, sequences, syslogReceiver, webhookReceiver } from './receivers.ts';
import type { OcsfJson } from './receivers.ts';

const ARGS = ['--outbound-allow', '127.0.0.1', '--outbound-allow', 'localhost'];
/** Every tenant's entries: a name that only its own are about. */
const TENANTS = ['ash', 'birch', 'cedar'];

/** As the command does, without a process for each. */
async function asked<N extends AdminCallName>(
  { data }: TestServer,
  call: N,
  request: AdminRequest<N>,
): Promise<AdminResponse<N>> {
  const running = new RunningServer(data, () => null);
  try {
    return await running.call(call, request);
  } finally {
    running.close();
  }
}

async function receivers(server: TestServer): Promise<readonly ReceiverRow[]> {
  return (await asked(server, 'event.list', {})).receivers;
}

async function until(what: string, done: () => Promise<boolean> | boolean, state = (): unknown => ''): Promise<void> {
  const end = performance.now() + 30_000;
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`waited too long for ${what}: ${JSON.stringify(await state())}`);
    await wait(100);
  }
}

describe('a receiver is down and the server is killed', { timeout: 180_000 }, () => {
  let authority: Authority;
  let identity: Identity;
  let server: TestServer;
  const open: { stop(): Promise<void> }[] = [];
  before(async () => {
    authority = makeAuthority();
    identity = authority.issue('receiver', 'IP:127.0.0.1,DNS:localhost');
    server = await startServer({ args: ARGS });
  });
  after(async () => {
    await server.remove();
    await Promise.all(open.map((receiver) => receiver.stop()));
    authority.remove();
  });

  /** Entries in three logs, one after the other in turn. */
  async function somethingHappens(round: string): Promise<void> {
    for (const tenant of TENANTS) await asked(server, 'folder.add', { tenant, name: round });
  }

  function check(all: readonly OcsfJson[]): void {
    for (const [log, indexes] of sequences(all)) {
      const first = indexes[0] ?? 0;
      assert.deepEqual(
        indexes,
        indexes.map((_, at) => first + at),
        `entries of ${log} are missing`,
      );
    }
  }

  /** Folders that the events tell of, of those that were made. */
  function missing(all: readonly OcsfJson[]): string[] {
    const folders = all.filter(({ unmapped }) => unmapped.waybill['action'] === 'folder.create');
    const names = folders.map(({ unmapped }) => `${String(unmapped.waybill['tenant'])}/${nameIn(unmapped.waybill)}`);
    const wanted = ['one', 'two', 'three', 'four'].flatMap((round) => TENANTS.map((tenant) => `${tenant}/${round}`));
    return wanted.filter((name) => !names.includes(name));
  }

  it('everything arrives, in order, by syslog and by webhook', async () => {
    for (const tenant of TENANTS) await asked(server, 'tenant.add', { name: tenant, displayName: '' });
    const syslogs = [await syslogReceiver(identity)];
    const hooks = [await webhookReceiver(identity)];
    const [syslogPort, hookPort] = [syslogs[0]?.port ?? 0, hooks[0]?.port ?? 0];
    await waybill(server, ['event', 'add', 'siem', 'syslog', `127.0.0.1:${syslogPort}`, '--ca', authority.caFile]);
    const url = `https://localhost:${hookPort}/in`;
    await waybill(server, ['event', 'add', 'hook', 'webhook', url, '--ca', authority.caFile]);
    const done = async (): Promise<boolean> =>
      (await receivers(server)).every(({ behind, failing }) => behind === 0 && failing === null);

    await somethingHappens('one');
    await until('the first round', async () => (syslogs[0]?.lines.length ?? 0) >= 4 && (await done()));

    await Promise.all([syslogs[0]?.stop(), hooks[0]?.stop()]);
    await somethingHappens('two');
    await until('failures', async () => (await receivers(server)).every(({ failing }) => failing !== null));
    await server.stop('SIGKILL');
    server = await startServer({ args: ARGS, temporary: server.temporary });
    await somethingHappens('three');
    // While it tries again, in the middle of whatever it does.
    await server.stop('SIGKILL');
    server = await startServer({ args: ARGS, temporary: server.temporary });
    await somethingHappens('four');
    syslogs.push(await syslogReceiver(identity, { port: syslogPort }));
    hooks.push(await webhookReceiver(identity, { port: hookPort }));
    open.push(...syslogs.slice(1), ...hooks.slice(1));
    const lines = (): OcsfJson[] => syslogs.flatMap((one) => one.lines).map(ocsfOfLine);
    const posts = (): OcsfJson[] => hooks.flatMap((one) => one.posts).map(ocsfOfPost);
    const left = (): string[] => [...missing(lines()), ...missing(posts())];
    await until('everything', async () => left().length === 0 && (await done()), left);
    check(lines());
    check(posts());
    assert.ok((await receivers(server)).every(({ dead }) => dead === 0));
  });
});

function nameIn(entry: Record<string, unknown>): string {
  return String((entry['detail'] as { name?: unknown }).name);
}
