/** Entry of the thread of a socket: joins socket, cipher and loop, and does what its user says. */
import { receiveMessageOnPort, parentPort, workerData } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { chooseCipher } from '../crypto/choose-cipher.ts';
import type { ChosenCipher } from '../crypto/choose-cipher.ts';
import { openArena } from '../native/open-arena.ts';
import { openSocket } from '../socket/open-socket.ts';
import type { DatagramSocket } from '../socket/datagram-socket.ts';
import { Lane } from './lane.ts';
import type { FromSocket, ThreadStart, ToSocket } from './messages.ts';
import { plain, SocketLoop } from './socket-loop.ts';

/** So often the thread looks round its event loop although the socket keeps it busy: for what Node does there by itself. */
const BREATH_EVERY = 100_000;
const REPORT_EVERY = 2000;

if (parentPort === null) throw new Error('this is the entry of a thread');
await run(parentPort, workerData as ThreadStart);

async function run(port: MessagePort, options: ThreadStart): Promise<void> {
  const tell = (message: FromSocket): void => {
    port.postMessage(message);
  };
  let socket: DatagramSocket;
  let without: string | null;
  let cipher: ChosenCipher;
  try {
    const native = options.backend === 'best' ? await openArena() : { arena: null, without: null };
    ({ socket, without } = await openSocket(options.address, options.port, native.arena));
    cipher = await chooseCipher(native.arena);
    without ??= native.without;
  } catch (error) {
    tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
    return;
  }
  const { address, backend, abilities, wakeDescriptor } = socket;
  without ??= cipher.without;
  tell({ kind: 'ready', address, port: socket.port, backend, abilities, cipher: cipher.name, without, wakeDescriptor });
  // Under Node's permission model: what opening took is not needed again, and whoever got in here must not have it.
  if ('permission' in process) for (const one of ['ffi', 'net', 'worker']) process.permission.drop(one);
  await serve({ port, posted: new Int32Array(options.posted), socket, cipher, tell });
}

interface ThreadParts {
  readonly port: MessagePort;
  readonly posted: Int32Array;
  readonly socket: DatagramSocket;
  readonly cipher: ChosenCipher;
  readonly tell: (message: FromSocket) => void;
}

async function serve({ port, posted, socket, cipher, tell }: ThreadParts): Promise<void> {
  const loop = new SocketLoop(socket);
  const state = { stopping: false, leaveAt: Infinity };
  const hear = (message: ToSocket): void => {
    if (message.kind === 'stop') [state.stopping, state.leaveAt] = [true, SocketLoop.now() + message.within];
    else follow(message, loop, socket, cipher, tell);
  };
  // Comes only when the event loop turns: while the plain socket waits, or at a breath.
  port.on('message', (message: ToSocket) => {
    hear(message);
    socket.wake();
  });
  let [breathAt, reportAt, seen] = [0, 0, 0];
  const hearAll = (): void => {
    const there = Atomics.load(posted, 0);
    if (there === seen) return;
    seen = there;
    for (let got = receiveMessageOnPort(port); got !== undefined; got = receiveMessageOnPort(port))
      hear(got.message as ToSocket);
  };
  // A stop says goodbye first: streams that were ended by it have their last datagrams.
  while (!state.stopping || (!loop.isEmpty && SocketLoop.now() < state.leaveAt)) {
    hearAll();
    // What was ended goes out with this turn.
    if (state.stopping) loop.report(SocketLoop.now());
    await loop.turn(Math.min(breathAt + BREATH_EVERY, state.leaveAt), reportAt);
    const now = SocketLoop.now();
    if (now >= reportAt) {
      loop.report(now);
      reportAt = now + REPORT_EVERY;
    }
    if (now >= breathAt) {
      await new Promise(setImmediate);
      breathAt = SocketLoop.now();
    }
  }
  socket.close();
  port.close();
}

function follow(
  message: Exclude<ToSocket, { kind: 'stop' }>,
  loop: SocketLoop,
  socket: DatagramSocket,
  cipher: ChosenCipher,
  tell: (message: FromSocket) => void,
): void {
  if (message.kind === 'open') {
    const { peer } = message;
    const provenPath = peer === null ? null : loop.pathOf(loop.keep(socket.peer(peer.address, peer.port)));
    const { peerAddress = null } = message;
    const isKnown = (path: number): boolean => peerAddress !== null && loop.addressOf(path) === plain(peerAddress);
    const lane = new Lane({ open: message, cipher: cipher.make, now: SocketLoop.now(), provenPath, isKnown, tell });
    loop.add(Buffer.from(message.connectionId), lane);
    return;
  }
  const lane = loop.find(message.stream);
  if (lane === undefined) return;
  if (message.kind === 'filled') lane.fill(message.below);
  else if (message.kind === 'taken') lane.take(message.below);
  else if (message.kind === 'pause') lane.pause(message.paused);
  else lane.close(message.reason, message.text);
}
