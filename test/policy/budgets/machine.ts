import type { Machine } from '../../../src/policy/budgets/clock.ts';

/** Clocks that a test sets: time passes on all of them, jumps happen on one. */
export class TestMachine implements Machine {
  private real = 0;
  private jumped = 0;
  private bootId = 'one';
  private booted = -1_000_000;
  private saysBoot = true;

  wall(): number {
    return 1_800_000_000_000 + this.real + this.jumped;
  }

  monotonic(): number {
    return this.real;
  }

  boot(): { id: string; elapsed: number } | null {
    return this.saysBoot ? { id: this.bootId, elapsed: this.real - this.booted } : null;
  }

  pass(ms: number): void {
    this.real += ms;
  }

  jumpWall(ms: number): void {
    this.jumped += ms;
  }

  restart(): void {
    this.bootId = `${this.bootId}+`;
    this.booted = this.real;
  }

  hideBoot(): void {
    this.saysBoot = false;
  }

  /** As a virtual machine that is put back from a snapshot. */
  rewindBoot(ms: number): void {
    this.booted += ms;
  }
}
