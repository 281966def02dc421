/**
 * One connection's key exchanges, the first and all later ones: which message may come when, and what follows from it
 * (RFC 4253 sections 7 to 9; strict key exchange: OpenSSH PROTOCOL section 1.10). Sending, and the change of keys
 * on the wire, are the transport's: this only tells it when.
 */
import { randomBytes } from 'node:crypto';
import { ByteReader, ByteWriter, MalformedBytes } from '../../base/bytes.ts';
import { makeOpener, makeSealer, hasImplicitMac } from './ciphers.ts';
import { DISCONNECT, ProtocolViolation } from './disconnect-reasons.ts';
import { exchangeHash, exchangeOf, keySource, type Exchange } from './exchange-hash.ts';
import { KEX_ALGORITHMS, readClientValue, write, type KexAlgorithm } from './kex-algorithms.ts';
import { buildKexInit, COOKIE_BYTES, negotiate, parseKexInit, type Choice } from './kex-init.ts';
import type { PacketOpener, PacketSealer } from './packet-cipher.ts';
import {
  algorithmLists,
  EXT_INFO_CLIENT,
  hostKeyChoices,
  STRICT_CLIENT,
  withoutTerrapin,
  type HostKeyChoice,
  type ProfileName,
} from './profiles.ts';
import type { HostKey } from '../../broker/calls.ts';
import { MESSAGE } from './transport-messages.ts';

/** `idle`: keys are in force, nobody wants new ones. `offered`: our KEXINIT is out, the client's is not in. */
type Phase = 'idle' | 'offered' | 'value' | 'answering' | 'new-keys';

export interface KeyExchangeOptions {
  readonly profile: ProfileName;
  readonly hostKeys: readonly HostKey[];
  readonly serverVersion: string;
  /** Signs an exchange hash; the result is a whole signature blob (RFC 4253 section 6.6). */
  readonly sign: (algorithm: string, hash: Buffer, exchange: Exchange) => Promise<Buffer>;
  /** Of our first KEXINIT, where the signer demands one; random otherwise. */
  readonly cookie?: Buffer | undefined;
}

export interface KeyExchangeHost {
  /** Sends at once, past everything that waits for the end of the exchange. */
  send(parts: readonly Buffer[]): void;
  /** Our NEWKEYS is out. */
  sealWith(sealer: PacketSealer, resetSequence: boolean): void;
  /** The client's NEWKEYS is in. */
  openWith(opener: PacketOpener, resetSequence: boolean): void;
}

export class KeyExchange {
  /** Set by the first exchange, never changed. */
  sessionId: Buffer = Buffer.alloc(0);
  choice: Omit<Choice, 'skipGuess'> | null = null;
  /** The client takes EXT_INFO. */
  extensions = false;
  strict = false;
  /** The first exchange is complete. */
  established = false;

  private phase: Phase = 'idle';
  private readonly options: KeyExchangeOptions;
  private readonly host: KeyExchangeHost;
  private readonly hostKeys: Map<string, HostKeyChoice>;
  private clientVersion = '';
  private serverInit: Buffer | null = null;
  private clientInit: Buffer | null = null;
  private skipNext = false;
  private nextOpener: PacketOpener | null = null;

  constructor(options: KeyExchangeOptions, host: KeyExchangeHost) {
    this.options = options;
    this.host = host;
    this.hostKeys = hostKeyChoices(options.profile, options.hostKeys);
  }

  /** Between our KEXINIT and our NEWKEYS nothing but key exchange may be sent. */
  get outgoingBlocked(): boolean {
    return this.serverInit !== null;
  }

  /** Between the client's KEXINIT and its NEWKEYS nothing but key exchange may come. */
  get incomingBlocked(): boolean {
    return this.phase === 'value' || this.phase === 'answering' || this.phase === 'new-keys';
  }

  get idle(): boolean {
    return this.phase === 'idle';
  }

  setClientVersion(line: string): void {
    this.clientVersion = line;
  }

  /** Sends our KEXINIT. */
  begin(): void {
    const lists = algorithmLists(this.options.profile, this.hostKeys.keys(), !this.established);
    const given = this.established ? undefined : this.options.cookie;
    this.serverInit = buildKexInit(lists, given ?? randomBytes(COOKIE_BYTES));
    this.phase = 'offered';
    this.host.send([this.serverInit]);
  }

