/** Chooses what seals datagrams, by what works here. */
import type { Arena } from '../native/arena.ts';
import { nodeCipher } from '../wire/node-cipher.ts';
import type { CipherMaker } from '../wire/sealing.ts';
import { openEvp } from './evp-cipher.ts';

export interface ChosenCipher {
  readonly make: CipherMaker;
  readonly name: 'OpenSSL EVP' | 'node:crypto';
  /** Why it is not EVP; null when it is, or was not asked for. */
  readonly without: string | null;
}

/** `arena`: null where foreign code is not to be had, or not wanted. */
export async function chooseCipher(arena: Arena | null): Promise<ChosenCipher> {
  if (arena === null) return { make: nodeCipher, name: 'node:crypto', without: null };
  try {
    return { make: await openEvp(arena), name: 'OpenSSL EVP', without: null };
  } catch (error) {
    return { make: nodeCipher, name: 'node:crypto', without: error instanceof Error ? error.message : String(error) };
  }
}
