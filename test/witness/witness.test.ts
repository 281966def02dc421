import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { openCheckpoint, signCheckpoint } from '../../src/ledger/core/checkpoint.ts';
import { TileHashReader } from '../../src/ledger/core/hash-reader.ts';
import { formatVerifierKey, generateSignerKey, parseVerifierKey } from '../../src/ledger/core/note.ts';
import type { VerifierKey } from '../../src/ledger/core/note.ts';
import { parsePolicy } from '../../src/ledger/core/policy.ts';
import { consistencyProof } from '../../src/ledger/core/tree-proofs.ts';
import { ADD_CHECKPOINT_BYTES_MAX, formatAddCheckpoint } from '../../src/ledger/core/witness.ts';
import { below } from '../../src/ledger/tile-store.ts';
import { findingText } from '../../src/ledger/verify/findings.ts';
import { verifyLedger } from '../../src/ledger/verify/ledger.ts';
import { Witnessing } from '../../src/ledger/witnessing.ts';
import type { WitnessAddress } from '../../src/ledger/witnessing.ts';
import { WitnessFolder } from '../../src/witness/witness-folder.ts';
import { WitnessServer } from '../../src/witness/witness-server.ts';
import { openScene } from '../ledger/verify/ledger-scene.ts';
import type { MemoryFiles, Scene } from '../ledger/verify/ledger-scene.ts';

const ROOT = path.join(import.meta.dirname, '../..');
const TENANT = 'a1'.repeat(16);
let scene: Scene;
/** The ledger after one, two and three heads. */
let stages: MemoryFiles[];
let state: string;
const open: { close(): Promise<void> }[] = [];

before(async () => {
  scene = await openScene();
  stages = [];
  for (let at = 0; at < 3; at++) {
    await scene.record(TENANT, { kind: 'listed', session: null, folder: null, count: at, path: '/' });
    await scene.seal();
    stages.push(scene.files.copy());
  }
});
after(() => scene.close());
beforeEach(() => {
  state = mkdtempSync(path.join(tmpdir(), 'waybill-witness-'));
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  rmSync(state, { recursive: true, force: true });
});

interface Running extends WitnessAddress {
  readonly folder: WitnessFolder;
  readonly server: WitnessServer;
}

async function witness(name = 'witness.example', folderName = name): Promise<Running> {
  const logs = new Map([[scene.key.origin, [scene.verifier]]]);
  const folder = await WitnessFolder.open(path.join(state, folderName), name, logs);
  const report = (error: unknown): void => {
    throw error;
  };
  const server = new WitnessServer({ folder, logs, report });
  const { port } = await server.listen('127.0.0.1', 0);
  open.push(server);
  return { folder, server, url: `http://127.0.0.1:${port}`, vkey: formatVerifierKey(folder.signer.verifier) };
}

/** What the server of this ledger would send to its witnesses. */
function sender(files: MemoryFiles, witnesses: readonly WitnessAddress[], reports: string[] = []): Witnessing {
  const report = (name: string, error: unknown): void => {
    reports.push(`${name}: ${error instanceof Error ? error.message : ''}`);
  };
  const witnessing = new Witnessing({ tiles: files, key: scene.key, witnesses, report });
  open.push({ close: () => witnessing.stop() });
  return witnessing;
}

async function send(witnessing: Witnessing): Promise<void> {
  witnessing.sealed();
  await witnessing.settled();
}

function stage(at: number): MemoryFiles {
  return (stages[at] as MemoryFiles).copy();
}

async function body(files: MemoryFiles, oldSize: number): Promise<string> {
  const note = files.files.get('heads/checkpoint')?.toString() ?? '';
  const { size, root } = openCheckpoint(note, scene.verifier, scene.key.origin);
  const proof = await consistencyProof(new TileHashReader(below(files, 'heads'), size, root), oldSize, size);
  return formatAddCheckpoint({ oldSize, proof, note });
}

function post(
  url: string,
  content: string | Buffer,
  { method = 'POST', headers = {} } = {},
): Promise<{ status: number; type: string; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(`${url}/add-checkpoint`, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const type = response.headers['content-type'] ?? '';
        resolve({ status: response.statusCode ?? 0, type, text: Buffer.concat(parts).toString() });
      });
    });
    sent.on('error', reject);
    sent.end(content);
  });
}

test('each checkpoint is cosigned by all witnesses, and verifies by a policy', async () => {
  const [one, two] = [await witness('one.example'), await witness('two.example')];
  const policy = parsePolicy(
    `log ${scene.key.vkey}\nwitness w1 ${one.vkey}\nwitness w2 ${two.vkey}\ngroup g all w1 w2\nquorum g\n`,
  );
  for (const at of [0, 1, 2]) {
    const files = stage(at);
    const witnessing = sender(files, [one, two]);
    await send(witnessing);
    assert.deepEqual(
      witnessing.status().map(({ name, size, error }) => [name, size, error]),
      [
        ['one.example', at + 1, null],
        ['two.example', at + 1, null],
      ],
    );
    const report = await verifyLedger(files, { key: scene.verifier, policy });
    assert.deepEqual(report.findings.map(findingText), []);
    assert.deepEqual(report.cosigned, { size: at + 1, witnesses: ['w1', 'w2'] });
  }
  // One that signed nothing is missing from the quorum.
  const files = stage(2);
  await send(sender(files, [one]));
  const report = await verifyLedger(files, { key: scene.verifier, policy });
  assert.match(report.findings.map(findingText).join(), /witness: heads, heads\/cosigned: .*not the quorum/);
  files.files.delete('heads/cosigned');
  assert.match(
    (await verifyLedger(files, { key: scene.verifier, policy })).findings.map(findingText).join(),
    /no checkpoint is cosigned/,
  );
});

