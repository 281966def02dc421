import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { decodeBundle, encodeBundle } from '../../../src/ledger/core/bundle.ts';
import { signCheckpoint } from '../../../src/ledger/core/checkpoint.ts';
import { encodeEntry } from '../../../src/ledger/core/entry.ts';
import { blindedIdentifier, decodeHead, digest, encodeChanges, encodeHead } from '../../../src/ledger/core/head.ts';
import type { Head } from '../../../src/ledger/core/head.ts';
import { encodeChangesFile, logFolder, logOrigin } from '../../../src/ledger/core/layout.ts';
import { Frontier, leafHash } from '../../../src/ledger/core/merkle.ts';
import { generateSignerKey, signerNamed } from '../../../src/ledger/core/note.ts';
import { SumTree } from '../../../src/ledger/core/sum-tree.ts';
import type { Finding, Problem } from '../../../src/ledger/verify/findings.ts';
import { findingText } from '../../../src/ledger/verify/findings.ts';
import { verifyLedger } from '../../../src/ledger/verify/ledger.ts';
import type { LedgerReport, VerifyOptions } from '../../../src/ledger/verify/ledger.ts';
import { LedgerFolder } from '../../../src/ledger/verify/ledger-files.ts';
import { MemoryFiles, openScene } from './ledger-scene.ts';
import type { Scene } from './ledger-scene.ts';

const TENANTS = ['a1', 'b2', 'c3'].map((two) => two.repeat(16));
const [A = '', B = ''] = TENANTS;
const SESSION = 'ab'.repeat(16);

let scene: Scene;
/** After the first round, and at the end. */
let early: MemoryFiles;
let whole: MemoryFiles;
/** The publication before the last, with what the last wrote first. */
let before1: MemoryFiles;

function listed(path: string): Parameters<Scene['record']>[1] {
  return { kind: 'listed', session: SESSION, folder: null, count: 1, path };
}

before(async () => {
  scene = await openScene();
  await scene.record(null, listed('/node'));
  for (const tenant of TENANTS) await scene.record(tenant, listed('/first'));
  await scene.seal();
  early = scene.files.copy();
  // Across the width of a tile in one log, with partial tiles of earlier sizes left behind by restarts.
  for (const count of [5, 200, 80]) {
    await scene.record(A, ...Array.from({ length: count }, (_, at) => listed(`/${count}/${at}`)));
    await scene.record(B, listed(`/${count}`));
    await scene.seal();
    await scene.restart();
  }
  before1 = scene.files.copy();
  await scene.record(A, listed('/last'));
  await scene.record(null, listed('/last'));
  await scene.seal();
  whole = scene.files.copy();
});

after(() => scene.close());

async function verify(files: MemoryFiles, options: Partial<VerifyOptions> = {}): Promise<LedgerReport> {
  return verifyLedger(files, { key: scene.verifier, ...options });
}

function log(tenant: string | null): string {
  return scene.logOf(tenant);
}

function folderOf(tenant: string | null): string {
  return logFolder(log(tenant));
}

/** The first finding of a kind, which must be there. */
function find({ findings }: LedgerReport, problem: Problem): Finding {
  const found = findings.find((one) => one.problem === problem);
  assert.ok(found, `no "${problem}" among: ${findings.map(findingText).join('; ')}`);
  return found;
}

test('a ledger as a server leaves it is whole: every log, every head, and the names of the tenants', async () => {
  const report = await verify(whole);
  assert.deepEqual(report.findings.map(findingText), []);
  assert.deepEqual(report.told, []);
  assert.equal(report.heads?.size, 5);
  assert.equal(report.entries, 298);
  assert.deepEqual(
    report.logs.map(({ tenant, size }) => [tenant, size]).sort(),
    [
      [A, 288],
      [B, 5],
      [TENANTS[2], 2],
      [null, 3],
    ].sort(),
  );
  assert.equal(report.logs.find(({ tenant }) => tenant === A)?.name, `tenant ${A}`);
});

