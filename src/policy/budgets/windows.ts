/** What is counted, and over how long: the two axes of every budget. A pair of them is a `cell`. */
export const DIMENSIONS = ['bytes', 'files', 'listings'] as const;
export type Dimension = (typeof DIMENSIONS)[number];

export interface WindowRow {
  readonly seconds: number;
  /** How finely time is counted in it: what was released leaves the window up to this much later than it could. */
  readonly bucketMs: number;
  /** Of the amount for 24 hours, for limits that nobody set: what may leave in a burst, and in a month. */
  readonly share: number;
  readonly text: string;
}

export const WINDOWS = [
  { seconds: 600, bucketMs: 10_000, share: 1 / 4, text: '10 minutes' },
  { seconds: 3600, bucketMs: 60_000, share: 1 / 2, text: '1 hour' },
  { seconds: 86_400, bucketMs: 900_000, share: 1, text: '24 hours' },
  { seconds: 2_592_000, bucketMs: 21_600_000, share: 8, text: '30 days' },
] as const satisfies readonly WindowRow[];

export const CELLS = WINDOWS.length * DIMENSIONS.length;
export const DAY_MS = 86_400_000;
/** The window that amounts are given for in options. */
export const DAY_WINDOW = 2;

/** One figure for each cell: windows one after another, each with its dimensions. */
export type Cells = Float64Array;

export function cellOf(window: number, dimension: number): number {
  return window * DIMENSIONS.length + dimension;
}

/** In the order of DIMENSIONS. */
export type Amounts = readonly [bytes: number, files: number, listings: number];

export function windowIndex(seconds: number): number {
  return WINDOWS.findIndex((row) => row.seconds === seconds);
}

/** The same amounts for every window by its share, times `factor`. */
export function spread(daily: Amounts, factor = 1): Cells {
  const cells = new Float64Array(CELLS);
  WINDOWS.forEach(({ share }, window) => {
    daily.forEach((amount, dimension) => {
      cells[cellOf(window, dimension)] = Math.ceil(amount * share * factor);
    });
  });
  return cells;
}

/** How people and ledger entries name a cell; the window in seconds. */
export function placeOf(cell: number): { dimension: Dimension; window: number } {
  const dimension = DIMENSIONS[cell % DIMENSIONS.length] ?? 'bytes';
  return { dimension, window: WINDOWS[Math.floor(cell / DIMENSIONS.length)]?.seconds ?? 0 };
}
