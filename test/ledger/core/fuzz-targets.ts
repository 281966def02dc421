/**
 * Every parser of ledger/core as a plain function of bytes: it may refuse them with an error of its own, and what it
 * takes must come back as the same bytes where the form has one spelling. Run for a bounded time by fuzz.test.ts, and by
 * any fuzzer that can call a function.
 */
import assert from 'node:assert/strict';
import { WaybillError } from '../../../src/base/errors.ts';
import { decodeBundle, encodeBundle } from '../../../src/ledger/core/bundle.ts';
import { formatCheckpoint, openCheckpoint, parseCheckpoint } from '../../../src/ledger/core/checkpoint.ts';
import { decodeChanges, decodeHead, encodeChanges, encodeHead } from '../../../src/ledger/core/head.ts';
import * as notes from '../../../src/ledger/core/note.ts';
import { meetsQuorum, openWithPolicy, parsePolicy } from '../../../src/ledger/core/policy.ts';
import { decodeLogProof, encodeLogProof } from '../../../src/ledger/core/proof.ts';
import { decodeSilence, encodeSilence, verifySilence } from '../../../src/ledger/core/silence.ts';
import { decodeSumProof, encodeSumProof, verifySumProof } from '../../../src/ledger/core/sum-proof.ts';
import { EMPTY_SUM_ROOT } from '../../../src/ledger/core/sum-tree.ts';
import { parseTilePath, tilePath } from '../../../src/ledger/core/tiles.ts';
import { answerAddCheckpoint, formatAddCheckpoint, parseAddCheckpoint } from '../../../src/ledger/core/witness.ts';

export type FuzzTarget = (bytes: Buffer) => void;

/** Which codes a parser may refuse with. */
const CODES = ['ledger-proof-invalid', 'ledger-entry-invalid', 'ledger-damaged', 'option-invalid'];

function guarded(target: FuzzTarget): FuzzTarget {
  return (bytes) => {
    try {
      target(bytes);
    } catch (error) {
      if (!(error instanceof WaybillError) || !CODES.includes(error.code)) throw error;
    }
  };
}

/** What is read comes back byte for byte. */
function oneSpelling<T>(decode: (bytes: Buffer) => T, encode: (value: T) => Uint8Array | string): FuzzTarget {
  return guarded((bytes) => {
    const value = decode(bytes);
    assert.deepEqual(Buffer.from(encode(value)), bytes);
  });
}

/** The same for what takes text that is decoded already. */
function oneText<T>(decode: (text: string) => T, encode: (value: T) => string): FuzzTarget {
  return guarded((bytes) => {
    const text = bytes.toString();
    assert.equal(encode(decode(text)), text);
  });
}

/** A form in which signatures may be spelt in more than one way: what was written is read as the same. */
function stable<T>(decode: (bytes: Uint8Array | string) => T, encode: (value: T) => string): FuzzTarget {
  return guarded((bytes) => {
    const value = decode(bytes);
    assert.deepEqual(decode(encode(value)), value);
  });
}

const key = notes.generateSignerKey('waybill.example/heads');
const witness = notes.generateSignerKey('w.example', 'ed25519-cosignature');
const policy = parsePolicy(`log ${notes.formatVerifierKey(key.verifier)}\nquorum none\n`);

export const SIGNERS = { key, witness };

export const FUZZ_TARGETS: Readonly<Record<string, FuzzTarget>> = {
  tilePath: (bytes) => {
    const path = bytes.toString('latin1');
    const tile = parseTilePath(path);
    if (tile !== null) assert.equal(tilePath(tile), path);
  },
  bundle: (bytes) => {
    for (const count of [1, 2, 3, 255, 256]) oneSpelling((input) => decodeBundle(input, count), encodeBundle)(bytes);
  },
  verifierKey: oneText(notes.parseVerifierKey, notes.formatVerifierKey),
  signerKey: oneText(notes.parseSignerKey, notes.formatSignerKey),
  note: stable(notes.parseNote, notes.formatNote),
  openNote: guarded((bytes) => void notes.openNote(bytes, [key.verifier, witness.verifier])),
  checkpoint: oneText(parseCheckpoint, formatCheckpoint),
  openCheckpoint: guarded((bytes) => void openCheckpoint(bytes, key.verifier, key.verifier.name)),
  sumProof: oneSpelling(decodeSumProof, encodeSumProof),
  verifySumProof: guarded((bytes) => {
    const proof = decodeSumProof(bytes);
    // No proof found by chance leads to this root but the one of the empty tree.
    verifySumProof(proof, Buffer.alloc(32, 1), EMPTY_SUM_ROOT);
    assert.equal(proof.form, 'empty');
  }),
  logProof: oneSpelling(decodeLogProof, encodeLogProof),
  silence: oneSpelling(decodeSilence, encodeSilence),
  verifySilence: guarded((bytes) => void verifySilence(decodeSilence(bytes), key.verifier, key.verifier.name)),
  policy: guarded((bytes) => void meetsQuorum(parsePolicy(bytes), new Set(['A', 'B']))),
  openWithPolicy: guarded((bytes) => void openWithPolicy(bytes, policy)),
  addCheckpoint: oneSpelling(parseAddCheckpoint, formatAddCheckpoint),
  // No guard: a witness answers anything.
  answerAddCheckpoint: (bytes) => {
    const answer = answerAddCheckpoint(bytes, {
      keysOf: (origin) => (origin === key.verifier.name ? [key.verifier] : null),
      recordOf: () => null,
      signers: [witness],
      time: 1,
    });
    assert.equal(answer.record !== null, answer.status === 200);
  },
  head: oneSpelling(decodeHead, encodeHead),
  changes: oneSpelling(decodeChanges, encodeChanges),
};
