/** What the process that sends events may do, tried inside a process that was started as it is. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'node:test';
import { SILENT } from '../../src/base/log.ts';
import { EventSender, senderArguments } from '../../src/broker/event-sender.ts';

const PROBE = `
const tried = {};
const attempt = async (name, action) => {
  try { await action(); tried[name] = 'done'; } catch (error) { tried[name] = error.code ?? error.message ?? 'refused'; }
};
const { secret } = JSON.parse(process.argv.at(-1));
await attempt('read', async () => (await import('node:fs')).readFileSync(secret));
await attempt('write', async () => (await import('node:fs')).writeFileSync(secret + '.new', 'x'));
await attempt('child', async () => (await import('node:child_process')).spawnSync('/bin/true'));
await attempt('worker', async () => { new (await import('node:worker_threads')).Worker('1', { eval: true }); });
await attempt('sqlite', async () => { await import('node:sqlite'); });
await attempt('kill', async () => { process.kill(process.ppid, 0); });
await attempt('eval', async () => { new Function('return 1')(); });
await attempt('network', async () => {
  const { createServer } = await import('node:net');
  await new Promise((resolve, reject) => createServer().once('error', reject).listen(0, '127.0.0.1', resolve));
});
process.stdout.write(JSON.stringify(tried), () => process.exit(0));
`;

describe('the process that sends events', { timeout: 60_000 }, () => {
  it('has the network and its own code, and nothing else', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'waybill-sender-'));
    try {
      const secret = path.join(folder, 'root.key');
      writeFileSync(secret, 'key');
      const args = senderArguments().slice(0, -1);
      const words = [...args, '--input-type=module', '--eval', PROBE, '--', JSON.stringify({ secret })];
      const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'], env: {}, cwd: '/' });
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (more: string) => {
        text += more;
      });
      await once(child, 'close');
      const { network, ...others } = JSON.parse(text) as Record<string, string>;
      assert.equal(network, 'done');
      for (const [name, outcome] of Object.entries(others)) assert.notEqual(outcome, 'done', name);
      assert.equal(others['read'], 'ERR_ACCESS_DENIED');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('starts with the first delivery, serves metrics, and is replaced when it ends', async () => {
    const settings = {
      allow: [],
      hostname: 'n',
      software: 's',
      mail: null,
      metrics: { host: '127.0.0.1', port: 0 },
      traces: null,
      acme: null,
    };
    const sender = new EventSender({ settings, metrics: () => 'waybill_x 1\n', log: SILENT });
    const target = {
      ...{ id: 't', kind: 'webhook' as const, address: 'https://127.0.0.1:1/', ca: null, certificate: null },
      ...{ clientKey: null, secrets: [] },
    };
    const event = { id: `${'ab'.repeat(32)}_1`, kind: 'hold', severity: 1, time: 1, message: 'm', json: '{}' };
    const pid = (): number => sender.pid ?? 0;
    try {
      assert.equal(pid(), 0);
      const answer = await sender.deliver({ target, events: [event] });
      assert.deepEqual([answer.delivered, /private network/.test(answer.failure ?? '')], [0, true]);
      while (sender.metricsAddress === null) await new Promise((resolve) => setTimeout(resolve, 20));
      const at = `http://127.0.0.1:${sender.metricsAddress.port}`;
      const found = await fetch(`${at}/metrics`);
      assert.equal(await found.text(), 'waybill_x 1\n');
      assert.match(found.headers.get('content-type') ?? '', /version=0\.0\.4/);
      assert.equal((await fetch(`${at}/`)).status, 404);
      assert.equal((await fetch(`${at}/metrics`, { method: 'POST' })).status, 404);
      const first = pid();
      process.kill(first, 'SIGKILL');
      while (pid() === first) await new Promise((resolve) => setTimeout(resolve, 20));
      assert.equal((await sender.deliver({ target, events: [event] })).delivered, 0);
    } finally {
      sender.stop();
    }
  });
});
