/**
 * Which room may import which. A room is the longest folder below src/ that has a row; a file that is in no room is
 * an error too, so that nobody opens a room without saying what it may see.
 *
 * `imports` may be used at run time. `types` may only be named in `import type`: the promise is shared, the code is
 * not. An entry with a `.ts` ending is that one file, anything else the whole room.
 */
export interface Room {
  readonly room: string;
  readonly imports: readonly string[] | 'everything';
  readonly types?: readonly string[];
}

export const ROOMS: readonly Room[] = [
  { room: 'main.ts', imports: 'everything' },
  { room: 'startup', imports: 'everything' },
  { room: 'cli', imports: 'everything' },
  // Of the command alone: what it transfers, it transfers as any client would.
  {
    room: 'client',
    imports: ['api', 'protocols/fast', 'udp/layout', 'udp/driver', 'base'],
    types: ['cli', 'udp/wire'],
  },
  { room: 'first-start', imports: 'everything' },
  { room: 'config', imports: ['base'] },
  // The entry of a front joins rooms, and must stay without keys and metadata.
  {
    room: 'front',
    imports: [
      'protocols/ssh',
      'protocols/sftp',
      'protocols/https',
      'protocols/fast',
      'transfer',
      'udp/driver',
      'broker/link.ts',
      'broker/calls.ts',
      'broker/fast-calls.ts',
      'broker/wire.ts',
      'base',
    ],
  },
  { room: 'protocols/ssh', imports: ['api', 'sshkeys', 'base'], types: ['broker/calls.ts', 'transfer'] },
  { room: 'protocols/https', imports: ['transfer', 'api', 'udp/layout', 'base'], types: ['broker/calls.ts'] },
  { room: 'protocols/sftp', imports: ['transfer', 'api', 'base'], types: ['broker/calls.ts'] },
  // The streams are the driver's; which one, the front says.
  {
    room: 'protocols/fast',
    imports: ['transfer', 'api', 'udp/layout', 'base'],
    types: ['broker/fast-calls.ts', 'udp/wire'],
  },
  {
    room: 'transfer',
    // Of the store only what moves ciphertext; session-files.ts is the one place that chooses it.
    imports: [
      'keys/layout.ts',
      'keys/frame.ts',
      'store/folder/blob-reader.ts',
      'store/folder/incoming-blob.ts',
      'base',
    ],
    types: ['broker/calls.ts'],
  },
  {
    room: 'broker',
    imports: [
      'accounts',
      'policy',
      'files',
      'keys',
      'ledger',
      'events',
      'sso',
      'acme/calls.ts',
      'sshkeys',
      'config',
      'api',
      'base',
    ],
  },
  {
    room: 'accounts',
    imports: ['sshkeys', 'ledger/changed.ts', 'base'],
    types: ['broker/calls.ts', 'keys/sealer.ts', 'ledger'],
  },
  { room: 'policy', imports: ['ledger/changed.ts', 'base'], types: ['keys/sealer.ts', 'ledger'] },
  { room: 'files', imports: ['keys', 'policy', 'ledger/changed.ts', 'base'], types: ['broker/calls.ts', 'ledger'] },
  { room: 'keys', imports: ['base'], types: ['ledger'] },
  { room: 'ledger', imports: ['base'] },
  // Pure: shared with the offline verifier, which trusts no server.
  { room: 'ledger/core', imports: ['base/bytes.ts', 'base/errors.ts'] },
  // Whoever verifies needs nothing of the server; node:fs is all it touches.
  { room: 'ledger/verify', imports: ['ledger/core', 'base/bytes.ts', 'base/errors.ts'] },
  // Answers from tiles alone, on any machine: nothing of the server. The only room with a native add-on (DuckDB).
  { room: 'incident', imports: ['ledger/core', 'base'] },
  // Watches ledgers of others, on a machine of its own.
  { room: 'witness', imports: ['ledger/core', 'base'] },
  { room: 'incident/packs', imports: ['ledger/core', 'ledger/verify', 'base'] },
  {
    room: 'events',
    imports: ['ledger/core', 'ledger/changed.ts', 'base'],
    types: ['ledger', 'keys/sealer.ts', 'acme'],
  },
  // The process with the network: none of the ledger, only what it is told to send.
  {
    room: 'events/sender',
    imports: [
      'events/calls.ts',
      'events/public-addresses.ts',
      'events/target-address.ts',
      'events/target-kinds.ts',
      'acme/calls.ts',
      'broker/link.ts',
      'front/confine.ts',
      'base',
    ],
  },
  // Judges what identity providers say; the broker's half.
  {
    room: 'sso',
    imports: ['events/public-addresses.ts', 'ledger/changed.ts', 'base'],
    types: ['accounts', 'keys/sealer.ts', 'ledger'],
  },
  // The process with the network: it fetches, and knows one provider.
  {
    room: 'sso/process',
    imports: [
      'sso/addresses.ts',
      'sso/calls.ts',
      'sso/id-token.ts',
      'events/sender/destination.ts',
      'broker/link.ts',
      'front/confine.ts',
      'base',
    ],
  },
  // Pure: no sockets, no timers; time, chance and ciphers are given. Shared with the client, which has nothing of the server.
  { room: 'udp/wire', imports: [] },
  { room: 'udp/congestion', imports: [] },
  { room: 'udp/engine', imports: ['udp/wire', 'udp/congestion'] },
  // What touches the system: no product rule, and nothing of who transfers what.
  { room: 'udp/native', imports: [] },
  { room: 'udp/crypto', imports: ['udp/wire', 'udp/native'] },
  { room: 'udp/layout', imports: [] },
  { room: 'udp/socket', imports: ['udp/native'] },
  {
    room: 'udp/driver',
    imports: ['udp/wire', 'udp/congestion', 'udp/engine', 'udp/native', 'udp/crypto', 'udp/socket'],
  },
  // Of connections, by the same calls of the system.
  { room: 'tcp', imports: ['udp/native', 'udp/socket', 'base'] },
  // Signs; the process with the network only carries.
  { room: 'acme', imports: ['base'] },
  { room: 'sshkeys', imports: ['base'] },
  // A store implements what the rooms above declare; it sees their declarations only.
  {
    room: 'store/sqlite',
    imports: ['base'],
    types: ['accounts', 'files', 'policy', 'keys', 'ledger', 'events', 'sso', 'broker/calls.ts'],
  },
  { room: 'store/folder', imports: ['base'], types: ['files', 'keys', 'ledger'] },
  // The table of administrators' calls is schemas alone, and what it imports are lists of names.
  { room: 'api', imports: ['broker/admin-calls.ts', 'base'] },
  { room: 'base', imports: [] },
];
