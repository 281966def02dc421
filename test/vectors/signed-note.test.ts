/** Keys, notes, checkpoints and cosignatures that others published: Go's note package, C2SP, and a public log. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openCheckpoint, parseCheckpoint } from '../../src/ledger/core/checkpoint.ts';
import { SIGNATURE_ALGORITHMS } from '../../src/ledger/core/note-algorithms.ts';
import * as notes from '../../src/ledger/core/note.ts';
import { parsePolicy } from '../../src/ledger/core/policy.ts';
import { decodeLogProof, encodeLogProof } from '../../src/ledger/core/proof.ts';
import { formatAddCheckpoint, parseAddCheckpoint } from '../../src/ledger/core/witness.ts';

function read<Names extends string>(file: string): Record<Names, string> & { badKeys: string[]; badNotes: string[] } {
  return JSON.parse(readFileSync(join(import.meta.dirname, file), 'utf8')) as never;
}
const go = read<'peterKey' | 'peterSecret' | 'enochKey' | 'text' | 'peterSignature' | 'enochSignature' | 'cosignerKey'>(
  'signed-note.json',
);
const c2sp = read<
  | 'noteKey'
  | 'note'
  | 'cosignedCheckpoint'
  | 'cosignatureMessage'
  | 'addCheckpoint'
  | 'proof'
  | 'policy'
  | 'publicLogKey'
  | 'publicWitnessKey'
  | 'publicCheckpoint'
>('c2sp.json');

const invalid = { code: 'ledger-proof-invalid' };
const peter = notes.parseVerifierKey(go.peterKey);
const enoch = notes.parseVerifierKey(go.enochKey);
const both = `${go.text}\n${go.peterSignature}${go.enochSignature}`;
const names = (signatures: readonly notes.NoteSignature[]): string[] => signatures.map(({ name }) => name);

describe("Go's notes", () => {
  test('keys come back as they were, and no part or change of them', () => {
    assert.equal(notes.formatVerifierKey(peter), go.peterKey);
    assert.equal(notes.formatSignerKey(notes.parseSignerKey(go.peterSecret)), go.peterSecret);
    for (const [key, parse] of [
      [go.peterKey, notes.parseVerifierKey],
      [go.peterSecret, notes.parseSignerKey],
    ] as const) {
      for (let i = 0; i <= key.length; i++)
        for (let j = i + 1; j <= key.length; j++)
          if (i !== 0 || j !== key.length) assert.throws(() => parse(key.slice(i, j)), invalid);
      for (let i = 0; i < key.length; i++) {
        const other = key.slice(0, i) + String.fromCharCode(key.charCodeAt(i) + 1) + key.slice(i + 1);
        assert.throws(() => parse(other), invalid, other);
      }
    }
    for (const key of go.badKeys) assert.throws(() => notes.parseVerifierKey(key), invalid);
  });

  test('the error of a bad secret does not repeat it', () => {
    const bad = go.peterSecret.slice(0, -1);
    assert.throws(
      () => notes.parseSignerKey(bad),
      (error: Error) => !error.message.includes(bad.slice(30, 50)),
    );
  });

  test('signing gives the same bytes', () => {
    const signer = notes.parseSignerKey(go.peterSecret);
    const expected = `${go.text}\n${go.peterSignature}`;
    assert.equal(notes.signNote(go.text, [signer]), expected);
    const bad = { name: 'PeterNeumann', id: peter.id, signature: Buffer.from('bad') };
    assert.equal(notes.signNote(go.text, [signer], { others: [bad] }), expected);
    assert.throws(() => notes.signNote('abc', [signer]), invalid);
    assert.throws(() => notes.signNote(go.text, []), invalid);
  });

  test('opening', () => {
    const one = notes.openNote(both, [peter]);
    assert.equal(one.text, go.text);
    assert.deepEqual([names(one.verified), names(one.unknown)], [['PeterNeumann'], ['EnochRoot']]);
    const two = notes.openNote(Buffer.from(both), [peter, enoch]);
    assert.deepEqual([names(two.verified), names(two.unknown)], [['PeterNeumann', 'EnochRoot'], []]);
    assert.throws(() => notes.openNote(both, []), /not signed by any key/);
    assert.throws(() => notes.openNote(`${go.text}\n${go.enochSignature}`, [enoch, peter, enoch]), /two keys/);
    notes.openNote(`${go.text}\n${go.peterSignature}`, [enoch, peter, enoch]);
  });

  test('repeated, too many, and wrong signatures', () => {
    const { peterSignature: p, enochSignature: e, text } = go;
    const changed = (line: string): string => `${line.slice(0, 60)}ABCD${line.slice(60)}`;
    assert.throws(() => notes.openNote(`${text}\n${p.repeat(101)}`, [peter]), /more than 100/);
    assert.throws(() => notes.openNote(`${text}\n${p.repeat(101)}`, []), /more than 100/);
    assert.throws(() => notes.openNote(`${text}\n${changed(p)}`, [peter]), /of PeterNeumann is not valid/);
    const opened = notes.openNote(`${text}\n${p}${p}${e}${e}${changed(e)}`, [peter]);
    assert.deepEqual(names(opened.verified), ['PeterNeumann']);
  });

  test('malformed notes', () => {
    for (const note of go.badNotes) assert.throws(() => notes.openNote(note, [peter]), invalid, note);
    const notUtf8 = Buffer.concat([Buffer.of(0xff), Buffer.from(both)]);
    assert.throws(() => notes.openNote(notUtf8, [peter]), /UTF-8/);
    // A known name with another id, or the other way round, is another key.
    const misnamed = `${go.text}\n${go.peterSignature.replace('PeterNeumann', 'CarmenSandiego')}`;
    assert.throws(() => notes.openNote(misnamed, [peter]), /not signed by any key/);
    const otherId = `${go.text}\n${go.peterSignature.replace('x08g', 'xxxx')}`;
    assert.throws(() => notes.openNote(otherId, [peter]), /not signed by any key/);
  });

  test('the key id of a cosigner', () => {
    const key = notes.parseVerifierKey(go.cosignerKey);
    assert.equal(key.algorithm, 'ed25519-cosignature');
    assert.equal(notes.formatVerifierKey(key), go.cosignerKey);
  });
});

describe('C2SP', () => {
  test('the note of signed-note', () => {
    const opened = notes.openNote(c2sp.note, [notes.parseVerifierKey(c2sp.noteKey)]);
    assert.equal(opened.text, 'This is an example message.\n');
  });

  test('the checkpoint of tlog-cosignature, whose keys are not published', () => {
    const { text, signatures } = notes.parseNote(c2sp.cosignedCheckpoint);
    assert.equal(notes.formatNote({ text, signatures }), c2sp.cosignedCheckpoint);
    const { origin, size } = parseCheckpoint(text);
    assert.deepEqual([origin, size], ['example.com/behind-the-sofa', 20852163]);
    const cosignature = signatures[1]?.signature as Buffer;
    assert.deepEqual([cosignature.length, cosignature.readBigUInt64BE()], [72, 1679315147n]);
    const message = SIGNATURE_ALGORITHMS['ed25519-cosignature'].message(text, 1679315147);
    assert.equal(message.toString(), c2sp.cosignatureMessage);
  });

  test('what ML-DSA-44 signs, by the structure of tlog-cosignature', () => {
    const { text } = notes.parseNote(c2sp.cosignedCheckpoint);
    const message = SIGNATURE_ALGORITHMS['ml-dsa-44-cosignature'].message(text, 1679315147, 'w/1');
    const expected = [
      Buffer.from('subtree/v1\n\0').toString('hex'),
      `03${Buffer.from('w/1').toString('hex')}`,
      '00000000641850cb',
      `1b${Buffer.from('example.com/behind-the-sofa').toString('hex')}`,
      '0000000000000000',
      '00000000013e2dc3',
      Buffer.from('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=', 'base64').toString('hex'),
    ];
    assert.equal(message.toString('hex'), expected.join(''));
  });

  test('the request of tlog-witness', () => {
    const request = parseAddCheckpoint(c2sp.addCheckpoint);
    assert.deepEqual([request.oldSize, request.proof.length], [20852014, 4]);
    assert.equal(notes.parseNote(request.note).signatures.length, 2);
    assert.equal(formatAddCheckpoint(request), c2sp.addCheckpoint);
  });

  test('the proof of tlog-proof', () => {
    const proof = decodeLogProof(c2sp.proof);
    assert.deepEqual([proof.index, proof.hashes.length, proof.extra?.length], [73894, 5, 39]);
    assert.ok(proof.checkpoint.startsWith('example.com/fancylog\n109482\n'));
    assert.equal(encodeLogProof(proof), c2sp.proof);
  });

  test('the policy of tlog-policy', () => {
    const key = (algorithm: 'ed25519' | 'ed25519-cosignature'): string =>
      notes.formatVerifierKey(notes.generateSignerKey('example.com/k', algorithm).verifier);
    const text = c2sp.policy
      .replace('log <vkey>', `log ${key('ed25519')}`)
      .replace(/<vkey>/g, () => key('ed25519-cosignature'));
    const policy = parsePolicy(text);
    assert.deepEqual([...policy.witnesses.keys()], ['X1', 'X2', 'X3', 'Y1', 'Y2', 'Y3']);
    assert.deepEqual(
      [...policy.groups.values()].map(({ threshold }) => threshold),
      [2, 1, 2],
    );
    assert.equal(policy.quorum, 'X-and-Y');
  });
});

describe('a public log', () => {
  const log = notes.parseVerifierKey(c2sp.publicLogKey);
  const witness = notes.parseVerifierKey(c2sp.publicWitnessKey);
  const open = (note: string): ReturnType<typeof openCheckpoint> => openCheckpoint(note, log, log.name, [witness]);

  test('its checkpoint and a cosignature of it verify', () => {
    const checkpoint = open(c2sp.publicCheckpoint);
    assert.equal(checkpoint.size, 1432088532);
    assert.deepEqual(
      checkpoint.verified.map(({ name, time }) => [name, time]),
      [
        ['arche2025h1.staging.ct.transparency.dev', null],
        ['remora.n621.de', 1779573024],
      ],
    );
    assert.equal(checkpoint.unknown.length, 4);
  });

  test('changed in any place they do not', () => {
    assert.throws(() => open(c2sp.publicCheckpoint.replace('1432088532', '1432088533')), /is not valid/);
    assert.throws(() => open(c2sp.publicCheckpoint.replace('n621.de 2net5wAAAABq', 'n621.de 2net5wAAAABr')), /remora/);
    assert.throws(() => openCheckpoint(c2sp.publicCheckpoint, log, 'other'), /not of other/);
    // A witness alone is no log.
    const alone = c2sp.publicCheckpoint.replace(/^— arche.*\n/gm, '');
    assert.throws(() => open(alone), /not signed by its log/);
  });
});
