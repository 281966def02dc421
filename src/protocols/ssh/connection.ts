/**
 * One client's connection above the transport: sign-in first, then channels. Everything that a peer may do wrong comes
 * together in `packet`, which ends the connection; everything that has to happen at an end comes together in `closed`.
 */
import { MalformedBytes } from '../../base/bytes.ts';
import type { Log } from '../../base/log.ts';
import type { BrokerCaller, Response, Session } from '../../broker/calls.ts';
import { AUTHENTICATION_MESSAGE, parseServiceRequest, serviceAccept } from './authentication-messages.ts';
import { Authentication, isServerOnly } from './authentication.ts';
import { Channels } from './channels.ts';
import type { Services } from './channel-requests.ts';
import { CONNECTION_MESSAGE, globalRequest, unimplemented } from './connection-messages.ts';
import { ControlSender } from './control-sender.ts';
import { DISCONNECT, ProtocolViolation } from './disconnect-reasons.ts';
import { GlobalRequests } from './global-requests.ts';
import { Liveness } from './liveness.ts';
import type { PacketListener, PacketTransport } from './packet-transport.ts';

/** How long a session's own work (uploads in progress that have to reach the disk) may hold up its end. */
const ABANDON_MILLISECONDS = 30_000;

/** Below 50, where the numbers of the transport lie. */
const AUTHENTICATION_NUMBERS: ReadonlySet<number> = new Set([
  AUTHENTICATION_MESSAGE.SERVICE_REQUEST,
  AUTHENTICATION_MESSAGE.SERVICE_ACCEPT,
]);

export type Offence = 'none' | 'grace' | 'protocol';

export interface ConnectionParts {
  /** The broker's name for this connection. */
  readonly connection: string;
  readonly configuration: Pick<Response<'hello'>, 'hostKeys' | 'limits' | 'banner'>;
  readonly broker: BrokerCaller;
  readonly services: Services;
  readonly log: Log;
  /**
   * Called when the connection is over and every subsystem has been told, before the broker hears of the end: what a
   * session still has to say to the broker, it says here. Not awaited for longer than half a minute.
   */
  readonly abandoned?: (() => Promise<void>) | undefined;
  /** The very last thing. */
  readonly onClosed: (reason: string, offence: Offence) => void;
}

interface SignedIn {
  readonly channels: Channels;
  readonly globals: GlobalRequests;
}

export class Connection implements PacketListener {
  private readonly parts: ConnectionParts;
  private readonly transport: PacketTransport;
  private readonly control: ControlSender;
  private readonly authentication: Authentication;
  private readonly grace: NodeJS.Timeout;
  private signedIn: SignedIn | null = null;
  private liveness: Liveness | null = null;
  /** What this side found wrong, if it was this side that ended the connection. */
  private verdict: { readonly reason: string; readonly offence: Offence } | null = null;
  private over = false;

  /** `connect` makes the transport over this listener; no packet comes before it has returned. */
  constructor(parts: ConnectionParts, connect: (listener: PacketListener) => PacketTransport) {
    this.parts = parts;
    this.grace = setTimeout(() => {
      this.leave(DISCONNECT.BY_APPLICATION, 'login grace time exceeded', 'grace');
    }, parts.configuration.limits.loginGraceSeconds * 1000);
    this.grace.unref();
    this.transport = connect(this);
    this.control = new ControlSender(this.transport);
    this.authentication = new Authentication({
      connection: parts.connection,
      broker: parts.broker,
      banner: parts.configuration.banner,
      send: (payload) => {
        this.control.send(payload);
      },
      succeeded: (session) => {
        this.succeeded(session);
      },
      refused: (reason) => {
        this.leave(DISCONNECT.NO_MORE_AUTH_METHODS, reason, 'none');
      },
      failed: (error) => {
        this.failed(error);
      },
    });
  }

  /** The broker or the operator ends it. */
  end(reason: string): void {
    this.leave(DISCONNECT.BY_APPLICATION, reason, 'none');
  }

  // ---- PacketListener ----------------------------------------------------------------------------------------------

  packet(payload: Buffer): void {
    if (this.over || this.verdict !== null) return;
    this.liveness?.hear();
    try {
      const number = payload[0] ?? 0;
      if (this.signedIn === null) this.beforeSignIn(number, payload);
      else this.afterSignIn(this.signedIn, number, payload);
    } catch (error) {
      this.failed(error);
    }
  }

  closed(reason: string, offence: 'none' | 'protocol'): void {
    if (this.over) return;
    this.over = true;
    clearTimeout(this.grace);
    this.liveness?.stop();
    this.authentication.stop();
    this.signedIn?.globals.stop();
    this.signedIn?.channels.vanish();
    const verdict = this.verdict ?? { reason, offence };
    void this.finish(verdict.reason.slice(0, 200), verdict.offence);
  }

  // ---- routing -----------------------------------------------------------------------------------------------------

