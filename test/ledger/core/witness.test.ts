/** Each answer of a witness, in the order that the specification gives the checks. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { signCheckpoint } from '../../../src/ledger/core/checkpoint.ts';
import { EMPTY_ROOT } from '../../../src/ledger/core/merkle.ts';
import * as notes from '../../../src/ledger/core/note.ts';
import * as witness from '../../../src/ledger/core/witness.ts';
import { entries, naiveProof, naiveRoot, sha256 } from './naive.ts';

const ORIGIN = 'waybill.example/heads';
const log = notes.generateSignerKey(ORIGIN);
const signers = [
  notes.generateSignerKey('w.example', 'ed25519-cosignature'),
  notes.generateSignerKey('w.example', 'ml-dsa-44-cosignature'),
];
const data = entries(20);
const note = (size: number, root = naiveRoot(data.slice(0, size)), by = [log]): string =>
  signCheckpoint({ origin: ORIGIN, size, root, extensions: [] }, by);
const proof = (from: number, to: number): Buffer[] =>
  from === 0 || from === to ? [] : naiveProof(from, data.slice(0, to));
const request = (oldSize: number, size: number): string =>
  witness.formatAddCheckpoint({ oldSize, proof: proof(oldSize, size), note: note(size) });

function ask(body: string | Uint8Array, size = 0, time = 1_700_000_000): witness.WitnessAnswer {
  const record = { origin: ORIGIN, size, root: naiveRoot(data.slice(0, size)), note: '' };
  return witness.answerAddCheckpoint(body, {
    keysOf: (origin) => (origin === ORIGIN ? [log.verifier] : null),
    recordOf: () => (size === 0 ? null : record),
    signers,
    time,
  });
}

void describe('witness', () => {
  it('cosigns what continues its record', () => {
    for (const [from, to] of [
      [0, 0],
      [0, 1],
      [0, 20],
      [7, 20],
      [20, 20],
      [8, 9],
    ] as const) {
      const answer = ask(request(from, to), from);
      assert.equal(answer.status, 200, answer.body);
      const cosigned = witness.addCosignatures(
        note(to),
        answer.body,
        signers.map(({ verifier }) => verifier),
      );
      assert.equal(answer.record?.size, to);
      assert.equal(answer.record.note, cosigned);
      assert.equal(notes.openNote(cosigned, [log.verifier]).unknown.length, 2);
      const again = witness.addCosignatures(cosigned, answer.body, [(signers[0] as notes.SignerKey).verifier]);
      assert.equal(notes.parseNote(again).signatures.length, 3);
    }
  });

  it('keeps only signatures that it verified', () => {
    const stranger = notes.generateSignerKey('stranger');
    const body = witness.formatAddCheckpoint({ oldSize: 0, proof: [], note: note(4, undefined, [stranger, log]) });
    const names = notes.parseNote(ask(body).record?.note ?? '').signatures.map(({ name }) => name);
    assert.deepEqual(names, [ORIGIN, 'w.example', 'w.example']);
  });

  it('400: malformed, or a checkpoint smaller than the old size', () => {
    const good = request(7, 20);
    const hash = sha256(Buffer.of(1)).toString('base64');
    for (const body of [
      '',
      'old 7',
      good.replace('old 7', 'old 07'),
      good.replace('old 7', 'old -7'),
      good.replace('old 7', 'old  7'),
      good.replace('old 7', 'new 7'),
      good.replace('\n\n', '\n'),
      good.replace('old 7\n', `old 7\n${'A'.repeat(44)}\n`),
      good.replace('old 7\n', `old 7\n${`${hash}\n`.repeat(64)}`),
      good.slice(0, -1),
      good.replace('old 7', 'old 9007199254740992'),
      `${good}x`,
      good.replace(ORIGIN, `${ORIGIN}\r`),
      'x'.repeat(witness.ADD_CHECKPOINT_BYTES_MAX + 1),
    ])
      assert.equal(ask(body, 7).status, 400, JSON.stringify(body.slice(0, 80)));
    assert.equal(ask(Buffer.concat([Buffer.from(good), Buffer.of(0xff)]), 7).status, 400);
    assert.equal(ask(witness.formatAddCheckpoint({ oldSize: 21, proof: [], note: note(20) }), 21).status, 400);
  });

  it('404 and 403', () => {
    const other = signCheckpoint({ origin: 'other', size: 1, root: naiveRoot(data.slice(0, 1)), extensions: [] }, [
      log,
    ]);
    assert.equal(ask(`old 0\n\n${other}`).status, 404);
    const stranger = notes.generateSignerKey(ORIGIN);
    assert.equal(ask(`old 0\n\n${note(1, undefined, [stranger])}`).status, 403);
    assert.equal(ask(request(0, 20).replace('\n20\n', '\n19\n')).status, 403);
    // A cosignature is not the log's signature, whoever's it is.
    assert.equal(
      ask(
        `old 0\n\n${signCheckpoint({ origin: ORIGIN, size: 1, root: naiveRoot(data.slice(0, 1)), extensions: [] }, [signers[0] as notes.SignerKey], 5)}`,
      ).status,
      403,
    );
  });

  it('409 tells the size that it knows', () => {
    const answer = ask(request(0, 20), 7);
    assert.deepEqual(
      [answer.status, answer.body, answer.contentType, answer.record],
      [409, '7\n', 'text/x.tlog.size', null],
    );
    assert.equal(ask(request(7, 20), 0).body, '0\n');
    // A rollback: the record is ahead of what the log now signs.
    assert.equal(ask(request(7, 9), 20).body, '20\n');
  });

  it('422: another history, and every proof that does not hold', () => {
    const fork = naiveRoot(data.with(3, Buffer.from('other')));
    const body = (oldSize: number, hashes: Buffer[], signed: string): string =>
      witness.formatAddCheckpoint({ oldSize, proof: hashes, note: signed });
    const forked = naiveProof(7, data.with(3, Buffer.from('other')));
    for (const [size, text] of [
      [7, body(7, forked, note(20, fork))],
      [7, body(7, proof(7, 20), note(20, fork))],
      [7, body(7, [], note(20))],
      [7, body(7, [...proof(7, 20), fork], note(20))],
      [0, body(0, proof(7, 20), note(20))],
      [20, body(20, [], note(20, fork))],
      [20, body(20, [fork], note(20))],
      [0, body(0, [], note(0, fork))],
    ] as const) {
      const answer = ask(text, size);
      assert.deepEqual([answer.status, answer.record], [422, null], answer.body);
    }
    assert.equal(ask(body(0, [], note(0, EMPTY_ROOT))).status, 200);
  });

  it('an answer with a wrong or no known cosignature is refused by the log', () => {
    const keys = signers.map(({ verifier }) => verifier);
    const { body } = ask(request(0, 20));
    assert.throws(() => witness.addCosignatures(note(19), body, keys), /is not valid/);
    assert.throws(
      () => witness.addCosignatures(note(20), body, [notes.generateSignerKey('x').verifier]),
      /not signed by any/,
    );
    assert.throws(() => witness.addCosignatures(note(20), '', keys), { code: 'ledger-proof-invalid' });
    assert.throws(() => witness.addCosignatures(note(20), 'error\n', keys), { code: 'ledger-proof-invalid' });
  });
});
