/** From an open file to the socket, at the speed at which the client takes it. */
import type { ServerResponse } from 'node:http';
import { WaybillError } from '../../base/errors.ts';
import type { OpenFile } from '../../transfer/transfer.ts';

const CHUNK = 1024 * 1024;

/** Resolves when the parts may be followed by more. Rejects when the client is gone. */
export async function write(response: ServerResponse, parts: readonly Uint8Array[]): Promise<void> {
  response.cork();
  let room = true;
  for (const part of parts) room = response.write(part);
  response.uncork();
  if (!room) await drained(response);
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve, reject) => {
    if (response.destroyed) {
      reject(gone());
      return;
    }
    const done = (): void => {
      response.off('drain', done).off('close', closed);
      resolve();
    };
    const closed = (): void => {
      response.off('drain', done).off('close', closed);
      reject(gone());
    };
    response.on('drain', done).on('close', closed);
  });
}

/** Bytes from `start` to before `end`, to `take`; the next are read while these are taken. */
export async function eachPart(
  file: OpenFile,
  start: number,
  end: number,
  take: (parts: readonly Buffer[]) => Promise<void>,
): Promise<void> {
  const ask = (at: number): Promise<readonly Buffer[]> | null => {
    if (at >= end) return null;
    const reading = file.read(at, Math.min(CHUNK, end - at), end);
    // Who waits for it may have failed before.
    reading.catch(() => undefined);
    return reading;
  };
  let at = start;
  let next = ask(at);
  while (next !== null) {
    const parts = await next;
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    if (length === 0) throw new WaybillError('content-damaged', 'the content ends early');
    at += length;
    next = ask(at);
    await take(parts);
  }
}

export async function sendRange(response: ServerResponse, file: OpenFile, start: number, end: number): Promise<void> {
  await eachPart(file, start, end, (parts) => {
    if (response.destroyed) return Promise.reject(gone());
    return write(response, parts);
  });
}

function gone(): WaybillError {
  return new WaybillError('session-ended', 'the client is gone');
}
