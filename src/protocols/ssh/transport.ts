/**
 * The server's side of the SSH transport (RFC 4253) on a socket: bytes below, whole authentic payloads above. It knows
 * nothing of users, channels or files, and holds no host key: an exchange hash is signed by the function it is given.
 *
 *   const transport = new Transport({
 *     socket,                                  // net.Socket, paused, nothing read from it yet
 *     hostKeys, softwareVersion, limits,       // from the broker's `hello`
 *     profile: 'default',
 *     sign: async (algorithm, hash, exchange) => ..., // over the broker, which takes the hash of `exchange` itself
 *     cookie,                                  // of our first KEXINIT: the broker signs no other first exchange
 *     serverSignatureAlgorithms,               // for server-sig-algs, RFC 8308
 *     listener,                                // PacketListener: service requests and everything from 50 on
 *     onReady: () => {...},                    // the first key exchange is done; before the listener's first packet
 *   });
 *   transport.start();                         // sends version and KEXINIT
 *
 * `sign` resolves to a signature blob as it goes on the wire (RFC 4253 section 6.6: string algorithm, string signature).
 * The time a client may take to sign in, and idle time, are the owner's to watch.
 */
import type { Socket } from 'node:net';
import { MalformedBytes } from '../../base/bytes.ts';
import type { HostKey } from '../../broker/calls.ts';
import { DISCONNECT, ProtocolViolation } from './disconnect-reasons.ts';
import type { Exchange } from './exchange-hash.ts';
import { KeyExchange } from './key-exchange.ts';
import { closeLingering } from './linger.ts';
import { PacketIntake } from './packet-intake.ts';
import { PACKET_MAX } from './packet-reader.ts';
import type { PacketListener, PacketTransport } from './packet-transport.ts';
import { PacketWriter } from './packet-writer.ts';
import type { ProfileName } from './profiles.ts';
import { keysAreUsedUp, keysAreWorn, type RekeyLimits } from './rekey-policy.ts';
import { SendQueue } from './send-queue.ts';
import * as forms from './transport-forms.ts';
import { MESSAGE } from './transport-messages.ts';
import { serverVersion } from './version-exchange.ts';

export interface TransportOptions {
  readonly socket: Socket;
  readonly hostKeys: readonly HostKey[];
  readonly sign: (algorithm: string, hash: Buffer, exchange: Exchange) => Promise<Buffer>;
  readonly cookie?: Buffer | undefined;
  readonly profile: ProfileName;
  readonly softwareVersion: string;
  readonly limits: RekeyLimits;
  readonly serverSignatureAlgorithms: readonly string[];
  readonly listener: PacketListener;
  readonly onReady?: () => void;
  /** Errors that are ours, not the client's; the client is told nothing of them. */
  readonly onError?: (error: unknown) => void;
}

/** Before sign-in nothing can have used the keys up, and each exchange costs a signature. */
const EXCHANGES_BEFORE_SIGN_IN = 3;
const NOTHING_NEGOTIATED = { kex: '', hostKey: '', cipherIn: '', cipherOut: '', macIn: '', macOut: '' };

export class Transport implements PacketTransport {
  clientVersion = '';
  closed = false;

  private readonly options: TransportOptions;
  private readonly socket: Socket;
  private readonly version: string;
  private readonly intake: PacketIntake;
  private readonly writer: PacketWriter;
  private readonly queue: SendQueue;
  private readonly exchange: KeyExchange;
  private isSignedIn = false;
  private exchanges = 0;
  private keysSince = performance.now();

  constructor(options: TransportOptions) {
    this.options = options;
    this.socket = options.socket;
    this.version = serverVersion(options.softwareVersion);
    this.writer = new PacketWriter(options.socket);
    this.queue = new SendQueue(this.writer);
    this.intake = this.takeIn();
    for (const event of ['error', 'close'] as const) {
      this.socket.on(event, () => {
        this.finish('connection lost', 'none');
      });
    }
    this.exchange = new KeyExchange(
      { ...options, serverVersion: this.version },
      {
        send: (parts) => {
          if (!this.closed) this.writer.packet(parts);
        },
        sealWith: (sealer, reset) => {
          this.writer.changeKeys(sealer, reset);
          this.queue.open();
        },
        openWith: (opener, reset) => {
          this.intake.reader.changeKeys(opener, reset);
        },
      },
    );
  }

