/**
 * What stands at the top of the hierarchy: a local file, or a key management service. It wraps the keys below it and
 * nothing else; those live unwrapped in the broker's memory, so that a service is asked at the start and when keys change,
 * never for a transfer.
 */

/** A version of a root key, as "file:0123456789abcdef" or "vault:transit/waybill:3". Stands in every wrapped key. */
export type RootReference = string;

export interface Wrapped {
  readonly root: RootReference;
  readonly payload: Buffer;
}

/**
 * Promises: `latest`, `create` and `rotate` resolve with a version that is durable. What one version has wrapped opens
 * with that version until it is retired. Nothing of a key is ever in an error. Lists answer in the order of the question,
 * with null for what cannot be opened (altered, or of a version that is gone); a provider that does not answer rejects.
 */
export interface RootKeyProvider {
  /** The first part of its references, up to the colon. */
  readonly name: string;
  /** For messages: the file, or the service. */
  readonly place: string;
  /** The version that wraps from now on; null when there is no key yet. Rejects when there is one that cannot be used. */
  latest(): Promise<RootReference | null>;
  /** Makes the first version. Never replaces a key that is there. */
  create(): Promise<RootReference>;
  rotate(): Promise<RootReference>;
  wrap(secrets: readonly Buffer[]): Promise<Wrapped[]>;
  unwrap(wrapped: readonly Wrapped[]): Promise<(Buffer | null)[]>;
  /** To the latest version. */
  rewrap(wrapped: readonly Wrapped[]): Promise<(Wrapped | null)[]>;
  /** Whether it can have made this reference: another file or another key of the service cannot. */
  owns(root: RootReference): boolean;
  /** Tells one version from another and gives nothing of it away; null where only opening something shows it. */
  checkValue(root: RootReference): Buffer | null;
  /**
   * Nothing is wrapped by these versions any more; those to keep are all of its own that are in use. False when the
   * provider keeps them all the same, so that an old copy of the database opens with it still; `thorough` asks it to do
   * what it can against that.
   */
  retire(roots: readonly RootReference[], keep: readonly RootReference[], thorough: boolean): Promise<boolean>;
  /** For data folders from before wrapped keys named their provider. */
  readonly old?: {
    unwrap(root: RootReference, purpose: string, wrapped: Uint8Array): Buffer | null;
    secretsKey(root: RootReference): Buffer | null;
  };
  close?(): void;
}

const FORM = 2;

/** 2 || length (u8) || reference || payload. */
export function packWrapped({ root, payload }: Wrapped): Buffer {
  const reference = Buffer.from(root, 'latin1');
  if (reference.length > 255) throw new RangeError('the reference of a root key is too long');
  return Buffer.concat([Buffer.of(FORM, reference.length), reference, payload]);
}

/** Null for bytes of another form. */
export function unpackWrapped(bytes: Uint8Array): Wrapped | null {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = 2 + (buffer[1] ?? 0);
  if (buffer[0] !== FORM || buffer.length <= end) return null;
  return { root: buffer.toString('latin1', 2, end), payload: buffer.subarray(end) };
}
