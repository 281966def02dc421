/** The exchange hash and the keys that come of it: RFC 4253 sections 7.2 and 8, RFC 5656 section 4. Pure. */
import { createHash } from 'node:crypto';
import { ByteWriter } from '../../base/bytes.ts';
import { type KexAlgorithm, write } from './kex-algorithms.ts';

export interface ExchangeInputs {
  readonly clientVersion: string;
  readonly serverVersion: string;
  /** Whole payloads, the message number included. */
  readonly clientKexInit: Buffer;
  readonly serverKexInit: Buffer;
  readonly hostKey: Buffer;
  readonly client: Buffer;
  readonly server: Buffer;
  readonly sharedSecret: Buffer;
}

/** What is hashed, and how: whoever signs for us takes the hash itself. */
export interface Exchange {
  readonly digest: KexAlgorithm['hash'];
  readonly bytes: Buffer;
}

export function exchangeHash({ digest, bytes }: Exchange): Buffer {
  return createHash(digest).update(bytes).digest();
}

export function exchangeOf(algorithm: KexAlgorithm, inputs: ExchangeInputs): Exchange {
  const writer = new ByteWriter()
    .string(inputs.clientVersion)
    .string(inputs.serverVersion)
    .string(inputs.clientKexInit)
    .string(inputs.serverKexInit)
    .string(inputs.hostKey);
  write(writer, algorithm.publicAs, inputs.client);
  write(writer, algorithm.publicAs, inputs.server);
  write(writer, algorithm.secretAs, inputs.sharedSecret);
  return { digest: algorithm.hash, bytes: writer.finish() };
}

/** The letters of RFC 4253 section 7.2. */
export type KeyLetter = 'A' | 'B' | 'C' | 'D' | 'E' | 'F';
export type KeySource = (letter: KeyLetter, bytes: number) => Buffer;

/** Both are encoded once; the source is used up to six times and then dropped. */
export function keySource(algorithm: KexAlgorithm, sharedSecret: Buffer, hash: Buffer, sessionId: Buffer): KeySource {
  const secret = write(new ByteWriter(), algorithm.secretAs, sharedSecret).finish();
  return (letter, bytes) => {
    let key = createHash(algorithm.hash).update(secret).update(hash).update(letter).update(sessionId).digest();
    while (key.length < bytes) {
      const more = createHash(algorithm.hash).update(secret).update(hash).update(key).digest();
      key = Buffer.concat([key, more]);
    }
    return key.subarray(0, bytes);
  };
}
