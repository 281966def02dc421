/**
 * The first bytes of a TLS connection, looked at while a certificate authority is expected (RFC 8737): which name and
 * which protocols the client asks for. Bounded; whatever is not a plain ClientHello is null, and then like everybody.
 */
import type { Socket } from 'node:net';

export interface ClientHello {
  /** '' when none is named. */
  readonly name: string;
  readonly protocols: readonly string[];
}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const ALPN = 16;
const RECORD_HEAD = 5;
const RECORD_MAX = 16_384;

/** `undefined`: more bytes are needed. */
export function parseClientHello(bytes: Buffer): ClientHello | null | undefined {
  if (bytes.length > 0 && bytes[0] !== HANDSHAKE) return null;
  if (bytes.length < RECORD_HEAD) return undefined;
  const length = bytes.readUInt16BE(3);
  if (length > RECORD_MAX) return null;
  if (bytes.length < RECORD_HEAD + length) return undefined;
  try {
    return helloIn(new Reader(bytes.subarray(RECORD_HEAD, RECORD_HEAD + length)));
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Waits for a whole ClientHello, puts back what it has read, and says what it was. Null when there is none; the socket may be destroyed then. */
export function peekClientHello(socket: Socket, milliseconds: number): Promise<ClientHello | null> {
  return new Promise((resolve) => {
    let seen = Buffer.alloc(0);
    const over = (hello: ClientHello | null): void => {
      clearTimeout(late);
      socket.off('readable', look).off('close', gone).off('error', gone).off('end', gone);
      if (!socket.destroyed && seen.length > 0) socket.unshift(seen);
      resolve(hello);
    };
    const look = (): void => {
      for (;;) {
        const chunk = socket.read() as Buffer | null;
        if (chunk === null) return;
        seen = Buffer.concat([seen, chunk]);
        const hello = parseClientHello(seen);
        if (hello === undefined) continue;
        over(hello);
        return;
      }
    };
    const gone = (): void => {
      // What has ended takes nothing back, and nobody waits for an answer.
      socket.destroy();
      over(null);
    };
    const late = setTimeout(() => {
      socket.destroy();
      over(null);
    }, milliseconds);
    socket.on('readable', look).once('close', gone).once('error', gone).once('end', gone);
  });
}

class Reader {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  number(width: 1 | 2 | 3): number {
    return this.take(width).readUIntBE(0, width);
  }

  take(length: number): Buffer {
    if (length > this.left) throw new RangeError('it is shorter than it says');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  rest(): string {
    return this.take(this.left).toString('latin1');
  }

  within(width: 1 | 2 | 3): Reader {
    return new Reader(this.take(this.number(width)));
  }
}

function helloIn(record: Reader): ClientHello | null {
  if (record.number(1) !== CLIENT_HELLO) return null;
  const body = record.within(3);
  body.take(2 + 32);
  body.within(1);
  body.within(2);
  body.within(1);
  let name = '';
  const protocols: string[] = [];
  const extensions = body.left === 0 ? body : body.within(2);
  while (extensions.left > 0) {
    const type = extensions.number(2);
    const content = extensions.within(2);
    if (type === SERVER_NAME) name = nameIn(content);
    else if (type === ALPN) for (const list = content.within(2); list.left > 0;) protocols.push(list.within(1).rest());
  }
  return { name, protocols };
}

function nameIn(content: Reader): string {
  const list = content.within(2);
  return list.left > 0 && list.number(1) === 0 ? list.within(2).rest().toLowerCase() : '';
}
