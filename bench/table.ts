/** One table of the bench: rows against servers that take turns within each round, as medians with their bar. */
import { execFileSync } from 'node:child_process';

export interface Measured {
  readonly name: string;
  readonly version: string;
  stop(): Promise<void>;
}

/** A row does its work once against one server and gives its figure. */
export interface Row<S extends Measured, P> {
  readonly id: string;
  readonly title: string;
  readonly unit: string;
  /** Which way a figure is good. */
  readonly better: 'less' | 'more';
  /** What the ratio has to be at least; above 1 we are better than the rival. Left out: for information. */
  readonly bar?: number;
  readonly aim?: number;
  /** Our own figure has to be this, whatever the rival's is. */
  readonly least?: number;
  /** Runs at most this often, when a run is long and its figure steady. */
  readonly rounds?: number;
  /** Not measured for the others: the row takes minutes. */
  readonly only?: readonly string[];
  prepare?(server: S, place: P): Promise<void>;
  run(server: S, place: P): Promise<number>;
}

export interface Table<S extends Measured, P> {
  readonly servers: readonly S[];
  readonly rows: readonly Row<S, P>[];
  /** Whom the ratio is against. */
  readonly rival: string;
  readonly rounds: number;
}

type Figures = Map<string, number[]>;

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? NaN)
    : ((sorted[middle - 1] ?? NaN) + (sorted[middle] ?? NaN)) / 2;
}

export function headOf<S extends Measured, P>({ servers }: Table<S, P>): string[] {
  return [
    `| work | ${servers.map(({ name }) => name).join(' | ')} | ratio | bar | aim | |`,
    `|---|${servers.map(() => '---').join('|')}|---|---|---|---|`,
  ];
}

/** One printed line for each row, as soon as it is measured. */
export async function* linesOf<S extends Measured, P>(table: Table<S, P>, place: P): AsyncGenerator<string> {
  for (const row of table.rows) yield line(row, table, await measure(row, table, place));
}

const shown = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

function line<S extends Measured, P>(row: Row<S, P>, { servers, rival }: Table<S, P>, figures: Figures): string {
  const ours = median(figures.get('Waybill') ?? []);
  const theirs = median(figures.get(rival) ?? []);
  const cells = servers.map(({ name }) => {
    const values = figures.get(name) ?? [];
    return values.length === 0
      ? '-'
      : `${shown(median(values))} (${shown(Math.min(...values))}-${shown(Math.max(...values))})`;
  });
  const ratio = row.better === 'less' ? theirs / ours : ours / theirs;
  const start = `| ${row.title}, ${row.unit} | ${cells.join(' | ')} | ${Number.isNaN(ratio) ? '-' : `${ratio.toFixed(2)}x`}`;
  if (row.least !== undefined) return `${start} | ${row.least} | - | ${ours >= row.least ? 'bar' : 'short'} |`;
  const { bar, aim } = row;
  if (bar === undefined || aim === undefined || Number.isNaN(ratio)) return `${start} | - | - | - |`;
  const verdict = ratio >= aim ? 'aim' : ratio >= bar ? 'bar' : 'short';
  return `${start} | ${bar.toFixed(2)}x | ${aim.toFixed(2)}x | ${verdict} |`;
}

async function measure<S extends Measured, P>(
  row: Row<S, P>,
  { servers, rounds }: Table<S, P>,
  place: P,
): Promise<Figures> {
  const figures: Figures = new Map(servers.map(({ name }) => [name, []]));
  const report = (server: S, error: unknown): void => {
    process.stderr.write(`${row.id} ${server.name}: ${error instanceof Error ? error.message : String(error)}\n`);
  };
  const measured = servers.filter(({ name }) => row.only?.includes(name) !== false);
  for (const server of measured) {
    await row.prepare?.(server, place).catch((error: unknown) => {
      report(server, error);
    });
  }
  for (let round = 0; round < Math.min(rounds, row.rounds ?? Infinity); round++) {
    for (const server of measured) {
      // What the run before left to be written to the disk is not this one's burden.
      execFileSync('sync');
      try {
        figures.get(server.name)?.push(await row.run(server, place));
      } catch (error) {
        report(server, error);
      }
    }
  }
  return figures;
}
