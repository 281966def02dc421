/** The requests of litewitness's own test, with the answers that it gives, against our witness. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { openNote, parseSignerKey, parseVerifierKey } from '../../src/ledger/core/note.ts';
import type { VerifierKey } from '../../src/ledger/core/note.ts';
import { keyId, makeVerifierKey } from '../../src/ledger/core/note-keys.ts';
import { addCosignatures, answerAddCheckpoint, parseAddCheckpoint } from '../../src/ledger/core/witness.ts';
import type { WitnessRecord } from '../../src/ledger/core/witness.ts';
import { createPublicKey } from 'node:crypto';
import { SIGNATURE_ALGORITHMS } from '../../src/ledger/core/note-algorithms.ts';

const vectors = JSON.parse(readFileSync(join(import.meta.dirname, 'litewitness.json'), 'utf8')) as {
  sigsumOrigin: string;
  sigsumKey: string;
  sumdbOrigin: string;
  sumdbKey: string;
  witnessSeed: string;
  steps: [scene: string, request: string, status: number, how: string, body: string][];
};

const keys = new Map<string, readonly VerifierKey[]>([
  [vectors.sigsumOrigin, [makeVerifierKey(vectors.sigsumOrigin, 'ed25519', Buffer.from(vectors.sigsumKey, 'hex'))]],
  [vectors.sumdbOrigin, [parseVerifierKey(vectors.sumdbKey)]],
]);

function witnessSigner(): ReturnType<typeof parseSignerKey> {
  const name = 'example.com/witness';
  const seed = Buffer.from(vectors.witnessSeed, 'hex');
  const { type, importSeed } = SIGNATURE_ALGORITHMS['ed25519-cosignature'];
  const spki = createPublicKey(importSeed(seed)).export({ format: 'der', type: 'spki' });
  const id = keyId(name, type, spki.subarray(-32)).toString(16).padStart(8, '0');
  return parseSignerKey(`PRIVATE+KEY+${name}+${id}+${Buffer.concat([Buffer.of(type), seed]).toString('base64')}`);
}

describe('litewitness', () => {
  test('every request of its test', () => {
    const signer = witnessSigner();
    const records = new Map<string, WitnessRecord>();
    let time = 1_700_000_000;
    for (const [scene, request, status, how, body] of vectors.steps) {
      time++;
      const answer = answerAddCheckpoint(request, {
        keysOf: (origin) => keys.get(origin) ?? null,
        recordOf: (origin) => records.get(origin) ?? null,
        signers: [signer],
        time,
      });
      // litewitness answers 403 to a log that it does not know; the specification says 404.
      assert.equal(answer.status, body === 'unknown log' ? 404 : status, `${scene}: ${answer.body}`);
      if (how === '==') assert.equal(answer.body, body);
      if (answer.status === 409) assert.equal(answer.contentType, 'text/x.tlog.size');
      if (answer.status !== 200) continue;
      assert.ok(answer.body.startsWith(`${body} `));
      const record = answer.record as WitnessRecord;
      records.set(record.origin, record);
      const cosigned = addCosignatures(parseAddCheckpoint(request).note, answer.body, [signer.verifier]);
      assert.equal(cosigned, record.note);
      const { verified } = openNote(cosigned, [signer.verifier, ...(keys.get(record.origin) ?? [])]);
      assert.deepEqual(
        verified.map((signature) => signature.time),
        [null, time],
      );
    }
    assert.equal(records.get(vectors.sigsumOrigin)?.size, 5);
    assert.equal(records.get(vectors.sumdbOrigin)?.size, 35225469);
  });
});
