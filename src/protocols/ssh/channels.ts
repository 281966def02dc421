/** All channels of one connection: opening, routing, and turns at the transport so that none starves another. */
import type { Log } from '../../base/log.ts';
import type { Session } from '../../broker/calls.ts';
import { Channel } from './channel.ts';
import type { ChannelHost } from './channel.ts';
import { RECEIVE_PACKET, RECEIVE_WINDOW } from './channel.ts';
import { decide } from './channel-requests.ts';
import type { Services } from './channel-requests.ts';
import * as messages from './connection-messages.ts';
import type { ControlSender } from './control-sender.ts';
import { ProtocolViolation } from './disconnect-reasons.ts';
import type { PacketTransport } from './packet-transport.ts';

const { CONNECTION_MESSAGE: MESSAGE, OPEN_FAILURE } = messages;

/** A peer that takes less in a packet would make us send more head than data. */
const LEAST_PEER_PACKET = 256;

const FORWARDING: ReadonlySet<string> = new Set([
  'direct-tcpip',
  'forwarded-tcpip',
  'direct-streamlocal@openssh.com',
  'forwarded-streamlocal@openssh.com',
  'x11',
  'auth-agent@openssh.com',
  'tun@openssh.com',
]);

export interface ChannelsParts {
  readonly transport: PacketTransport;
  readonly control: ControlSender;
  readonly session: Session;
  readonly services: Services;
  readonly most: number;
  readonly log: Log;
}

export class Channels implements ChannelHost {
  private readonly parts: ChannelsParts;
  private readonly open = new Map<number, Channel>();
  /** Channels that can send, in the order in which they get their turns. */
  private readonly sending = new Set<Channel>();
  private flushSoon = false;
  private blocked = false;
  private noMoreSessions = false;

  constructor(parts: ChannelsParts) {
    this.parts = parts;
  }

  /** no-more-sessions@openssh.com (OpenSSH PROTOCOL section 2.2). */
  refuseFurtherSessions(): void {
    this.noMoreSessions = true;
  }

  /** Messages 90 to 100. Throws ProtocolViolation or MalformedBytes. */
  packet(payload: Buffer): void {
    const number = payload[0] ?? 0;
    if (number === MESSAGE.CHANNEL_OPEN) {
      this.opened(messages.parseChannelOpen(payload));
      return;
    }
    const handle = ROUTES[number];
    if (handle === undefined) throw new ProtocolViolation(`message ${number} answers nothing that we asked`);
    const channel = this.open.get(messages.parseRecipient(payload));
    if (channel === undefined) throw new ProtocolViolation('message for a channel that is not open');
    handle(this, channel, payload);
  }

  /** The connection is over. */
  vanish(): void {
    for (const channel of this.open.values()) channel.vanish();
    this.open.clear();
    this.sending.clear();
  }

  get showsNotices(): boolean {
    return this.parts.transport.clientVersion.startsWith('SSH-2.0-OpenSSH_');
  }

  // ---- ChannelHost -------------------------------------------------------------------------------------------------

  send(parts: readonly Buffer[]): boolean {
    return this.parts.transport.closed || this.parts.transport.send(parts);
  }

  /** A full packet goes now; less waits for the end of this turn of the event loop, so that small answers share one. */
  ready(channel: Channel): void {
    this.sending.add(channel);
    if (this.blocked) return;
    if (channel.hasFullPacket()) this.flush('full');
    if (this.flushSoon || this.sending.size === 0) return;
    this.flushSoon = true;
    setImmediate(() => {
      this.flushSoon = false;
      this.flush('any');
    });
  }

  faulted(channel: Channel, error: unknown): void {
    this.parts.log.error({ err: error, channel: channel.local }, 'a channel failed');
    channel.abort();
  }

  /** One packet a turn, round and round, until nothing is left or the transport has enough. */
  private flush(packets: 'full' | 'any'): void {
    if (this.blocked) return;
    for (const channel of this.sending) {
      if (packets === 'full' && !channel.hasFullPacket()) continue;
      this.sending.delete(channel);
      if (!channel.canSend()) continue;
      const open = channel.sendTurn();
      // Behind the others again: a Set is walked in the order in which its members came.
      if (channel.canSend()) this.sending.add(channel);
      if (!open) {
        this.blocked = true;
        void this.unblock();
        return;
      }
    }
  }

  private async unblock(): Promise<void> {
    await this.parts.transport.drained();
    this.blocked = false;
    this.flush('any');
  }

  // ---- opening and requests ----------------------------------------------------------------------------------------

  private opened(open: messages.ChannelOpen): void {
    const refusal = this.refusal(open);
    if (refusal !== null) {
      this.parts.control.send(messages.openFailure(open.peer, refusal.reason, refusal.text));
      return;
    }
    let local = 0;
    while (this.open.has(local)) local += 1;
    this.open.set(local, new Channel(this, local, open));
    this.parts.control.send(messages.openConfirmation(open.peer, local, RECEIVE_WINDOW, RECEIVE_PACKET));
  }

  private refusal({ type, maxPacket }: messages.ChannelOpen): { reason: number; text: string } | null {
    if (FORWARDING.has(type)) {
      return { reason: OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, text: 'this server forwards nothing' };
    }
    if (type !== 'session') return { reason: OPEN_FAILURE.UNKNOWN_CHANNEL_TYPE, text: 'unknown channel type' };
    // The client asked for this protection itself: whoever now opens a session is somebody else.
    if (this.noMoreSessions) throw new ProtocolViolation('session opened after no-more-sessions');
    if (maxPacket < LEAST_PEER_PACKET) {
      return { reason: OPEN_FAILURE.ADMINISTRATIVELY_PROHIBITED, text: 'maximum packet size too small' };
    }
    if (this.open.size >= this.parts.most) {
      return { reason: OPEN_FAILURE.RESOURCE_SHORTAGE, text: `at most ${this.parts.most} channels are open at once` };
    }
    return null;
  }

  request(channel: Channel, payload: Buffer): void {
    const request = messages.parseChannelRequest(payload);
    const granted = channel.closed ? null : decide(channel, request, this.parts.services, this.parts.session);
    const reply = request.wantReply ? channel.reply(granted !== null) : null;
    if (reply !== null) this.parts.control.send(reply);
    granted?.();
  }

  close(channel: Channel, payload: Buffer): void {
    channel.close(payload);
    this.open.delete(channel.local);
    this.sending.delete(channel);
  }
}

type Route = (channels: Channels, channel: Channel, payload: Buffer) => void;

const ignored: Route = (_channels, _channel, payload) => {
  messages.parseBare(payload);
};

const ROUTES: Readonly<Record<number, Route>> = {
  [MESSAGE.CHANNEL_WINDOW_ADJUST]: (_channels, channel, payload) => {
    channel.adjust(payload);
  },
  [MESSAGE.CHANNEL_DATA]: (_channels, channel, payload) => {
    channel.data(payload);
  },
  [MESSAGE.CHANNEL_EXTENDED_DATA]: (_channels, channel, payload) => {
    channel.extendedData(payload);
  },
  [MESSAGE.CHANNEL_EOF]: (_channels, channel, payload) => {
    channel.eof(payload);
  },
  [MESSAGE.CHANNEL_CLOSE]: (channels, channel, payload) => {
    channels.close(channel, payload);
  },
  [MESSAGE.CHANNEL_REQUEST]: (channels, channel, payload) => {
    channels.request(channel, payload);
  },
  // Answers to the exit-status, which wanted none: some clients send them all the same.
  [MESSAGE.CHANNEL_SUCCESS]: ignored,
  [MESSAGE.CHANNEL_FAILURE]: ignored,
};
