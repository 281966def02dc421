/** A transport, a broker and a subsystem that record what they are told, so that the layers between can be driven message by message. */
import { setImmediate as turn } from 'node:timers/promises';
import { ByteReader, ByteWriter } from '../../../src/base/bytes.ts';
import type { ByteChannel, ByteChannelListener } from '../../../src/base/byte-channel.ts';
import { SILENT } from '../../../src/base/log.ts';
import type { BrokerCaller, FrontCallName, Request, Response, Session } from '../../../src/broker/calls.ts';
import { Connection } from '../../../src/protocols/ssh/connection.ts';
import type { ConnectionParts, Offence } from '../../../src/protocols/ssh/connection.ts';
import type { PacketListener, PacketTransport } from '../../../src/protocols/ssh/packet-transport.ts';

export const CONNECTION_ID = '0123456789abcdef0123456789abcdef';

export const SESSION: Session = {
  session: 'f'.repeat(32),
  login: 'ada',
  tenant: 'bank',
  account: 'ada',
  home: '/in',
};

export const HOST_KEYS = [
  { algorithms: ['ssh-ed25519'], blob: Buffer.from('ed25519 blob'), certificate: null },
  { algorithms: ['rsa-sha2-256', 'rsa-sha2-512'], blob: Buffer.from('rsa blob'), certificate: null },
];

export const LIMITS: Response<'hello'>['limits'] = {
  loginGraceSeconds: 60,
  rekeyBytes: 1 << 30,
  rekeySeconds: 3600,
  channelsPerConnection: 4,
  handlesPerSession: 16,
  idleSeconds: 0,
};

export class FakeTransport implements PacketTransport {
  readonly sessionId = Buffer.alloc(32, 7);
  readonly clientVersion = 'SSH-2.0-OpenSSH_9.2';
  readonly negotiated = { kex: 'k', hostKey: 'ssh-ed25519', cipherIn: 'c', cipherOut: 'c', macIn: '', macOut: '' };
  readonly incomingSequence = 42;
  closed = false;
  /** Payloads, joined, in order. */
  readonly sent: Buffer[] = [];
  /** The parts of each, as they came. */
  readonly sentParts: (readonly Buffer[])[] = [];
  disconnected: { reason: number; text: string } | null = null;
  isSignedIn = false;
  paused = 0;
  /** False makes `send` tell that the queue is over its bound. */
  open = true;
  private readonly waiting: (() => void)[] = [];
  private readonly listener: PacketListener;

  constructor(listener: PacketListener) {
    this.listener = listener;
  }

  send(parts: readonly Buffer[]): boolean {
    this.sentParts.push(parts);
    this.sent.push(Buffer.concat(parts));
    return this.open;
  }

  drained(): Promise<void> {
    if (this.open || this.closed) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  reopen(): void {
    this.open = true;
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  pauseReading(): void {
    this.paused += 1;
  }

  resumeReading(): void {
    this.paused -= 1;
  }

  disconnect(reason: number, text: string): void {
    if (this.closed) return;
    this.disconnected = { reason, text };
    this.lose();
  }

  /** The socket is gone. */
  lose(offence: 'none' | 'protocol' = 'none'): void {
    if (this.closed) return;
    this.closed = true;
    this.reopen();
    this.listener.closed('lost', offence);
  }

  signedIn(): void {
    this.isSignedIn = true;
  }
}

type Handler<N extends FrontCallName> = (request: Request<N>) => Response<N> | Promise<Response<N>>;
export type Handlers = { [N in FrontCallName]?: Handler<N> };

export const REFUSAL = { result: 'failure' as const, methods: ['publickey', 'password'], partial: false };
export const WELCOME = { result: 'success' as const, session: SESSION };

export class FakeBroker implements BrokerCaller {
  /** Buffers copied: the front may wipe its own. */
  readonly calls: { name: FrontCallName; request: Record<string, unknown> }[] = [];
  readonly handlers: Handlers;
  atOnce = 0;
  mostAtOnce = 0;

  constructor(handlers: Handlers) {
    this.handlers = { 'signin.none': () => REFUSAL, 'connection.closed': () => ({}), ...handlers };
  }

  async call<N extends FrontCallName>(name: N, request: Request<N>): Promise<Response<N>> {
    this.calls.push({ name, request: structuredCopy(request) as Record<string, unknown> });
    this.mostAtOnce = Math.max(this.mostAtOnce, ++this.atOnce);
    try {
      const handler = this.handlers[name];
      if (handler === undefined) throw new Error(`the test expects no call of ${name}`);
      return await handler(request);
    } finally {
      this.atOnce -= 1;
    }
  }

  names(): FrontCallName[] {
    return this.calls.map((call) => call.name);
  }
}

function structuredCopy(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(structuredCopy);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, structuredCopy(item)]));
}

