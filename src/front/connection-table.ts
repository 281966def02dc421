/** The connections of this front, from the socket that the broker hands over to the last word about it. */
import type { Socket } from 'node:net';
import type { Log } from '../base/log.ts';
import type { BrokerCaller, HostKey, Response, Session } from '../broker/calls.ts';
import type { ByteChannel } from '../base/byte-channel.ts';
import { serveSftp } from '../protocols/sftp/server.ts';
import { serveSshConnection } from '../protocols/ssh/serve.ts';
import type { SshConnection } from '../protocols/ssh/serve.ts';
import { createSessionFiles } from '../transfer/session-files.ts';
import type { SessionFiles } from '../transfer/transfer.ts';

export interface Arrived {
  readonly connection: string;
  readonly profile: 'default' | 'legacy';
  /** For our first KEXINIT: the broker signs no other first exchange. */
  readonly cookie: string;
}

export interface TableParts {
  readonly broker: BrokerCaller;
  readonly configuration: Response<'hello'>;
  readonly log: Log;
}

interface Open {
  readonly connection: SshConnection;
  readonly over: Promise<undefined>;
}

export class ConnectionTable {
  private parts: TableParts;
  private readonly open = new Map<string, Open>();
  private stopping = false;

  constructor(parts: TableParts) {
    this.parts = parts;
  }

  take({ connection: id, profile, cookie }: Arrived, socket: Socket): void {
    const { broker, configuration, log } = this.parts;
    const over = Promise.withResolvers<undefined>();
    const files = new Set<SessionFiles>();
    const abandoned = async (): Promise<void> => {
      await Promise.all([...files].map((one) => one.abandon()));
    };
    const onClosed = (): void => {
      this.open.delete(id);
      over.resolve(undefined);
    };
    const sftp = (channel: ByteChannel, session: Session) => this.sftp(channel, session, files);
    const services = { subsystems: { sftp }, commands: {} };
    const connection = serveSshConnection({
      socket,
      profile,
      cookie: Buffer.from(cookie, 'hex'),
      connection: id,
      configuration,
      broker,
      services,
      log,
      abandoned,
      onClosed,
    });
    this.open.set(id, { connection, over: over.promise });
    if (this.stopping) connection.end('the server is stopping');
  }

  /** Connections that are open keep what they were shown. */
  changeHostKeys(hostKeys: HostKey[]): void {
    this.parts = { ...this.parts, configuration: { ...this.parts.configuration, hostKeys } };
  }

  /** The broker has ended the session. */
  end(id: string, reason: string): void {
    this.open.get(id)?.connection.end(reason);
  }

  /** Ends all connections; uploads in progress are kept for resuming. */
  async shutdown(): Promise<void> {
    this.stopping = true;
    const all = [...this.open.values()];
    for (const { connection } of all) connection.end('the server is stopping');
    await Promise.all(all.map(({ over }) => over));
  }

  private sftp(channel: ByteChannel, session: Session, all: Set<SessionFiles>) {
    const { broker, configuration, log } = this.parts;
    const { blobs, incoming, limits } = configuration;
    const files = createSessionFiles({ broker, session: session.session, blobs, incoming, log });
    all.add(files);
    const listener = serveSftp({ channel, files, session, limits, log });
    return {
      data: (chunk: Buffer) => {
        listener.data(chunk);
      },
      end: () => {
        listener.end();
      },
      close: () => {
        listener.close();
        void files.abandon().finally(() => all.delete(files));
      },
    };
  }
}
