/**
 * Sends each new checkpoint of the heads to the witnesses, and keeps the one that they cosigned in heads/cosigned.
 * heads/checkpoint stays the log's own. Nothing here holds sealing up: a witness that is away is asked again after the
 * next sealing, which is a minute off at most.
 */
import { WaybillError } from '../base/errors.ts';
import { openCheckpoint } from './core/checkpoint.ts';
import type { OpenedCheckpoint } from './core/checkpoint.ts';
import { TileHashReader } from './core/hash-reader.ts';
import { checkpointPath, COSIGNED, HEADS } from './core/layout.ts';
import { SIGNATURE_ALGORITHMS } from './core/note-algorithms.ts';
import { openNote, parseVerifierKey } from './core/note.ts';
import type { VerifierKey } from './core/note.ts';
import { decodeLines, parseDecimal } from './core/text-forms.ts';
import { consistencyProof } from './core/tree-proofs.ts';
import { addCosignatures, formatAddCheckpoint } from './core/witness.ts';
import type { LedgerKey } from './signing-key.ts';
import { below } from './tile-store.ts';
import type { TileStore } from './tile-store.ts';
import { postCheckpoint } from './witness-client.ts';
import type { PostCheckpoint } from './witness-client.ts';

/** A witness that the operator has named: where it is asked, and the key that it cosigns with. */
export interface WitnessAddress {
  readonly url: string;
  readonly vkey: string;
}

export interface WitnessingParts {
  readonly tiles: TileStore;
  readonly key: LedgerKey;
  readonly witnesses: readonly WitnessAddress[];
  /** Of each failure of a witness: once when it begins, and again when it is another one. */
  readonly report: (witness: string, error: unknown) => void;
  readonly post?: PostCheckpoint;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export interface WitnessStatus {
  readonly name: string;
  readonly url: string;
  /** Heads in the last checkpoint that it cosigned; null before the first. */
  readonly size: number | null;
  /** Milliseconds since 1970. */
  readonly time: number | null;
  readonly error: string | null;
}

interface Witness {
  readonly key: VerifierKey;
  readonly url: string;
  /** What it has seen of this log, as far as is known here. */
  seen: number;
  size: number | null;
  time: number | null;
  error: string | null;
}

/** A cosigned checkpoint with fewer cosignatures takes the place of one with more when that is older than this. */
const STALE_MILLISECONDS = 3_600_000;

function cosignerKey(vkey: string): VerifierKey {
  const key = verifierKey(vkey);
  if (SIGNATURE_ALGORITHMS[key.algorithm].timed) return key;
  throw new WaybillError('option-invalid', `--witness ${vkey} is not the key of a witness: it does not cosign`);
}

function verifierKey(vkey: string): VerifierKey {
  try {
    return parseVerifierKey(vkey);
  } catch (cause) {
    throw new WaybillError('option-invalid', `--witness ${vkey} is not a public key`, { cause });
  }
}

export class Witnessing {
  private readonly parts: WitnessingParts;
  private readonly witnesses: readonly Witness[];
  private readonly abort = new AbortController();
  private running: Promise<void> | null = null;
  private again = false;
  private kept = { cosigners: 0, time: 0 };

  constructor(parts: WitnessingParts) {
    this.parts = parts;
    this.witnesses = parts.witnesses.map(({ url, vkey }) => ({
      ...{ key: cosignerKey(vkey), url, seen: 0, size: null, time: null, error: null },
    }));
  }

  status(): WitnessStatus[] {
    return this.witnesses.map(({ key, url, size, time, error }) => ({ name: key.name, url, size, time, error }));
  }

  /** After each sealing; one round at a time, and one more when a checkpoint came meanwhile. */
  sealed(): void {
    if (this.witnesses.length === 0 || this.abort.signal.aborted) return;
    this.again = true;
    this.running ??= this.rounds().finally(() => {
      this.running = null;
    });
  }

  /** Everything that was started is over when this resolves. */
  async settled(): Promise<void> {
    await this.running;
  }

  async stop(): Promise<void> {
    this.abort.abort();
    await this.running;
  }

  private async rounds(): Promise<void> {
    while (this.again && !this.abort.signal.aborted) {
      this.again = false;
      await this.round().catch((error: unknown) => {
        this.parts.report('', error);
      });
    }
  }

  private async round(): Promise<void> {
    const { tiles, key } = this.parts;
    const bytes = await tiles.read(checkpointPath(HEADS));
    if (bytes === null) return;
    const note = Buffer.from(bytes).toString('utf8');
    const checkpoint = openCheckpoint(note, key.signer.verifier, key.origin);
    const reader = new TileHashReader(below(tiles, HEADS), checkpoint.size, checkpoint.root);
    const answers = await Promise.all(this.witnesses.map((witness) => this.ask(witness, note, checkpoint, reader)));
    const keys = this.witnesses.filter((_, at) => answers[at] !== null).map(({ key: one }) => one);
    const cosigned = answers.reduce<string>(
      (before, lines, at) =>
        lines === null ? before : addCosignatures(before, lines, [(this.witnesses[at] as Witness).key]),
      note,
    );
    await this.keep(cosigned, keys.length);
  }

  private async keep(cosigned: string, cosigners: number): Promise<void> {
    const now = this.now();
    const { kept } = this;
    if (cosigners === 0 || (cosigners < kept.cosigners && now - kept.time < STALE_MILLISECONDS)) return;
    await this.parts.tiles.replace({ path: COSIGNED, bytes: Buffer.from(cosigned) });
    this.kept = { cosigners, time: now };
  }

  /** Its cosignature lines; null, and its status says why, when it gives none. */
  private async ask(
    witness: Witness,
    note: string,
    checkpoint: OpenedCheckpoint,
    reader: TileHashReader,
  ): Promise<string | null> {
    try {
      const lines = await this.submit(witness, note, checkpoint.size, reader);
      // What does not verify is no cosignature, whatever the status says.
      openNote(addCosignatures(note, lines, [witness.key]), [witness.key]);
      witness.seen = checkpoint.size;
      witness.size = checkpoint.size;
      witness.time = this.now();
      witness.error = null;
      return lines;
    } catch (error) {
      if (this.abort.signal.aborted) return null;
      const why = error instanceof Error ? error.message : 'it failed';
      if (witness.error !== why) this.parts.report(witness.key.name, error);
      witness.error = why;
      return null;
    }
  }

  private async submit(witness: Witness, note: string, size: number, reader: TileHashReader): Promise<string> {
    const post = this.parts.post ?? postCheckpoint;
    for (let tries = 0; ; tries++) {
      const oldSize = Math.min(witness.seen, size);
      const proof = await consistencyProof(reader, oldSize, size);
      const reply = await post(witness.url, formatAddCheckpoint({ oldSize, proof, note }), this.abort.signal);
      if (reply.status === 200) return decodeLines(reply.body, reply.body.length, 'the answer of a witness');
      const seen = reply.status === 409 ? parseDecimal(reply.body.toString('latin1').trim()) : null;
      if (seen === null) throw new Error(`it answers with status ${reply.status}`);
      if (seen > size)
        throw new Error(`it has seen ${seen} heads of this ledger, which has only ${size}: the ledger was rolled back`);
      if (tries > 0) throw new Error('it does not take a proof from the size that it names');
      witness.seen = seen;
    }
  }

  private now(): number {
    return this.parts.now?.() ?? Date.now();
  }
}
