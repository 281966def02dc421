/**
 * Loaded before everything else in a front (broker/front-permissions.ts): takes away what the permission model leaves
 * open to whoever controls a front's JavaScript. Each line is an attack that worked: test/front/probe.ts tries them.
 * What is removed here cannot be had again: no other name leads to it, and the bindings below it are closed.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module';
import { constants } from 'node:os';
import { isMainThread } from 'node:worker_threads';

/**
 * `report`: a report on a fatal error is written wherever `process.report` says, past the permission model; it can
 * replace the root key. `kill`: fronts run as the broker's user. The others no front needs.
 */
const PROCESS = [
  'report',
  'kill',
  '_kill',
  '_debugProcess',
  '_debugEnd',
  '_startProfilerIdleNotifier',
  '_stopProfilerIdleNotifier',
  'binding',
  '_linkedBinding',
  'dlopen',
  'execve',
  'loadEnvFile',
  'setuid',
  'seteuid',
  'setgid',
  'setegid',
  'setgroups',
  'initgroups',
];

/** Of modules: what writes files in ways that the permission model does not see, or reaches other processes. */
const MODULES: Readonly<Record<string, readonly string[]>> = {
  'node:v8': ['setFlagsFromString', 'setHeapSnapshotNearHeapLimit', 'writeHeapSnapshot', 'takeCoverage'],
  'node:os': ['setPriority'],
  'node:trace_events': ['createTracing'],
  'node:module': ['enableCompileCache', 'flushCompileCache', 'register', 'registerHooks'],
};

/** What process.kill() itself calls; by then it would be gone. */
const kill = (process as unknown as { _kill(pid: number, signal: number): number })._kill.bind(process);

/** The one signal a front may send: to itself. */
export function endAtOnce(): void {
  kill(process.pid, constants.signals.SIGKILL);
}

function remove(from: object, name: string): void {
  if (name in from) Object.defineProperty(from, name, { value: undefined, writable: false, configurable: false });
}

for (const name of PROCESS) remove(process, name);
const require = createRequire(import.meta.url);
for (const [module, names] of Object.entries(MODULES)) {
  // A thread (of the front of fast transfers, which loads this too) has no trace events to begin with.
  if (!isMainThread && module === 'node:trace_events') continue;
  const exported = require(module) as object;
  for (const name of names) remove(exported, name);
}
syncBuiltinESMExports();
