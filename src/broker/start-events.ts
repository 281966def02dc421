/** Events out, put together: the tail of the ledger, the receivers, the process that reaches them, and the numbers. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { AcmeSettings, Carry } from '../acme/calls.ts';
import { WaybillError } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import type { ServerOptions } from '../config/options.ts';
import type { MailServer } from '../events/calls.ts';
import { Events } from '../events/events.ts';
import { LedgerTail } from '../events/ledger-tail.ts';
import { gauges, metricsText, Tally } from '../events/metrics.ts';
import type { Gauges, Metric } from '../events/metrics.ts';
import type { TargetStore } from '../events/target.ts';
import type { Sealer } from '../keys/sealer.ts';
import type { EntryStore } from '../ledger/entry-store.ts';
import type { Recorder } from '../ledger/recorder.ts';
import type { Sequencer } from '../ledger/sequencer.ts';
import type { TileStore } from '../ledger/tile-store.ts';
import { EventSender } from './event-sender.ts';
import { openTraces, traceCollector } from './traces.ts';
import type { OpenTraces } from './traces.ts';

export interface EventsStart {
  readonly options: ServerOptions;
  readonly store: TargetStore;
  readonly entries: Pick<EntryStore, 'logs' | 'sealings'>;
  readonly tiles: TileStore;
  readonly recorder: Recorder;
  readonly sequencer: Sequencer;
  readonly sealer: Sealer;
  readonly tenantName: (tenant: string) => string;
  readonly software: string;
  /** Null where certificates are not asked for. */
  readonly acme: AcmeSettings | null;
  readonly log: Log;
}

export interface CertificateState {
  /** Milliseconds since 1970; null while there is none of an authority. */
  readonly until: number | null;
  /** Since the start. */
  readonly failed: number;
}

export type Counts = Omit<Gauges, 'ledgerWaiting' | 'targets'>;

export interface StartedEvents {
  readonly events: Events;
  /** Null where no collector is named. */
  readonly traces: OpenTraces | null;
  /** Errands of ACME: the process with the network does them. */
  readonly carry: Carry;
  readonly showHttp: (challenges: readonly (readonly [string, string])[]) => Promise<void>;
  /** How it stands with the certificate, for the metrics. */
  certificate(read: () => CertificateState): void;
  /** When everything else stands. */
  begin(counts: () => Counts): void;
  stop(): Promise<void>;
}

export function openEvents(start: EventsStart): StartedEvents {
  const { options, recorder, sequencer, entries, log, software } = start;
  const tally = new Tally();
  recorder.onEvent = (event) => {
    tally.recorded(event);
    traces?.recorded(event);
  };
  let counts: (() => Counts) | null = null;
  let certificate: (() => CertificateState) | null = null;
  const mail = mailServer(options);
  const sender = new EventSender({
    settings: {
      ...{ allow: options['outbound-allow'], hostname: hostname(), software, mail, metrics: options.metrics },
      ...{ traces: traceCollector(options), acme: start.acme },
    },
    metrics: () =>
      metricsText([
        ...gaugesNow(),
        ...tally.metrics(),
        ...(traces?.metrics() ?? []),
        ...certificateMetrics(certificate),
      ]),
    log,
  });
  const traces = openTraces({ options, software, log, send: (body) => sender.trace(body) });
  const tail = new LedgerTail({
    tiles: start.tiles,
    logs: () => (entries.sealings().length > 0 ? null : entries.logs()),
  });
  const events = new Events({
    ...{ store: start.store, tail, sealer: start.sealer, sender, ledger: recorder, tenantName: start.tenantName },
    ...{ software, allow: options['outbound-allow'], mail: mail !== null },
    report: (err) => {
      log.error({ err }, 'events could not be sent for a fault of ours; it is tried again');
    },
  });
  const gaugesNow = (): ReturnType<typeof gauges> => {
    const targets = events.list().map(({ target, behind, dead, failure }) => ({
      ...{ name: target.name, behind, dead, failing: failure !== null },
    }));
    const none = { sessions: 0, connections: 0, fronts: 0, holds: 0 };
    return gauges({ ...(counts?.() ?? none), ledgerWaiting: recorder.waiting, targets });
  };
  sequencer.onGrown = (rows) => {
    events.sealed(rows);
  };
  return {
    events,
    traces,
    carry: (request) => sender.carry(request),
    showHttp: (challenges) => sender.showHttp(challenges),
    certificate: (read) => {
      certificate = read;
    },
    begin: (given) => {
      counts = given;
      if (options.metrics !== null) sender.start();
      events.start();
    },
    stop: async () => {
      await traces?.stop();
      sender.stop();
      await events.stop();
    },
  };
}

function certificateMetrics(read: (() => CertificateState) | null): Metric[] {
  if (read === null) return [];
  const { until, failed } = read();
  return [
    {
      ...{
        name: 'waybill_acme_certificate_end_seconds',
        help: 'When the certificate ends (Unix time); 0 without one.',
      },
      ...{ type: 'gauge', values: [{ value: until === null ? 0 : Math.floor(until / 1000) }] },
    },
    {
      ...{ name: 'waybill_acme_failures_total', help: 'Tries to get a certificate that failed.' },
      ...{ type: 'counter', values: [{ value: failed }] },
    },
  ];
}

function mailServer(options: ServerOptions): MailServer | null {
  const { 'smtp-url': url, 'mail-from': from, 'smtp-password-file': passwordFile, 'smtp-ca': ca } = options;
  if (url === null && from === null) return null;
  if (url === null || from === null)
    throw new WaybillError('option-invalid', '--smtp-url and --mail-from go together; allowed are both or neither');
  const read = (option: string, file: string | null): string | null => {
    if (file === null) return null;
    try {
      return readFileSync(file, 'utf8');
    } catch (cause) {
      throw new WaybillError('option-invalid', `--${option} is ${JSON.stringify(file)}, which cannot be read`, {
        cause,
      });
    }
  };
  const password = read('smtp-password-file', passwordFile)?.split(/\r?\n/, 1)[0] ?? null;
  return { url, from, password, ca: read('smtp-ca', ca) };
}
