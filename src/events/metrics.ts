/** Numbers in the text format of Prometheus (0.0.4). Pure but for the tally, which counts what is recorded. */
import type { Event } from '../ledger/core/kinds.ts';

export interface Metric {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge';
  readonly values: readonly { readonly labels?: Readonly<Record<string, string>>; readonly value: number }[];
}

export function metricsText(metrics: readonly Metric[]): string {
  return metrics
    .flatMap(({ name, help, type, values }) => [
      `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}`,
      `# TYPE ${name} ${type}`,
      ...values.map(({ labels = {}, value }) => `${name}${labelsText(labels)} ${value}`),
      '',
    ])
    .join('\n');
}

function labelsText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** Since the start of the server. What is rolled back is counted too: this is for graphs, the ledger for accounts. */
export class Tally {
  private readonly kinds = new Map<string, number>();
  private readonly bytes = { released: 0, sent: 0, stored: 0 };

  recorded(event: Event): void {
    this.kinds.set(event.kind, (this.kinds.get(event.kind) ?? 0) + 1);
    if (event.kind === 'release') this.bytes.released += event.bytes;
    else if (event.kind === 'sent') this.bytes.sent += event.bytes;
    else if (event.kind === 'stored') this.bytes.stored += event.size;
  }

  metrics(): Metric[] {
    const { released, sent, stored } = this.bytes;
    const one = (name: string, help: string, value: number): Metric => ({
      ...{ name, help, type: 'counter' },
      values: [{ value }],
    });
    return [
      {
        ...{ name: 'waybill_ledger_entries_total', help: 'Entries recorded, by kind.', type: 'counter' },
        values: [...this.kinds].map(([kind, value]) => ({ labels: { kind }, value })),
      },
      one('waybill_released_bytes_total', 'Plaintext bytes whose keys were released to fronts.', released),
      one('waybill_sent_bytes_total', 'Plaintext bytes that fronts reported as sent.', sent),
      one('waybill_stored_bytes_total', 'Bytes of versions that were stored.', stored),
    ];
  }
}

export interface Gauges {
  readonly sessions: number;
  readonly connections: number;
  readonly fronts: number;
  readonly holds: number;
  readonly ledgerWaiting: number;
  readonly targets: readonly {
    readonly name: string;
    readonly behind: number;
    readonly dead: number;
    readonly failing: boolean;
  }[];
}

export function gauges({ sessions, connections, fronts, holds, ledgerWaiting, targets }: Gauges): Metric[] {
  const gauge = (name: string, help: string, values: Metric['values']): Metric => ({
    name,
    help,
    type: 'gauge',
    values,
  });
  const each = (value: (target: Gauges['targets'][number]) => number): Metric['values'] =>
    targets.map((target) => ({ labels: { receiver: target.name }, value: value(target) }));
  return [
    gauge('waybill_sessions', 'Sessions that are open.', [{ value: sessions }]),
    gauge('waybill_connections', 'Connections that are open.', [{ value: connections }]),
    gauge('waybill_fronts', 'Front processes.', [{ value: fronts }]),
    gauge('waybill_holds', 'What is held and waits for a person.', [{ value: holds }]),
    gauge('waybill_ledger_waiting', 'Entries that are recorded and not sealed yet.', [{ value: ledgerWaiting }]),
    gauge(
      'waybill_event_queue',
      'Entries that a receiver has not confirmed.',
      each(({ behind }) => behind),
    ),
    gauge(
      'waybill_event_dead',
      'Events that were given up.',
      each(({ dead }) => dead),
    ),
    gauge(
      'waybill_event_failing',
      '1 while a receiver does not take events.',
      each(({ failing }) => (failing ? 1 : 0)),
    ),
  ];
}
