import assert from 'node:assert/strict';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { INVESTIGATE_COMMAND } from '../../src/cli/commands/investigate.ts';
import { Output } from '../../src/cli/output.ts';
import { parseCommandLine } from '../../src/cli/parse.ts';
import { csv } from '../../src/incident/csv.ts';
import type { Answer } from '../../src/incident/answer.ts';
import { formatVerifierKey, generateSignerKey } from '../../src/ledger/core/note.ts';
import { verifySilence, decodeSilence } from '../../src/ledger/core/silence.ts';
import { generateLedger } from '../../bench/ledger-generator.ts';
import type { GeneratedLedger } from '../../bench/ledger-generator.ts';
import { signIn } from './random-ledger.ts';
import { temporaryFolder, TestLedger, testId } from './test-ledger.ts';

const STARTED = Date.UTC(2026, 0, 5);
const HOUR = 3_600_000;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function waybill(...words: string[]): Promise<Ran> {
  const parsed = parseCommandLine([INVESTIGATE_COMMAND], ['investigate', ...words]);
  assert.ok(parsed.kind === 'run');
  let [out, err] = ['', ''];
  const output = new Output(parsed.json, { write: (text) => (out += text) }, { write: (text) => (err += text) });
  // The command needs neither a server nor a terminal.
  const context = { output, dataFolder: '/nonexistent' } as unknown as Parameters<typeof parsed.command.run>[1];
  const code = await parsed.command.run(parsed.input, context);
  return { code: code ?? 0, out, err };
}

