/** From options to a transfer that is under way, to its exit code. */
import { realpath } from 'node:fs/promises';
import type { AccountInfo } from '../../api/sign-in.ts';
import { WaybillError } from '../../base/errors.ts';
import { controlOver } from '../../client/api-control.ts';
import { FastLink } from '../../client/fast-link.ts';
import type { Control } from '../../client/fast-link.ts';
import { RemoteFiles } from '../../client/remote/files.ts';
import type { RemotePlace } from '../../client/remote/place.ts';
import { Download } from '../../client/transfer/download.ts';
import type { Incoming } from '../../client/transfer/download.ts';
import { Meter } from '../../client/transfer/meter.ts';
import { Persistence } from '../../client/transfer/persist.ts';
import { Interrupted, step } from '../../client/transfer/transport.ts';
import type { Transport } from '../../client/transfer/transport.ts';
import { Upload } from '../../client/transfer/upload.ts';
import type { Outgoing } from '../../client/transfer/upload.ts';
import { cacheFolder, readRemotePlace, SERVER_VARIABLE } from '../../config/remote-server.ts';
import { readTokenFile } from '../../config/token-file.ts';
import type { Context } from '../command.ts';
import { EXIT, exitCodeOf } from '../exit-codes.ts';
import { HttpsClient } from '../https-client.ts';
import type { Output } from '../output.ts';
import { readTrust } from '../server-trust.ts';
import { SIGNALS } from '../signals.ts';
import { milliseconds, paceOf, waysOf } from './options.ts';
import type { TransferInput } from './options.ts';
import { Reporter } from './reporter.ts';

/** What a command has for its transfers. */
export interface Kit {
  readonly transport: Transport;
  readonly account: AccountInfo;
  readonly output: Output;
  /** Asks the server as long as patience goes. */
  ask<T>(work: (remote: RemoteFiles) => Promise<T>): Promise<T>;
  /** Something was left out that was asked for: the exit code says so. */
  skipped(name: string, why: string, error: WaybillError | null): void;
  get(files: readonly Incoming[]): Promise<void>;
  put(files: readonly Outgoing[]): Promise<void>;
}

const CONNECTIONS = 8;
const PROGRESS_MILLISECONDS = 250;
/** Everything is verified then: goodbyes only free the server's memory sooner. */
const GOODBYE_MILLISECONDS = 40;

/** Resolves with the exit code. */
export async function runTransfer(
  input: TransferInput,
  context: Context,
  places: readonly RemotePlace[],
  work: (kit: Kit) => Promise<void>,
): Promise<number> {
  const place = readRemotePlace({ server: input.server, trust: input.trust, data: null });
  if (place === null)
    throw new WaybillError('option-invalid', `--server https://HOST:PORT is missing (or ${SERVER_VARIABLE})`);
  const token = tokenOf(input, context);
  const reporter = new Reporter({ output: context.output, verbose: input.verbose });
  const stop = new AbortController();
  const interrupt = (): void => {
    stop.abort();
  };
  for (const signal of SIGNALS) process.once(signal, interrupt);
  const api = new HttpsClient({
    ...{ server: place.url, token: () => token, connections: CONNECTIONS },
    trust: await readTrust(place.trust, context.readTextFile),
  });
  const control = controlOver(api, place.url.hostname);
  const socket = new CommandSocket(control);
  try {
    const transport = transportOf({ input, api, control, socket, server: place.url, signal: stop.signal, reporter });
    step(transport, 'begin');
    if (transport.ways !== 'https') prepare(control, socket);
    // Mostly there is one; nobody asks more with a token that may be refused.
    if (places[0] !== undefined) transport.remote.lookAhead(places[0].path);
    const kit = await openKit(transport, reporter, context.output, places);
    await work(kit);
    await socket.close(GOODBYE_MILLISECONDS);
    step(transport, 'socket-closed');
    return kit.failed === null ? 0 : exitCodeOf(kit.failed.code);
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    reporter.end();
    context.output.note('Stopped. The same command goes on from here.');
    return EXIT.interrupted.code;
  } finally {
    reporter.end();
    for (const signal of SIGNALS) process.off(signal, interrupt);
    await socket.close();
    api.close();
  }
}

function tokenOf(input: TransferInput, context: Context): string {
  const token = input['token-file'] === null ? (context.token?.() ?? null) : readTokenFile(input['token-file']);
  if (token !== null) return token;
  throw new WaybillError(
    'option-invalid',
    'an API token is missing: --token-file FILE, or the variable WAYBILL_TOKEN_FILE',
  );
}

