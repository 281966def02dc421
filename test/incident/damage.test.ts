import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isErrorCode, WaybillError } from '../../src/base/errors.ts';
import { buildIndex, openIfCurrent } from '../../src/incident/index-build.ts';
import { IndexFile } from '../../src/incident/index-file.ts';
import { investigate } from '../../src/incident/questions.ts';
import { decodeBundle } from '../../src/ledger/core/bundle.ts';
import { KINDS } from '../../src/ledger/core/kinds.ts';
import { generateSignerKey } from '../../src/ledger/core/note.ts';
import { generateLedger } from '../../bench/ledger-generator.ts';
import type { GeneratedLedger } from '../../bench/ledger-generator.ts';
import { temporaryFolder } from './test-ledger.ts';

const signer = generateSignerKey('damage.example/ledger');
const key = signer.verifier;

describe('a ledger that is not what was signed', () => {
  const folder = temporaryFolder();
  const ledger = path.join(folder, 'ledger');
  const index = path.join(folder, 'index.duckdb');
  let made: GeneratedLedger;

  before(async () => {
    made = await generateLedger({ folder: ledger, entries: 3000, tenants: 3, headEvery: 300, signer });
  });
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const files = (): string[] =>
    readdirSync(ledger, { recursive: true, encoding: 'utf8' })
      .filter((name) => statSync(path.join(ledger, name)).isFile())
      .sort();

  const fails = async (code: string, names: RegExp): Promise<void> => {
    assert.ok(isErrorCode(code));
    IndexFile.remove(index);
    await assert.rejects(buildIndex({ ledger, index, key }), (error: unknown) => {
      assert.ok(error instanceof WaybillError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, names);
      return true;
    });
    assert.equal(await openIfCurrent({ ledger, index, key }).catch(() => null), null, 'there is no index to ask');
  };

  /** The file with one bit other than it was, then as it was. */
  const withBit = async (name: string, at: number, run: () => Promise<void>): Promise<void> => {
    const file = path.join(ledger, name);
    const bytes = readFileSync(file);
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 0x10;
    writeFileSync(file, changed);
    try {
      await run();
    } finally {
      writeFileSync(file, bytes);
    }
  };

  it('names the bundle, wherever in it a bit is wrong', async () => {
    const bundles = files().filter((name) => name.startsWith('logs/') && name.includes('/tile/entries/'));
    assert.ok(bundles.length > 6);
    for (const [number, name] of bundles.entries()) {
      const { length } = readFileSync(path.join(ledger, name));
      // In lengths, in headers, in the middle and at the end.
      const at = [0, 1, 3, 12, Math.floor(length / 2), length - 1][number % 6] ?? 0;
      await withBit(name, at, () => fails('ledger-damaged', new RegExp(name.replaceAll('.', String.raw`\.`))));
    }
  });

  it('names what is wrong of the heads, the changes beside them, and the checkpoint', async () => {
    const heads = files().filter((name) => name.startsWith('heads/'));
    for (const name of heads.filter((one) => one.includes('/entries/')))
      for (const at of [1, 40]) await withBit(name, at, () => fails('ledger-damaged', /^heads\/tile\/entries/));
    for (const name of heads.filter((one) => one.includes('/changes/')))
      for (const at of [2, 30, 900]) await withBit(name, at, () => fails('ledger-damaged', /changes|changed/));
    await withBit('heads/checkpoint', 40, () => fails('ledger-proof-invalid', /checkpoint|signature|note/));
  });

  it('finds a missing bundle, and one that stands in the place of another', async () => {
    const bundles = files().filter((name) => name.startsWith('logs/') && /entries\/00[01]$/.test(name));
    const [first = '', second = ''] = bundles;
    const bytes = readFileSync(path.join(ledger, first));
    rmSync(path.join(ledger, first));
    await fails('ledger-damaged', /tile\/entries\/00[01].* is missing/);
    cpSync(path.join(ledger, second), path.join(ledger, first));
    await fails('ledger-damaged', /tile\/entries\/00[01]/);
    writeFileSync(path.join(ledger, first), bytes);
  });

  it('refuses another key', async () => {
    const other = generateSignerKey('damage.example/ledger').verifier;
    IndexFile.remove(index);
    await assert.rejects(buildIndex({ ledger, index, key: other }), /signed/);
  });

  it('names a bundle that was damaged after the index was made, when an answer needs it', async () => {
    IndexFile.remove(index);
    await buildIndex({ ledger, index, key });
    const name = `logs/${made.logs[1] ?? ''}/tile/entries/000`;
    let end = 0;
    const firstRelease = decodeBundle(readFileSync(path.join(ledger, name)), 256).find((entry) => {
      end += 2 + entry.length;
      return entry[1] === KINDS.release.number;
    });
    assert.ok(firstRelease !== undefined);
    // The last letter of its name.
    await withBit(name, end - 1, async () => {
      const file = await openIfCurrent({ ledger, index, key });
      assert.ok(file !== null);
      const asked = investigate(file, { ledger, filters: { tenant: ['tenant-001'] }, limit: 0 });
      await assert.rejects(asked, /logs\/[0-9a-f]{64}\/tile\/entries\/000: entry \d+ is not what the tree commits to/);
      file.close();
    });
  });

  it('finds a ledger that was put back, and one whose history is another', async () => {
    IndexFile.remove(index);
    await buildIndex({ ledger, index, key });
    const older = path.join(folder, 'older');
    await generateLedger({ folder: older, entries: 2400, tenants: 3, headEvery: 300, signer });
    await assert.rejects(buildIndex({ ledger: older, index, key }), { code: 'ledger-rolled-back' });
    const forked = path.join(folder, 'forked');
    await generateLedger({ folder: forked, entries: 3000, tenants: 3, headEvery: 300, seed: 2, signer });
    await assert.rejects(buildIndex({ ledger: forked, index, key }), { code: 'ledger-damaged' });
    const longer = path.join(folder, 'longer');
    await generateLedger({ folder: longer, entries: 3600, tenants: 3, headEvery: 300, seed: 2, signer });
    await assert.rejects(buildIndex({ ledger: longer, index, key }), { code: 'ledger-damaged' });
    // And the index is still good for its own.
    assert.equal((await buildIndex({ ledger, index, key })).added, 0);
  });

  it('does not touch a database of something else', async () => {
    const other = path.join(folder, 'other.duckdb');
    const file = await IndexFile.open(other, 'write');
    await file.run('CREATE TABLE precious (value INTEGER)');
    file.close();
    await assert.rejects(buildIndex({ ledger, index: other, key }), { code: 'option-invalid' });
    assert.ok(IndexFile.exists(other));
  });
});
