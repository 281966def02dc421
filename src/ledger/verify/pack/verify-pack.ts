/**
 * Verifies an evidence pack with the public key alone. In one pass: every byte of the archive is where its form says and
 * what the manifest says; the proofs hold under the signed checkpoint; and the answer is made again, from nothing but
 * the proven entries, and must be the same.
 */
import { WaybillError } from '../../../base/errors.ts';
import { decodeEntry } from '../../core/entry.ts';
import { blindedIdentifier } from '../../core/head.ts';
import { EMPTY_ROOT, verifyConsistency } from '../../core/merkle.ts';
import { formatNote, parseNote } from '../../core/note.ts';
import type { VerifierKey } from '../../core/note.ts';
import type { OpenedCheckpoint } from '../../core/checkpoint.ts';
import { openCheckpoint } from '../../core/checkpoint.ts';
import type { Policy } from '../../core/policy.ts';
import { decodeSilence, verifySilence } from '../../core/silence.ts';
import type { VerifiedPoint } from '../../core/silence.ts';
import { openEarlier } from '../earlier.ts';
import type { EarlierCheckpoint, EarlierNote } from '../earlier.ts';
import { Findings } from '../findings.ts';
import type { Finding, Place, Problem, Told } from '../findings.ts';
import { openCosigned } from '../witnessed.ts';
import { encodeAnswer, scopeAnswer, silenceAnswer } from './answer.ts';
import type { AnswerFields } from './answer.ts';
import { answerText } from './answer-text.ts';
import type { ByteSource } from './bytes.ts';
import {
  decodeCommitment,
  decodeConsistency,
  decodeEntryProof,
  verifyCommitment,
  verifyEntryProof,
} from './commitment.ts';
import { EntryStream } from './entry-stream.ts';
import {
  CONSISTENCY,
  decodeManifest,
  ENTRIES,
  ENTRIES_EACH,
  MANIFEST,
  MANIFEST_MAX,
  manifestDigest,
  NOTICE,
  PARTS,
  SIGNATURE,
  verifyPackSignature,
} from './form.ts';
import type { Manifest, Member } from './form.ts';
import { PackReader } from './pack-reader.ts';
import { ScopeAnswer } from './scope-answer.ts';

export interface VerifyPackOptions {
  readonly key: VerifierKey;
  readonly earlier?: readonly EarlierNote[];
  readonly policy?: Policy | null;
  readonly onProgress?: (entries: number) => void;
}

export interface PackReport {
  /** Null when not even the manifest could be read. */
  readonly manifest: Manifest | null;
  readonly signed: boolean;
  readonly checkpoint: { readonly size: number; readonly root: string } | null;
  readonly cosigned: readonly string[];
  /** Made again from what is proven. */
  readonly answer: AnswerFields | null;
  readonly findings: readonly Finding[];
  readonly more: number;
  readonly told: readonly Told[];
}

const PART_MAX = 2 * 1024 * 1024;
const ORDER = {
  silence: /^checkpoint silence( opened)?( later next)?( consistency\/[0-9]+)* answer\.json answer\.txt NOTICE\.txt$/,
  scope: /^checkpoint commitment( entries\/[0-9]{6})+( consistency\/[0-9]+)* answer\.json answer\.txt NOTICE\.txt$/,
};

/** Ends the verification: nothing after it would mean anything. */
class Refused extends Error {
  readonly problem: Problem;
  readonly place: Place;

  constructor(problem: Problem, place: Place, message: string) {
    super(message);
    this.problem = problem;
    this.place = place;
  }
}

export async function verifyPack(source: ByteSource, options: VerifyPackOptions): Promise<PackReport> {
  const verification = new PackVerification(new PackReader(source), options);
  return verification.run();
}

class PackVerification {
  private readonly reader: PackReader;
  private readonly options: VerifyPackOptions;
  private readonly findings = new Findings();
  private readonly parts = new Map<string, Buffer>();
  private manifest: Manifest | null = null;
  private checkpoint: OpenedCheckpoint | null = null;
  private cosigned: readonly string[] = [];
  private answer: AnswerFields | null = null;
  private point: VerifiedPoint | null = null;
  private pointHead = 0;
  private stream: EntryStream | null = null;
  private scope: ScopeAnswer | null = null;
  private earlier: EarlierCheckpoint[] = [];
  private signed = false;
  /** What is being looked at, for errors that do not say it. */
  private path = MANIFEST;

  constructor(reader: PackReader, options: VerifyPackOptions) {
    this.reader = reader;
    this.options = options;
  }