test('the same from a folder on disk', async () => {
  const root = mkdtempSync(join(tmpdir(), 'waybill-verify-'));
  try {
    for (const [file, bytes] of whole.files) {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), bytes);
    }
    const seen: number[] = [];
    const options = { key: scene.verifier, onProgress: ({ entries }: { entries: number }) => void seen.push(entries) };
    assert.deepEqual((await verifyLedger(new LedgerFolder(root), options)).findings, []);
    assert.equal(seen.at(-1), 298);
    rmSync(join(root, 'heads/checkpoint'));
    symlinkSync('/dev/zero', join(root, 'heads/checkpoint'));
    const report = await verifyLedger(new LedgerFolder(root), { key: scene.verifier });
    assert.match(report.findings.map(findingText).join('\n'), /heads\/checkpoint is not a file/);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  await assert.rejects(verifyLedger(new LedgerFolder(root), { key: scene.verifier }), { code: 'not-found' });
});

test('any bit of any file that is changed is found, and the file or its log is named', async () => {
  const files = [...whole.files.keys()];
  assert.ok(files.some((file) => file.includes('.p/')));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...files), fc.nat(), fc.nat(7), async (file, position, bit) => {
      const changed = whole.copy();
      const bytes = Buffer.from(changed.files.get(file) ?? '');
      const at = position % bytes.length;
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
      changed.files.set(file, bytes);
      const { findings } = await verify(changed);
      const [, name = ''] = file.split('/');
      const named = findings.filter(({ place }) => place.path === file || place.log === name || place.log === 'heads');
      assert.ok(
        named.length > 0,
        `${file}, byte ${at}, bit ${bit}: ${findings.map(findingText).join('; ') || 'nothing'}`,
      );
    }),
    { numRuns: 400 },
  );
});

test('every byte of the checkpoints and the public key, and every bit where signatures end', async () => {
  for (const file of ['vkey', 'heads/checkpoint', `${folderOf(A)}/checkpoint`]) {
    const bytes = early.files.get(file) ?? Buffer.alloc(0);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const at = bit >> 3;
      if (at < bytes.length - 8 && at % 8 !== (bit & 7)) continue;
      const changed = early.copy();
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7));
      changed.files.set(file, copy);
      const { findings } = await verify(changed);
      assert.ok(
        findings.some(({ place }) => place.path === file),
        `${file}, bit ${bit}`,
      );
    }
  }
});

test('a file that is missing, empty, cut short or longer is found, and named', async () => {
  for (const file of whole.files.keys()) {
    const bytes = whole.files.get(file) ?? Buffer.alloc(0);
    for (const [what, content] of [
      ['missing', null],
      ['empty', Buffer.alloc(0)],
      ['short', bytes.subarray(0, bytes.length - 1)],
      ['half', bytes.subarray(0, bytes.length / 2)],
      ['longer', Buffer.concat([bytes, Buffer.of(0)])],
    ] as const) {
      const changed = whole.copy();
      if (content === null) changed.files.delete(file);
      else changed.files.set(file, content);
      const { findings } = await verify(changed);
      // What is only a leftover of an earlier size may be gone.
      if (content === null && findings.length === 0) {
        const size = file.startsWith('heads/')
          ? 5
          : ({ [folderOf(A)]: 288, [folderOf(null)]: 3 }[file.split('/', 2).join('/')] ?? 5);
        const [, level = '', width = ''] = /\/(?:tile\/)?(\w+)\/\d{3}\.p\/(\d+)$/.exec(file) ?? [];
        assert.ok(Number(width) > 0 && Number(width) !== (level === '1' ? 1 : size % 256), `missing ${file}`);
        continue;
      }
      assert.ok(
        findings.some(({ place }) => place.path === file),
        `${what} ${file}: ${findings.map(findingText).join('; ')}`,
      );
    }
  }
});