test('sealing does not wait for witnesses, and goes on when they are away', async () => {
  const away = {
    url: 'http://127.0.0.1:1',
    vkey: formatVerifierKey(generateSignerKey('away', 'ed25519-cosignature').verifier),
  };
  const one = await witness();
  const reports: string[] = [];
  const files = stage(1);
  const witnessing = sender(files, [one, away], reports);
  await send(witnessing);
  await send(witnessing);
  assert.equal(reports.length, 1, 'told once');
  assert.match(reports[0] ?? '', /^away: .*ECONNREFUSED/);
  assert.deepEqual(
    witnessing.status().map(({ size, error }) => [size, error === null]),
    [
      [2, true],
      [null, false],
    ],
  );
  assert.ok(files.files.has('heads/cosigned'));
});

test('a ledger that was put back is told so, and not cosigned', async () => {
  const one = await witness();
  await send(sender(stage(2), [one]));
  const reports: string[] = [];
  const files = stage(0);
  await send(sender(files, [one], reports));
  assert.match(reports.join(), /has seen 3 heads of this ledger, which has only 1: the ledger was rolled back/);
  assert.equal(files.files.has('heads/cosigned'), false);
});

test('answers that are no cosignature of the witness are not kept', async () => {
  const one = await witness();
  const other = formatVerifierKey(generateSignerKey('witness.example', 'ed25519-cosignature').verifier);
  const cases: [string, number, string][] = [
    ['another key', 200, ''],
    ['nonsense', 200, 'nonsense\n'],
    ['refused', 403, 'no\n'],
    ['a conflict for ever', 409, '1\n'],
    ['a conflict without a number', 409, 'x\n'],
  ];
  for (const [name, status, text] of cases) {
    const files = stage(2);
    const reports: string[] = [];
    const witnesses = [name === 'another key' ? { url: one.url, vkey: other } : one];
    const fake = (): Promise<{ status: number; contentType: string; body: Buffer }> =>
      Promise.resolve({ status, contentType: 'text/plain', body: Buffer.from(text) });
    const report = (witnessName: string): void => void reports.push(witnessName);
    const witnessing = new Witnessing({
      tiles: files,
      key: scene.key,
      witnesses,
      report,
      ...(name === 'another key' ? {} : { post: fake }),
    });
    await send(witnessing);
    assert.equal(files.files.has('heads/cosigned'), false, name);
    assert.equal(reports.length, 1, name);
  }
});

test('fewer cosignatures do not take the place of more, for an hour', async () => {
  const [one, two] = [await witness('one.example'), await witness('two.example')];
  let now = 1_000_000_000_000;
  const files = stage(0);
  const witnessing = new Witnessing({
    tiles: files,
    key: scene.key,
    witnesses: [one, two],
    report: () => undefined,
    now: () => now,
  });
  await send(witnessing);
  const cosigned = (): number =>
    openCheckpoint(files.files.get('heads/cosigned') ?? '', scene.verifier, scene.key.origin).unknown.length;
  assert.equal(cosigned(), 2);
  await two.server.close();
  for (const [file, bytes] of stage(1).files) files.files.set(file, bytes);
  await send(witnessing);
  assert.equal(cosigned(), 2);
  now += 3_600_001;
  await send(witnessing);
  assert.equal(cosigned(), 1);
});

