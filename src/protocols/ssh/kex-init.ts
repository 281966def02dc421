/**
 * SSH_MSG_KEXINIT and the choice of algorithms, RFC 4253 section 7.1. Pure: bytes and lists in, a choice out.
 */
import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { DISCONNECT, ProtocolViolation } from './disconnect-reasons.ts';
import { MESSAGE } from './transport-messages.ts';

/** One side's lists, in its order of preference. */
export interface AlgorithmLists {
  readonly kex: readonly string[];
  readonly hostKey: readonly string[];
  readonly cipherIn: readonly string[];
  readonly cipherOut: readonly string[];
  readonly macIn: readonly string[];
  readonly macOut: readonly string[];
  readonly compressionIn: readonly string[];
  readonly compressionOut: readonly string[];
}

/** The client's KEXINIT. "In" is client to server, "out" server to client: our own point of view. */
export interface KexInit extends AlgorithmLists {
  readonly guessFollows: boolean;
}

/** In the order of the message. */
const LISTS = [
  'kex',
  'hostKey',
  'cipherIn',
  'cipherOut',
  'macIn',
  'macOut',
  'compressionIn',
  'compressionOut',
] as const satisfies readonly (keyof AlgorithmLists)[];

export const COOKIE_BYTES = 16;

export function buildKexInit(lists: AlgorithmLists, cookie: Buffer): Buffer {
  const writer = new ByteWriter().u8(MESSAGE.KEXINIT).raw(cookie.subarray(0, COOKIE_BYTES));
  for (const list of LISTS) writer.nameList(lists[list]);
  // Languages (both empty), no guess of ours (the client's order decides), reserved.
  return writer.nameList([]).nameList([]).boolean(false).u32(0).finish();
}

export function parseKexInit(payload: Buffer): KexInit {
  const reader = new ByteReader(payload, 1);
  reader.bytes(COOKIE_BYTES);
  const lists = LISTS.map((list) => [list, reader.nameList()] as const);
  reader.string(8192); // languages, which nobody uses
  reader.string(8192);
  const guessFollows = reader.boolean();
  reader.u32();
  reader.done();
  return { ...(Object.fromEntries(lists) as Record<keyof AlgorithmLists, string[]>), guessFollows };
}

export interface Choice {
  readonly kex: string;
  readonly hostKey: string;
  readonly cipherIn: string;
  readonly cipherOut: string;
  /** The cipher's own name where it authenticates by itself. */
  readonly macIn: string;
  readonly macOut: string;
  /** The client sent a packet of a key exchange that is not the chosen one: it has to be thrown away. */
  readonly skipGuess: boolean;
}

/**
 * First of the client's list that we have too, for every list. `implicitMac` tells the ciphers that need no MAC: for
 * them the MAC lists are not looked at (as OpenSSH does; RFC 5647's own rule is used by nobody).
 */
export function negotiate(client: KexInit, server: AlgorithmLists, implicitMac: (cipher: string) => boolean): Choice {
  const pick = (list: keyof AlgorithmLists): string => {
    const found = client[list].find((name) => server[list].includes(name));
    if (found === undefined) throw new ProtocolViolation(`no common ${list}`, DISCONNECT.KEY_EXCHANGE_FAILED);
    return found;
  };
  const cipherIn = pick('cipherIn');
  const cipherOut = pick('cipherOut');
  const choice = {
    kex: pick('kex'),
    hostKey: pick('hostKey'),
    cipherIn,
    cipherOut,
    macIn: implicitMac(cipherIn) ? cipherIn : pick('macIn'),
    macOut: implicitMac(cipherOut) ? cipherOut : pick('macOut'),
  };
  pick('compressionIn');
  pick('compressionOut');
  // A guess is right only if both sides prefer the same key exchange and the same host key algorithm.
  const guessRight = client.kex[0] === server.kex[0] && client.hostKey[0] === server.hostKey[0];
  return { ...choice, skipGuess: client.guessFollows && !guessRight };
}