  async run(): Promise<PackReport> {
    const { findings } = this;
    try {
      await this.verify();
    } catch (error) {
      if (error instanceof Refused) findings.add(error.problem, error.place, error.message);
      else if (error instanceof WaybillError && error.code !== 'internal')
        findings.add(error.code === 'ledger-proof-invalid' ? 'damaged' : 'entry', { path: this.path }, error.message);
      else throw error;
    }
    const { manifest, signed, checkpoint, cosigned, answer } = this;
    return {
      ...{ manifest, signed, cosigned, answer },
      checkpoint: checkpoint === null ? null : { size: checkpoint.size, root: checkpoint.root.toString('hex') },
      ...{ findings: findings.findings, more: findings.more, told: findings.told },
    };
  }

  private async verify(): Promise<void> {
    const bytes = await this.readManifest();
    const manifest = this.manifest as Manifest;
    this.earlier = (this.options.earlier ?? []).flatMap(
      (note) => openEarlier(note, this.options.key, this.findings) ?? [],
    );
    for (const member of manifest.members) await this.readMember(manifest, member);
    await this.readSignature(bytes);
    const answer = manifest.kind === 'silence' ? this.proveSilence(manifest) : this.proveScope(manifest);
    this.path = MANIFEST;
    this.compareAnswer(manifest, answer);
    this.compareEarlier(manifest);
    this.answer = answer;
  }

  private async readManifest(): Promise<Buffer> {
    const header = await this.reader.header();
    if (header?.name !== MANIFEST) throw new Refused('damaged', { path: MANIFEST }, 'this is no evidence pack');
    const { bytes } = await this.reader.content(header.size, MANIFEST_MAX);
    const manifest = decodeManifest(bytes);
    const { key } = this.options;
    if (manifest.origin !== key.name)
      throw new Refused(
        'signature',
        { path: MANIFEST },
        `the pack is of the ledger ${manifest.origin}, and the key of ${key.name}`,
      );
    if (!ORDER[manifest.kind].test(manifest.members.map(({ name }) => name).join(' ')))
      throw new Refused('damaged', { path: MANIFEST }, 'the parts of the pack are not those that it must have');
    this.manifest = manifest;
    return bytes;
  }

  private async readMember(manifest: Manifest, member: Member): Promise<void> {
    this.path = member.name;
    const header = await this.reader.header();
    if (header?.name !== member.name || header.size !== member.size)
      throw new Refused(
        'damaged',
        { path: member.name },
        'the part does not stand where the manifest says, or has another size',
      );
    const found = await this.readContent(manifest, member);
    if (found !== member.sha256)
      throw new Refused('damaged', { path: member.name }, 'the part is not the one that the manifest names');
    if (member.name === PARTS.checkpoint) this.openCheckpoint();
    if (member.name === PARTS.commitment) this.openCommitment(manifest);
  }

  /** Its SHA-256. Entries are taken as they come; the answer is made again, and compared by its digest. */
  private async readContent(manifest: Manifest, { name, size }: Member): Promise<string> {
    if (name === PARTS.answer || name === PARTS.text) return this.reader.each(size, () => undefined);
    if (name.startsWith(ENTRIES)) return this.readEntries(manifest, name, size);
    const { bytes, sha256 } = await this.reader.content(size, PART_MAX);
    this.parts.set(name, bytes);
    return sha256;
  }

  private async readEntries(manifest: Manifest, name: string, size: number): Promise<string> {
    const { findings, point } = this;
    this.scope ??= new ScopeAnswer(manifest.question);
    const { scope } = this;
    this.stream ??= new EntryStream(
      manifest.log,
      findings,
      (entry, index) => {
        scope.take(entry, index);
      },
      this.watched(manifest),
    );
    const { stream } = this;
    const number = Number(name.slice(ENTRIES.length));
    if (stream.frontier.size !== number * ENTRIES_EACH || point === null)
      throw new Refused('damaged', { path: name }, 'the entries are not divided as they must be');
    const sha256 = await this.reader.each(size, (part) => {
      stream.add(part);
      this.options.onProgress?.(stream.frontier.size);
    });
    return sha256;
  }

  private async readSignature(manifest: Buffer): Promise<void> {
    this.path = SIGNATURE;
    const header = await this.reader.header();
    if (header === null) {
      this.findings.tell(
        'unsigned',
        {},
        'the pack itself is not signed: what it states is proven, and not who put it together',
      );
      return;
    }
    if (header.name !== SIGNATURE) throw new Refused('damaged', { path: header.name }, 'the part is in no manifest');
    const { bytes } = await this.reader.content(header.size, PART_MAX);
    try {
      verifyPackSignature(bytes, manifest, this.options.key);
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      throw new Refused('signature', { path: SIGNATURE }, error.message);
    }
    const note = parseNote(bytes);
    if (note.signatures.length !== 1 || formatNote(note) !== bytes.toString('utf8'))
      throw new Refused('signature', { path: SIGNATURE }, 'the signature is not in the form in which it is written');
    if ((await this.reader.header()) !== null)
      throw new Refused('damaged', { path: SIGNATURE }, 'something stands after the signature');
    this.signed = true;
  }

