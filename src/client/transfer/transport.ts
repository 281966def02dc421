/** What every transfer of a command shares: the server, the way that bytes go, and who is told. */
import type { Control, FastLink, Pace } from '../fast-link.ts';
import type { RemoteFiles } from '../remote/files.ts';

/** One line each for scripts (docs/transfer.md); people are told the same in words. */
export type TransferEvent =
  | { readonly event: 'start'; readonly direction: 'get' | 'put'; readonly files: number; readonly bytes: number }
  | { readonly event: 'way'; readonly way: Way; readonly detail: string }
  | { readonly event: 'step'; readonly step: Step; readonly at: number }
  | ({ readonly event: 'progress' } & Figures)
  | { readonly event: 'held'; readonly reference: string }
  | { readonly event: 'released' }
  | { readonly event: 'fallback'; readonly host: string; readonly port: number | null; readonly why: string }
  | { readonly event: 'retry'; readonly code: string; readonly message: string; readonly seconds: number }
  | { readonly event: 'file'; readonly path: string; readonly local: string; readonly bytes: number }
  | { readonly event: 'resumed'; readonly path: string; readonly local: string; readonly bytes: number }
  | {
      readonly event: 'skipped';
      readonly name: string;
      readonly code: string | null;
      readonly message: string;
    }
  | { readonly event: 'removed'; readonly name: string }
  | {
      readonly event: 'done';
      readonly files: number;
      readonly bytes: number;
      readonly seconds: number;
      readonly way: Way;
    };

export type Way = 'udp' | 'https';

/** Where a transfer's time goes besides its bytes; `at` is in milliseconds since the process began. */
export type Step =
  | 'begin'
  | 'account'
  | 'socket'
  | 'ticket'
  | 'first-word'
  | 'all-in-stream'
  | 'all-there'
  | 'durable'
  | 'socket-closed';

export interface Figures {
  readonly way: Way;
  readonly files: number;
  readonly ofFiles: number;
  readonly bytes: number;
  readonly ofBytes: number;
  /** Bits per second, of the last seconds. */
  readonly rate: number;
  /** Share that the link loses; null: not known at this end. */
  readonly loss: number | null;
  /** Milliseconds. */
  readonly roundTrip: number | null;
  /** Seconds; null: nobody knows. */
  readonly left: number | null;
}

export interface Transport {
  readonly remote: RemoteFiles;
  readonly control: Control;
  /** One for the command, opened before it is wanted; whoever runs the command closes it. */
  readonly openLink: () => Promise<FastLink>;
  readonly pace: Pace;
  /** any: UDP, and HTTPS where that does not get through. */
  readonly ways: 'any' | Way;
  readonly tell: (event: TransferEvent) => void;
  readonly signal: AbortSignal;
  /** A hold is waited for. */
  readonly waits: boolean;
  /** Milliseconds without anything new before it is given up. */
  readonly patience: number;
  /** Milliseconds without a datagram from the server, in the middle. */
  readonly silence: number;
  readonly server: URL;
  readonly account: string;
  readonly cache: string;
}

/** Ctrl-C. */
export class Interrupted extends Error {}

export function step({ tell }: Pick<Transport, 'tell'>, name: Step): void {
  tell({ event: 'step', step: name, at: Math.round(performance.now()) });
}
