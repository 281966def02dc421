/** One Peer for one address, so that most datagrams cost a comparison of bytes and nothing else. Bounded: anybody can send. */
import type { Peer } from './datagram-socket.ts';

const REMEMBERED = 4096;

export class PeerNames {
  private readonly make: (name: Buffer) => Peer;
  private readonly known = new Map<string, Peer>();
  private last: Peer | null = null;

  constructor(make: (name: Buffer) => Peer) {
    this.make = make;
  }

  /** `name` may be overwritten afterwards. */
  of(name: Buffer): Peer {
    if (this.last?.name.equals(name) === true) return this.last;
    const key = name.toString('latin1');
    const found = this.known.get(key) ?? this.make(Buffer.from(name));
    // The one that was heard of the longest ago goes first.
    this.known.delete(key);
    this.known.set(key, found);
    if (this.known.size > REMEMBERED) for (const oldest of this.known.keys()) return this.forget(oldest, found);
    this.last = found;
    return found;
  }

  private forget(oldest: string, found: Peer): Peer {
    this.known.delete(oldest);
    this.last = found;
    return found;
  }
}