test('a dropped, a swapped and a repeated entry are named by their number', async () => {
  const path = `${folderOf(A)}/tile/entries/000`;
  const entries = decodeBundle(whole.files.get(path) ?? Buffer.alloc(0), 256);
  const [seven, eight] = [entries[7] as Buffer, entries[8] as Buffer];
  const cases = {
    swapped: entries.with(7, eight).with(8, seven),
    repeated: entries.with(8, seven),
    dropped: [...entries.slice(0, 8), ...entries.slice(9), entries[255] as Buffer],
  };
  for (const [name, list] of Object.entries(cases)) {
    const changed = whole.copy();
    changed.files.set(path, encodeBundle(list));
    const finding = find(await verify(changed), 'damaged');
    assert.deepEqual(finding.place, { log: log(A), path, entry: name === 'swapped' ? 7 : 8 }, name);
    assert.match(finding.message, /here stands what belongs to entry (8|7|9)$/);
  }
  const changed = whole.copy();
  changed.files.set(path, encodeBundle(entries.slice(0, 255)));
  assert.match(find(await verify(changed), 'damaged').message, /ends within number 255/);
});

test('entries and tiles that fit each other, but not what is signed', async () => {
  const changed = whole.copy();
  const place = folderOf(B);
  const entries = decodeBundle(whole.files.get(`${place}/tile/entries/000.p/5`) ?? Buffer.alloc(0), 5);
  const other = entries.with(
    2,
    encodeEntry({ kind: 'listed', session: SESSION, folder: null, count: 9, path: '/x' }, 1),
  );
  changed.files.set(`${place}/tile/entries/000.p/5`, encodeBundle(other));
  changed.files.set(`${place}/tile/0/000.p/5`, Buffer.concat(other.map((entry) => leafHash(entry))));
  const report = await verify(changed);
  assert.equal(find(report, 'damaged').place.log, log(B));
  assert.match(report.findings.map(findingText).join('\n'), /lead to another root than is signed/);
});

test('the same log signed anew by the thief of the key does not fit the heads', async () => {
  const changed = whole.copy();
  rewrite(changed, A, 12);
  const report = await verify(changed);
  const finding = find(report, 'mismatch');
  assert.equal(finding.place.log, log(A));
  // The head that committed entry 12.
  assert.equal(finding.place.head, 2);
});

/** Another entry at this place of the log, and everything above it made anew with the right key. */
function rewrite(files: MemoryFiles, tenant: string, at: number): void {
  const place = folderOf(tenant);
  for (const file of [...files.files.keys()])
    if (file.startsWith(`${place}/tile/`) && !/000(\.p\/32)?$|001\.p\/32$|1\/000\.p\/1$/.test(file))
      files.files.delete(file);
  const first = decodeBundle(files.files.get(`${place}/tile/entries/000`) ?? Buffer.alloc(0), 256);
  const rest = decodeBundle(files.files.get(`${place}/tile/entries/001.p/32`) ?? Buffer.alloc(0), 32);
  const changed = Buffer.from(first[at] as Buffer);
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  const bundle = first.with(at, changed);
  const frontier = new Frontier();
  const level1: Buffer[] = [];
  for (const entry of [...bundle, ...rest])
    frontier.append(leafHash(entry), (level, hash) => {
      if (level === 8) level1.push(Buffer.from(hash));
    });
  files.files.set(`${place}/tile/entries/000`, encodeBundle(bundle));
  files.files.set(`${place}/tile/0/000`, Buffer.concat(bundle.map((entry) => leafHash(entry))));
  files.files.set(`${place}/tile/1/000.p/1`, Buffer.concat(level1));
  const origin = logOrigin(scene.key.origin, log(tenant));
  const note = signCheckpoint({ origin, size: frontier.size, root: frontier.root(), extensions: [] }, [
    signerNamed(scene.key.signer, origin),
  ]);
  files.files.set(`${place}/checkpoint`, Buffer.from(note));
}

test('a store put back from an older copy: seen with a checkpoint that was kept', async () => {
  const kept = { name: 'kept.txt', bytes: whole.files.get('heads/checkpoint') ?? Buffer.alloc(0) };
  const keptLog = { name: 'log.txt', bytes: whole.files.get(`${folderOf(A)}/checkpoint`) ?? Buffer.alloc(0) };
  assert.deepEqual((await verify(early)).findings, []);
  assert.deepEqual((await verify(whole, { earlier: [kept, keptLog] })).findings, []);
  const report = await verify(early, { earlier: [kept, keptLog] });
  assert.deepEqual(
    report.findings.map(({ problem, place }) => [problem, place.log, place.path]),
    [
      ['rolled-back', 'heads', 'kept.txt'],
      ['rolled-back', log(A), 'log.txt'],
    ],
  );
  // The other way round: the earlier one is a prefix of what there is now.
  const earlier = [
    { name: 'early', bytes: early.files.get('heads/checkpoint') ?? Buffer.alloc(0) },
    { name: 'early log', bytes: early.files.get(`${folderOf(A)}/checkpoint`) ?? Buffer.alloc(0) },
  ];
  assert.deepEqual((await verify(whole, { earlier })).findings, []);
});