  /** Whether this packet is a wrong guess of the client's, to be dropped unread (RFC 4253 section 7.1). */
  isSkipped(number: number): boolean {
    if (!this.skipNext) return false;
    this.skipNext = false;
    if (number < 30 || number > 49) throw new ProtocolViolation('a guess was announced but did not follow');
    return true;
  }

  /** SSH_MSG_KEXINIT. `sequence` is the packet's own. */
  clientOffers(payload: Buffer, sequence: number): void {
    if (this.phase !== 'idle' && this.phase !== 'offered') throw new ProtocolViolation('KEXINIT inside a key exchange');
    if (this.phase === 'idle') this.begin();
    const client = parseKexInit(payload);
    if (!this.established) {
      this.strict = client.kex.includes(STRICT_CLIENT);
      this.extensions = client.kex.includes(EXT_INFO_CLIENT);
      // Packets slipped in before the KEXINIT would shift the sequence numbers ("Terrapin", CVE-2023-48795).
      if (this.strict && sequence !== 0) throw new ProtocolViolation('strict key exchange: KEXINIT was not first');
    }
    const all = algorithmLists(this.options.profile, this.hostKeys.keys(), false);
    const lists = this.strict ? all : withoutTerrapin(all);
    const { skipGuess, ...choice } = negotiate(client, lists, hasImplicitMac);
    this.choice = choice;
    this.skipNext = skipGuess;
    this.clientInit = Buffer.from(payload);
    this.phase = 'value';
  }

  /** The client's public value. Resolves when our answer and our NEWKEYS are out. */
  async clientValue(payload: Buffer): Promise<void> {
    if (this.phase !== 'value' || this.choice === null)
      throw new ProtocolViolation('key exchange message out of order');
    const algorithm = KEX_ALGORITHMS[this.choice.kex] as KexAlgorithm;
    const hostKey = this.hostKeys.get(this.choice.hostKey) as HostKeyChoice;
    this.phase = 'answering';
    const client = Buffer.from(readClientValue(algorithm, new ByteReader(payload, 1)));
    const { server, sharedSecret } = answer(algorithm, client);
    const exchange = exchangeOf(algorithm, {
      clientVersion: this.clientVersion,
      serverVersion: this.options.serverVersion,
      clientKexInit: this.clientInit as Buffer,
      serverKexInit: this.serverInit as Buffer,
      hostKey: hostKey.blob,
      client,
      server,
      sharedSecret,
    });
    const hash = exchangeHash(exchange);
    const signature = await this.options.sign(hostKey.signature, hash, exchange);
    if (!this.established) this.sessionId = hash;

    const reply = new ByteWriter().u8(MESSAGE.KEX_REPLY).string(hostKey.blob);
    write(reply, algorithm.publicAs, server).string(signature);
    this.host.send([reply.finish()]);
    this.host.send([Buffer.of(MESSAGE.NEWKEYS)]);

    const { cipherIn, macIn, cipherOut, macOut } = this.choice;
    const source = keySource(algorithm, sharedSecret, hash, this.sessionId);
    this.nextOpener = makeOpener('clientToServer', cipherIn, macIn, source);
    this.serverInit = null;
    this.clientInit = null;
    this.phase = 'new-keys';
    this.host.sealWith(makeSealer('serverToClient', cipherOut, macOut, source), this.strict);
  }

  /** SSH_MSG_NEWKEYS. True when this ended the first exchange. */
  clientSwitches(payload: Buffer): boolean {
    if (this.phase !== 'new-keys' || this.nextOpener === null || payload.length !== 1) {
      throw new ProtocolViolation('NEWKEYS out of order');
    }
    this.host.openWith(this.nextOpener, this.strict);
    this.nextOpener = null;
    this.phase = 'idle';
    const first = !this.established;
    this.established = true;
    return first;
  }
}

function answer(algorithm: KexAlgorithm, client: Buffer): ReturnType<KexAlgorithm['answer']> {
  try {
    return algorithm.answer(client);
  } catch (cause) {
    if (!(cause instanceof MalformedBytes)) throw cause;
    throw new ProtocolViolation('key exchange value refused', DISCONNECT.KEY_EXCHANGE_FAILED, { cause });
  }
}
