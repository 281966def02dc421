/** Every route, asked for things of another tenant and of another account; and what that test is worth (mutants.ts). */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Mutants } from './mutants.ts';
import { ALONE, APART } from './tenant-checks.ts';
import type { Check } from './tenant-checks.ts';
import { askForOthersThings, described } from './wrong-tenant.ts';
import { adminRecipe } from './wrong-tenant-recipes.ts';

suite('every route as the wrong tenant', { concurrency: 2 }, () => {
  let mutants: Mutants;
  before(() => {
    mutants = new Mutants();
  });
  after(() => {
    mutants.remove();
  });

  test('finds nothing', async () => {
    const found = await askForOthersThings();
    assert.deepEqual(found, [], described(found));
  });

  test('an operation that nobody has thought of fails', () => {
    assert.notEqual(adminRecipe('account.add'), null);
    assert.equal(adminRecipe('none.at-all'), null);
  });

  const finds = async (checks: readonly Check[]): Promise<void> => {
    const only = new Set(checks.map((check) => check.found));
    const found = await askForOthersThings(mutants.make(checks.map(({ edit }) => edit)), only);
    for (const { name, found: expected } of checks)
      assert.ok(
        found.some(({ operation, who }) => operation === expected || who.includes(expected)),
        `nothing was found when this was off: ${name}\n${described(found)}`,
      );
  };
  // Each by itself: test/long/tenant-checks.test.ts.
  test('with its checks off it finds what each of them keeps', () => finds(APART));
  for (const check of ALONE) test(`finds it when this is off: ${check.name}`, () => finds([check]));
});
