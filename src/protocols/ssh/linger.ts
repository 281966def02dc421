/** The end of a connection whose peer may be hostile, silent or both. */
import type { Socket } from 'node:net';

/** How long, and for how many bytes, a client may go on before it has read our last words. */
const LINGER_MS = 2000;
const LINGER_BYTES = 256 * 1024;

/**
 * Ends the socket after what is queued on it. Input is read and dropped meanwhile, because unread input at close makes
 * the kernel take our last words back (RST); but only so much of it.
 */
export function closeLingering(socket: Socket): void {
  if (socket.destroyed) return;
  let dropped = 0;
  socket.removeAllListeners('data');
  socket.on('data', (chunk: Buffer) => {
    dropped += chunk.length;
    if (dropped > LINGER_BYTES) socket.destroy();
  });
  socket.end();
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), LINGER_MS);
  timer.unref();
  socket.once('close', () => {
    clearTimeout(timer);
  });
}