test('only a part that was put back does not fit the rest', async () => {
  const heads = whole.copy();
  for (const file of heads.files.keys()) if (file.startsWith('heads/')) heads.files.delete(file);
  for (const [file, bytes] of early.files) if (file.startsWith('heads/')) heads.files.set(file, bytes);
  assert.equal(find(await verify(heads), 'mismatch').message.split(':')[0], 'the log has entries that no head commits');
  const one = whole.copy();
  for (const file of one.files.keys()) if (file.startsWith(folderOf(A))) one.files.delete(file);
  for (const [file, bytes] of early.files) if (file.startsWith(folderOf(A))) one.files.set(file, bytes);
  const finding = find(await verify(one), 'rolled-back');
  assert.deepEqual(finding.place, { log: log(A), head: 4 });
  assert.deepEqual([finding.expected, finding.found], ['288 entries', '2 entries']);
  const gone = whole.copy();
  for (const file of gone.files.keys()) if (file.startsWith(folderOf(A))) gone.files.delete(file);
  assert.equal(find(await verify(gone), 'missing').place.log, log(A));
});

test('a forked history: another one of the same key, against a checkpoint that was kept', async () => {
  const fork = early.copy();
  const { key } = scene;
  // The same two first entries, then another third one; heads that fit it.
  const head = decodeHead(
    decodeBundle(fork.files.get('heads/tile/entries/000.p/1') ?? Buffer.alloc(0), 1)[0] as Buffer,
  );
  const other = encodeHead({ ...head, software: 'another' });
  const frontier = new Frontier();
  frontier.append(leafHash(other));
  fork.files.set('heads/tile/entries/000.p/1', encodeBundle([other]));
  fork.files.set('heads/tile/0/000.p/1', leafHash(other));
  const note = signCheckpoint({ origin: key.origin, size: 1, root: frontier.root(), extensions: [] }, [key.signer]);
  fork.files.set('heads/checkpoint', Buffer.from(note));
  assert.deepEqual((await verify(fork)).findings, []);
  const kept = { name: 'kept', bytes: early.files.get('heads/checkpoint') ?? Buffer.alloc(0) };
  const finding = find(await verify(fork, { earlier: [kept] }), 'forked');
  assert.deepEqual(finding.place, { log: 'heads', path: 'kept' });
});

test('an earlier checkpoint of another ledger or with a bad signature is not taken for one', async () => {
  const stranger = signCheckpoint({ origin: 'x.example/log', size: 0, root: new Frontier().root(), extensions: [] }, [
    generateSignerKey('x.example/log'),
  ]);
  const impostor = generateSignerKey(scene.key.origin);
  const forged = signCheckpoint({ origin: scene.key.origin, size: 0, root: new Frontier().root(), extensions: [] }, [
    impostor,
  ]);
  const report = await verify(whole, {
    earlier: [stranger, forged, 'nonsense'].map((text, at) => ({ name: `${at}`, bytes: Buffer.from(text) })),
  });
  assert.deepEqual(
    report.findings.map(({ problem, place }) => [problem, place.path]),
    [
      ['signature', '0'],
      ['signature', '1'],
      ['signature', '2'],
    ],
  );
});

test('another key verifies nothing', async () => {
  const { findings } = await verify(whole, { key: generateSignerKey(scene.key.origin).verifier });
  assert.ok(findings.length > 4);
  assert.ok(findings.every(({ problem, place }) => problem === 'signature' || place.path === 'vkey'));
});

