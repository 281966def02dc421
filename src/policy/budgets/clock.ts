/**
 * Time of budgets. While the server runs it goes with the monotonic clock alone, so nothing that is done to the wall clock
 * opens or closes a budget. Over a stop it goes on by what the machine itself counted since it was booted; only when it
 * was booted in between does the wall clock say how long that took, and then a day counts at the most.
 */
import { readFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { DAY_MS } from './windows.ts';

export interface Machine {
  /** Milliseconds since 1970; anybody's to set. */
  wall(): number;
  /** Milliseconds of a clock that nobody can set. */
  monotonic(): number;
  /** Which boot this is, and the milliseconds since; null when the system does not say. */
  boot(): { readonly id: string; readonly elapsed: number } | null;
}

/** One moment by all clocks. */
export interface Moment {
  readonly time: number;
  readonly wall: number;
  readonly boot: string;
  readonly elapsed: number;
}

/** What the wall clock is believed about a stop with a boot in it. */
const BELIEVED_MS = DAY_MS;

export const MACHINE: Machine = {
  wall: Date.now,
  monotonic: () => performance.now(),
  boot: () => {
    try {
      const id = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
      return { id, elapsed: uptime() * 1000 };
    } catch {
      return null;
    }
  },
};

export class BudgetClock {
  private readonly machine: Machine;
  private readonly start: number;
  private readonly began: number;

  /** `last`: saved by the run before, if there was one. */
  constructor(machine: Machine, last: Moment | null) {
    this.machine = machine;
    this.start = last === null ? machine.wall() : last.time + stopped(machine, last);
    this.began = machine.monotonic();
  }

  now(): number {
    return this.start + Math.max(0, this.machine.monotonic() - this.began);
  }

  moment(): Moment {
    const boot = this.machine.boot();
    return { time: this.now(), wall: this.machine.wall(), boot: boot?.id ?? '', elapsed: boot?.elapsed ?? 0 };
  }
}

function stopped(machine: Machine, last: Moment): number {
  const boot = machine.boot();
  // A machine that was put back from a snapshot counts the same boot again, and less.
  if (boot !== null && boot.id === last.boot && boot.elapsed >= last.elapsed) return boot.elapsed - last.elapsed;
  return Math.min(BELIEVED_MS, Math.max(0, machine.wall() - last.wall));
}
