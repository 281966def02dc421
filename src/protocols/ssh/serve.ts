/** Serves one accepted socket: the transport below and the connection above, joined. What a front calls. */
import type { Socket } from 'node:net';
import { USER_KEY_ALGORITHMS } from '../../sshkeys/algorithms.ts';
import type { Response } from '../../broker/calls.ts';
import { Connection } from './connection.ts';
import type { ConnectionParts } from './connection.ts';
import type { ProfileName } from './profiles.ts';
import { Transport } from './transport.ts';

export interface SshConnectionOptions extends Omit<ConnectionParts, 'configuration'> {
  /** Nothing read from it yet. */
  readonly socket: Socket;
  readonly profile: ProfileName;
  readonly configuration: Response<'hello'>;
  /** For the first KEXINIT: the broker signs no other first exchange. Random when left out. */
  readonly cookie?: Buffer;
}

export interface SshConnection {
  /** Disconnects with this text and goes through the whole end, as `onClosed` will tell. Idempotent. */
  end(reason: string): void;
}

export function serveSshConnection(options: SshConnectionOptions): SshConnection {
  const { socket, profile, configuration, broker, connection, cookie, log } = options;
  const { hostKeys, softwareVersion, limits } = configuration;
  return new Connection(options, (listener) => {
    const transport = new Transport({
      socket,
      profile,
      hostKeys,
      softwareVersion,
      limits,
      ...(cookie === undefined ? {} : { cookie }),
      serverSignatureAlgorithms: USER_KEY_ALGORITHMS,
      listener,
      sign: async (algorithm, _hash, { digest, bytes: exchange }) => {
        const { signature } = await broker.call('hostkey.sign', { connection, algorithm, digest, exchange });
        return signature;
      },
      onReady: () => {
        log.debug({ connection, client: transport.clientVersion, ...transport.negotiated }, 'keys exchanged');
      },
      onError: (error) => {
        log.error({ err: error, connection }, 'the transport failed');
      },
    });
    // Later, so that the listener is whole before it hears anything.
    queueMicrotask(() => {
      transport.start();
    });
    return transport;
  });
}
