import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { buildIndex, openIfCurrent } from '../../src/incident/index-build.ts';
import type { Answer } from '../../src/incident/answer.ts';
import type { Filters } from '../../src/incident/filters.ts';
import { investigate } from '../../src/incident/questions.ts';
import { generateSignerKey } from '../../src/ledger/core/note.ts';
import { generateLedger } from '../../bench/ledger-generator.ts';
import { temporaryFolder } from './test-ledger.ts';

const signer = generateSignerKey('growth.example/ledger');
const key = signer.verifier;

describe('an index of more than one thread', () => {
  const folder = temporaryFolder();
  const ledger = path.join(folder, 'ledger');
  const [whole, grown] = [path.join(folder, 'whole.duckdb'), path.join(folder, 'grown.duckdb')];
  after(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const ask = async (index: string, filters: Filters): Promise<Answer> => {
    const file = await openIfCurrent({ ledger, index, key });
    assert.ok(file !== null);
    try {
      return await investigate(file, { ledger, filters, limit: 0 });
    } finally {
      file.close();
    }
  };

  it('answers like one that grew in this thread, step by step', async () => {
    // More entries are the same ledger, longer; each step is scanned without threads.
    for (const entries of [5_000, 15_000, 24_000]) {
      await generateLedger({ folder: ledger, entries, tenants: 5, headEvery: 500, signer });
      await buildIndex({ ledger, index: grown, key });
    }
    const { added } = await buildIndex({ ledger, index: whole, key });
    assert.equal(added, 24_000);
    for (const filters of [{}, { account: ['user-1-0'] }, { tenant: ['tenant-002'] }, { address: ['10.0.0.0/8'] }])
      assert.deepEqual(await ask(grown, filters), await ask(whole, filters), JSON.stringify(filters));
  });

  it('names a damaged bundle, and has no index then', async () => {
    const log = (await ask(whole, { tenant: ['tenant-003'] })).tenants[0]?.log ?? '';
    const name = `logs/${log}/tile/entries/002`;
    const file = path.join(ledger, name);
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000);
    writeFileSync(file, bytes);
    const index = path.join(folder, 'damaged.duckdb');
    await assert.rejects(buildIndex({ ledger, index, key }), (error: unknown) => {
      assert.ok(error instanceof Error && 'code' in error && error.code === 'ledger-damaged');
      assert.ok(error.message.startsWith(name), error.message);
      return true;
    });
    assert.equal(await openIfCurrent({ ledger, index, key }), null);
    bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000);
    writeFileSync(file, bytes);
    // What was cut off goes on, and comes to the same.
    await buildIndex({ ledger, index, key });
    assert.deepEqual(await ask(index, {}), await ask(whole, {}));
  });
});
