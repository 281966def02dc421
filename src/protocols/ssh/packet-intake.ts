/**
 * The reading side of a connection: the client's version line, then whole packets, one at a time. Whoever has more to do
 * than it can hold stops it; the socket then stops too, and through it the client.
 */
import type { Socket } from 'node:net';
import { PacketReader } from './packet-reader.ts';
import { parseClientVersion } from './version-exchange.ts';

export interface IntakeOwner {
  /** True from the end of the connection on: nothing is handled any more. */
  closed(): boolean;
  version(line: string): void;
  /** The payload is a view that the next packet may invalidate. */
  packet(payload: Buffer): void;
  /** All that came has been handled, and nobody holds the reading. */
  caughtUp(): void;
  failed(error: unknown): void;
}

export class PacketIntake {
  readonly reader = new PacketReader();
  /** Sequence number of the packet in hand. */
  sequence = 0;
  private readonly socket: Socket;
  private readonly owner: IntakeOwner;
  /** Start of the client's version line; null once it is complete. */
  private versionStart: Buffer | null = Buffer.alloc(0);
  private holds = 0;
  private running = false;

  constructor(socket: Socket, owner: IntakeOwner) {
    this.socket = socket;
    this.owner = owner;
  }

  get hasVersion(): boolean {
    return this.versionStart === null;
  }

  received(chunk: Buffer): void {
    if (this.owner.closed()) return;
    try {
      const rest = this.versionStart === null ? chunk : this.readVersion(Buffer.concat([this.versionStart, chunk]));
      if (rest !== null) this.reader.feed(rest);
    } catch (error) {
      this.owner.failed(error);
    }
    if (this.versionStart === null) this.run();
  }

  hold(): void {
    this.holds += 1;
    if (this.holds === 1) this.socket.pause();
  }

  letGo(): void {
    if (this.holds > 0) this.holds -= 1;
    if (this.holds > 0 || this.running || this.owner.closed()) return;
    // Not from within the caller's stack: a listener is never entered again out of its own call.
    process.nextTick(() => {
      this.run();
    });
  }

  /** What follows the client's version line, or null while the line is not complete. */
  private readVersion(bytes: Buffer): Buffer | null {
    const version = parseClientVersion(bytes);
    if (version === null) {
      this.versionStart = bytes;
      return null;
    }
    this.versionStart = null;
    this.owner.version(version.line);
    return bytes.subarray(version.taken);
  }

  /** Handles whole packets until there is none, or somebody holds the reading. */
  private run(): void {
    if (this.running || !this.mayRead()) return;
    this.running = true;
    try {
      while (this.mayRead()) {
        const { sequence } = this.reader;
        const payload = this.reader.next();
        if (payload === null) break;
        this.sequence = sequence;
        this.owner.packet(payload);
      }
    } catch (error) {
      this.owner.failed(error);
    } finally {
      this.running = false;
    }
    if (!this.mayRead()) return;
    this.owner.caughtUp();
    if (this.socket.isPaused()) this.socket.resume();
  }

  private mayRead(): boolean {
    return this.holds === 0 && !this.owner.closed();
  }
}
