/**
 * How a front process is started, so that whoever takes it over has little: Node's permission model without network,
 * child processes, workers, add-ons; no SQLite and no FFI (the permission model does not see the files they open); no
 * code from strings; files are its own code, committed ciphertext to read, uploads in progress to read and write.
 * Sockets reach it only by the broker's hand. test/front/permissions.test.ts shows each of these with a real process.
 */
import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Door } from './calls.ts';

export interface FrontFolders {
  readonly blobs: string;
  readonly incoming: string;
}

const SOURCES = path.resolve(import.meta.dirname, '..');
/** Takes away what is left. */
const CONFINE = path.join(SOURCES, 'front', 'confine.ts');
/** What fronts import from outside: the log; those of HTTPS also the schemas of the API. */
const PACKAGES: Readonly<Record<Door, readonly string[]>> = {
  ssh: ['pino'],
  https: ['pino', 'zod'],
  fast: ['pino'],
};

/**
 * A front's garbage is almost all buffers of packets, dead when they are sent. By default V8 starts marking its whole
 * heap, in threads beside, whenever 30 MB of them have come together: half of a front's CPU time at full
 * speed (measured: 3.7 against 1.7 CPU seconds for 1 GB up, 2.9 against 1.5 down; 190 MB resident against 175).
 */
const COLLECTOR = [
  '--external-memory-accounted-in-global-limit',
  '--no-incremental-marking',
  // Freed where they were made: a second thread that frees contends for the allocator with the one that allocates.
  '--no-concurrent-array-buffer-sweeping',
  // Without marking on the side nothing would be collected before some 500 MB of buffers have come together, and the
  // allocator keeps what it was given at the peak (measured with OpenSSH's client after 3 GB: 160 MB resident against
  // 460 to 645, and no more CPU time). What outlives a small young generation is little.
  '--initial-old-space-size=32',
  '--max-semi-space-size=2',
  // The first thousand requests would run in the interpreter.
  '--always-sparkplug',
];

/**
 * HTTP makes so few objects for each buffer that the young space fills only after hundreds of megabytes of dead ones
 * (measured, the first GB down: 203 MB resident against 698, and 446 MB/s against 260). The last of a flag wins.
 */
const HTTPS_COLLECTOR = ['--max-semi-space-size=1', '--no-external-memory-accounted-in-global-limit'];

/**
 * The front of fast transfers has to open a socket of its own, in a thread of its own, by the system's calls where they can
 * be had. It gives each of these permissions up as soon as it has done so (front/fast-main.ts), before the first datagram.
 */
const FAST_PERMISSIONS = [
  ...['--allow-worker', '--allow-net', '--allow-ffi'],
  // About these three, at each start.
  ...['--disable-warning=SecurityWarning', '--disable-warning=ExperimentalWarning'],
];
/** Its streams lie in memory that V8 does not count, and so never collects by itself: udp/driver/ring-memory.ts. */
const FAST_COLLECTOR = ['--expose-gc'];

export function frontArguments(folders: FrontFolders, entry: string, door: Door = 'ssh'): string[] {
  const readable = [SOURCES, path.join(path.dirname(SOURCES), 'package.json'), ...packageFolders(PACKAGES[door])];
  return [
    '--permission',
    ...readable.map((place) => `--allow-fs-read=${place}`),
    ...[folders.blobs, folders.incoming].map((place) => `--allow-fs-read=${realpathSync(place)}/*`),
    `--allow-fs-write=${realpathSync(folders.incoming)}/*`,
    '--no-experimental-sqlite',
    ...(door === 'fast' ? FAST_PERMISSIONS : ['--no-experimental-ffi']),
    '--no-addons',
    '--disallow-code-generation-from-strings',
    '--disable-proto=throw',
    // Without it the inspector could be opened by a signal.
    '--disable-sigusr1',
    // Options of V8 name files to write, and open it to whoever sets them.
    '--freeze-flags-after-init',
    ...COLLECTOR,
    ...(door === 'https' ? HTTPS_COLLECTOR : []),
    ...(door === 'fast' ? FAST_COLLECTOR : []),
    `--import=${pathToFileURL(CONFINE).href}`,
    entry,
  ];
}

/**
 * How a process is started that reaches the world, and holds nothing: the network, its own code and its packages to read.
 * `limits`: further options of V8.
 */
export function outboundArguments(
  entry: string,
  packages: readonly string[],
  limits: readonly string[] = [],
): string[] {
  const readable = [SOURCES, path.join(path.dirname(SOURCES), 'package.json'), ...packageFolders(packages)];
  return [
    '--permission',
    '--allow-net',
    // That --allow-net itself is new.
    '--disable-warning=ExperimentalWarning',
    ...readable.map((place) => `--allow-fs-read=${place}`),
    ...['--no-experimental-sqlite', '--no-experimental-ffi', '--no-addons', '--disallow-code-generation-from-strings'],
    ...['--disable-proto=throw', '--disable-sigusr1', '--freeze-flags-after-init'],
    ...limits,
    `--import=${pathToFileURL(CONFINE).href}`,
    entry,
  ];
}

/**
 * Memory of packets given back to the system is asked for again at once, and each page of it is cleared by the kernel
 * (measured with the sweeping above: 1.45 against 1.13 CPU seconds for 1 GB down). Other libraries than glibc ignore these.
 */
const ALLOCATOR = {
  MALLOC_TRIM_THRESHOLD_: String(128 * 2 ** 20),
  MALLOC_TOP_PAD_: String(4 * 2 ** 20),
  MALLOC_MMAP_THRESHOLD_: String(8 * 2 ** 20),
};

/** Nothing of the operator's environment: it may hold secrets, and NODE_OPTIONS would change the process. */
export function frontEnvironment(): NodeJS.ProcessEnv {
  return { NODE_ENV: 'production', TZ: 'UTC', ...ALLOCATOR };
}

/** Folders of the packages and of all that they need, wherever the package manager put them, links followed. */
export function packageFolders(names: readonly string[]): string[] {
  const folders = new Set<string>();
  const visit = (name: string, from: string): void => {
    const manifest = findManifest(name, from);
    if (manifest === null) return;
    const folder = path.dirname(manifest);
    if (folders.has(folder)) return;
    folders.add(folder);
    const { dependencies = {} } = createRequire(manifest)(manifest) as { dependencies?: Record<string, string> };
    for (const dependency of Object.keys(dependencies)) visit(dependency, manifest);
  };
  for (const name of names) visit(name, path.join(SOURCES, 'main.ts'));
  return [...folders];
}

/** Packages may hide their package.json behind "exports", so it is looked for as Node would look for the package. */
function findManifest(name: string, from: string): string | null {
  for (const folder of createRequire(from).resolve.paths(name) ?? []) {
    try {
      return path.join(realpathSync(path.join(folder, name)), 'package.json');
    } catch {
      // Not in this one.
    }
  }
  return null;
}
