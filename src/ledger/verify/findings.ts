/** What a verification finds. Every finding names its place; nothing is repaired, nothing is passed over. */

export const PROBLEMS = {
  missing: 'A file or a part that is needed is not there.',
  damaged: 'Bytes are not those that the signed tree commits to, or are malformed.',
  signature: 'A checkpoint is not signed by the key that was given.',
  entry: 'An entry is malformed, or says what cannot be.',
  order: 'Times go back.',
  head: 'A head states what its changes do not give.',
  mismatch: 'A log and the heads do not agree.',
  'rolled-back': 'A log is shorter than it was once signed to be.',
  forked: 'A log has another history than it was once signed to have.',
  witness: 'The cosignatures are not those that the policy asks for.',
  statement: 'What is stated is not what the proven entries say.',
} as const;
export type Problem = keyof typeof PROBLEMS;

/** Told, and no failure. */
export const REMARKS = {
  beyond: 'A file is beyond the signed tree: nothing vouches for it, and nothing needs it.',
  unfinished: 'The last publication was not finished, as a crash leaves it; the next start finishes it.',
  foreign: 'A file is no part of a ledger.',
  unchecked: 'Something could not be looked at.',
  unwitnessed: 'Cosignatures are there that no policy was given for.',
  unknown: 'Entries are of a later version: hashed, and not read.',
  unsigned: 'The pack bears no signature of its own.',
} as const;
export type Remark = keyof typeof REMARKS;

export interface Place {
  /** "heads", or the blinded identifier of a log. */
  readonly log?: string;
  /** Below the folder, or within the pack. */
  readonly path?: string;
  /** Number of an entry in its log. */
  readonly entry?: number;
  /** Number of a head. */
  readonly head?: number;
}

export interface Finding {
  readonly problem: Problem;
  readonly place: Place;
  readonly message: string;
  readonly expected: string | null;
  readonly found: string | null;
}

export interface Told {
  readonly remark: Remark;
  readonly place: Place;
  readonly message: string;
}

/** More of one kind tell nothing new; they are counted. */
const KEPT = 1000;

export class Findings {
  readonly findings: Finding[] = [];
  readonly told: Told[] = [];
  /** Counted and not kept. */
  more = 0;

  add(problem: Problem, place: Place, message: string, expected: Shown = null, found: Shown = null): void {
    if (this.findings.length < KEPT)
      this.findings.push({ problem, place, message, expected: shown(expected), found: shown(found) });
    else this.more++;
  }

  tell(remark: Remark, place: Place, message: string): void {
    if (this.told.length < KEPT) this.told.push({ remark, place, message });
  }

  get clean(): boolean {
    return this.findings.length === 0;
  }
}

type Shown = string | number | Uint8Array | null | undefined;

function shown(value: Shown): string | null {
  if (value === null || value === undefined) return null;
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
}

/** "log 12ab.., tile/entries/000.p/7, entry 5". */
export function placeText({ log, path, entry, head }: Place): string {
  const parts = [
    ...(log === undefined ? [] : [log === 'heads' ? 'heads' : `log ${log}`]),
    ...(path === undefined ? [] : [path]),
    ...(entry === undefined ? [] : [`entry ${entry}`]),
    ...(head === undefined ? [] : [`head ${head}`]),
  ];
  return parts.join(', ');
}

export function findingText({ problem, place, message, expected, found }: Finding): string {
  const where = placeText(place);
  const detail = [
    ...(expected === null ? [] : [`expected ${expected}`]),
    ...(found === null ? [] : [`found ${found}`]),
  ].join(', ');
  return `${problem}: ${where === '' ? '' : `${where}: `}${message}${detail === '' ? '' : ` (${detail})`}`;
}
