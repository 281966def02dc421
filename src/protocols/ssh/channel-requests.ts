/**
 * What a client may ask of a session channel: a table. A request that has no row is refused; there is no shell, no
 * terminal, no environment, no forwarding and no agent behind this server, so there is nothing to configure away.
 */
import type { ByteChannel, ByteChannelListener } from '../../base/byte-channel.ts';
import type { Session } from '../../broker/calls.ts';
import type { Channel } from './channel.ts';
import * as messages from './connection-messages.ts';

export type StartSubsystem = (channel: ByteChannel, session: Session) => ByteChannelListener;
/** `command` is the whole text that the client gave; it is never handed to an interpreter. */
export type StartCommand = (channel: ByteChannel, session: Session, command: string) => ByteChannelListener;

export interface Services {
  readonly subsystems: Readonly<Record<string, StartSubsystem>>;
  /** By the first word of the command. Empty by default: `scp -O` and remote checksums are not served. */
  readonly commands: Readonly<Record<string, StartCommand>>;
}

/** The words that OpenSSH has for the same refusal, so that people and scripts recognise it. */
const SFTP_ONLY = 'This service allows sftp connections only.\r\n';

/** What a granted request does once its CHANNEL_SUCCESS is out; null refuses it. */
type Granted = () => void;
type Row = (channel: Channel, rest: Buffer, services: Services, session: Session) => Granted | null;

const ROWS: Readonly<Record<string, Row>> = {
  subsystem(channel, rest, { subsystems }, session) {
    const name = messages.parseSubsystem(rest);
    const start = own(subsystems, name);
    if (channel.started || start === undefined) return null;
    return serve(channel, (bytes) => start(bytes, session));
  },
  exec(channel, rest, { commands }, session) {
    const command = messages.parseCommand(rest);
    const start = own(commands, command.split(' ', 1)[0] ?? '');
    if (channel.started) return null;
    return start === undefined ? explain(channel) : serve(channel, (bytes) => start(bytes, session, command));
  },
  shell: (channel) => (channel.started ? null : explain(channel)),
  /** OpenSSH's "I read no more of your output": allowed, and what follows is the client's CLOSE. */
  'eow@openssh.com': () => () => undefined,
};

/**
 * Decides one request. Returns whether it is granted and what then runs; the caller answers first, so that the
 * answer stands before everything that a subsystem writes.
 */
export function decide(
  channel: Channel,
  request: messages.ChannelRequest,
  services: Services,
  session: Session,
): Granted | null {
  const row = own(ROWS, request.name);
  return row === undefined ? null : row(channel, request.rest, services, session);
}

function serve(channel: Channel, start: (bytes: ByteChannel) => ByteChannelListener): Granted {
  channel.started = true;
  return () => {
    channel.run(start);
  };
}

/** Granted and ended at once: a refusal of the request itself would show no text to the person who waits. */
function explain(channel: Channel): Granted {
  channel.started = true;
  return () => {
    channel.writeStderr(SFTP_ONLY);
    channel.end(1);
  };
}

function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
