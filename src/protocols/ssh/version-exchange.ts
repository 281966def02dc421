/**
 * The first line of each side, RFC 4253 section 4.2. The client's line goes into the exchange hash and into logs, so it
 * is taken only as printable ASCII, and nothing is read past its bound: this is the first byte a stranger can send.
 */
import { DISCONNECT, ProtocolViolation } from './disconnect-reasons.ts';

/** RFC 4253 section 4.2: 255 characters, CR LF included. */
const LINE_MAX = 255;
const PREFIX = 'SSH-2.0-';

/** Our own line without CR LF. Characters that the grammar does not allow in a software version become "_". */
export function serverVersion(softwareVersion: string): string {
  return `${PREFIX}Waybill_${softwareVersion.replaceAll(/[^\x21-\x2c\x2e-\x7e]/g, '_')}`.slice(0, LINE_MAX - 2);
}

export interface ClientVersion {
  /** The line without its end, as it goes into the exchange hash. */
  line: string;
  /** Bytes of the input that belong to the line, its end included. */
  taken: number;
}

/**
 * The client's line at the start of `bytes`, or null while its end has not come yet. Lines before it are the server's
 * privilege only, so the very first line has to be the version. A lone LF is accepted, as every server does.
 */
export function parseClientVersion(bytes: Buffer): ClientVersion | null {
  const end = bytes.subarray(0, LINE_MAX).indexOf(0x0a);
  const known = end < 0 ? Math.min(bytes.length, LINE_MAX) : end > 0 && bytes[end - 1] === 0x0d ? end - 1 : end;
  for (let i = 0; i < known; i++) {
    const byte = bytes[i] as number;
    if (i < PREFIX.length && byte !== PREFIX.charCodeAt(i)) throw refuse('not an SSH 2.0 client');
    const lastOfUnfinished = end < 0 && i === known - 1 && byte === 0x0d;
    if ((byte < 0x20 || byte > 0x7e) && !lastOfUnfinished) throw refuse('version line is not printable ASCII');
  }
  if (end < 0) {
    if (bytes.length >= LINE_MAX) throw refuse('version line is too long');
    return null;
  }
  if (known <= PREFIX.length) throw refuse('not an SSH 2.0 client');
  return { line: bytes.toString('latin1', 0, known), taken: end + 1 };
}

function refuse(message: string): ProtocolViolation {
  return new ProtocolViolation(message, DISCONNECT.PROTOCOL_VERSION_NOT_SUPPORTED);
}
