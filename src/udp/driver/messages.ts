/**
 * What the thread of a socket and the thread of its user say to each other. The bytes of streams do not travel here: they
 * lie in a ring that both threads see (block-ring.ts), and these say how far it is filled or free.
 */
import type { PolicyName } from '../congestion/make.ts';
import type { CloseReason, Paused } from '../wire/control.ts';

export interface SocketOptions {
  readonly address: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly backend: 'best' | 'dgram';
}

/** What the thread is started with. */
export type ThreadStart = SocketOptions & {
  /** Counts the messages to the thread (Int32), each after it was posted: to ask for messages costs more than to look here. */
  readonly posted: SharedArrayBuffer;
};

/** What came of it, for people. */
export interface SocketDescription {
  readonly address: string;
  readonly port: number;
  readonly backend: 'batch' | 'dgram';
  readonly abilities: string;
  readonly cipher: string;
  /** Why not the faster ones; null when nothing was left out. */
  readonly without: string | null;
}

export interface OpenStream {
  readonly stream: number;
  readonly role: 'send' | 'receive';
  readonly side: 'client' | 'server';
  readonly secret: Uint8Array;
  readonly connectionId: Uint8Array;
  readonly ring: SharedArrayBuffer;
  /** The stream's length in bytes. */
  readonly end: number;
  /** Where the peer is, when that is known: the client's side. */
  readonly peer: { readonly address: string; readonly port: number } | null;
  /** Of the peer's control channel, whose handshake has proven it; null: not known. */
  readonly peerAddress?: string | null;
  readonly policy: PolicyName;
  /** Bytes per microsecond; null: none. */
  readonly rateLimit: number | null;
  /** Microseconds; null: not known. */
  readonly rttGuess: number | null;
}

export type ToSocket =
  | ({ readonly kind: 'open' } & OpenStream)
  /** send: the ring is filled below this offset. */
  | { readonly kind: 'filled'; readonly stream: number; readonly below: number }
  /** receive: the user has done with everything below this offset. */
  | { readonly kind: 'taken'; readonly stream: number; readonly below: number }
  | { readonly kind: 'pause'; readonly stream: number; readonly paused: Paused | null }
  | { readonly kind: 'end'; readonly stream: number; readonly reason: CloseReason; readonly text: string }
  /** `within`: microseconds that goodbyes may take. */
  | { readonly kind: 'stop'; readonly within: number };

export interface StreamFigures {
  /** Of the stream: acknowledged by the receiver, or arrived. */
  readonly bytes: number;
  /** Everything that went out and came in, headers and repeats included. */
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly resentBytes: number;
  /** Microseconds; null: not measured yet. */
  readonly roundTrip: number | null;
  /** Share that the link loses by itself, as far as it is known. */
  readonly loss: number | null;
  /** Of congestion control, for people who look. */
  readonly phase: string | null;
  /** Bytes per microsecond that congestion control allows. */
  readonly pacing: number | null;
}

export interface StreamEnd {
  readonly reason: CloseReason;
  readonly text: string;
  readonly by: 'us' | 'peer';
}

export type FromSocket =
  | ({ readonly kind: 'ready'; readonly wakeDescriptor: number | null } & SocketDescription)
  | { readonly kind: 'failed'; readonly message: string }
  /** send: the receiver has everything below. receive: everything below has arrived, and lies in the ring. */
  | { readonly kind: 'reached'; readonly stream: number; readonly below: number }
  | { readonly kind: 'paused'; readonly stream: number; readonly paused: Paused | null }
  | { readonly kind: 'figures'; readonly stream: number; readonly figures: StreamFigures }
  | { readonly kind: 'ended'; readonly stream: number; readonly end: StreamEnd; readonly figures: StreamFigures };
