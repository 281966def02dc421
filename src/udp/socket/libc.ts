/**
 * The system's calls for datagrams, by node:ffi (experimental in Node 26: what it does not have here, the plain backend
 * does without). Everything that is given to a call lies in the arena, which V8 does not move.
 */
import type { Arena } from '../native/arena.ts';

export interface Libc {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, name: Buffer, length: number): number;
  getsockname(fd: number, name: Buffer, length: Buffer): number;
  setsockopt(fd: number, level: number, option: number, value: Buffer, length: number): number;
  getsockopt(fd: number, level: number, option: number, value: Buffer, length: Buffer): number;
  sendmsg(fd: number, message: bigint, flags: number): bigint;
  recvmmsg(fd: number, messages: bigint, count: number, flags: number, timeout: bigint): number;
  ppoll(descriptors: bigint, count: bigint, timeout: bigint, mask: bigint): number;
  eventfd(initial: number, flags: number): number;
  read(fd: number, into: bigint, count: bigint): bigint;
  write(fd: number, from: bigint, count: bigint): bigint;
  memcpy(to: bigint, from: bigint, count: bigint): bigint;
  close(fd: number): number;
}

export interface System {
  readonly libc: Libc;
  errno(): number;
  readonly arena: Arena;
  /** Memory of the arena, and where it lies. */
  fixed(bytes: number): { readonly buffer: Buffer; readonly address: bigint };
}

/** `buffer` takes the permission with each call, `pointer` does not: so the first stands only in what opens a socket. */
const SIGNATURES = {
  socket: { return: 'int32', arguments: ['int32', 'int32', 'int32'] },
  bind: { return: 'int32', arguments: ['int32', 'buffer', 'uint32'] },
  getsockname: { return: 'int32', arguments: ['int32', 'buffer', 'buffer'] },
  setsockopt: { return: 'int32', arguments: ['int32', 'int32', 'int32', 'buffer', 'uint32'] },
  getsockopt: { return: 'int32', arguments: ['int32', 'int32', 'int32', 'buffer', 'buffer'] },
  sendmsg: { return: 'int64', arguments: ['int32', 'pointer', 'int32'] },
  recvmmsg: { return: 'int32', arguments: ['int32', 'pointer', 'uint32', 'int32', 'pointer'] },
  ppoll: { return: 'int32', arguments: ['pointer', 'uint64', 'pointer', 'pointer'] },
  eventfd: { return: 'int32', arguments: ['uint32', 'int32'] },
  read: { return: 'int64', arguments: ['int32', 'pointer', 'uint64'] },
  write: { return: 'int64', arguments: ['int32', 'pointer', 'uint64'] },
  close: { return: 'int32', arguments: ['int32'] },
  memcpy: { return: 'pointer', arguments: ['pointer', 'pointer', 'uint64'] },
  __errno_location: { return: 'pointer', arguments: [] },
} as const;

type Called = Libc & { readonly __errno_location: () => bigint };

/** Throws when this Node, this system or the permissions of this process do not have it. */
export async function openSystem(arena: Arena): Promise<System> {
  if (process.platform !== 'linux') throw new Error(`batches are written for Linux, not for ${process.platform}`);
  const ffi = await import('node:ffi');
  // Of the process itself: libc is there already, whatever its file is called.
  const libc = ffi.dlopen(null, SIGNATURES).functions as unknown as Called;
  const fixed = (bytes: number): { buffer: Buffer; address: bigint } => {
    const buffer = arena.take(bytes);
    return { buffer, address: arena.addressOf(buffer) };
  };
  const errno = fixed(4);
  return {
    libc,
    errno: () => {
      libc.memcpy(errno.address, libc.__errno_location(), 4n);
      return errno.buffer.readInt32LE();
    },
    arena,
    fixed,
  };
}
