/**
 * Why bytes or a line are not taken as a key, certificate or signature. The message is safe to show and to log: it
 * never quotes the input.
 */
export class KeyRefused extends Error {
  override readonly name = 'KeyRefused';
}

/** Runs a parser of hostile bytes; whatever it finds wrong comes out as one kind of error. */
export function refusing<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    if (cause instanceof KeyRefused) throw cause;
    const reason = cause instanceof Error && cause.name === 'MalformedBytes' ? cause.message : 'not valid';
    throw new KeyRefused(`${what}: ${reason}`, { cause });
  }
}
