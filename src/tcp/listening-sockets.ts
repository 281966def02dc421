/**
 * Chooses the congestion control of connections by their listening sockets: what is accepted from one has its control (on
 * Linux; unless a route names another). So it is set by the broker, once for each address, and no front needs a call for it.
 */
import { constants } from 'node:os';
import type { Log } from '../base/log.ts';
import { openArena } from '../udp/native/open-arena.ts';
import { openSystem } from '../udp/socket/libc.ts';
import type { System } from '../udp/socket/libc.ts';
import { chooseControl, refusal } from './choose-control.ts';
import type { Wish } from './choose-control.ts';
import { kernelOffer } from './kernel-offer.ts';

const IPPROTO_TCP = 6;
const TCP_CONGESTION = 13;
/** TCP_CA_NAME_MAX, with the zero at its end. */
const NAME_BYTES = 16;
const ARENA_BYTES = 256;

export interface ListeningSockets {
  /** What the kernel says that they have; null: left to the system. */
  readonly control: string | null;
  /** Of a socket that listens. Does not throw: who cannot have it is served as before. */
  opened(descriptor: number): void;
}

/** One line in the log where what was wished for cannot be had; at `warn` when the operator named it. */
export async function openListeningSockets(
  wish: Wish,
  log: Log,
  offer = kernelOffer(),
): Promise<ListeningSockets | null> {
  const { control, because } = chooseControl(wish, offer);
  const without = (reason: string): null => {
    log[wish === 'auto' ? 'info' : 'warn'](
      { wish, because: reason },
      'connections keep the congestion control of the system',
    );
    return null;
  };
  if (control === null) return because === null ? null : without(because);
  // They have it already: no foreign code where nothing is to be called.
  if (control === offer?.usual) return { control, opened: () => undefined };
  const { arena, without: noFfi } = await openArena(ARENA_BYTES);
  if (arena === null) return without(noFfi ?? 'there is no FFI');
  try {
    return new Sockets(control, new CongestionOption(await openSystem(arena)), without);
  } catch (error) {
    return without(error instanceof Error ? error.message : String(error));
  }
}

class Sockets implements ListeningSockets {
  control: string | null = null;
  private readonly wanted: string;
  private readonly option: CongestionOption;
  private readonly without: (reason: string) => void;
  private refused = false;

  constructor(wanted: string, option: CongestionOption, without: (reason: string) => void) {
    this.wanted = wanted;
    this.option = option;
    this.without = without;
  }

  opened(descriptor: number): void {
    if (this.refused) return;
    const code = this.option.set(descriptor, this.wanted);
    if (code === null) {
      this.control = this.option.get(descriptor);
      return;
    }
    // What the kernel refuses once it refuses for every address.
    this.refused = true;
    this.without(refusal(this.wanted, code));
  }
}

/** TCP_CONGESTION of a socket of this process. */
export class CongestionOption {
  private readonly system: System;
  private readonly name: Buffer;
  private readonly length: Buffer;

  constructor(system: System) {
    this.system = system;
    this.name = system.fixed(NAME_BYTES).buffer;
    this.length = system.fixed(4).buffer;
  }

  /** Null: done. Otherwise the name of the error. */
  set(descriptor: number, control: string): string | null {
    const { libc } = this.system;
    const bytes = this.name.fill(0).write(control, 0, NAME_BYTES - 1, 'latin1');
    if (libc.setsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, this.name, bytes) === 0) return null;
    return errorName(this.system.errno());
  }

  get(descriptor: number): string | null {
    this.name.fill(0);
    this.length.writeUInt32LE(NAME_BYTES);
    const { libc } = this.system;
    if (libc.getsockopt(descriptor, IPPROTO_TCP, TCP_CONGESTION, this.name, this.length) !== 0) return null;
    const end = this.name.indexOf(0);
    return this.name.toString('latin1', 0, end === -1 ? NAME_BYTES : end);
  }
}

function errorName(number: number): string {
  return Object.entries(constants.errno).find(([, value]) => value === number)?.[0] ?? `errno ${number}`;
}