export class RecordingSubsystem implements ByteChannelListener {
  readonly events: string[] = [];
  readonly chunks: Buffer[] = [];
  readonly channel: ByteChannel;
  onData: (chunk: Buffer) => void = () => undefined;

  constructor(channel: ByteChannel) {
    this.channel = channel;
  }

  data(chunk: Buffer): void {
    this.events.push(`data ${chunk.length}`);
    this.chunks.push(chunk);
    this.onData(chunk);
  }

  end(): void {
    this.events.push('end');
  }

  close(): void {
    this.events.push('close');
  }
}

export interface Harness {
  readonly transport: FakeTransport;
  readonly broker: FakeBroker;
  readonly connection: Connection;
  readonly subsystems: RecordingSubsystem[];
  readonly logged: string[];
  readonly closed: Promise<{ reason: string; offence: Offence }>;
  /** Delivers one message and lets everything it starts run. */
  deliver(payload: Buffer): Promise<void>;
}

export function harness(handlers: Handlers = {}, overrides: Partial<ConnectionParts> = {}): Harness {
  const broker = new FakeBroker(handlers);
  const subsystems: RecordingSubsystem[] = [];
  const logged: string[] = [];
  const closed = Promise.withResolvers<{ reason: string; offence: Offence }>();
  let transport: FakeTransport | undefined;
  const connection = new Connection(
    {
      connection: CONNECTION_ID,
      configuration: { hostKeys: HOST_KEYS, limits: LIMITS, banner: null },
      broker,
      services: {
        subsystems: {
          sftp: (channel) => {
            const subsystem = new RecordingSubsystem(channel);
            subsystems.push(subsystem);
            return subsystem;
          },
        },
        commands: {},
      },
      log: { ...SILENT, error: (_fields, text) => void logged.push(text) },
      onClosed: (reason, offence) => {
        closed.resolve({ reason, offence });
      },
      ...overrides,
    },
    (listener) => (transport = new FakeTransport(listener)),
  );
  if (transport === undefined) throw new Error('no transport made');
  return {
    transport,
    broker,
    connection,
    subsystems,
    logged,
    closed: closed.promise,
    async deliver(payload) {
      connection.packet(payload);
      await settle();
    },
  };
}

/** Promises and the end of this turn of the event loop, twice: what a message starts may start something itself. */
export async function settle(): Promise<void> {
  await turn();
  await turn();
}

export const text = (value: string): Buffer => Buffer.from(value, 'utf8');