/** While it is asked who we are: this end's socket and the server's take longer to open than a round trip. */
function prepare(control: Control, socket: CommandSocket): void {
  // Whoever wants it hears of a failure; an older server does not know the question.
  socket.open().catch(() => undefined);
  control.ready().catch(() => undefined);
}

/** One socket for as long as the command runs. */
class CommandSocket {
  private readonly control: Control;
  private opened: Promise<FastLink> | null = null;

  constructor(control: Control) {
    this.control = control;
  }

  open(): Promise<FastLink> {
    this.opened ??= FastLink.open(this.control, 'best');
    return this.opened;
  }

  async close(milliseconds?: number): Promise<void> {
    const link = await this.opened?.catch(() => null);
    this.opened = null;
    await link?.close(milliseconds);
  }
}

interface TransportParts {
  readonly input: TransferInput;
  readonly api: HttpsClient;
  readonly control: Control;
  readonly socket: CommandSocket;
  readonly server: URL;
  readonly signal: AbortSignal;
  readonly reporter: Reporter;
}

function transportOf(parts: TransportParts): Omit<Transport, 'account'> {
  const { input, api, control, socket, server, signal, reporter } = parts;
  return {
    ...{ control, server, signal, pace: paceOf(input), ways: waysOf(input), cache: cacheFolder() },
    remote: new RemoteFiles(api, signal),
    openLink: () => socket.open(),
    tell: (event) => {
      reporter.tell(event);
    },
    waits: !input['no-wait'],
    patience: milliseconds('--patience', input.patience ?? '15m'),
    silence: milliseconds('--silence', input.silence ?? '10s'),
  };
}

async function openKit(
  half: Omit<Transport, 'account'>,
  reporter: Reporter,
  output: Output,
  places: readonly RemotePlace[],
): Promise<Kit & { readonly failed: WaybillError | null }> {
  const ask = <T>(use: (remote: RemoteFiles) => Promise<T>): Promise<T> =>
    new Persistence({ ...half, account: '' }, new Meter()).run(() => use(half.remote));
  const account = await ask((remote) => remote.account());
  step(half, 'account');
  for (const { tenant } of places) {
    if (tenant !== null && tenant !== account.tenant)
      throw new WaybillError(
        'permission-denied',
        `this token is of ${account.login} of the tenant ${account.tenant}, not of ${tenant}`,
      );
  }
  const transport: Transport = { ...half, account: account.id };
  const state: { failed: WaybillError | null } = { failed: null };
  const run = async (direction: 'get' | 'put', files: readonly { readonly size: number }[], start: Start) => {
    const result = await metered(transport, reporter, direction, files, start);
    state.failed ??= result;
  };
  return {
    ...{ transport, account, output, ask },
    get failed() {
      return state.failed;
    },
    skipped: (name, message, error) => {
      if (error !== null) state.failed ??= error;
      transport.tell({ event: 'skipped', name, code: error?.code ?? null, message });
    },
    get: (files) => run('get', files, (meter) => runOne(new Download(transport, meter), files)),
    put: async (files) => {
      const real = await Promise.all(files.map(async (file) => ({ ...file, local: await realpath(file.local) })));
      await run('put', files, (meter) => runOne(new Upload(transport, meter), real));
    },
  };
}

type Start = (meter: Meter) => Promise<WaybillError | null>;

async function runOne<T>(
  one: { run(files: readonly T[]): Promise<void>; readonly failed: WaybillError | null },
  files: readonly T[],
): Promise<WaybillError | null> {
  await one.run(files);
  return one.failed;
}

async function metered(
  { tell }: Transport,
  reporter: Reporter,
  direction: 'get' | 'put',
  files: readonly { readonly size: number }[],
  start: Start,
): Promise<WaybillError | null> {
  const meter = new Meter();
  meter.ofFiles = files.length;
  for (const { size } of files) meter.ofBytes += size;
  tell({ event: 'start', direction, files: files.length, bytes: meter.ofBytes });
  const began = performance.now();
  const timer = setInterval(() => {
    reporter.progress(meter.figures());
  }, PROGRESS_MILLISECONDS);
  try {
    const failed = await start(meter);
    const seconds = Math.round(performance.now() - began) / 1000;
    tell({ event: 'done', files: meter.files, bytes: meter.settled, seconds, way: meter.way });
    return failed;
  } finally {
    clearInterval(timer);
    reporter.end();
  }
}