describe('waybill investigate', () => {
  const folder = temporaryFolder();
  const ledger = path.join(folder, 'ledger');
  const signer = generateSignerKey('command.example/ledger');
  const where = [
    '--ledger',
    ledger,
    '--index',
    path.join(folder, 'index.duckdb'),
    '--key',
    formatVerifierKey(signer.verifier),
  ];
  let made: GeneratedLedger;

  before(async () => {
    // One head an hour; tenants 3 and 4 are silent from the sixth on.
    const quietAfter = { 3: 5, 4: 5 };
    made = await generateLedger({
      folder: ledger,
      entries: 4800,
      tenants: 4,
      headEvery: 400,
      rate: 400 / 3600,
      signer,
      quietAfter,
    });
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = async (...words: string[]): Promise<Answer> => {
    const { out } = await waybill(...where, '--json', ...words);
    return JSON.parse(out) as Answer;
  };

  it('tells people what is sure and what is not', async () => {
    const { out, code, err } = await waybill(...where, '--account', 'user-1-0');
    assert.equal(code, 0);
    assert.equal(err, '');
    for (const title of [
      'Asked:',
      'Complete:',
      'WHO WAS TOUCHED',
      'WHICH FILES',
      'WHO WAS NOT',
      'WHICH PRODUCTS',
      'WHICH SESSIONS',
      'WHAT ELSE THEY DID',
      'GAPS',
    ])
      assert.ok(out.includes(title), title);
    assert.match(out, /checkpoint command\.example\/ledger 12 /);
    assert.match(out, /tenant-001/);
  });

  it('states up to which checkpoint it is complete', async () => {
    const { complete } = await ask();
    const [origin, size, root] = readFileSync(path.join(ledger, 'heads', 'checkpoint'), 'utf8').split('\n');
    assert.deepEqual(
      { origin: complete.origin, size: String(complete.size), root: complete.root },
      { origin, size, root },
    );
    assert.equal(complete.entries, made.entries);
    assert.equal(complete.time, new Date(STARTED + 12 * HOUR).toISOString());
  });

  it('proves the silence of those who were not touched, for everybody to verify', async () => {
    const proofs = path.join(folder, 'proofs');
    const times = ['--from', '2026-01-05T07:30:00Z', '--to', '2026-01-05T10:00:00Z'];
    const { out } = await waybill(...where, '--json', '--account', 'user-1-0', ...times, '--proofs', proofs);
    const answer = JSON.parse(out) as Answer;
    const silent = answer.untouched.filter(({ proof }) => proof === 'silent');
    assert.deepEqual(silent.map(({ name }) => name).sort(), ['tenant-003', 'tenant-004']);
    const files = readdirSync(proofs).sort();
    assert.deepEqual(files, silent.map(({ log }) => `${log}.silence`).sort());
    for (const { log, from, to } of silent) {
      const bundle = decodeSilence(readFileSync(path.join(proofs, `${log}.silence`)));
      assert.equal(bundle.id.toString('hex'), log);
      const proven = verifySilence(bundle, signer.verifier, signer.verifier.name);
      assert.equal(new Date(proven.from.time).toISOString(), from?.time);
      assert.equal(new Date(proven.to.time).toISOString(), to.time);
      assert.ok(
        proven.from.time < Date.parse('2026-01-05T07:30:00Z') && proven.to.time >= Date.parse('2026-01-05T10:00:00Z'),
      );
    }
    // The others were in use: which of their entries were looked at is said.
    const active = answer.untouched.filter(({ proof }) => proof === 'active');
    assert.ok(active.length > 0 && active.every(({ entries, from }) => entries > 0 && from !== null));
  });

  it('gives each part as CSV that no spreadsheet runs', async () => {
    const { out } = await waybill(...where, '--account', 'user-1-0', '--csv', 'files');
    const [headings = '', first = ''] = out.split('\r\n');
    assert.match(headings, /^tenant,folder,path,file,version,/);
    assert.match(first, /^tenant-001,/);
    const { files } = await ask('--account', 'user-1-0');
    assert.equal(out.trim().split('\r\n').length - 1, files.total);
  });

  it('says what is wrong with a question', async () => {
    const refused = async (message: RegExp, code: string, ...words: string[]): Promise<void> => {
      await assert.rejects(waybill(...where, ...words), (error: unknown) => {
        assert.ok(error instanceof Error && 'code' in error);
        assert.equal(error.code, code);
        assert.match(error.message, message);
        return true;
      });
    };
    await refused(/no tenant "nobody"/, 'not-found', '--tenant', 'nobody');
    await refused(/no folder/, 'not-found', '--folder', 'tenant-001/nothing');
    await refused(/no product/, 'not-found', '--product', 'Nothing');
    await refused(/--address is "x"/, 'option-invalid', '--address', 'x');
    await refused(/--session is "1"/, 'option-invalid', '--session', '1');
    await refused(/--from is "yesterday"/, 'option-invalid', '--from', 'yesterday');
    await refused(/--from is not before --to/, 'option-invalid', '--from', '2026-01-02', '--to', '2026-01-01');
    await refused(/--limit is "-1"/, 'option-invalid', '--limit=-1');
    await refused(/control character/, 'option-invalid', '--account', 'a\nb');
    const elsewhere = ['--ledger', folder, '--key', formatVerifierKey(signer.verifier)];
    await assert.rejects(waybill(...elsewhere), { code: 'not-found' });
    await assert.rejects(waybill('--ledger', folder), /no public key/);
    const { sessions } = await ask('--account', "x' OR true --");
    assert.equal(sessions.total, 0);
  });
});

describe('what an answer must not keep quiet', () => {
  it('a session of which the ledger has no sign-in, and entries that cannot be read', async () => {
    const made = new TestLedger();
    try {
      const acme = made.log('acme', 1000);
      const birch = made.log('birch', 1000);
      made.log('cedar', 1000);
      const session = testId('session', 1);
      acme.add(signIn(session, 2), 2000);
      const lost = testId('session', 2);
      const named = {
        folder: null,
        file: testId('file', 1),
        version: testId('version', 1),
        reading: testId('reading', 1),
      };
      birch.add({ kind: 'release', session: lost, ...named, first: 1, count: 1, bytes: 5, path: '/=cmd()' }, 2500);
      made.seal(3000);
      made.log('cedar').entries.push(Buffer.from([1, 250, 0, 0, 0, 0, 0, 0, 0x0b, 0xb9, 1]));
      made.seal(4000);
      made.publish();
      const where = ['--ledger', made.ledger, '--index', made.index];
      const { code, out } = await waybill(...where, '--account', 'login-2', '--json');
      const answer = JSON.parse(out) as Answer;
      assert.equal(code, 11);
      assert.deepEqual(
        answer.tenants.map(({ name }) => name),
        ['acme'],
      );
      const gaps = Object.fromEntries(answer.gaps.map(({ kind, tenants }) => [kind, tenants]));
      assert.deepEqual(gaps['no-sign-in'], ['birch']);
      assert.deepEqual(gaps['unknown-entries'], ['cedar']);
      assert.deepEqual(answer.unclear, ['birch', 'cedar'], 'nobody can say that these were not touched');
      const files = await waybill(...where, '--csv', 'files');
      assert.match(files.out, /birch,,\/=cmd\(\),/);
      assert.match(files.out, /8388608-8388612/);
      const [tenant] = answer.tenants;
      assert.ok(tenant !== undefined);
      const formula = csv({ ...answer, tenants: [{ ...tenant, name: '=1+1,"x"' }] }, 'tenants');
      assert.ok(formula.includes(`"'=1+1,""x"""`));
    } finally {
      made.remove();
    }
  });
});
