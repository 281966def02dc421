/** Chooses the backend by what works here. */
import type { Arena } from '../native/arena.ts';
import { BatchSocket } from './batch-socket.ts';
import type { DatagramSocket } from './datagram-socket.ts';
import { DgramSocket } from './dgram-socket.ts';
import { openSystem } from './libc.ts';

export interface Opened {
  readonly socket: DatagramSocket;
  /** Why it is not the batch backend; null when it is, or was not asked for. */
  readonly without: string | null;
}

/** `arena`: null where batches cannot be had, or are not wanted. */
export async function openSocket(address: string, port: number, arena: Arena | null): Promise<Opened> {
  if (arena === null) return { socket: await DgramSocket.open(address, port), without: null };
  let without: string;
  try {
    return { socket: new BatchSocket(await openSystem(arena), address, port), without: null };
  } catch (error) {
    without = error instanceof Error ? error.message : String(error);
  }
  // An address that is taken or not ours fails here too, with the system's own words.
  return { socket: await DgramSocket.open(address, port), without };
}
