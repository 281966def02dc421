/** Global requests (RFC 4254 section 4) and host key rotation (OpenSSH PROTOCOL section 2.5). */
import type { Log } from '../../base/log.ts';
import type { BrokerCaller, HostKey } from '../../broker/calls.ts';
import * as messages from './connection-messages.ts';
import type { ControlSender } from './control-sender.ts';
import { ProtocolViolation } from './disconnect-reasons.ts';

/** Answers go out in the order of the requests (RFC 4254 section 4), so those behind a proof wait for it. */
const MOST_WAITING = 64;
/** A proof costs the broker signatures. An honest client asks once, when it has met new keys. */
const MOST_PROOFS = 4;

/** Clients known to break on hostkeys-00@openssh.com: they disconnect at a request that wants no reply. */
const NO_HOST_KEYS = /^SSH-2\.0-(?:WinSCP_release_(?:4\.|5\.[0-7](?!\d))|TTSSH\/2\.(?:[0-6]|7[0-2]))/;

export interface GlobalRequestsParts {
  readonly connection: string;
  readonly broker: BrokerCaller;
  readonly hostKeys: readonly HostKey[];
  /** The algorithm that the key exchange was signed with: OpenSSH checks a proof by an RSA key with the same digest. */
  readonly negotiatedHostKey: string;
  readonly control: ControlSender;
  readonly log: Log;
  noMoreSessions(): void;
}

export class GlobalRequests {
  private readonly parts: GlobalRequestsParts;
  private over = false;
  private proofs = 0;
  /** Answers that wait for the proof under way; null when there is none. */
  private waiting: (() => void)[] | null = null;
  private proving: Promise<void> | null = null;

  constructor(parts: GlobalRequestsParts) {
    this.parts = parts;
  }

  /** Tells a client that has signed in every host key, so that it learns new ones before old ones go. */
  announceHostKeys(clientVersion: string): void {
    if (NO_HOST_KEYS.test(clientVersion)) return;
    const blobs = this.parts.hostKeys.map((key) => key.blob);
    this.parts.control.send(messages.globalRequest('hostkeys-00@openssh.com', false, blobs));
  }

  /** Message 80. Throws ProtocolViolation or MalformedBytes. */
  packet(payload: Buffer): void {
    const request = messages.parseGlobalRequest(payload);
    if (request.name === 'no-more-sessions@openssh.com') this.parts.noMoreSessions();
    if (request.name === 'hostkeys-prove-00@openssh.com' && request.wantReply) this.prove(request.rest);
    else if (request.wantReply) {
      this.inOrder(() => {
        this.refuse();
      });
    }
  }

  stop(): void {
    this.over = true;
    this.waiting = null;
  }

  async settled(): Promise<void> {
    await this.proving;
  }

  private refuse(): void {
    this.parts.control.send(messages.requestFailure());
  }

  private inOrder(answer: () => void): void {
    if (this.waiting === null) {
      answer();
      return;
    }
    if (this.waiting.length === MOST_WAITING) throw new ProtocolViolation('too many global requests sent ahead');
    this.waiting.push(answer);
  }

  private prove(rest: Buffer): void {
    // Copied: the proof outlives the packet.
    const blobs = messages.parseKeyBlobs(Buffer.from(rest), this.parts.hostKeys.length);
    this.inOrder(() => {
      const keys = blobs === null ? null : this.ownKeys(blobs);
      this.proofs += 1;
      if (keys === null || this.proofs > MOST_PROOFS) this.refuse();
      else this.proving = this.finishProof(keys);
    });
  }

  /** Null unless every blob is one of our keys, once. */
  private ownKeys(blobs: readonly Buffer[]): HostKey[] | null {
    const keys = new Set<HostKey>();
    for (const blob of blobs) {
      const key = this.parts.hostKeys.find((candidate) => candidate.blob.equals(blob));
      if (key !== undefined) keys.add(key);
    }
    return keys.size > 0 && keys.size === blobs.length ? [...keys] : null;
  }

  private async finishProof(keys: readonly HostKey[]): Promise<void> {
    const waiting: (() => void)[] = (this.waiting = []);
    const answer = await this.signatures(keys);
    this.waiting = null;
    this.proving = null;
    if (this.over) return;
    if (answer === null) this.refuse();
    else this.parts.control.send(messages.requestSuccess(answer));
    // One of these may be the next proof, which then holds up the rest again.
    for (const next of waiting) this.inOrder(next);
  }

  private async signatures(keys: readonly HostKey[]): Promise<Buffer[] | null> {
    const { broker, connection, negotiatedHostKey, log } = this.parts;
    const signatures: Buffer[] = [];
    try {
      for (const key of keys) {
        const algorithm = proofAlgorithm(key.algorithms, negotiatedHostKey);
        const { signature } = await broker.call('hostkey.prove', { connection, blob: key.blob, algorithm });
        signatures.push(signature);
      }
      return signatures;
    } catch (error) {
      log.error({ err: error }, 'host keys could not be proved');
      return null;
    }
  }
}

/** A proof is over the plain key, so never with a certificate's algorithm. */
export function proofAlgorithm(algorithms: readonly string[], negotiated: string): string {
  const plain = algorithms.filter((name) => !name.includes('-cert-v01@'));
  const same = negotiated.replace('-cert-v01@openssh.com', '');
  if (plain.includes(same)) return same;
  return plain.includes('rsa-sha2-512') ? 'rsa-sha2-512' : (plain[0] ?? '');
}
