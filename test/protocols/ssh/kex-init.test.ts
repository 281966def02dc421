import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  buildKexInit,
  negotiate,
  parseKexInit,
  type AlgorithmLists,
  type KexInit,
} from '../../../src/protocols/ssh/kex-init.ts';

const lists = (changes: Partial<AlgorithmLists> = {}): AlgorithmLists => ({
  kex: ['k1', 'k2'],
  hostKey: ['h1', 'h2'],
  cipherIn: ['aead', 'c1', 'c2'],
  cipherOut: ['aead', 'c1', 'c2'],
  macIn: ['m1', 'm2'],
  macOut: ['m1', 'm2'],
  compressionIn: ['none'],
  compressionOut: ['none'],
  ...changes,
});
const client = (changes: Partial<KexInit> = {}): KexInit => ({ ...lists(), guessFollows: false, ...changes });
const implicit = (cipher: string): boolean => cipher === 'aead';
const choose = (changes: Partial<KexInit>, server: Partial<AlgorithmLists> = {}): ReturnType<typeof negotiate> =>
  negotiate(client(changes), lists(server), implicit);

describe('negotiation (RFC 4253 section 7.1)', () => {
  const table: readonly [string, Partial<KexInit>, Partial<ReturnType<typeof negotiate>>][] = [
    ['the first of the client that the server has', { kex: ['x', 'k2', 'k1'] }, { kex: 'k2' }],
    ['pseudo-algorithms are passed over', { kex: ['ext-info-c', 'k1'] }, { kex: 'k1' }],
    ['the directions are apart', { cipherIn: ['c1'], cipherOut: ['c2'] }, { cipherIn: 'c1', cipherOut: 'c2' }],
    [
      'the MACs too',
      { cipherIn: ['c1'], cipherOut: ['c1'], macIn: ['m2'], macOut: ['m1'] },
      { macIn: 'm2', macOut: 'm1' },
    ],
    [
      'AEAD needs no common MAC',
      { cipherIn: ['aead'], cipherOut: ['aead'], macIn: [], macOut: ['x'] },
      { macIn: 'aead' },
    ],
    ['no guess, nothing to skip', { guessFollows: false, kex: ['k2'] }, { skipGuess: false }],
    ['a right guess is taken', { guessFollows: true }, { skipGuess: false }],
    ['wrong when the key exchanges differ', { guessFollows: true, kex: ['k2', 'k1'] }, { skipGuess: true }],
    ['wrong when the host keys differ', { guessFollows: true, hostKey: ['h2', 'h1'] }, { skipGuess: true }],
    [
      'wrong even if the result is what was guessed',
      { guessFollows: true, kex: ['k2'] },
      { kex: 'k2', skipGuess: true },
    ],
  ];
  for (const [name, changes, expected] of table) {
    it(name, () => {
      const choice = choose(changes);
      for (const [key, value] of Object.entries(expected)) assert.equal(choice[key as keyof typeof choice], value);
    });
  }

  for (const list of Object.keys(lists()) as (keyof AlgorithmLists)[]) {
    it(`fails without a common ${list}`, () => {
      const onlyCiphers = { cipherIn: ['c1'], cipherOut: ['c1'] };
      assert.throws(() => choose({ ...onlyCiphers, [list]: ['zlib'] }), { name: 'ProtocolViolation', reason: 3 });
      assert.throws(() => choose({ ...onlyCiphers, [list]: [] }), { name: 'ProtocolViolation', reason: 3 });
    });
  }
});

describe('KEXINIT', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '-', '@', '.', '1'), minLength: 1, maxLength: 20 });
  const names = fc.array(name, { maxLength: 8 });

  it('comes back as it was built', () => {
    const any = fc.record({
      kex: names,
      hostKey: names,
      cipherIn: names,
      cipherOut: names,
      macIn: names,
      macOut: names,
      compressionIn: names,
      compressionOut: names,
    });
    fc.assert(
      fc.property(any, (made) => {
        assert.deepEqual(parseKexInit(buildKexInit(made, Buffer.alloc(16, 7))), { ...made, guessFollows: false });
      }),
    );
  });

  it('is refused at every length but its own', () => {
    const whole = buildKexInit(lists(), Buffer.alloc(16));
    for (let end = 1; end < whole.length; end++) {
      assert.throws(() => parseKexInit(whole.subarray(0, end)), { name: 'MalformedBytes' });
    }
    assert.throws(() => parseKexInit(Buffer.concat([whole, Buffer.of(0)])), { name: 'MalformedBytes' });
  });
});
