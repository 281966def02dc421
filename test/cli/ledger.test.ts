/** The commands that read a ledger, on a real data folder, with and without its server. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { RunningServer } from '../../src/cli/connect.ts';
import { parseCheckpoint } from '../../src/ledger/core/checkpoint.ts';
import { formatVerifierKey, parseNote, parseVerifierKey } from '../../src/ledger/core/note.ts';
import type { VerifierKey } from '../../src/ledger/core/note.ts';
import { WitnessFolder } from '../../src/witness/witness-folder.ts';
import { WitnessServer } from '../../src/witness/witness-server.ts';

const WAYBILL = path.join(import.meta.dirname, '../../src/cli/waybill.ts');
let folder: string;
let server: ChildProcess;
let witness: WitnessServer;
let key: string;

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function waybill(...args: readonly string[]): Promise<Result> {
  const child = spawn(process.execPath, [WAYBILL, ...args, '--data', at('data')]);
  const result = { out: '', err: '' };
  child.stdout.on('data', (part: Buffer) => (result.out += part.toString()));
  child.stderr.on('data', (part: Buffer) => (result.err += part.toString()));
  const [code] = (await once(child, 'close')) as [number];
  return { ...result, code };
}

async function done(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await waybill(...args);
  assert.equal(code, 0, `${args.join(' ')}: ${out}${err}`);
  return out;
}

function at(name: string): string {
  return path.join(folder, name);
}

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'waybill-ledger-'));
  // The ledger's key is known only after the first start, so the witness learns of it then.
  const logs = new Map<string, readonly VerifierKey[]>();
  const state = await WitnessFolder.open(at('witness'), 'auditor.example', logs);
  witness = new WitnessServer({ folder: state, logs, report: (error) => assert.fail(String(error)) });
  const { port } = await witness.listen('127.0.0.1', 0);
  const option = `http://127.0.0.1:${port}+${formatVerifierKey(state.signer.verifier)}`;
  const args = [
    'serve',
    '--data',
    at('data'),
    '--sftp',
    '127.0.0.1:0',
    '--https',
    'none',
    '--fronts',
    '1',
    '--json',
    '--log-level',
    'silent',
    '--witness',
    option,
  ];
  server = spawn(process.execPath, [WAYBILL, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ready = await Promise.race([
    once(server.stdout as NonNullable<typeof server.stdout>, 'data').then(() => true),
    once(server, 'exit').then(() => false),
  ]);
  assert.ok(ready, 'the server did not start');
  key = (await done('ledger', 'key')).trim();
  const verifier = parseVerifierKey(key);
  logs.set(verifier.name, [verifier]);
  writeFileSync(
    at('policy'),
    `log ${key}\nwitness auditor ${formatVerifierKey(state.signer.verifier)}\nquorum auditor\n`,
  );
  await done('tenant', 'add', 'acme');
  await done('folder', 'add', 'acme/docs');
});

after(async () => {
  const ended = server.exitCode === null ? once(server, 'exit') : null;
  server.kill('SIGTERM');
  await ended;
  await witness.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Everything is sealed, and the witness has seen it. */
async function cosigned(): Promise<void> {
  const running = new RunningServer(at('data'), () => null);
  try {
    for (let tries = 0; ; tries++) {
      assert.ok(tries < 200, 'the witness has not cosigned');
      const { waiting, witnesses } = await running.call('ledger.status', {});
      const { size } = parseCheckpoint(parseNote(readFileSync(at('data/ledger/heads/checkpoint'))).text);
      if (waiting === 0 && witnesses[0]?.size === size) return;
      await setTimeout(50);
    }
  } finally {
    running.close();
  }
}

