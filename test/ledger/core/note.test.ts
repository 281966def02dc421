/** Keys, notes and checkpoints of our own; those of others are in test/vectors. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import * as checkpoints from '../../../src/ledger/core/checkpoint.ts';
import { EMPTY_ROOT } from '../../../src/ledger/core/merkle.ts';
import { SIGNATURE_ALGORITHMS } from '../../../src/ledger/core/note-algorithms.ts';
import type { SignatureAlgorithmName } from '../../../src/ledger/core/note-algorithms.ts';
import { isKeyName } from '../../../src/ledger/core/note-keys.ts';
import * as notes from '../../../src/ledger/core/note.ts';
import { flipped, sha256 } from './naive.ts';

const invalid = { code: 'ledger-proof-invalid' };
const ALGORITHMS = Object.keys(SIGNATURE_ALGORITHMS) as SignatureAlgorithmName[];
const ROOT = sha256(Buffer.from('root'));
const CHECKPOINT = { origin: 'waybill.example/heads', size: 12, root: ROOT, extensions: [] };

void describe('keys', () => {
  for (const algorithm of ALGORITHMS) {
    it(`${algorithm}: both strings come back, signatures verify, and no other`, () => {
      const signer = notes.generateSignerKey('example.com/k1', algorithm);
      const again = notes.parseSignerKey(notes.formatSignerKey(signer));
      const verifier = notes.parseVerifierKey(notes.formatVerifierKey(signer.verifier));
      const note = checkpoints.signCheckpoint(CHECKPOINT, [again], 1_700_000_000);
      const { verified, text } = notes.openNote(note, [verifier]);
      assert.equal(verified[0]?.time, SIGNATURE_ALGORITHMS[algorithm].timed ? 1_700_000_000 : null);
      const other = notes.generateSignerKey('example.com/k1', algorithm).verifier;
      assert.throws(() => notes.openNote(note, [other]), /not signed by any key/);
      const [signature] = notes.parseNote(note).signatures as [notes.NoteSignature];
      for (let bit = 0; bit < signature.signature.length * 8; bit += 61) {
        const bad = { ...signature, signature: flipped(signature.signature, bit) };
        assert.throws(() => notes.openNote(notes.formatNote({ text, signatures: [bad] }), [verifier]), /not valid/);
      }
      for (const bytes of [signature.signature.subarray(1), Buffer.concat([signature.signature, Buffer.of(0)])]) {
        const bad = notes.formatNote({ text, signatures: [{ ...signature, signature: bytes }] });
        assert.throws(() => notes.openNote(bad, [verifier]), /not valid/);
      }
      const otherText = checkpoints.formatCheckpoint({ ...CHECKPOINT, size: 13 });
      const moved = notes.formatNote({ text: otherText, signatures: [signature] });
      assert.throws(() => notes.openNote(moved, [verifier]), /not valid/);
    });
  }

  it('a signature of one type is none of another, even by one key', () => {
    const plain = notes.generateSignerKey('k', 'ed25519');
    const cosigner = notes.makeVerifierKey('k', 'ed25519-cosignature', plain.verifier.publicKey);
    assert.notEqual(plain.verifier.id, cosigner.id);
    const text = checkpoints.formatCheckpoint(CHECKPOINT);
    const [signature] = notes.parseNote(notes.signNote(text, [plain])).signatures as [notes.NoteSignature];
    const time = Buffer.alloc(8);
    const forged = { ...signature, id: cosigner.id, signature: Buffer.concat([time, signature.signature]) };
    assert.throws(() => notes.openNote(notes.formatNote({ text, signatures: [forged] }), [cosigner]), /not valid/);
  });

  it('names', () => {
    for (const name of ['a', 'example.com/x', 'é', 'x'.repeat(255)]) assert.ok(isKeyName(name), name);
    for (const name of [
      '',
      'a b',
      'a+b',
      'a\u00a0b',
      'a\u2003b',
      'a\u0085b',
      'a\nb',
      'a\tb',
      '\ud800',
      'x'.repeat(256),
    ])
      assert.ok(!isKeyName(name), JSON.stringify(name));
    assert.throws(() => notes.generateSignerKey('a b'), invalid);
    assert.throws(() => notes.makeVerifierKey('a', 'ed25519', Buffer.alloc(31)), /wrong length/);
  });

  it('unknown types and wrong ids are refused', () => {
    const text = notes.formatVerifierKey(notes.generateSignerKey('n').verifier);
    const [name = '', id = '', key = ''] = text.split(/\+(.{8})\+/);
    const typed = Buffer.from(key, 'base64');
    typed[0] = 0x02;
    assert.throws(() => notes.parseVerifierKey(`${name}+${id}+${typed.toString('base64')}`), /type 2 is unknown/);
    assert.throws(() => notes.parseVerifierKey(`${name}+00000000+${key}`), /does not fit/);
    assert.throws(() => notes.parseVerifierKey(`${name}+${id.toUpperCase()}x+${key}`), invalid);
    assert.throws(() => notes.parseVerifierKey('x'.repeat(10_000)), invalid);
    assert.throws(() => notes.parseSignerKey(text), /PRIVATE\+KEY/);
  });

  it('a cosignature needs a time that is one', () => {
    const signer = notes.generateSignerKey('w', 'ed25519-cosignature');
    const text = checkpoints.formatCheckpoint(CHECKPOINT);
    for (const time of [undefined, 0, -1, 1.5, 2 ** 53, NaN])
      assert.throws(() => notes.signNote(text, [signer], time === undefined ? {} : { time }), /needs its time/);
    const [good] = notes.parseNote(notes.signNote(text, [signer], { time: 7 })).signatures as [notes.NoteSignature];
    const late = Buffer.from(good.signature);
    late.writeBigUInt64BE(2n ** 63n);
    const note = notes.formatNote({ text, signatures: [{ ...good, signature: late }] });
    assert.throws(() => notes.openNote(note, [signer.verifier]), /not valid/);
  });
});

void describe('notes', () => {
  const signer = notes.generateSignerKey('signer');
  const line = fc.string({ unit: 'grapheme', maxLength: 30 }).filter((text) => !/\p{Cc}/u.test(text));
  const text = fc.array(line, { minLength: 1, maxLength: 6 }).map((lines) => `${lines.join('\n')}\n`);

  it('any text comes back, also with empty lines at its end', () => {
    fc.assert(
      fc.property(text, (body) => {
        const note = notes.signNote(body, [signer]);
        assert.equal(notes.openNote(Buffer.from(note), [signer.verifier]).text, body);
      }),
    );
    assert.equal(notes.openNote(notes.signNote('a\n\n', [signer]), [signer.verifier]).text, 'a\n\n');
    assert.equal(notes.openNote(notes.signNote('\n', [signer]), [signer.verifier]).text, '\n');
  });

  it('no bit can be flipped', () => {
    const note = Buffer.from(checkpoints.signCheckpoint(CHECKPOINT, [signer]));
    // The last bits of the base64 stand for nothing; what they are does not change what is signed.
    const end = note.lastIndexOf('=') - 1;
    for (let bit = 0; bit < end * 8; bit++)
      assert.throws(() => notes.openNote(flipped(note, bit), [signer.verifier]), invalid);
  });

  it('control characters, long notes and long texts are refused', () => {
    for (const bad of ['a\r\n', 'a\tb\n', '\u0000\n', 'a', '', '\ud800\n'])
      assert.throws(() => notes.signNote(bad, [signer]), invalid, JSON.stringify(bad));
    assert.throws(() => notes.parseNote('x'.repeat(notes.NOTE_BYTES_MAX + 1)), /longer than/);
    assert.throws(() => notes.parseNote('text\n\n'), /no signature/);
  });

  it('sixteen signatures of the longest kind are accepted', () => {
    const signers = Array.from({ length: 16 }, (_, i) => notes.generateSignerKey(`w${i}`, 'ml-dsa-44-cosignature'));
    const note = checkpoints.signCheckpoint(CHECKPOINT, signers, 5);
    const opened = notes.openNote(
      note,
      signers.map(({ verifier }) => verifier),
    );
    assert.equal(opened.verified.length, 16);
  });
});

void describe('checkpoints', () => {
  const signer = notes.generateSignerKey(CHECKPOINT.origin);
  const open = (checkpoint: checkpoints.Checkpoint): checkpoints.OpenedCheckpoint =>
    checkpoints.openCheckpoint(checkpoints.signCheckpoint(checkpoint, [signer]), signer.verifier, CHECKPOINT.origin);

  it('come back as they were', () => {
    const line = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).filter((text) => !/\p{Cc}/u.test(text));
    const arbitrary = fc.record({
      origin: line,
      size: fc.maxSafeNat(),
      root: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes)),
      extensions: fc.array(line, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(arbitrary, (checkpoint) => {
        assert.deepEqual(checkpoints.parseCheckpoint(checkpoints.formatCheckpoint(checkpoint)), { ...checkpoint });
      }),
    );
  });

  it('open only with their log and their origin', () => {
    const { origin, size, root } = open(CHECKPOINT);
    assert.deepEqual([origin, size, root], [CHECKPOINT.origin, 12, ROOT]);
    assert.throws(() => open({ ...CHECKPOINT, origin: 'other' }), /is of other, not of/);
    assert.throws(() => open({ ...CHECKPOINT, size: 0 }), /empty tree/);
    assert.equal(open({ ...CHECKPOINT, size: 0, root: EMPTY_ROOT }).size, 0);
  });

  it('malformed', () => {
    const good = checkpoints.formatCheckpoint(CHECKPOINT);
    const root = ROOT.toString('base64');
    checkpoints.parseCheckpoint(good);
    for (const bad of [
      good.slice(0, -1),
      '',
      '\n',
      'o\n',
      'o\n1\n',
      `\n1\n${root}\n`,
      `o\n01\n${root}\n`,
      `o\n+1\n${root}\n`,
      `o\n-1\n${root}\n`,
      `o\n1e3\n${root}\n`,
      `o\n9007199254740992\n${root}\n`,
      `o\n1\n${root.slice(1)}\n`,
      `o\n1\n${root}=\n`,
      `o\n1\n${root.replace(/.=$/, '/=')}\n`,
      `o\n1\n${ROOT.toString('hex')}\n`,
      `o\n1\n${root}\n\n`,
      `o\n1\n${root}\n\nx\n`,
      `o\n1 \n${root}\n`,
      `o\n\n${root}\n`,
    ])
      assert.throws(() => checkpoints.parseCheckpoint(bad), invalid, JSON.stringify(bad));
    for (const bad of [
      { origin: '' },
      { origin: 'a\nb' },
      { size: -1 },
      { root: ROOT.subarray(1) },
      { extensions: [''] },
    ])
      assert.throws(() => checkpoints.formatCheckpoint({ ...CHECKPOINT, ...bad }), invalid);
  });
});
