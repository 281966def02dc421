/** Who takes part in a row, and what it is given. */
import type { Link, LinkSpec } from './link.ts';
import type { Result } from './meter.ts';
import type { Stage } from './stage.ts';

export interface Task {
  readonly stage: Stage;
  readonly link: Link;
  readonly spec: LinkSpec;
  /** What the run may take; who is not done then is ended, and what arrived counts. */
  readonly seconds: number;
  /** Of the file, or of all of them. */
  readonly bytes: number;
  /** More than one: a tree of so many. */
  readonly files: number;
  /** Of this run alone, removed after it. */
  readonly scratch: string;
  /** The file, or the directory with the files. */
  readonly source: string;
}

export interface Contender {
  readonly name: string;
  /** It is to finish, and has the patience of the row for that. */
  readonly finishes?: boolean;
  /** What a run takes, in seconds, for who plans: of what is transferred, and besides. */
  readonly expects: (row: Expected) => number;
  /** What is there before the run begins, as a server: not timed. */
  prepare?(task: Task): Promise<void>;
  /** Null: not on this machine. */
  run(task: Task): Promise<Result | null>;
}

export interface Expected {
  /** Of who is ended then. */
  readonly seconds: number;
  /** Of what is to arrive whole, at the rate of the link. */
  readonly fileSeconds: number;
  readonly rtt: number;
}