test('a ledger that its server is writing, cosigned by a witness', async () => {
  await cosigned();
  const status = await done('ledger', 'status');
  assert.match(status, /^[0-9a-f]{12} {2}acme +\d+$/m);
  assert.match(status, /Witness auditor\.example .*: cosigned \d+ heads at .*; well\./);
  assert.match(await done('ledger', 'checkpoint', '--cosigned'), /^— auditor\.example /m);
  writeFileSync(at('kept'), await done('ledger', 'checkpoint'));
  const out = await done('verify', at('data'), '--key', key, '--against', at('kept'), '--policy', at('policy'));
  assert.match(out, /Cosigned up to \d+ heads by auditor\.\n.*\nVerified: every signature/);
  const json = JSON.parse(await done('verify', at('data/ledger'), '--key', at('data/ledger/vkey'), '--json')) as {
    findings: unknown[];
  };
  assert.deepEqual(json.findings, []);
});

test('packs: signed by the server, by the key, or by nobody', async () => {
  const signed = JSON.parse(
    await done('pack', 'acme', '--out', at('a.pack'), '--against', at('kept'), '--json'),
  ) as Record<string, unknown>;
  assert.deepEqual(
    { ...signed, tenant: null },
    { file: at('a.pack'), tenant: null, name: 'acme', kind: 'not touched', signed: true },
  );
  assert.match(
    await done('verify', at('a.pack'), '--key', key, '--against', at('kept')),
    /Signed by the key of the ledger\./,
  );
  // From the head that stands now: what happens after it is another tenant's.
  await cosigned();
  const from = new Date().toISOString();
  await done('tenant', 'add', 'bolt');
  await cosigned();
  assert.match(
    await done('pack', 'acme', '--out', at('b.pack'), '--from', from, '--unsigned'),
    /was silent in this period; not signed/,
  );
  const unsigned = await waybill('verify', at('b.pack'), '--key', key);
  assert.equal(unsigned.code, 0);
  assert.match(unsigned.out, /SILENT: in this period nothing at all/);
  assert.match(unsigned.err, /note: the pack itself is not signed/);
  assert.match(
    await done('pack', 'acme', '--out', at('c.pack'), '--signing-key', at('data/keys/ledger.key')),
    /; signed\./,
  );
  assert.equal((await waybill('pack', 'nobody', '--out', at('d.pack'))).code, 3);
  assert.equal((await waybill('pack', 'acme', '--out', at('d.pack'), '--from', 'yesterday')).code, 2);
  // That a pack was signed is itself recorded.
  await cosigned();
  const installation = (await done('ledger', 'status')).match(/^([0-9a-f]{12}) {2}installation/m)?.[1] ?? '';
  const log = readdirSync(at('data/ledger/logs')).find((name) => name.startsWith(installation)) ?? '';
  const bundles = path.join(at('data/ledger/logs'), log, 'tile/entries/000.p');
  assert.ok(readdirSync(bundles).some((name) => readFileSync(path.join(bundles, name)).includes('ledger.sign-pack')));
});

test('what was tampered with is named, with exit code 11', async () => {
  cpSync(at('data/ledger'), at('copy'), { recursive: true });
  const [log = ''] = readdirSync(at('copy/logs'));
  const bundles = path.join(at('copy/logs'), log, 'tile/entries/000.p');
  for (const name of readdirSync(bundles)) {
    const bytes = readFileSync(path.join(bundles, name));
    bytes[20] = (bytes[20] ?? 0) ^ 1;
    writeFileSync(path.join(bundles, name), bytes);
  }
  const { code, out, err } = await waybill('verify', at('copy'), '--key', key);
  assert.equal(code, 11);
  assert.match(err, new RegExp(`damaged: log ${log}, logs/${log}/tile/entries/000\\.p/\\d+, entry 0: not the entry`));
  assert.match(out, /NOT VERIFIED: \d+ finding/);
  const pack = readFileSync(at('a.pack'));
  pack[1000] = (pack[1000] ?? 0) ^ 1;
  writeFileSync(at('a.pack'), pack);
  const tampered = await waybill('verify', at('a.pack'), '--key', key);
  assert.equal(tampered.code, 11);
  assert.doesNotMatch(tampered.out, /TOUCHED/, 'what does not verify is not repeated');
  assert.equal((await waybill('verify', at('nothing'), '--key', key)).code, 3);
  assert.equal((await waybill('verify', at('copy'), '--key', 'x+00000000+AAAA')).code, 2);
});