  private part(name: string): Buffer {
    this.path = name;
    return this.parts.get(name) ?? Buffer.alloc(0);
  }

  private openCheckpoint(): void {
    const { key, policy = null } = this.options;
    const bytes = this.part(PARTS.checkpoint);
    const place = { path: PARTS.checkpoint };
    try {
      this.checkpoint = openCheckpoint(bytes, key, key.name);
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      throw new Refused('signature', place, error.message);
    }
    if (formatNote(parseNote(bytes)) !== bytes.toString('utf8'))
      throw new Refused('signature', place, 'the checkpoint is not in the form in which it is written');
    if (this.checkpoint.unknown.length === 0 && policy?.quorum == null) return;
    this.cosigned = openCosigned({ path: PARTS.checkpoint, bytes }, key, policy, this.findings)?.witnesses ?? [];
  }

  private tree(): OpenedCheckpoint {
    if (this.checkpoint === null) throw new Refused('missing', { path: PARTS.checkpoint }, 'the checkpoint is missing');
    return this.checkpoint;
  }

  private openCommitment(manifest: Manifest): void {
    const point = decodeCommitment(this.part(PARTS.commitment));
    const tree = this.tree();
    this.point = verifyCommitment(point, Buffer.from(manifest.log, 'hex'), tree);
    this.pointHead = point.index;
    if (point.index !== tree.size - 1)
      throw new Refused(
        'statement',
        { path: PARTS.commitment, head: point.index },
        `the pack must go to the last head of its checkpoint, ${tree.size - 1}`,
      );
  }

  /** Earlier checkpoints of the tenant's own log are compared while its entries are read. */
  private watched(manifest: Manifest): ReadonlyMap<number, (root: Buffer) => void> {
    return new Map(
      this.earlier
        .filter(({ log }) => log === manifest.log)
        .map(({ name, checkpoint: { size, root } }) => [
          size,
          (now: Buffer) => {
            if (!now.equals(root))
              this.findings.add(
                'forked',
                { log: manifest.log, path: name },
                `the first ${size} entries are not those that were signed then`,
                root,
                now,
              );
          },
        ]),
    );
  }

  private proveScope(manifest: Manifest): AnswerFields {
    const { stream, scope, point } = this;
    if (stream === null || scope === null || point === null)
      throw new Refused('missing', {}, 'the entries are missing');
    this.path = ENTRIES;
    stream.finish();
    const root = stream.frontier.root();
    if (stream.frontier.size !== point.size || !root.equals(point.root)) {
      this.findings.add(
        'damaged',
        { log: manifest.log, path: ENTRIES },
        'the entries are not those that the ledger commits to',
        `${point.size} entries, ${point.root.toString('hex')}`,
        `${stream.frontier.size} entries, ${root.toString('hex')}`,
      );
    }
    this.checkSubject(manifest, stream.first);
    const { to } = manifest.question;
    if (to !== null && point.head.time < to)
      this.findings.tell(
        'unchecked',
        { head: this.pointHead },
        'the period goes on after the last head: what comes later is not in this pack',
      );
    return scopeAnswer(manifest, this.pointHead, point, scope.finish());
  }

  /** Entry 0 says whose log it is: it must be the tenant that the pack names. */
  private checkSubject(manifest: Manifest, entry: Buffer | null): void {
    const opened = entry === null ? null : decodeEntry(entry);
    const place = { log: manifest.log, entry: 0 };
    if (opened?.kind !== 'opened' || opened.tenant === null)
      throw new Refused('statement', place, 'the first entry does not open the log of a tenant');
    if (blindedIdentifier(opened.tenant, opened.salt) !== manifest.log)
      throw new Refused('statement', place, 'the tenant and salt in it do not give the name of the log');
    if (opened.tenant !== manifest.tenant || opened.name !== manifest.name)
      throw new Refused(
        'statement',
        { ...place, path: MANIFEST },
        `the log is of ${opened.tenant}, ${JSON.stringify(opened.name)}, and the pack names another tenant`,
      );
  }

