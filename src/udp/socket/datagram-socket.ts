/**
 * One UDP socket, by whatever moves datagrams best on this machine: batches through the system's own calls (GSO, GRO),
 * or node:dgram where those cannot be had. The engine above sees only this.
 */

/** Where datagrams go to and come from. Two of the same address are one object for as long as a socket remembers it. */
export interface Peer {
  readonly address: string;
  readonly port: number;
  /** struct sockaddr of the system, of the socket's family. */
  readonly name: Buffer;
}

/** Datagrams of one peer that came together: each of `size` bytes, the last of what is left. Valid until the call returns. */
export type Arrived = (slab: Buffer, offset: number, length: number, size: number, from: Peer) => void;

export interface DatagramSocket {
  readonly backend: 'batch' | 'dgram';
  /** What it does beyond the plain, for people: "GSO, GRO". */
  readonly abilities: string;
  readonly address: string;
  readonly port: number;
  /** Datagrams are never cut in pieces on the way, so that probes of the path's MTU mean something. */
  readonly unfragmented: boolean;
  /** Most bytes that one `send` should bring. */
  readonly batchBytes: number;
  peer(address: string, port: number): Peer;
  /** Memory that `send` takes; asked for once, when the socket is new. */
  slab(bytes: number): Buffer;
  /**
   * Datagrams of `size` bytes that lie one after another in the slab, which is of `slab()`. Answers how many bytes the system took: fewer when its
   * buffer is full. A datagram that is too long for the path counts as taken: it is lost, as any may be.
   */
  send(to: Peer, slab: Buffer, offset: number, length: number, size: number): number;
  /**
   * Waits for datagrams, for `wake`, or until so many milliseconds (fractions count) are over; then tells of what is there.
   * Datagrams end no wait within the first `gather` milliseconds: they are taken together then. A backend may not do that.
   */
  receive(milliseconds: number, arrived: Arrived, gather?: number): void | Promise<void>;
  /** Ends a wait. */
  wake(): void;
  /** Eight bytes (a u64 of 1) written to this descriptor do the same, from any thread; null: there is none. */
  readonly wakeDescriptor: number | null;
  close(): void;
}