export const request = {
  service: (name: string) => new ByteWriter().u8(5).string(name).finish(),
  auth: (user: string, method: string, fields: Buffer = Buffer.alloc(0), service = 'ssh-connection') =>
    new ByteWriter().u8(50).string(user).string(service).string(method).raw(fields).finish(),
  none: (user: string) => request.auth(user, 'none'),
  password: (user: string, password: string) =>
    request.auth(user, 'password', new ByteWriter().boolean(false).string(password).finish()),
  interactive: (user: string) =>
    request.auth(user, 'keyboard-interactive', new ByteWriter().string('').string('').finish()),
  answers: (answers: readonly string[], count = answers.length) => {
    const writer = new ByteWriter().u8(61).u32(count);
    for (const answer of answers) writer.string(answer);
    return writer.finish();
  },
  publicKey: (user: string, algorithm: string, blob: Buffer, signature: Buffer | null) => {
    const fields = new ByteWriter()
      .boolean(signature !== null)
      .string(algorithm)
      .string(blob);
    if (signature !== null) fields.string(signature);
    return request.auth(user, 'publickey', fields.finish());
  },
  hostbound: (user: string, algorithm: string, blob: Buffer, hostKey: Buffer, signature: Buffer) =>
    request.auth(
      user,
      'publickey-hostbound-v00@openssh.com',
      new ByteWriter().boolean(true).string(algorithm).string(blob).string(hostKey).string(signature).finish(),
    ),
  global: (name: string, wantReply: boolean, fields: Buffer = Buffer.alloc(0)) =>
    new ByteWriter().u8(80).string(name).boolean(wantReply).raw(fields).finish(),
  open: (type = 'session', peer = 5, window = 2 ** 21, maxPacket = 32768) =>
    new ByteWriter().u8(90).string(type).u32(peer).u32(window).u32(maxPacket).finish(),
  adjust: (count: number, recipient = 0) => new ByteWriter().u8(93).u32(recipient).u32(count).finish(),
  data: (data: Buffer, recipient = 0) => new ByteWriter().u8(94).u32(recipient).string(data).finish(),
  stderr: (data: Buffer, recipient = 0) => new ByteWriter().u8(95).u32(recipient).u32(1).string(data).finish(),
  eof: (recipient = 0) => new ByteWriter().u8(96).u32(recipient).finish(),
  close: (recipient = 0) => new ByteWriter().u8(97).u32(recipient).finish(),
  channel: (name: string, fields: Buffer = Buffer.alloc(0), wantReply = true, recipient = 0) =>
    new ByteWriter().u8(98).u32(recipient).string(name).boolean(wantReply).raw(fields).finish(),
  subsystem: (name = 'sftp', recipient = 0) =>
    request.channel('subsystem', new ByteWriter().string(name).finish(), true, recipient),
  exec: (command: string) => request.channel('exec', new ByteWriter().string(command).finish()),
};

export const keyBlob = (type: string): Buffer => new ByteWriter().string(type).string('material').finish();

export const numbers = (transport: FakeTransport): number[] => transport.sent.map((payload) => payload[0] ?? 0);

/** Names in a USERAUTH_FAILURE and its partial flag. */
export function failureOf(payload: Buffer | undefined): { methods: string[]; partial: boolean } {
  const reader = new ByteReader(payload ?? Buffer.alloc(0), 1);
  return { methods: reader.nameList(), partial: reader.boolean() };
}

/** A connection that has signed in; what was sent until then is forgotten. */
export async function signedIn(handlers: Handlers = {}, overrides: Partial<ConnectionParts> = {}): Promise<Harness> {
  const made = harness({ 'signin.password': () => WELCOME, ...handlers }, overrides);
  await made.deliver(request.service('ssh-userauth'));
  await made.deliver(request.password('ada', 'secret'));
  made.transport.sent.length = 0;
  made.transport.sentParts.length = 0;
  return made;
}

/** The same with one channel (local 0, peer 5) on which the sftp subsystem runs. */
export async function withSubsystem(
  open: Buffer = request.open(),
  overrides: Partial<ConnectionParts> = {},
): Promise<Harness & { readonly subsystem: RecordingSubsystem }> {
  const made = await signedIn({}, overrides);
  await made.deliver(open);
  await made.deliver(request.subsystem());
  const [subsystem] = made.subsystems;
  if (subsystem === undefined) throw new Error('the subsystem did not start');
  made.transport.sent.length = 0;
  made.transport.sentParts.length = 0;
  return { ...made, subsystem };
}
