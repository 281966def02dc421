/**
 * Reads a PROXY header from a connection that nobody has read from yet, byte-exact: what follows is the client's, and is
 * left in the system for the front. Streams of Node read whatever is there, so this reads the descriptor; accepted sockets
 * never block, and one that has nothing yet is looked at again.
 */
import { readSync } from 'node:fs';
import type { Server, Socket } from 'node:net';
import { bytesWanted, parseProxyHeader, ProxyHeaderRefused } from './proxy-header.ts';
import type { ProxyHeader } from './proxy-header.ts';

/** Proxies send it first and at once. */
export const PROXY_HEADER_MILLISECONDS = 3000;
const LOOK_FIRST = 2;
const LOOK_MOST = 50;

/** Null when none comes in time, or none that could be one: nothing of it is to be believed. */
export function readProxyHeader(socket: Socket, within = PROXY_HEADER_MILLISECONDS): Promise<ProxyHeader | null> {
  const fd = descriptorOf(socket);
  const end = performance.now() + within;
  let have: Buffer = Buffer.alloc(0);
  let pause = LOOK_FIRST;
  return new Promise((resolve) => {
    const look = (): void => {
      if (socket.destroyed || fd === null || performance.now() > end) {
        resolve(null);
        return;
      }
      try {
        const before = have.length;
        have = readOn(fd, have);
        if (bytesWanted(have) === 0) {
          resolve(parseProxyHeader(have));
          return;
        }
        pause = have.length > before ? LOOK_FIRST : Math.min(pause * 2, LOOK_MOST);
        setTimeout(look, pause);
      } catch (error) {
        if (!(error instanceof ProxyHeaderRefused || isSystemError(error))) throw error;
        resolve(null);
      }
    };
    look();
  });
}

/** What is there of the header, and not a byte more. Throws when the peer has gone. */
function readOn(fd: number, have: Buffer): Buffer {
  let all = have;
  for (let wanted = bytesWanted(all); wanted > 0; wanted = bytesWanted(all)) {
    const chunk = Buffer.alloc(wanted);
    let length: number;
    try {
      length = readSync(fd, chunk, 0, wanted, null);
    } catch (error) {
      if (isSystemError(error) && error.code === 'EAGAIN') return all;
      throw error;
    }
    if (length === 0) throw new ProxyHeaderRefused('it ended');
    all = Buffer.concat([all, chunk.subarray(0, length)]);
  }
  return all;
}

/** libuv's handle names its descriptor on every POSIX system; without one no proxy can be trusted. */
export function descriptorOf(socket: Socket | Server): number | null {
  const { _handle: handle } = socket as unknown as { _handle?: { fd?: unknown } | null };
  return typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : null;
}

function isSystemError(error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error && typeof error.code === 'string';
}
