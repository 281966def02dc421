import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RefusedTokens } from '../../src/broker/refused-tokens.ts';

test('the same token on several connections is one guess; another one, elsewhere or later, is one more', () => {
  const refused = new RefusedTokens();
  const tries: readonly (readonly [source: string, token: string, now: number])[] = [
    ['192.0.2.1', 'old', 0],
    ['192.0.2.1', 'old', 1],
    ['192.0.2.1', 'old', 4999],
    ['192.0.2.1', 'old', 5000],
    ['192.0.2.2', 'old', 5001],
    ['192.0.2.1', 'other', 5002],
    ['192.0.2.1', 'old', 5003],
  ];
  assert.deepEqual(
    tries.map(([source, token, now]) => refused.isGuess(source, token, now)),
    [true, false, false, true, true, true, true],
  );
});

test('who hammers with one token pays all the same', () => {
  const refused = new RefusedTokens();
  const guesses = Array.from({ length: 320 }, () => refused.isGuess('192.0.2.1', 'old', 0)).filter(Boolean);
  assert.equal(guesses.length, 20);
});

test('memory is bounded: the oldest source is forgotten', () => {
  const refused = new RefusedTokens();
  for (let one = 0; one < 10_000; one++) refused.isGuess(`source ${one}`, 'old', 0);
  assert.equal(refused.size, 4096);
  assert.equal(refused.isGuess('source 9999', 'old', 1), false);
  assert.equal(refused.isGuess('source 0', 'old', 1), true);
});
