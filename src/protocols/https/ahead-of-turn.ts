/**
 * Parts of an upload that come before it is their turn, over other connections at once: a long link carries several streams
 * where it starves one. An upload has one writer, so such a part waits here, in memory and checked, until those before it
 * are in. What all of them may hold is bounded; beyond that a part is refused, as it is without `Waybill-Ahead`.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { Exchange } from './exchange.ts';
import { checkOffset, otherBytes } from './tus-failures.ts';
import type { Checksum } from './tus-headers.ts';

const PART_MAX = 8 * 2 ** 20;
const ACCOUNT_MAX = 4 * PART_MAX;
const ALL_MAX = 16 * PART_MAX;
const TURN_MILLISECONDS = 60_000;
const LOOK_MILLISECONDS = 25;

export interface Ahead {
  readonly offset: number;
  /** Of the whole upload. */
  readonly length: number;
  readonly checksum: Checksum;
  /** How far the upload is. */
  readonly progress: () => Promise<number>;
}

/** Bytes of parts that wait in this process, in all and of each account. */
export class Room {
  private readonly accounts = new Map<string, number>();
  private all = 0;

  take(account: string, bytes: number): boolean {
    const own = (this.accounts.get(account) ?? 0) + bytes;
    if (bytes > PART_MAX || own > ACCOUNT_MAX || this.all + bytes > ALL_MAX) return false;
    this.accounts.set(account, own);
    this.all += bytes;
    return true;
  }

  give(account: string, bytes: number): void {
    const own = (this.accounts.get(account) ?? 0) - bytes;
    if (own > 0) this.accounts.set(account, own);
    else this.accounts.delete(account);
    this.all -= bytes;
  }
}

const room = new Room();

/** Runs `use` with the part when its turn has come. False when there is no room for it, or it says too little of itself. */
export async function inTurn(exchange: Exchange, ahead: Ahead, use: (part: Buffer) => Promise<void>): Promise<boolean> {
  const bytes = Number(exchange.header('content-length') ?? 0);
  if (bytes === 0 || ahead.offset + bytes > ahead.length) return false;
  const { account } = exchange.member.session;
  if (!room.take(account, bytes)) return false;
  try {
    const part = await taken(exchange, bytes, ahead.checksum);
    await turn(exchange, ahead);
    await use(part);
    return true;
  } finally {
    room.give(account, bytes);
  }
}

async function taken(exchange: Exchange, bytes: number, { algorithm, value }: Checksum): Promise<Buffer> {
  const part = Buffer.allocUnsafe(bytes);
  let at = 0;
  await exchange.body((chunk) => {
    at += chunk.copy(part, at);
    return Promise.resolve();
  });
  if (at === bytes && timingSafeEqual(createHash(algorithm).update(part).digest(), value)) return part;
  throw otherBytes();
}

async function turn(exchange: Exchange, { offset, progress }: Ahead): Promise<void> {
  const until = Date.now() + TURN_MILLISECONDS;
  for (;;) {
    const there = await progress();
    if (there === offset) return;
    if (there > offset || exchange.over || Date.now() >= until) checkOffset(offset, there);
    await setTimeout(LOOK_MILLISECONDS);
  }
}
