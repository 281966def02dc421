/** Section 3 of the draft: uint32 length, byte type, uint32 id, and what belongs to the type. Pure. */
import { ByteReader } from '../../base/bytes.ts';
import { HANDLE_BYTES_MAX } from './handles.ts';
import type { PacketQueue } from './packet-queue.ts';
import { FXP, PACKET_BYTES_MAX } from './wire.ts';

export interface Packet {
  readonly type: number;
  /** INIT has its version here. */
  readonly id: number;
  /** Stands after the id. */
  readonly reader: ByteReader;
  /** The data of a WRITE as it arrived, in pieces; what comes before it is in `reader`. */
  readonly body: readonly Buffer[];
  /** Bytes on the wire, the length itself included. */
  readonly bytes: number;
}

const LENGTH_BYTES = 4;
const TYPE_AND_ID = 5;
/** After the handle of a WRITE: offset and the length of the data. */
const WRITE_REST = 8 + 4;
const NO_BODY: readonly Buffer[] = [];

/** null: not all of it is there. The length is judged before anything waits for that many bytes. */
export function nextPacket(queue: PacketQueue): Packet | 'too-long' | 'too-short' | null {
  if (queue.length < LENGTH_BYTES) return null;
  const length = queue.peekU32();
  if (length > PACKET_BYTES_MAX) return 'too-long';
  if (length < TYPE_AND_ID) return 'too-short';
  const bytes = LENGTH_BYTES + length;
  if (queue.length < bytes) return null;
  if (queue.peek(LENGTH_BYTES) === FXP.WRITE) return takeWrite(queue, bytes);
  return packetOf(queue.take(bytes), NO_BODY, bytes);
}

function packetOf(head: Buffer, body: readonly Buffer[], bytes: number): Packet {
  const reader = new ByteReader(head, LENGTH_BYTES);
  return { type: reader.u8(), id: reader.u32(), reader, body, bytes };
}

/** Leaves the data where it lies; a WRITE whose head is malformed comes as one piece and fails in the parser. */
function takeWrite(queue: PacketQueue, bytes: number): Packet {
  const handleAt = LENGTH_BYTES + TYPE_AND_ID;
  let handleLength = 0;
  for (let i = 0; i < 4 && handleAt + i < bytes; i++) handleLength = handleLength * 256 + queue.peek(handleAt + i);
  const headBytes = handleAt + 4 + handleLength + WRITE_REST;
  if (handleLength > HANDLE_BYTES_MAX || headBytes > bytes) return packetOf(queue.take(bytes), NO_BODY, bytes);
  const head = queue.take(headBytes);
  return packetOf(head, queue.takeParts(bytes - headBytes), bytes);
}
