/** Chooses what seals datagrams, by what works here. */
import { nodeCipher } from '../wire/node-cipher.ts';
import type { CipherMaker } from '../wire/sealing.ts';
import { openEvp } from './evp-cipher.ts';

export interface ChosenCipher {
  readonly make: CipherMaker;
  readonly name: 'OpenSSL EVP' | 'node:crypto';
  /** Why it is not EVP; null when it is, or was not asked for. */
  readonly without: string | null;
}

export async function chooseCipher(backend: 'best' | 'plain'): Promise<ChosenCipher> {
  if (backend === 'plain') return { make: nodeCipher, name: 'node:crypto', without: null };
  try {
    return { make: await openEvp(), name: 'OpenSSL EVP', without: null };
  } catch (error) {
    return { make: nodeCipher, name: 'node:crypto', without: error instanceof Error ? error.message : String(error) };
  }
}