  private beforeSignIn(number: number, payload: Buffer): void {
    if (number >= CONNECTION_MESSAGE.GLOBAL_REQUEST) {
      throw new ProtocolViolation(`message ${number} before sign-in`);
    }
    if (AUTHENTICATION_NUMBERS.has(number) || number >= AUTHENTICATION_MESSAGE.REQUEST) {
      this.authentication.packet(payload);
    } else {
      this.unknown();
    }
  }

  private afterSignIn({ channels, globals }: SignedIn, number: number, payload: Buffer): void {
    if (number >= CONNECTION_MESSAGE.CHANNEL_OPEN && number <= CONNECTION_MESSAGE.CHANNEL_FAILURE) {
      channels.packet(payload);
    } else if (number === CONNECTION_MESSAGE.GLOBAL_REQUEST) {
      globals.packet(payload);
    } else if (number === CONNECTION_MESSAGE.REQUEST_SUCCESS || number === CONNECTION_MESSAGE.REQUEST_FAILURE) {
      // The answer to a probe of ours; that it came is all that it says.
    } else if (number === AUTHENTICATION_MESSAGE.REQUEST) {
      // RFC 4252 section 5.1: silently ignored.
    } else if (number === AUTHENTICATION_MESSAGE.SERVICE_REQUEST) {
      this.connectionService(parseServiceRequest(payload));
    } else if (isServerOnly(number)) {
      throw new ProtocolViolation(`message ${number} is for a server to send`);
    } else {
      this.unknown();
    }
  }

  /** The service runs already; some clients ask for it all the same. */
  private connectionService(service: string): void {
    if (service !== 'ssh-connection') {
      throw new ProtocolViolation('service not available', DISCONNECT.SERVICE_NOT_AVAILABLE);
    }
    this.control.send(serviceAccept(service));
  }

  private unknown(): void {
    this.control.send(unimplemented(this.transport.incomingSequence));
  }

  // ---- states ------------------------------------------------------------------------------------------------------

  private succeeded(session: Session): void {
    if (this.over) return;
    clearTimeout(this.grace);
    const { transport, control, parts } = this;
    const { configuration, log, services, broker, connection } = parts;
    const { limits, hostKeys } = configuration;
    transport.signedIn();
    const channels = new Channels({ transport, control, session, services, most: limits.channelsPerConnection, log });
    const globals = new GlobalRequests({
      connection,
      broker,
      hostKeys,
      negotiatedHostKey: transport.negotiated.hostKey,
      control,
      log,
      noMoreSessions: () => {
        channels.refuseFurtherSessions();
      },
    });
    this.signedIn = { channels, globals };
    globals.announceHostKeys(transport.clientVersion);
    if (limits.idleSeconds > 0) this.liveness = this.watch(limits.idleSeconds);
  }

  private watch(seconds: number): Liveness {
    return new Liveness(
      seconds,
      () => {
        this.control.send(globalRequest('keepalive@openssh.com', true, []));
      },
      () => {
        this.leave(DISCONNECT.BY_APPLICATION, 'the client does not answer', 'none');
      },
    );
  }

  private failed(error: unknown): void {
    if (error instanceof ProtocolViolation) this.leave(error.reason, error.message, 'protocol');
    else if (error instanceof MalformedBytes) this.leave(DISCONNECT.PROTOCOL_ERROR, 'malformed message', 'protocol');
    else {
      this.parts.log.error({ err: error, connection: this.parts.connection }, 'a connection failed');
      this.leave(DISCONNECT.BY_APPLICATION, 'internal error', 'none');
    }
  }

  private leave(code: number, reason: string, offence: Offence): void {
    if (this.over || this.verdict !== null) return;
    this.verdict = { reason, offence };
    this.transport.disconnect(code, reason);
  }

  /** The order matters: subsystems have been told, their last calls get through, then the broker ends the session. */
  private async finish(reason: string, offence: Offence): Promise<void> {
    const { broker, connection, log, onClosed } = this.parts;
    try {
      await this.authentication.settled();
      await this.signedIn?.globals.settled();
      await this.abandon();
      await broker.call('connection.closed', { connection, reason, offence });
    } catch (error) {
      log.error({ err: error, connection }, 'the end of a connection could not be reported');
    }
    onClosed(reason, offence);
  }

  private async abandon(): Promise<void> {
    const { abandoned, log, connection } = this.parts;
    if (abandoned === undefined) return;
    const late = Promise.withResolvers<undefined>();
    const timer = setTimeout(() => {
      late.resolve(undefined);
    }, ABANDON_MILLISECONDS);
    try {
      // Listeners hear of the end in a microtask of their own; what they start is there once those have run.
      await Promise.resolve();
      await Promise.race([abandoned(), late.promise]);
    } catch (error) {
      log.error({ err: error, connection }, 'a session could not be given up in order');
    } finally {
      clearTimeout(timer);
    }
  }
}
