import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import fc from 'fast-check';
import { OFFENCES, Penalties, sourceOf, Startups } from '../../src/broker/penalties.ts';

suite('penalties', () => {
  test('leave a person who mistypes once alone', () => {
    const penalties = new Penalties();
    penalties.add('a', 'sign-in', 0);
    assert.equal(penalties.refuses('a', 1), false);
  });

  test('refuse who goes on, until all is paid, and others never', () => {
    const penalties = new Penalties();
    for (let i = 0; i < 3; i++) penalties.add('a', 'sign-in', 0);
    assert.equal(penalties.refuses('a', 1), true);
    assert.equal(penalties.refuses('b', 1), false);
    // Below the threshold again, but not free before nothing is owed.
    assert.equal(penalties.refuses('a', 14_000), true);
    assert.equal(penalties.refuses('a', 15_000), false);
  });

  test('grow with each offence, up to a bound', () => {
    const penalties = new Penalties();
    for (let i = 0; i < 1000; i++) penalties.add('a', 'protocol', 0);
    assert.equal(penalties.refuses('a', 599_999), true);
    assert.equal(penalties.refuses('a', 600_000), false);
  });

  test('never keep more than a bounded number of sources', () => {
    const penalties = new Penalties();
    for (let i = 0; i < 70_000; i++) penalties.add(`source ${i}`, 'protocol', 0);
    assert.ok(penalties.size <= 65_536);
    assert.equal(penalties.refuses('source 69999', 1), false);
    for (let i = 0; i < 2; i++) penalties.add('source 69999', 'protocol', 0);
    assert.equal(penalties.refuses('source 69999', 1), true);
  });

  test('owed never exceeds what was earned', () => {
    const offences = fc.array(fc.constantFrom(...(Object.keys(OFFENCES) as (keyof typeof OFFENCES)[])));
    fc.assert(
      fc.property(offences, (list) => {
        const penalties = new Penalties();
        let owed = 0;
        for (const offence of list) {
          penalties.add('a', offence, 0);
          owed += OFFENCES[offence];
        }
        assert.equal(penalties.refuses('a', owed * 1000), false);
      }),
    );
  });
});

suite('sources', () => {
  for (const [address, source] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ] as const) {
    test(`of ${address} is ${source}`, () => {
      assert.equal(sourceOf(address), source);
    });
  }
});

suite('start-ups', () => {
  test('are bounded per source and in all, and places come back', () => {
    const startups = new Startups({ all: 3, perSource: 2 });
    assert.deepEqual(
      ['a', 'a', 'a', 'b', 'c'].map((source) => startups.enter(source)),
      [true, true, false, true, false],
    );
    startups.leave('a');
    startups.leave('never entered');
    assert.equal(startups.enter('c'), true);
    assert.equal(startups.enter('b'), false);
  });
});
