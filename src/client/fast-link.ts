/** The client's end of fast transfers: one UDP socket for as long as the command runs, and what the control channel says. */
import type { DownloadItem, TransferTicket, UploadItem } from '../api/transfers.ts';
import type { TransferState } from '../api/transfers.ts';
import { FastSocket } from '../udp/driver/fast-socket.ts';
import type { ReceivingStream, SendingStream, StreamListener, StreamOptions } from '../udp/driver/fast-socket.ts';
import type { SocketDescription } from '../udp/driver/messages.ts';

export type Policy = 'fair' | 'low' | 'high' | 'fixed';

export interface Pace {
  readonly policy: Policy;
  /** Bits per second. */
  readonly rate: number | null;
  /** Bytes on the way; null: see `windowOf`. */
  readonly window: number | null;
}

const MiB = 2 ** 20;
const WINDOW_LEAST = 32 * MiB;
/** Both ends hold so much memory; for more somebody has to ask. */
const WINDOW_MOST = 128 * MiB;
/** Bits per second that are reckoned with where no limit is named. */
const RATE_MOST = 1e9;
/** A byte that is lost twice holds what follows it for three of them, and its acknowledgement travels, too. */
const ROUND_TRIPS = 5;

/** `roundTrip`: milliseconds; null: not known. */
export function windowOf({ window, rate }: Pace, roundTrip: number | null): number {
  if (window !== null) return window;
  const bytes = (Math.min(rate ?? RATE_MOST, RATE_MOST) / 8) * ((roundTrip ?? 0) / 1000) * ROUND_TRIPS;
  return Math.min(WINDOW_MOST, Math.max(WINDOW_LEAST, Math.ceil(bytes / MiB) * MiB));
}

/** The control channel: the HTTPS API of one server, as one account. Rejects with WaybillError. */
export interface Control {
  /** Resolves when a transfer can begin without waiting for the server to open its port. */
  ready(): Promise<void>;
  /** Milliseconds; null: not known yet. */
  readonly roundTrip: number | null;
  beginDownload(files: readonly DownloadItem[], pace: Pace): Promise<TransferTicket>;
  beginUpload(files: readonly UploadItem[], pace: Pace): Promise<TransferTicket>;
  state(transfer: string, waitSeconds: number): Promise<TransferState>;
  end(transfer: string): Promise<void>;
  /** Where its host is, as a numeric address; null: the host of the API. */
  readonly address: (host: string | null) => Promise<string>;
}

const BITS_PER_BYTE_MICROSECOND = 8e6;

export class FastLink {
  readonly control: Control;
  readonly description: SocketDescription;
  private readonly socket: FastSocket;

  private constructor(control: Control, socket: FastSocket) {
    this.control = control;
    this.socket = socket;
    this.description = socket.description;
  }

  static async open(control: Control, backend: 'best' | 'dgram'): Promise<FastLink> {
    const address = (await control.address(null)).includes(':') ? '::' : '0.0.0.0';
    return new FastLink(control, await FastSocket.open({ address, port: 0, backend }));
  }

  async receive(ticket: TransferTicket, pace: Pace, listener: StreamListener): Promise<ReceivingStream> {
    return this.socket.receive(await this.optionsOf(ticket, pace), listener);
  }

  async send(ticket: TransferTicket, pace: Pace, listener: StreamListener): Promise<SendingStream> {
    return this.socket.send(await this.optionsOf(ticket, pace), listener);
  }

  /** `milliseconds`: how long goodbyes may take; as long as they need when left out. */
  async close(milliseconds?: number): Promise<void> {
    await this.socket.close(milliseconds);
  }

  private async optionsOf(ticket: TransferTicket, pace: Pace): Promise<StreamOptions> {
    const { policy, rate } = pace;
    const { roundTrip } = this.control;
    return {
      side: 'client',
      secret: Buffer.from(ticket.secret, 'base64url'),
      connectionId: Buffer.from(ticket.connection, 'base64url'),
      end: ticket.length,
      peer: { address: await this.control.address(ticket.host), port: ticket.port },
      policy,
      rateLimit: rate === null ? null : rate / BITS_PER_BYTE_MICROSECOND,
      rttGuess: roundTrip === null ? null : roundTrip * 1000,
      window: windowOf(pace, roundTrip),
    };
  }
}
