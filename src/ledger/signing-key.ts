/**
 * keys/ledger.key: the key that signs every checkpoint, as a C2SP signer string (0600). It is made once. A ledger whose
 * key is gone is never given a new one by itself: a new key looks to every verifier like another ledger.
 */
import { randomBytes } from 'node:crypto';
import { chmod, readFile } from 'node:fs/promises';
import { writeDurableFile } from '../base/durable-file.ts';
import { WaybillError } from '../base/errors.ts';
import { formatSignerKey, formatVerifierKey, generateSignerKey, parseSignerKey } from './core/note.ts';
import type { SignerKey } from './core/note.ts';

export interface LedgerKey {
  readonly signer: SignerKey;
  readonly origin: string;
  /** For verifiers: "<origin>+<id>+<key>". */
  readonly vkey: string;
}

/** `exists`: there are entries that were, or will be, signed with it. */
export async function openLedgerKey(file: string, exists: boolean): Promise<LedgerKey> {
  const text = await readKey(file);
  if (text !== null) return named(parse(file, text));
  if (exists) throw new WaybillError('ledger-key-missing', `${file} is not there, and the ledger was signed with it`);
  const signer = generateSignerKey(`waybill-${randomBytes(8).toString('hex')}/ledger`);
  await writeDurableFile(file, `${formatSignerKey(signer)}\n`);
  return named(signer);
}

function named(signer: SignerKey): LedgerKey {
  return { signer, origin: signer.verifier.name, vkey: formatVerifierKey(signer.verifier) };
}

async function readKey(file: string): Promise<string | null> {
  try {
    const text = await readFile(file, 'utf8');
    await chmod(file, 0o600);
    return text;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null;
    throw error;
  }
}

function parse(file: string, text: string): SignerKey {
  try {
    return parseSignerKey(text.trim());
  } catch {
    // Without the cause: it may hold a part of the key.
    throw new WaybillError('ledger-key-missing', `${file} does not hold a signing key`);
  }
}