test('what a crash leaves between the last two steps is told, and nothing else is let through', async () => {
  const crashed = whole.copy();
  crashed.files.set('heads/checkpoint', before1.files.get('heads/checkpoint') ?? Buffer.alloc(0));
  const report = await verify(crashed);
  assert.deepEqual(report.findings.map(findingText), []);
  assert.deepEqual(
    report.told
      .filter(({ remark }) => remark === 'unfinished')
      .map(({ place }) => place.log)
      .sort(),
    [log(A), log(null)].sort(),
  );
  // The checkpoint of one log is written, of the other not yet.
  crashed.files.set(`${folderOf(A)}/checkpoint`, before1.files.get(`${folderOf(A)}/checkpoint`) ?? Buffer.alloc(0));
  for (const file of before1.files.keys())
    crashed.files.set(file, crashed.files.get(file) ?? before1.files.get(file) ?? Buffer.alloc(0));
  const half = await verify(crashed);
  assert.deepEqual(half.findings.map(findingText), []);
  // Without the head that says what was being published, they are only logs that are ahead.
  crashed.files.delete('heads/tile/entries/000.p/5');
  assert.equal(find(await verify(crashed), 'mismatch').place.log, log(null));
});

test('tiles beyond the checkpoint and files that are no part of it are told', async () => {
  const more = whole.copy();
  more.files.set(`${folderOf(B)}/tile/entries/007`, Buffer.from('x'));
  more.files.set(`${folderOf(B)}/tile/0/000.p/9`, Buffer.from('x'));
  more.files.set('heads/checkpoint.new', Buffer.from('x'));
  more.files.set('README', Buffer.from('x'));
  const report = await verify(more);
  assert.deepEqual(report.findings.map(findingText), []);
  assert.deepEqual(report.told.map(({ remark, place }) => [remark, place.path]).sort(), [
    ['beyond', `${folderOf(B)}/tile/0/000.p/9`],
    ['beyond', `${folderOf(B)}/tile/entries/007`],
    ['foreign', 'README'],
    ['foreign', 'heads/checkpoint.new'],
  ]);
});

test('a log that was only being made when the server died', async () => {
  const files = early.copy();
  const name = '5a'.repeat(32);
  for (const file of ['tile/0/000.p/2', 'tile/entries/000.p/2'])
    files.files.set(`logs/${name}/${file}`, early.files.get(`${folderOf(A)}/${file}`) ?? Buffer.alloc(0));
  const report = await verify(files);
  assert.deepEqual(report.findings.map(findingText), []);
  assert.deepEqual(
    report.told.map(({ remark }) => remark),
    ['beyond', 'beyond'],
  );
});

test('a wider tile stands for the one that a running server has taken away', async () => {
  const wide = whole.copy();
  for (const level of ['entries', '0', 'changes'] as const) {
    const base = level === 'changes' ? 'heads/changes/000.p' : `heads/tile/${level}/000.p`;
    wide.files.set('heads/checkpoint', whole.files.get('heads/checkpoint') ?? Buffer.alloc(0));
    assert.ok(wide.files.has(`${base}/5`));
  }
  const older = wide.copy();
  older.files.set('heads/checkpoint', before1.files.get('heads/checkpoint') ?? Buffer.alloc(0));
  for (const base of ['heads/changes/000.p/4', 'heads/tile/entries/000.p/4', 'heads/tile/0/000.p/4'])
    older.files.delete(base);
  const report = await verify(older);
  assert.deepEqual(report.findings.map(findingText), []);
  assert.equal(report.heads?.size, 4);
});

/** A ledger of one log and these heads, all signed as they are: what somebody with the key could make. */
function forge(
  entries: readonly Buffer[],
  heads: readonly (Partial<Head> & { size: number })[],
  name = log(A),
): MemoryFiles {
  const { key } = scene;
  const files = new MemoryFiles();
  const write = (folder: string, origin: string, list: readonly Buffer[]): void => {
    const frontier = new Frontier();
    for (const entry of list) frontier.append(leafHash(entry));
    files.files.set(`${folder}/tile/entries/000.p/${list.length}`, encodeBundle(list));
    files.files.set(`${folder}/tile/0/000.p/${list.length}`, Buffer.concat(list.map((entry) => leafHash(entry))));
    const note = signCheckpoint({ origin, size: frontier.size, root: frontier.root(), extensions: [] }, [
      signerNamed(key.signer, origin),
    ]);
    files.files.set(`${folder}/checkpoint`, Buffer.from(note));
  };
  write(logFolder(name), logOrigin(key.origin, name), entries);
  const changes: Buffer[] = [];
  const written = heads.map(({ size, ...stated }) => {
    const frontier = new Frontier();
    for (const entry of entries.slice(0, size)) frontier.append(leafHash(entry));
    const part = encodeChanges([{ log: name, size, root: frontier.root() }]);
    changes.push(part);
    const sum = sumOf(name, size, frontier.root());
    return encodeHead({ time: 5000, ...sum, changes: digest(part), run: '00'.repeat(16), software: 's', ...stated });
  });
  write('heads', key.origin, written);
  files.files.set(`heads/changes/000.p/${heads.length}`, encodeChangesFile(changes));
  files.files.set('vkey', Buffer.from(`${key.vkey}\n`));
  return files;
}

