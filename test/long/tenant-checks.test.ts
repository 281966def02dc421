/** Each check that keeps tenants and accounts apart, turned off alone: the test of every route must find it. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Mutants } from '../api/mutants.ts';
import { ALONE, APART } from '../api/tenant-checks.ts';
import { askForOthersThings, described } from '../api/wrong-tenant.ts';

suite('checks between tenants, off one at a time', () => {
  let mutants: Mutants;
  before(() => {
    mutants = new Mutants();
  });
  after(() => {
    mutants.remove();
  });

  for (const { name, edit, found: expected } of [...APART, ...ALONE])
    test(name, async () => {
      const found = await askForOthersThings(mutants.make([edit]));
      const hit = found.some(({ operation, who }) => operation === expected || who.includes(expected));
      assert.ok(hit, described(found));
    });
});
