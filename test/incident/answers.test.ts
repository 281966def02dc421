import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import path from 'node:path';
import fc from 'fast-check';
import { buildIndex, openIfCurrent } from '../../src/incident/index-build.ts';
import type { Answer } from '../../src/incident/answer.ts';
import type { Filters } from '../../src/incident/filters.ts';
import { investigate } from '../../src/incident/questions.ts';
import { addSteps, LOGS, steps } from './random-ledger.ts';
import { bytesOf, expected, readWorld } from './reference.ts';
import type { Expected } from './reference.ts';
import { TestLedger, testId } from './test-ledger.ts';

const START = 1_700_000_000_000;

const filters: fc.Arbitrary<Filters> = fc.record(
  {
    credential: fc.constantFrom([testId('credential', 1)], [testId('credential', 2)], ['key "3"'], ['totp-1']),
    account: fc.constantFrom(['login-1'], [testId('account', 0)]),
    address: fc.constantFrom(['192.0.2.0'], ['2001:db8::1'], ['192.0.2.4', '2001:db8::5']),
    client: fc.constantFrom(['CLIENT 1'], ['client']),
    session: fc.constantFrom([testId('session', 0)], [testId('session', 1), testId('session', 2)]),
    node: fc.constantFrom(['node-0'], [testId('run', 1)]),
    software: fc.constantFrom(['waybill 1.0'], ['1.1']),
    tenant: fc.constantFrom(...LOGS.map((log) => [log]), ['acme', 'cedar']),
    from: fc.integer({ min: START, max: START + 300 }),
    to: fc.integer({ min: START + 301, max: START + 700 }),
  },
  { requiredKeys: [] },
);

/** The answer in the form of the reference. */
function summary(answer: Answer): Expected {
  const amounts = (row: Answer['total'] | Answer['files']['shown'][number]) => {
    const { readings, releases, releasedBytes, sentBytes, possiblySentBytes } = row;
    return { readings, releases, releasedBytes, sentBytes, possiblySentBytes };
  };
  return {
    sessions: answer.sessions.shown.map(({ session, tenant }) => `${tenant} ${session}`).sort(),
    tenants: Object.fromEntries(
      answer.tenants.map((row) => {
        const { name, sessions, files, listings, changes } = row;
        return [
          name,
          { ...amounts(row as unknown as Answer['total']), sessions, files: files ?? -1, listings, changes },
        ];
      }),
    ),
    files: Object.fromEntries(
      answer.files.shown.map((row) => [
        `${row.tenant} ${row.file} ${row.version ?? ''}`,
        {
          ...amounts(row),
          released: bytesOf(row.released),
          possiblySent: bytesOf(row.possiblySent),
          sent: bytesOf(row.sent),
        },
      ]),
    ),
    untouched: answer.untouched.map(({ name }) => name).sort(),
    unclear: [...answer.unclear].sort(),
    listedNotRead: answer.listedNotRead.shown
      .map(({ tenant, folder, path: where }) => `${tenant} ${folder} ${where?.replace(/\/$/, '')}`)
      .sort(),
    events: answer.events.shown
      .map(({ tenant, kind, time, session }) => `${tenant} ${kind} ${Date.parse(time)} ${session}`)
      .sort(),
    gaps: Object.fromEntries(
      answer.gaps.filter(({ kind }) => kind !== 'no-name').map(({ kind, count }) => [kind, count]),
    ),
  };
}

/** What an answer without details tells too. */
function withoutFiles({ tenants, untouched, unclear, gaps }: Expected) {
  const sums = Object.entries(tenants).map(([name, tenant]) => [name, { ...tenant, files: -1 }]);
  return { tenants: Object.fromEntries(sums) as unknown, untouched, unclear, gaps };
}

async function ask(
  ledger: TestLedger,
  index: string,
  what: Filters,
  size: { limit: number; detail?: number } = { limit: 0 },
): Promise<Answer> {
  const file = await openIfCurrent({ ledger: ledger.ledger, index, key: ledger.key });
  assert.ok(file !== null, 'the index is complete');
  try {
    return await investigate(file, { ledger: ledger.ledger, filters: what, ...size });
  } finally {
    file.close();
  }
}

describe('answers from the index', () => {
  it('are those of reading every entry, for any history and any question', async () => {
    await fc.assert(
      fc.asyncProperty(
        steps,
        steps,
        fc.array(filters, { minLength: 5, maxLength: 5 }),
        async (first, second, questions) => {
          const ledger = new TestLedger();
          try {
            const middle = addSteps(ledger, first, START);
            ledger.seal(middle + 1);
            ledger.publish();
            const place = { ledger: ledger.ledger, key: ledger.key };
            await buildIndex({ ...place, index: ledger.index });
            ledger.seal(addSteps(ledger, second, middle + 2) + 1);
            ledger.publish();
            const whole = path.join(ledger.folder, 'whole.duckdb');
            const grown = await buildIndex({ ...place, index: ledger.index });
            const built = await buildIndex({ ...place, index: whole });
            assert.equal(grown.meta.total, built.meta.total);
            assert.ok(grown.added <= built.added);
            const world = readWorld(ledger);
            for (const question of [{}, ...questions]) {
              const answer = await ask(ledger, ledger.index, question);
              assert.deepEqual(summary(answer), expected(world, question), JSON.stringify(question));
              const sums = summary(await ask(ledger, ledger.index, question, { limit: 10, detail: -1 }));
              assert.deepEqual(withoutFiles(sums), withoutFiles(summary(answer)), 'sums alone are the same sums');
              assert.deepEqual(
                await ask(ledger, whole, question),
                answer,
                'an index that grew answers like one made at once',
              );
            }
          } finally {
            ledger.remove();
          }
        },
      ),
      { numRuns: 3, endOnFailure: true },
    );
  });
});
