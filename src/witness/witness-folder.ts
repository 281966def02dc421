/**
 * What a witness must never forget: its key, and the last checkpoint that it cosigned of each log. One file a log, whole
 * or as before whatever power does, and durable before the cosignature leaves.
 */
import { hash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { writeDurableFile } from '../base/durable-file.ts';
import { WaybillError } from '../base/errors.ts';
import { openCheckpoint } from '../ledger/core/checkpoint.ts';
import { formatSignerKey, generateSignerKey, parseSignerKey } from '../ledger/core/note.ts';
import type { SignerKey, VerifierKey } from '../ledger/core/note.ts';
import type { WitnessRecord } from '../ledger/core/witness.ts';

const KEY_FILE = 'witness.key';
const LOGS = 'logs';

export class WitnessFolder {
  readonly signer: SignerKey;
  private readonly root: string;
  private readonly records = new Map<string, WitnessRecord>();

  private constructor(root: string, signer: SignerKey) {
    this.root = root;
    this.signer = signer;
  }

  /** `name` is that of a new key. Records of logs that are not in `logs` stay, and are not looked at. */
  static async open(
    root: string,
    name: string,
    logs: ReadonlyMap<string, readonly VerifierKey[]>,
  ): Promise<WitnessFolder> {
    await mkdir(path.join(root, LOGS), { recursive: true, mode: 0o700 });
    const folder = new WitnessFolder(root, await openKey(path.join(root, KEY_FILE), name));
    for (const [origin, keys] of logs) await folder.load(origin, keys);
    return folder;
  }

  recordOf(origin: string): WitnessRecord | null {
    return this.records.get(origin) ?? null;
  }

  /** Resolves when it is durable. */
  async save(record: WitnessRecord): Promise<void> {
    await writeDurableFile(this.fileOf(record.origin), record.note);
    this.records.set(record.origin, record);
  }

  /** What cannot be read is no reason to begin anew: then a log could show another history. */
  private async load(origin: string, keys: readonly VerifierKey[]): Promise<void> {
    const file = this.fileOf(origin);
    const note = await readIfThere(file);
    if (note === null) return;
    try {
      const { verifier } = this.signer;
      const { size, root, verified } = openCheckpoint(note, keys, origin, [verifier]);
      if (!verified.some(({ key }) => key === verifier)) throw new Error('it is not cosigned by this witness');
      this.records.set(origin, { origin, size, root, note: note.toString('utf8') });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : 'unreadable';
      throw new WaybillError('data-folder-invalid', `${file} is not the last checkpoint of ${origin}: ${why}`, {
        cause,
      });
    }
  }

  private fileOf(origin: string): string {
    return path.join(this.root, LOGS, hash('sha256', origin, 'hex'));
  }
}

async function openKey(file: string, name: string): Promise<SignerKey> {
  const text = await readIfThere(file);
  if (text === null) {
    const signer = generateSignerKey(name, 'ed25519-cosignature');
    await writeDurableFile(file, `${formatSignerKey(signer)}\n`);
    return signer;
  }
  try {
    return parseSignerKey(text.toString('utf8').trim());
  } catch {
    // Without the cause: it may hold a part of the key.
    throw new WaybillError('data-folder-invalid', `${file} does not hold a signing key`);
  }
}

async function readIfThere(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}
