/** The connections of this front, from the socket that the broker hands over to the last word about it. */
import type { Socket } from 'node:net';
import type { Log } from '../base/log.ts';
import type { BrokerCaller, Response, Session } from '../broker/calls.ts';
import type { ByteChannel } from '../base/byte-channel.ts';
import { serveSftp } from '../protocols/sftp/server.ts';
import { Connection } from '../protocols/ssh/connection.ts';
import { Transport } from '../protocols/ssh/transport.ts';
import { USER_KEY_ALGORITHMS } from '../sshkeys/algorithms.ts';
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
  readonly connection: Connection;
  readonly over: Promise<undefined>;
}

export class ConnectionTable {
  private readonly parts: TableParts;
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
    let transport: Transport | null = null;
    const connection = new Connection(
      { connection: id, configuration, broker, services, log, abandoned, onClosed },
      (listener) => {
        transport = new Transport({
          socket,
          hostKeys: configuration.hostKeys,
          softwareVersion: configuration.softwareVersion,
          limits: configuration.limits,
          profile,
          cookie: Buffer.from(cookie, 'hex'),
          sign: async (algorithm, _hash, { digest, bytes: exchange }) =>
            (await broker.call('hostkey.sign', { connection: id, algorithm, digest, exchange })).signature,
          serverSignatureAlgorithms: USER_KEY_ALGORITHMS,
          listener,
          onError: (err) => {
            log.error({ connection: id, err }, 'a transport failed');
          },
        });
        return transport;
      },
    );
    this.open.set(id, { connection, over: over.promise });
    (transport as Transport | null)?.start();
    if (this.stopping) connection.end('the server is stopping');
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