function sumOf(name: string, size: number, root: Buffer): Pick<Head, 'sumRoot' | 'total' | 'tenants'> {
  const { hash, sum, count } = new SumTree([{ id: Buffer.from(name, 'hex'), size, root }]).root();
  return { sumRoot: hash, total: sum, tenants: count };
}

test('what somebody with the key could sign and is still not true', async () => {
  const salt = '11'.repeat(32);
  const name = blindedIdentifier(A, salt);
  const opened = encodeEntry({ kind: 'opened', tenant: A, name: 'a', salt }, 1000);
  const at = (time: number): Buffer =>
    encodeEntry({ kind: 'listed', session: SESSION, folder: null, count: 1, path: '/' }, time);
  const entries = [opened, at(2000), at(3000)];
  assert.deepEqual((await verify(forge(entries, [{ size: 2 }, { size: 3 }], name))).findings.map(findingText), []);
  const cases: [Problem, RegExp, MemoryFiles][] = [
    ['order', /entry 2.*time is before/, forge([opened, at(3000), at(2000)], [{ size: 3 }], name)],
    ['order', /head 1: its time is before/, forge(entries, [{ size: 2, time: 6000 }, { size: 3 }], name)],
    ['order', /earlier time than an entry/, forge(entries, [{ size: 3, time: 2500 }], name)],
    ['entry', /malformed/, forge([opened, Buffer.concat([at(2000), Buffer.of(0)])], [{ size: 2 }], name)],
    ['entry', /malformed/, forge([opened, Buffer.alloc(0)], [{ size: 2 }], name)],
    ['entry', /must open its name/, forge([at(1000), at(2000)], [{ size: 2 }], name)],
    ['entry', /opened a second time/, forge([opened, opened], [{ size: 2 }], name)],
    ['entry', /do not give the name of the log/, forge(entries, [{ size: 3 }], log(A))],
    ['head', /has not grown/, forge(entries, [{ size: 3 }, { size: 3 }], name)],
    ['head', /head 0: it states another total/, forge(entries, [{ size: 3, total: 4 }], name)],
    ['head', /another number of logs/, forge(entries, [{ size: 3, tenants: 2 }], name)],
    ['head', /another sum root/, forge(entries, [{ size: 3, sumRoot: Buffer.alloc(32) }], name)],
    ['damaged', /what the head changed is not/, forge(entries, [{ size: 3, changes: Buffer.alloc(32) }], name)],
  ];
  for (const [problem, message, files] of cases) {
    const { findings } = await verify(files);
    const found = findings.some((one) => one.problem === problem && message.test(findingText(one)));
    assert.ok(found, `${message.source}: ${findings.map(findingText).join('; ') || 'nothing'}`);
  }
});

test('entries of a later version are counted and told', async () => {
  const salt = '22'.repeat(32);
  const name = blindedIdentifier(A, salt);
  const opened = encodeEntry({ kind: 'opened', tenant: A, name: 'a', salt }, 1000);
  const later = Buffer.concat([Buffer.of(1, 250), Buffer.alloc(6), Buffer.of(8, 0), Buffer.from('anything')]);
  const report = await verify(forge([opened, later], [{ size: 2 }], name));
  assert.deepEqual(report.findings.map(findingText), []);
  assert.match(report.told[0]?.message ?? '', /1 entries are of kinds/);
});
