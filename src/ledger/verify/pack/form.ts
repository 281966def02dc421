/** The parts of an evidence pack: names, manifest, signature and the words that are the same in all packs. */
import { hash } from 'node:crypto';
import { canonicalJson } from '../../core/fields.ts';
import type { Json } from '../../core/fields.ts';
import { openNote, signNote, signerNamed, verifierNamed } from '../../core/note.ts';
import type { SignerKey, VerifierKey } from '../../core/note.ts';
import { malformed } from '../../core/text-forms.ts';
import { isObject, parseMoment, parseQuestion, questionJson, momentText } from './question.ts';
import type { PackQuestion } from './question.ts';

export const FORMAT = 'waybill-pack@v1';
export const MANIFEST = 'manifest.json';
export const SIGNATURE = 'signature';
export const PARTS = {
  checkpoint: 'checkpoint',
  silence: 'silence',
  opened: 'opened',
  next: 'next',
  later: 'later',
  commitment: 'commitment',
  answer: 'answer.json',
  text: 'answer.txt',
  notice: 'NOTICE.txt',
} as const;
export const ENTRIES = 'entries/';
export const CONSISTENCY = 'consistency/';
/** Entries in each member that holds them. */
export const ENTRIES_EACH = 65_536;
export const MANIFEST_MAX = 16 * 1024 * 1024;

export type PackKind = 'silence' | 'scope';

export interface Member {
  readonly name: string;
  readonly size: number;
  /** SHA-256, hexadecimal. */
  readonly sha256: string;
}

export interface Manifest {
  readonly kind: PackKind;
  readonly origin: string;
  readonly tenant: string;
  readonly name: string;
  /** Blinded identifier of the tenant's log. */
  readonly log: string;
  /** Milliseconds since 1970, as the machine said that made the pack. */
  readonly made: number;
  readonly question: PackQuestion;
  readonly members: readonly Member[];
}

export function encodeManifest(manifest: Manifest): Buffer {
  const { members, question, made, ...rest } = manifest;
  const json = {
    format: FORMAT,
    ...rest,
    made: momentText(made),
    question: questionJson(question),
    members: members as unknown as Json,
  };
  return Buffer.from(`${canonicalJson(json)}\n`);
}

export function decodeManifest(bytes: Buffer): Manifest {
  let value: Json;
  try {
    value = JSON.parse(bytes.toString('utf8')) as Json;
  } catch (cause) {
    throw Object.assign(malformed('the manifest of a pack is not JSON'), { cause });
  }
  const manifest = isObject(value) ? manifestOf(value) : null;
  // One form only: what is left over, or written otherwise, is refused.
  if (manifest === null || !encodeManifest(manifest).equals(bytes))
    throw malformed('the manifest of a pack is not of its form');
  return manifest;
}

function manifestOf(value: { readonly [key: string]: Json }): Manifest | null {
  const { kind, origin, tenant, name, log } = value;
  const question = parseQuestion(value['question']);
  const made = parseMoment(value['made']);
  const members = membersOf(value['members']);
  if ((kind !== 'silence' && kind !== 'scope') || typeof origin !== 'string' || typeof name !== 'string') return null;
  if (!isHex(tenant, 32) || !isHex(log, 64) || question === null || typeof made !== 'number' || members === null)
    return null;
  return { kind, origin, tenant, name, log, made, question, members };
}

function membersOf(value: Json | undefined): Member[] | null {
  if (!Array.isArray(value)) return null;
  const right = value.every((one: Json) => {
    if (!isObject(one)) return false;
    const { name, size, sha256 } = one;
    return typeof name === 'string' && Number.isSafeInteger(size) && Number(size) >= 0 && isHex(sha256, 64);
  });
  return right ? value : null;
}

function isHex(value: Json | undefined, length: number): value is string {
  return typeof value === 'string' && value.length === length && /^[0-9a-f]*$/.test(value);
}

/** Packs are signed by the key of the ledger under this name, which is no log's. */
export function packKeyName(origin: string): string {
  return `${origin}/pack`;
}

export function manifestDigest(manifest: Uint8Array): string {
  return hash('sha256', manifest, 'hex');
}

function signedText(origin: string, digest: string): string {
  return `${FORMAT}\n${origin}\n${digest}\n`;
}

/** By whoever holds the key of the ledger. `digest` is that of the manifest. */
export function signPack(origin: string, digest: string, signer: SignerKey): string {
  if (!isHex(digest, 64)) throw malformed('the digest of a manifest has 64 hexadecimal digits');
  return signNote(signedText(origin, digest), [signerNamed(signer, packKeyName(origin))]);
}

export function verifyPackSignature(note: Uint8Array, manifest: Uint8Array, key: VerifierKey): void {
  const { text } = openNote(note, [verifierNamed(key, packKeyName(key.name))]);
  if (text !== signedText(key.name, manifestDigest(manifest)))
    throw malformed('the signature of the pack is of another pack');
}

export const NOTICE = `WHAT THIS PACK PROVES, AND WHAT IT DOES NOT

Verify it with nothing but this file and the public key of the ledger, which you must have from somebody you trust and
not from this pack:

    waybill verify PACK --key KEY

Proven, when that says so: the log of this tenant, as the signed and append-only ledger commits to it, has exactly the
entries that the answer was made from (or, in a pack of silence, none in the period). The answer was made again from
those entries and is the same. Without --against a checkpoint that you kept, or --policy with witnesses that you trust,
"the ledger" is the one that the operator showed you.

Not proven:
- That the operator recorded under the right tenant. Witnesses attest that the ledger only grew and that all see the same
  one; nobody can attest that an entry belongs where it was put.
- What did not pass the broker. Bytes read from the disks, from backups, from memory or by whoever holds the root key
  leave no entry.
- Anything, if the machine that holds the root key and the ledger's key was itself taken over at the time: who owns it can
  leave out what he did. He cannot change what was sealed before without being seen by whoever kept a checkpoint.
- What was recorded, and not yet sealed, when the checkpoint of this pack was signed.
- "Released" means that the keys of those bytes were handed out: they may have left. "Sent" is what the front process
  reported. What was released and never reported is listed as possibly sent.

Shown of others: the proofs hold blinded identifiers, sizes and hashes of neighbouring logs, the number of logs, and the
number of entries of all together. No name, path or content of another tenant is in this pack. Values of the question
that do not occur in this tenant's log are salted hashes.
`;
