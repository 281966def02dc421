/**
 * Guards the channel that carries sockets to a front. Node reads what comes back over it as JSON, with messages of its
 * own among it that may carry descriptors, and throws in the broker at some that it does not expect: a front that was
 * taken over could end the broker with one line. An honest front has one thing to say here: that a socket has arrived.
 * So nothing else gets through; whatever differs is a fault, and the front is ended.
 *
 * There is no public way to see these bytes first, so this takes the reading function of the channel's handle (Node
 * 26). test/broker/front-pool.test.ts fails if a new Node has it elsewhere.
 */
import type { ChildProcess } from 'node:child_process';

const ARRIVED = Buffer.from('{"cmd":"NODE_HANDLE_ACK"}\n');

interface ChannelHandle {
  onread: (this: ChannelHandle, chunk: ArrayBuffer | undefined) => void;
  pendingHandle?: { close?(): void } | null;
}

/** Counts sockets on their way, by what was sent and what the front has answered. */
export class SocketChannel {
  private readonly child: ChildProcess;
  private readonly fault: (reason: string) => void;
  private unanswered = 0;
  private matched = 0;

  constructor(child: ChildProcess, fault: (reason: string) => void) {
    this.child = child;
    this.fault = fault;
    const handle = handleOf(child);
    const read = handle.onread;
    const permits = (chunk: ArrayBuffer): boolean => this.permits(Buffer.from(chunk), handle);
    // No chunk is the end of the channel: Node has to hear of it.
    handle.onread = function (chunk) {
      if (chunk === undefined || permits(chunk)) read.call(this, chunk);
    };
  }

  /** To be called with every socket that is sent. */
  sent(): void {
    this.unanswered++;
  }

  private permits(bytes: Buffer, handle: ChannelHandle): boolean {
    const reason = this.judge(bytes, handle);
    if (reason === null) return true;
    handle.pendingHandle?.close?.();
    handle.pendingHandle = null;
    this.fault(reason);
    this.child.kill('SIGKILL');
    return false;
  }

  private judge(bytes: Buffer, handle: ChannelHandle): string | null {
    if (handle.pendingHandle !== null && handle.pendingHandle !== undefined) return 'a descriptor was sent back';
    for (const byte of bytes) {
      if (byte !== ARRIVED[this.matched]) return 'something else than an arrival was sent back';
      this.matched = (this.matched + 1) % ARRIVED.length;
      if (this.matched === 0 && --this.unanswered < 0) return 'more sockets arrived than were sent';
    }
    return null;
  }
}

function handleOf(child: ChildProcess): ChannelHandle {
  const symbols = Object.getOwnPropertySymbols(child);
  const symbol = symbols.find((one) => one.description === 'kChannelHandle');
  const handle = symbol === undefined ? undefined : (child as unknown as Record<symbol, unknown>)[symbol];
  if (typeof (handle as Partial<ChannelHandle> | undefined)?.onread === 'function') return handle as ChannelHandle;
  child.kill('SIGKILL');
  throw new Error('this version of Node keeps the channel to child processes elsewhere; socket-channel.ts must follow');
}