  private takeIn(): PacketIntake {
    return new PacketIntake(this.socket, {
      closed: () => this.closed,
      version: (line) => {
        this.clientVersion = line;
        this.exchange.setClientVersion(line);
      },
      packet: (payload) => {
        this.handle(payload);
      },
      caughtUp: () => {
        this.rekeyIfDue();
      },
      failed: (error) => {
        this.failed(error);
      },
    });
  }

  get incomingSequence(): number {
    return this.intake.sequence;
  }

  get sessionId(): Buffer {
    return this.exchange.sessionId;
  }

  get negotiated(): PacketTransport['negotiated'] {
    return this.exchange.choice ?? NOTHING_NEGOTIATED;
  }

  start(): void {
    if (this.closed) return;
    const { socket } = this;
    socket.setNoDelay(true); // packets are gathered here already
    socket.on('data', (chunk: Buffer) => {
      this.intake.received(chunk);
    });
    socket.on('end', () => {
      this.finish('client closed the connection', 'none');
    });
    this.writer.raw(Buffer.from(`${this.version}\r\n`, 'latin1'));
    this.beginExchange();
    socket.resume();
  }

  send(parts: readonly Buffer[]): boolean {
    if (this.closed) return true;
    const more = this.queue.send(parts);
    if (this.queue.overrun) this.leave(DISCONNECT.BY_APPLICATION, 'output queue overrun', 'none');
    this.rekeyIfDue();
    return more;
  }

  drained(): Promise<void> {
    return this.queue.drained();
  }

  pauseReading(): void {
    this.intake.hold();
  }

  resumeReading(): void {
    this.intake.letGo();
  }

  signedIn(): void {
    this.isSignedIn = true;
    this.intake.reader.maxLength = PACKET_MAX;
  }

  disconnect(reason: number, text: string): void {
    this.leave(reason, text, reason === DISCONNECT.PROTOCOL_ERROR ? 'protocol' : 'none');
  }

  private handle(payload: Buffer): void {
    const number = payload[0] as number;
    if (this.exchange.isSkipped(number)) return;
    if (number >= 50) {
      this.handleUpper(number, payload);
      return;
    }
    const own = HANDLERS[number];
    if (own?.duringStrictExchange !== true) this.refuseInsideStrictExchange();
    if (number === MESSAGE.SERVICE_REQUEST) this.handleUpper(number, payload);
    else if (own === undefined) this.reply(forms.unimplementedMessage(this.incomingSequence));
    else this[own.method](payload);
  }

  private refuseInsideStrictExchange(): void {
    if (this.exchange.strict && !this.exchange.established) {
      throw new ProtocolViolation('strict key exchange: message not allowed here');
    }
  }

  /** Authentication and above: only under keys, and never between the client's KEXINIT and its NEWKEYS. */
  private handleUpper(number: number, payload: Buffer): void {
    if (!this.exchange.established || this.exchange.incomingBlocked) {
      throw new ProtocolViolation('message not allowed during a key exchange');
    }
    if (number === MESSAGE.PING) this.reply(forms.pongMessage(payload));
    else if (number !== MESSAGE.PONG) this.options.listener.packet(payload);
  }

  /** An answer that the client asked for. If it does not take its answers, it is not read any further. */
  private reply(message: Buffer): void {
    if (this.send([message])) return;
    this.pauseReading();
    void this.drained().then(() => {
      this.resumeReading();
    });
  }

  private handleDisconnect(payload: Buffer): void {
    const { reason, text } = forms.parseDisconnect(payload);
    this.finish(`client disconnected (${reason}): ${text}`, 'none');
  }

  private handleIgnored(payload: Buffer): void {
    forms.checkIgnored(payload);
  }

  private handleExtInfo(payload: Buffer): void {
    if (!this.exchange.established) throw new ProtocolViolation('EXT_INFO before NEWKEYS');
    forms.checkExtInfo(payload);
  }

  private handleKexInit(payload: Buffer): void {
    if (this.exchange.idle) this.countExchange();
    this.queue.block();
    this.exchange.clientOffers(payload, this.incomingSequence);
  }

  private handleKexValue(payload: Buffer): void {
    // Until our answer is out the client has nothing more to say, and the code no half-made state to meet it in.
    this.pauseReading();
    this.exchange
      .clientValue(payload)
      .catch((error: unknown) => {
        this.failed(error);
      })
      .finally(() => {
        this.resumeReading();
      });
  }

