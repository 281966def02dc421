/**
 * The tables of the index. Every column is an integer: `u32`, `u64` (below 2^53 where it is a number of ours), `words`
 * (64 bits of an identifier or an address), or `name` (u32, a number in the table `names`). What has a place can be read
 * again in the tiles, so texts of entries are not here.
 */
export type ColumnType = 'u32' | 'u64' | 'words' | 'name';
export type Columns = Readonly<Record<string, ColumnType>>;

/** How a reading ended. `ended`: its session ended, and no `sent` came. `stray`: a `sent` without its releases. */
export const OUTCOME = { open: 0, sent: 1, unknown: 2, ended: 3, stray: 4 } as const;
/** `gap`: its node died. `cut`: so many sessions were open that the index let go of it. */
export const SESSION_STATE = { open: 0, ended: 1, gap: 2, cut: 3 } as const;
/** `elsewhere`: its sign-in is in another log, or far from here in this one. */
export const SIGNED_IN = { no: 0, here: 1, elsewhere: 2 } as const;
/** Kinds in `events` that are no kinds of the ledger. */
export const UNKNOWN_KIND = 256;
export const MALFORMED_KIND = 512;
export const NO_FOLDER = 0xffffffff;

const READINGS = {
  /** Place of its first release. */
  reading: 'u64',
  session: 'u64',
  folder: 'u32',
  directory: 'words',
  fileHigh: 'words',
  fileLow: 'words',
  versionHigh: 'words',
  versionLow: 'words',
  firstTime: 'u64',
  lastTime: 'u64',
  /** When nothing more could be sent: of `sent`, or of the end of its session; NEVER while it is open. */
  endTime: 'u64',
  releases: 'u32',
  released: 'u64',
  outcome: 'u32',
  sentBytes: 'u64',
  /** The first range; further ones are in sentRanges. */
  ranges: 'u32',
  rangeOffset: 'u64',
  rangeLength: 'u64',
} as const satisfies Columns;

const SESSIONS = {
  /** Place of its sign-in, or of the first entry that names it. */
  session: 'u64',
  idHigh: 'words',
  idLow: 'words',
  signedIn: 'u32',
  state: 'u32',
  firstTime: 'u64',
  lastTime: 'u64',
  endTime: 'u64',
  account: 'name',
  login: 'name',
  protocol: 'name',
  address: 'name',
  addressHigh: 'words',
  addressLow: 'words',
  client: 'name',
  run: 'name',
  node: 'name',
  software: 'name',
  factors: 'name',
  credentials: 'name',
  descriptions: 'name',
  firsts: 'name',
  endReason: 'name',
  readings: 'u32',
  releases: 'u32',
  released: 'u64',
  sentBytes: 'u64',
  /** Released in readings of which nobody knows what was sent. */
  unknownBytes: 'u64',
  unknownReadings: 'u32',
  strays: 'u32',
  /** Times of its first and its last release or report; NEVER and 0 when there is none. */
  firstRead: 'u64',
  lastRead: 'u64',
  listings: 'u32',
  writes: 'u32',
} as const satisfies Columns;

export const TABLES = {
  readings: READINGS,
  /** Of sessions that may still go on: written anew each time their log has grown. */
  readingsTail: READINGS,
  releases: { place: 'u64', time: 'u64', reading: 'u64', first: 'u32', count: 'u32', bytes: 'u64' },
  /** The second range of a `sent` and on. */
  sentRanges: { reading: 'u64', rangeOffset: 'u64', rangeLength: 'u64' },
  sessions: SESSIONS,
  sessionsTail: SESSIONS,
  listings: {
    place: 'u64',
    time: 'u64',
    session: 'u64',
    folder: 'u32',
    directory: 'words',
    names: 'u32',
  },
  /** Every other kind. `session` is NOWHERE when the kind has none. */
  events: { place: 'u64', time: 'u64', kind: 'u32', session: 'u64', folder: 'u32', amount: 'u64' },
  failures: {
    place: 'u64',
    time: 'u64',
    account: 'name',
    addressHigh: 'words',
    addressLow: 'words',
    tries: 'u32',
  },
  /** A folder's number counts within its log. */
  folders: { log: 'u32', folder: 'u32', id: 'name' },
  folderNames: { place: 'u64', log: 'u32', folder: 'u32', name: 'name' },
  productFolders: { place: 'u64', time: 'u64', log: 'u32', folder: 'u32', product: 'name', added: 'u32' },
  heads: { head: 'u64', time: 'u64', total: 'u64', tenants: 'u32' },
  /** What each head changed. */
  states: { head: 'u64', log: 'u32', size: 'u64' },
} as const satisfies Record<string, Columns>;

export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as TableName[];
/** Thrown away and made again for a log that has grown. */
export const TAIL_TABLES = ['readingsTail', 'sessionsTail'] as const satisfies readonly TableName[];