test('what is refused: unknown logs, forks, other sizes, other requests, too much', async () => {
  const { url, folder } = await witness();
  assert.equal((await post(url, await body(stage(1), 0))).status, 200);
  const record = folder.recordOf(scene.key.origin)?.note;
  const conflict = await post(url, await body(stage(2), 1));
  assert.deepEqual([conflict.status, conflict.type, conflict.text], [409, 'text/x.tlog.size', '2\n']);
  const fork = signCheckpoint({ origin: scene.key.origin, size: 2, root: Buffer.alloc(32), extensions: [] }, [
    scene.key.signer,
  ]);
  assert.equal((await post(url, formatAddCheckpoint({ oldSize: 2, proof: [], note: fork }))).status, 422);
  const stranger = generateSignerKey('another/log');
  const unknown = signCheckpoint({ origin: 'another/log', size: 2, root: Buffer.alloc(32), extensions: [] }, [
    stranger,
  ]);
  assert.equal((await post(url, formatAddCheckpoint({ oldSize: 0, proof: [], note: unknown }))).status, 404);
  const impostor = signCheckpoint({ origin: scene.key.origin, size: 3, root: Buffer.alloc(32), extensions: [] }, [
    generateSignerKey(scene.key.origin),
  ]);
  assert.equal((await post(url, formatAddCheckpoint({ oldSize: 2, proof: [], note: impostor }))).status, 403);
  assert.equal((await post(url, 'nonsense')).status, 400);
  assert.equal((await post(url, '', { method: 'GET' })).status, 405);
  assert.equal((await post(`${url}/x`, '')).status, 404);
  const large = Buffer.alloc(ADD_CHECKPOINT_BYTES_MAX + 1, 'x');
  const tooLong = await post(url, large, { headers: { 'Content-Length': large.length } }).catch(() => ({
    status: 413,
  }));
  assert.equal(tooLong.status, 413);
  const chunked = await post(url, large, { headers: { 'Transfer-Encoding': 'chunked' } }).catch(() => ({
    status: 413,
  }));
  assert.equal(chunked.status, 413);
  assert.equal(folder.recordOf(scene.key.origin)?.note, record);
});

test('of requests at the same time each is compared with the one before', async () => {
  const { url, folder } = await witness();
  const bodies = [await body(stage(0), 0), await body(stage(1), 0), await body(stage(2), 0)];
  const answers = await Promise.all(bodies.map((one) => post(url, one)));
  const taken = answers.filter(({ status }) => status === 200);
  assert.equal(taken.length, 1);
  assert.ok(answers.every(({ status }) => status === 200 || status === 409));
  assert.equal(folder.recordOf(scene.key.origin)?.size, answers.findIndex(({ status }) => status === 200) + 1);
});

test('what was cosigned is remembered over a restart, and is never begun anew', async () => {
  const first = await witness('w', 'same');
  assert.equal((await post(first.url, await body(stage(2), 0))).status, 200);
  await first.server.close();
  const again = await witness('another name', 'same');
  assert.equal(again.vkey, first.vkey);
  assert.equal((await post(again.url, await body(stage(1), 0))).status, 409);
  const folder = path.join(state, 'same');
  assert.equal(statSync(path.join(folder, 'witness.key')).mode & 0o777, 0o600);
  const [file = ''] = readdirSync(path.join(folder, 'logs'));
  const note = readFileSync(path.join(folder, 'logs', file), 'utf8');
  for (const content of ['', note.slice(0, -10), note.replace('\n3\n', '\n2\n')]) {
    writeFileSync(path.join(folder, 'logs', file), content);
    await assert.rejects(witness('w', 'same'), { code: 'data-folder-invalid' });
  }
  writeFileSync(path.join(folder, 'witness.key'), 'x');
  await assert.rejects(witness('w', 'same'), { code: 'data-folder-invalid' });
});

interface Process {
  readonly child: ChildProcess;
  readonly url: string;
  readonly key: VerifierKey;
}

async function start(extra: readonly string[] = []): Promise<Process> {
  const args = [
    'witness',
    '--state',
    path.join(state, 'process'),
    '--log',
    scene.key.vkey,
    '--listen',
    '127.0.0.1:0',
    '--json',
    ...extra,
  ];
  const child = spawn(process.execPath, [path.join(ROOT, 'src/cli/waybill.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines = createInterface({ input: child.stdout });
  const [line] = (await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => ['{}'])])) as [string];
  const { key = '', port = 0 } = JSON.parse(line) as { key?: string; port?: number };
  return { child, url: `http://127.0.0.1:${port}`, key: parseVerifierKey(key) };
}

test('killed at any moment: what it answered it remembers', async () => {
  let answered = 0;
  for (const [at, wait] of [
    [0, true],
    [1, false],
    [2, true],
  ] as const) {
    const { child, url } = await start();
    const seen = await post(
      url,
      formatAddCheckpoint({ oldSize: 999, proof: [], note: stage(2).files.get('heads/checkpoint')?.toString() ?? '' }),
    );
    assert.equal(seen.status, 400, 'an old size above the checkpoint');
    const size = (await post(url, await body(stage(2), 3))).text.trim();
    const remembered = /^\d+$/.test(size) ? Number(size) : 3;
    assert.ok(remembered >= answered, `${remembered} after ${answered} was answered`);
    const asked = post(url, await body(stage(at), Math.min(remembered, at + 1))).then(
      ({ status }) => {
        if (status === 200) answered = at + 1;
      },
      () => undefined,
    );
    if (wait) await asked;
    child.kill('SIGKILL');
    await once(child, 'exit');
    await asked;
  }
  assert.ok(answered >= 1);
});

test('the command: one at a time, and a clean end', async () => {
  const { child, url, key } = await start(['--name', 'auditor.example']);
  assert.equal(key.name, 'auditor.example');
  await assert.rejects(start());
  assert.equal((await post(url, await body(stage(0), 0))).status, 200);
  child.kill('SIGTERM');
  const [code] = (await once(child, 'exit')) as [number];
  assert.equal(code, 0);
});