  private handleNewKeys(payload: Buffer): void {
    const first = this.exchange.clientSwitches(payload);
    this.keysSince = performance.now();
    if (!first) return;
    this.sendExtensions();
    this.options.onReady?.();
  }

  private beginExchange(): void {
    this.countExchange();
    this.queue.block();
    this.exchange.begin();
  }

  private countExchange(): void {
    this.exchanges += 1;
    if (!this.isSignedIn && this.exchanges > EXCHANGES_BEFORE_SIGN_IN) {
      throw new ProtocolViolation('too many key exchanges before sign-in');
    }
  }

  /** Looked at when packets go or come: keys that are not used do not wear out. */
  private rekeyIfDue(): void {
    const { writer } = this;
    const { reader } = this.intake;
    const use = {
      bytes: Math.max(reader.bytes, writer.bytes),
      packets: Math.max(reader.packets, writer.packets),
      seconds: (performance.now() - this.keysSince) / 1000,
    };
    if (keysAreUsedUp(use)) this.leave(DISCONNECT.BY_APPLICATION, 'keys are used up', 'none');
    // Before sign-in next to nothing can have gone through them.
    if (!this.isSignedIn || !this.exchange.idle || this.closed) return;
    if (keysAreWorn(use, this.options.limits)) this.beginExchange();
  }

  /**
   * RFC 8308 section 2.4: the next packet after our first NEWKEYS. It waits for the client's NEWKEYS, because an answer
   * acknowledges it: clients that leave Nagle's algorithm on would hold their service request back for 40 ms otherwise.
   */
  private sendExtensions(): void {
    if (!this.exchange.extensions) return;
    this.writer.packet([
      forms.extInfoMessage([
        ['server-sig-algs', this.options.serverSignatureAlgorithms.join(',')],
        ['publickey-hostbound@openssh.com', '0'],
        ['ping@openssh.com', '0'],
      ]),
    ]);
  }

  private failed(error: unknown): void {
    if (error instanceof ProtocolViolation) this.leave(error.reason, error.message, 'protocol');
    else if (error instanceof MalformedBytes) this.leave(DISCONNECT.PROTOCOL_ERROR, 'malformed message', 'protocol');
    else {
      this.leave(DISCONNECT.BY_APPLICATION, 'internal error', 'none');
      this.options.onError?.(error);
    }
  }

  private leave(reason: number, text: string, offence: 'none' | 'protocol'): void {
    if (this.closed) return;
    // A client that did not say a version may be no SSH client at all: it gets a line that a person can read.
    if (this.intake.hasVersion) this.writer.packet([forms.disconnectMessage(reason, text)]);
    else this.writer.raw(Buffer.from(`${text}\r\n`, 'latin1'));
    this.finish(text, offence);
  }

  private finish(reason: string, offence: 'none' | 'protocol'): void {
    if (this.closed) return;
    this.closed = true;
    this.queue.end();
    closeLingering(this.socket);
    this.options.listener.closed(reason, offence);
  }
}

/** The transport's own messages. SERVICE_REQUEST is the upper layer's; what is missing is answered UNIMPLEMENTED. */
const HANDLERS: Readonly<
  Record<
    number,
    {
      readonly method:
        'handleDisconnect' | 'handleIgnored' | 'handleExtInfo' | 'handleKexInit' | 'handleKexValue' | 'handleNewKeys';
      readonly duringStrictExchange: boolean;
    }
  >
> = {
  [MESSAGE.DISCONNECT]: { method: 'handleDisconnect', duringStrictExchange: true },
  [MESSAGE.IGNORE]: { method: 'handleIgnored', duringStrictExchange: false },
  [MESSAGE.UNIMPLEMENTED]: { method: 'handleIgnored', duringStrictExchange: false },
  [MESSAGE.DEBUG]: { method: 'handleIgnored', duringStrictExchange: false },
  [MESSAGE.EXT_INFO]: { method: 'handleExtInfo', duringStrictExchange: false },
  [MESSAGE.KEXINIT]: { method: 'handleKexInit', duringStrictExchange: true },
  [MESSAGE.NEWKEYS]: { method: 'handleNewKeys', duringStrictExchange: true },
  [MESSAGE.KEX_INIT]: { method: 'handleKexValue', duringStrictExchange: true },
};
