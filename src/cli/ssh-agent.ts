/**
 * A client of ssh-agent (draft-ietf-sshm-ssh-agent): what waybill login needs of it, over a Unix socket, or the pipe of
 * OpenSSH on Windows. Keys are Ed25519, because login makes no others.
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { KeyObject } from 'node:crypto';
import { WaybillError } from '../base/errors.ts';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { Certificate } from '../sshkeys/certificate.ts';

const REQUEST_IDENTITIES = 11;
const IDENTITIES_ANSWER = 12;
const REMOVE_IDENTITY = 18;
const ADD_ID_CONSTRAINED = 25;
const SUCCESS = 6;
const CONSTRAIN_LIFETIME = 1;

/** An agent with hundreds of keys is far below this. */
const ANSWER_MAX = 1024 * 1024;
const IDENTITIES_MAX = 4096;
/** Some agents ask a person. */
const PATIENCE_MILLISECONDS = 60_000;

export interface AgentIdentity {
  /** A key, or a certificate. */
  readonly blob: Buffer;
  readonly comment: string;
}

export interface AgentKey {
  readonly key: KeyObject;
  readonly certificate: Certificate;
  readonly comment: string;
  /** After these the agent forgets it by itself. */
  readonly lifetimeSeconds: number;
}

export class SshAgent {
  private readonly socket: Socket;
  private readonly answers: AsyncIterator<Buffer, undefined>;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.answers = messagesOf(socket);
  }

  /** `place`: what SSH_AUTH_SOCK says. Throws `not-running`. */
  static async connect(place: string): Promise<SshAgent> {
    const socket = connect(place);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', (cause) => {
        reject(new WaybillError('not-running', `no ssh-agent answers at ${place}`, { cause }));
      });
    });
    return new SshAgent(socket);
  }

  close(): void {
    this.socket.destroy();
  }

  async list(): Promise<AgentIdentity[]> {
    const reader = new ByteReader(await this.ask(new ByteWriter().u8(REQUEST_IDENTITIES)));
    if (reader.u8() !== IDENTITIES_ANSWER) throw refused('list its keys');
    const count = reader.u32();
    if (count > IDENTITIES_MAX) throw refused('list its keys in a form that can be read');
    return Array.from({ length: count }, () => ({
      blob: reader.string(65_536),
      comment: reader.string(4096).toString(),
    }));
  }

  /** With what expires it is forgotten: a key that outlives its certificate would only be offered in vain. */
  async add({ key, certificate, comment, lifetimeSeconds }: AgentKey): Promise<void> {
    const { x = '', d = '' } = key.export({ format: 'jwk' });
    const point = Buffer.from(x, 'base64url');
    if (certificate.key.type !== 'ssh-ed25519' || point.length !== 32)
      throw new WaybillError('unsupported', 'only Ed25519 keys are put into the agent');
    const secret = Buffer.concat([Buffer.from(d, 'base64url'), point]);
    const request = new ByteWriter().u8(ADD_ID_CONSTRAINED).string(certificate.type).string(certificate.blob);
    request.string(point).string(secret).string(comment);
    await this.demand(request.u8(CONSTRAIN_LIFETIME).u32(lifetimeSeconds), 'take the certificate');
    secret.fill(0);
  }

  async remove({ blob }: Pick<AgentIdentity, 'blob'>): Promise<void> {
    await this.demand(new ByteWriter().u8(REMOVE_IDENTITY).string(blob), 'remove a certificate');
  }

  private async demand(request: ByteWriter, what: string): Promise<void> {
    const [code] = await this.ask(request);
    if (code !== SUCCESS) throw refused(what);
  }

  /** One request at a time: answers carry no number. */
  private async ask(request: ByteWriter): Promise<Buffer> {
    this.socket.write(new ByteWriter().string(request.finish()).finish());
    const slow = setTimeout(() => this.socket.destroy(), PATIENCE_MILLISECONDS);
    try {
      const answer: IteratorResult<Buffer, undefined> = await this.answers.next();
      if (answer.done === true || answer.value.length === 0)
        throw new WaybillError('not-running', 'the ssh-agent has hung up');
      return answer.value;
    } finally {
      clearTimeout(slow);
    }
  }
}

async function* messagesOf(socket: Socket): AsyncGenerator<Buffer, undefined> {
  let held = Buffer.alloc(0);
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 4) {
        const length = held.readUInt32BE();
        if (length > ANSWER_MAX) return undefined;
        if (held.length < 4 + length) break;
        yield held.subarray(4, 4 + length);
        held = held.subarray(4 + length);
      }
    }
  } catch {
    // A broken connection and an ended one are the same to who asks.
  }
  return undefined;
}

function refused(what: string): WaybillError {
  return new WaybillError('permission-denied', `the ssh-agent does not ${what}`);
}
