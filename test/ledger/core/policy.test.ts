import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { signCheckpoint } from '../../../src/ledger/core/checkpoint.ts';
import * as notes from '../../../src/ledger/core/note.ts';
import { meetsQuorum, openWithPolicy, parsePolicy } from '../../../src/ledger/core/policy.ts';
import { flipped, sha256 } from './naive.ts';

const ORIGIN = 'waybill.example/heads';
const log = notes.generateSignerKey(ORIGIN);
const witnesses = ['a', 'b', 'c', 'd'].map((name) => notes.generateSignerKey(`w/${name}`, 'ed25519-cosignature'));
const vkey = (signer: notes.SignerKey): string => notes.formatVerifierKey(signer.verifier);
const [a, b, c, d] = witnesses as [notes.SignerKey, notes.SignerKey, notes.SignerKey, notes.SignerKey];
const HEAD = [
  `log ${vkey(log)} https://waybill.example/`,
  ...witnesses.map((signer, at) => `witness ${'ABCD'[at]} ${vkey(signer)}`),
].join('\n');
const CHECKPOINT = { origin: ORIGIN, size: 3, root: sha256(Buffer.from('r')), extensions: [] };
const signed = (...signers: notes.SignerKey[]): string => signCheckpoint(CHECKPOINT, signers, 1_700_000_000);

function refused(lines: string, words: RegExp): void {
  assert.throws(() => parsePolicy(lines), { code: 'option-invalid', message: words });
}

void describe('policy', () => {
  it('reads comments, tabs and any order of logs and witnesses', () => {
    const policy = parsePolicy(
      Buffer.from(
        `# all of them é\n \t# more\n\nquorum none\n\twitness  A\t${vkey(a)}  https://w.example/ \n log ${vkey(log)}`,
      ),
    );
    assert.deepEqual(
      [policy.logs[0]?.key.name, policy.witnesses.get('A')?.url, policy.quorum],
      [ORIGIN, 'https://w.example/', null],
    );
  });

  it('names the line that is wrong', () => {
    refused('', /no quorum/);
    refused('quorum none\nquorum none', /line 2: there is a second quorum/);
    refused('quorum x', /line 1: no witness or group before this line is named x/);
    refused('quorum none x', /one name/);
    refused('log x\nquorum none', /line 1: a key is not of the form/);
    refused(`log ${vkey(log)} u v\nquorum none`, /a log has/);
    refused(`${HEAD}\nlog ${vkey(log)}\nquorum none`, /line 6: the key is there already/);
    const renamed = notes.makeVerifierKey('other', 'ed25519-cosignature', a.verifier.publicKey);
    refused(`${HEAD}\nwitness E ${notes.formatVerifierKey(renamed)}\nquorum none`, /there already/);
    refused(`witness W ${vkey(log)}\nquorum W`, /not one that cosigns/);
    refused(`${HEAD}\nwitness A ${vkey(a)}`, /the name A is taken/);
    refused(`witness none ${vkey(a)}`, /"none" is none/);
    refused('witness', /needs a name/);
    refused(`${HEAD}\ngroup G all none`, /named none/);
    refused(`${HEAD}\ngroup G any G`, /named G/);
    refused(`${HEAD}\ngroup G any`, /needs a member/);
    refused(`${HEAD}\ngroup G any A A`, /a member twice/);
    refused(`${HEAD}\ngroup G any A B\ngroup H any B C`, /line 7: B is already a member/);
    for (const count of ['0', '3', '-1', '01', '1.0', 'most', '+1', '1e0'])
      refused(`${HEAD}\ngroup G ${count} A B`, /a group of 2 needs/);
    refused('toString x\nquorum none', /begins with none of/);
    refused('quorum none\r\n', /line 1: a control character/);
    refused('quorum none\u007f', /control character/);
    refused('\n'.repeat(5000), /too long/);
    refused('#'.repeat(2 ** 20 + 1), /too long/);
  });

  it('thresholds of groups in groups', () => {
    const policy = parsePolicy(`${HEAD}\ngroup X 2 A B C\ngroup Y any D\ngroup Q all X Y\nquorum Q\n`);
    const all = ['A', 'B', 'C', 'D'];
    fc.assert(
      fc.property(fc.subarray(all), (some) => {
        const expected = some.filter((name) => name !== 'D').length >= 2 && some.includes('D');
        assert.equal(meetsQuorum(policy, new Set(some)), expected);
      }),
    );
    // The name of a group is not a witness that cosigned.
    assert.equal(meetsQuorum(policy, new Set(['Q', 'X', 'Y'])), false);
  });

  it('names are octets', () => {
    const kelvin = Buffer.from(`witness \u212a ${vkey(a)}\nwitness K ${vkey(b)}\nquorum \u212a\n`);
    const policy = parsePolicy(kelvin);
    assert.equal(policy.witnesses.size, 2);
    assert.equal(meetsQuorum(policy, new Set(['K'])), false);
  });
});

void describe('a checkpoint under a policy', () => {
  const policy = parsePolicy(`${HEAD}\ngroup X 2 A B C\ngroup Q all X D\nquorum Q\n`);

  it('is accepted with its quorum only', () => {
    assert.deepEqual(openWithPolicy(signed(log, a, c, d), policy).witnesses, ['A', 'C', 'D']);
    assert.throws(() => openWithPolicy(signed(log, a, d), policy), /cosigned by A, D: not the quorum/);
    assert.throws(() => openWithPolicy(signed(log), policy), /no witness/);
    assert.throws(() => openWithPolicy(signed(a, b, c, d), policy), /not signed by its log/);
    const stranger = notes.generateSignerKey('w/a', 'ed25519-cosignature');
    assert.throws(() => openWithPolicy(signed(log, stranger, b, d), policy), /cosigned by B, D/);
  });

  it('a cosignature that stands there wrong spoils it', () => {
    const { text, signatures } = notes.parseNote(signed(log, a, b, c, d));
    signatures.forEach((signature, at) => {
      const bad = signatures.with(at, { ...signature, signature: flipped(signature.signature, 100) });
      assert.throws(() => openWithPolicy(notes.formatNote({ text, signatures: bad }), policy), /is not valid/);
    });
  });

  it('of another log, or of a log under a wrong origin, is not', () => {
    const other = notes.generateSignerKey('other.example');
    const note = signCheckpoint({ ...CHECKPOINT, origin: 'other.example' }, [other, log]);
    assert.throws(() => openWithPolicy(note, parsePolicy(`${HEAD}\nquorum none`)), /knows no log other.example/);
    assert.equal(openWithPolicy(signed(log), parsePolicy(`${HEAD}\nquorum none`)).size, 3);
  });

  it('one ML-DSA-44 key may be log and witness', () => {
    const key = notes.generateSignerKey(ORIGIN, 'ml-dsa-44-cosignature');
    const both = parsePolicy(`log ${vkey(key)}\nwitness L ${vkey(key)}\nquorum L\n`);
    assert.deepEqual(openWithPolicy(signed(key), both).witnesses, ['L']);
  });
});