  private proveSilence(manifest: Manifest): AnswerFields {
    const { key } = this.options;
    const tree = this.tree();
    const bundle = decodeSilence(this.part(PARTS.silence));
    if (bundle.checkpoint !== this.parts.get(PARTS.checkpoint)?.toString('utf8'))
      throw new Refused(
        'damaged',
        { path: PARTS.silence },
        'the proof is under another checkpoint than that of the pack',
      );
    if (!bundle.id.equals(Buffer.from(manifest.log, 'hex')))
      throw new Refused('statement', { path: PARTS.silence }, 'the proof is about another log');
    const silence = verifySilence(bundle, key, key.name);
    const next = this.nextEntry(manifest, silence, bundle.to.index, tree);
    const { from, to } = manifest.question;
    const heads = { path: PARTS.silence, head: bundle.from.index };
    if (from === null ? silence.size > 0 : silence.from.time >= from)
      throw new Refused('statement', heads, 'the period begins before the silence that is proven');
    const end = next ?? silence.to.time;
    if (to === null ? next !== null : end < to)
      throw new Refused(
        'statement',
        { path: PARTS.silence, head: bundle.to.index },
        'the period ends after the silence that is proven',
      );
    return silenceAnswer(manifest, { silence, fromHead: bundle.from.index, toHead: bundle.to.index, nextTime: next });
  }

  /** Time of the entry after the silence; null when the silence lasts to the last head. Also opens the log's name. */
  private nextEntry(
    manifest: Manifest,
    silence: { readonly size: number; readonly root: Buffer },
    toHead: number,
    tree: OpenedCheckpoint,
  ): number | null {
    const opened = this.parts.has(PARTS.opened) ? decodeEntryProof(this.part(PARTS.opened)) : null;
    if (opened !== null) {
      if (opened.index !== 0) throw new Refused('statement', { path: PARTS.opened }, 'it is not the first entry');
      verifyEntryProof(opened, silence);
      this.checkSubject(manifest, opened.entry);
    }
    if (!this.parts.has(PARTS.next)) {
      if (toHead !== tree.size - 1)
        throw new Refused('missing', { path: PARTS.next }, 'nothing shows when the tenant was heard of again');
      if (opened === null) throw new Refused('missing', { path: PARTS.opened }, 'nothing shows whose log it is');
      return null;
    }
    const point = decodeCommitment(this.part(PARTS.later));
    const later = verifyCommitment(point, Buffer.from(manifest.log, 'hex'), tree);
    const next = decodeEntryProof(this.part(PARTS.next));
    if (next.index !== silence.size)
      throw new Refused(
        'statement',
        { path: PARTS.next, entry: next.index },
        `the entry after the silence is number ${silence.size}`,
      );
    verifyEntryProof(next, later);
    if (silence.size === 0) this.checkSubject(manifest, next.entry);
    else if (opened === null) throw new Refused('missing', { path: PARTS.opened }, 'nothing shows whose log it is');
    return decodeEntry(next.entry).time;
  }

  private compareAnswer(manifest: Manifest, answer: AnswerFields): void {
    const made: [string, Buffer][] = [
      [PARTS.answer, encodeAnswer(answer)],
      [PARTS.text, Buffer.from(answerText(answer))],
      [PARTS.notice, Buffer.from(NOTICE)],
    ];
    for (const [name, bytes] of made) {
      const member = manifest.members.find((one) => one.name === name);
      if (member?.sha256 !== manifestDigest(bytes))
        this.findings.add('statement', { path: name }, 'it is not what the proven entries give');
    }
  }

  private compareEarlier(manifest: Manifest): void {
    for (const { name, log, checkpoint } of this.earlier) {
      const place = { log, path: name };
      const { size, root } = checkpoint;
      if (log === 'heads') this.compareHeads(place, size, root);
      else if (log !== manifest.log)
        this.findings.add('missing', place, 'the earlier checkpoint is of another log than that of the pack');
      else if (this.point === null)
        this.findings.add(
          'missing',
          place,
          'a pack of silence shows no entries to compare with: give a checkpoint of the heads',
        );
      else if (size > this.point.size)
        this.findings.add(
          'rolled-back',
          place,
          'the log was signed with more entries than the pack has',
          `${size} entries or more`,
          `${this.point.size} entries`,
        );
    }
  }

  private compareHeads(place: Place, size: number, root: Buffer): void {
    const { findings } = this;
    const tree = this.tree();
    if (size > tree.size) {
      findings.add(
        'rolled-back',
        place,
        'the checkpoint that you kept is later than that of the pack',
        `${size} heads or more`,
        `${tree.size} heads`,
      );
      return;
    }
    const name = `${CONSISTENCY}${size}`;
    if (size > 0 && size < tree.size && !this.parts.has(name)) {
      findings.add(
        'missing',
        place,
        `the pack holds no proof for this checkpoint, of ${size} heads: have it made with --against`,
      );
      return;
    }
    try {
      const hashes = size > 0 && size < tree.size ? decodeConsistency(this.part(name)) : [];
      verifyConsistency(hashes, size, tree.size, size === 0 ? EMPTY_ROOT : root, tree.root);
    } catch (error) {
      if (!(error instanceof WaybillError)) throw error;
      findings.add('forked', place, error.message);
    }
  }
}
