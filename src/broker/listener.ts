/**
 * Accepts connections and hands them on unread (but for the header of a proxy that is trusted: proxy-reader.ts). Limits stand here, because here nobody can lie about where a connection
 * comes from. What is refused costs one line of text and no front.
 */
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { WaybillError } from '../base/errors.ts';
import type { Networks } from '../base/addresses.ts';
import type { Log } from '../base/log.ts';
import type { Arrival, Profile } from './connections.ts';
import { descriptorOf, readProxyHeader } from './proxy-reader.ts';
import { sourceOf } from './penalties.ts';
import type { Penalties, Startups } from './penalties.ts';

export interface ListenerParts {
  readonly host: string;
  readonly port: number;
  readonly profile: Profile;
  readonly startups: Startups;
  /** Null when the operator has turned them off. */
  readonly penalties: Penalties | null;
  readonly log: Log;
  /** Whose word on the client's address counts (PROXY protocol). */
  readonly proxies?: Networks;
  /** It listens; a moment later it accepts. */
  readonly opened?: (descriptor: number) => void;
  /** Whether the server holds all the connections that it may. */
  full(): boolean;
  /** False when nobody can take it now. */
  give(socket: Socket, arrival: Arrival): boolean;
}

// A backlog for bursts; what is beyond it the system makes wait.
const BACKLOG = 1024;
/** Connections of proxies that have not said whom they are for. */
const PROXIED_MAX = 1024;

export class Listener {
  private readonly parts: ListenerParts;
  private readonly server: Server;
  /** Whose header is being waited for. */
  private proxied = 0;

  constructor(parts: ListenerParts) {
    this.parts = parts;
    this.server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      this.accept(socket);
    });
  }

  async listen(): Promise<{ host: string; port: number }> {
    const { host, port } = this.parts;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', (cause) => {
        reject(listenFailure(this.parts.profile === 'https' ? 'https' : 'sftp', host, port, cause));
      });
      this.server.listen({ host, port, backlog: BACKLOG }, resolve);
    });
    this.server.removeAllListeners('error');
    // Out of descriptors, for example: the listener stays, the next accept may succeed.
    this.server.on('error', (err) => {
      this.parts.log.error({ err }, 'a connection could not be accepted');
    });
    const descriptor = descriptorOf(this.server);
    if (descriptor !== null) this.parts.opened?.(descriptor);
    const bound = this.server.address() as AddressInfo;
    return { host: bound.address, port: bound.port };
  }

  /** No further connection is accepted; those handed on live in their fronts. */
  close(): void {
    this.server.close();
  }

  private accept(socket: Socket): void {
    const { remoteAddress, remotePort } = socket;
    // Gone before it was looked at.
    if (remoteAddress === undefined || remotePort === undefined) {
      socket.destroy();
      return;
    }
    if (this.parts.proxies?.contains(remoteAddress) === true)
      void this.acceptProxied(socket, remoteAddress, remotePort);
    else this.admit(socket, remoteAddress, remotePort);
  }

  /** From a proxy that the operator trusts: the client is who it says, and without a word from it there is none. */
  private async acceptProxied(socket: Socket, remoteAddress: string, remotePort: number): Promise<void> {
    const gone = (): void => undefined;
    socket.on('error', gone);
    if (this.proxied >= PROXIED_MAX) {
      socket.destroy();
      return;
    }
    this.proxied++;
    const header = await readProxyHeader(socket).finally(() => {
      this.proxied--;
    });
    socket.off('error', gone);
    if (header === null) {
      this.parts.log.info({ address: remoteAddress }, 'a trusted proxy sent no PROXY header that could be read');
      socket.destroy();
      return;
    }
    const { address, port } = header.client ?? { address: remoteAddress, port: remotePort };
    this.admit(socket, address, port);
  }

  private admit(socket: Socket, remoteAddress: string, remotePort: number): void {
    const { startups, penalties, profile } = this.parts;
    const source = sourceOf(remoteAddress);
    if (penalties?.refuses(source, Date.now()) === true) {
      refuse(socket, profile, 'Not allowed at this time');
    } else if (this.parts.full() || !startups.enter(source)) {
      penalties?.add(source, 'crowding', Date.now());
      refuse(socket, profile, 'Exceeded MaxStartups');
    } else {
      const address = remoteAddress.replace(/^::ffff:(?=\d+\.)/i, '');
      if (this.parts.give(socket, { address, port: remotePort, source, profile })) return;
      startups.leave(source);
      refuse(socket, profile, 'The server is starting, try again');
    }
  }
}

/**
 * RFC 4253 section 4.2 lets a server send lines before its version; people see this one in their client. A client of
 * TLS could make nothing of it.
 */
function refuse(socket: Socket, profile: Profile, text: string): void {
  socket.on('error', () => undefined);
  if (profile === 'https') {
    socket.destroy();
    return;
  }
  socket.end(`${text}\r\n`, () => {
    socket.destroy();
  });
}

function listenFailure(option: string, host: string, port: number, cause: NodeJS.ErrnoException): WaybillError {
  const where = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  if (cause.code === 'EADDRINUSE') return new WaybillError('address-in-use', `${where} is taken`, { cause });
  return new WaybillError('option-invalid', `--${option} ${where} cannot be used (${cause.code ?? cause.message})`, {
    cause,
  });
}
