/**
 * Where the peer is. A path is an address as its driver numbers it; this room never sees addresses. Before a path is
 * proven (the peer answered a challenge that went there) no more bytes go to it than came from it, and only datagrams that
 * were authenticated count as having come: a forged source address gains nothing (RFC 9000 sections 8 and 9 in spirit).
 */
import { timingSafeEqual } from 'node:crypto';
import { CHALLENGE_LENGTH } from '../wire/sizes.ts';

const PATHS_MAX = 4;
const CHALLENGE_EVERY = 250_000;
const CHALLENGE_TRIES = 8;

interface Path {
  readonly id: number;
  bytesIn: number;
  bytesOut: number;
  proven: boolean;
  challenge: Buffer | null;
  challengeAt: number;
  tries: number;
}

export interface PathsOptions {
  /** The path that the caller knows to be the peer's (the client chose it), or null: the peer shows itself. */
  readonly provenPath: number | null;
  /** Whether somebody is there who has proven it otherwise: a first path needs no challenge then. */
  readonly isKnown?: ((path: number) => boolean) | undefined;
  /** A server follows a client whose address changes; a client stays with the address it was told. */
  readonly followsPeer: boolean;
  readonly randomBytes: (length: number) => Buffer;
}

export class Paths {
  private readonly options: PathsOptions;
  private readonly paths: Path[] = [];
  private activePath: Path | null = null;
  private candidate: Path | null = null;
  private response: { readonly path: Path; readonly value: Buffer } | null = null;

  constructor(options: PathsOptions) {
    this.options = options;
    if (options.provenPath !== null) {
      this.activePath = this.add(options.provenPath);
      this.activePath.proven = true;
    }
  }

  /** The number of the path to send to; -1 when none is known. */
  get active(): number {
    return this.activePath?.id ?? -1;
  }

  get isProven(): boolean {
    return this.activePath?.proven ?? false;
  }

  private find(id: number): Path | undefined {
    return this.paths.find((path) => path.id === id);
  }

  private add(id: number): Path {
    if (this.paths.length >= PATHS_MAX) {
      const drop = this.paths.findIndex((path) => path !== this.activePath && path !== this.candidate);
      this.paths.splice(Math.max(drop, 0), 1);
    }
    const path = { id, bytesIn: 0, bytesOut: 0, proven: false, challenge: null, challengeAt: -Infinity, tries: 0 };
    this.paths.push(path);
    return path;
  }

  /** Whether datagrams from there are looked at. */
  listensTo(id: number): boolean {
    return this.options.followsPeer || id === this.active;
  }

  /** An authenticated, new datagram came from there. `isNewest`: no later one of the peer came before it. */
  onReceived(id: number, length: number, isNewest: boolean): void {
    const path = this.activePath?.id === id ? this.activePath : (this.find(id) ?? this.add(id));
    path.bytesIn += length;
    if (this.activePath === null && this.options.isKnown?.(id) === true) path.proven = true;
    if (path === this.activePath || !isNewest) return;
    if (path.proven || this.activePath === null) this.activePath = path;
    if (!path.proven && this.candidate !== path) {
      this.candidate = path;
      path.challenge = this.options.randomBytes(CHALLENGE_LENGTH);
      path.challengeAt = -Infinity;
      path.tries = 0;
    }
  }

  /** The peer wants to know whether we are where the datagram came from. Only the latest is answered. */
  onChallenge(id: number, value: Buffer): void {
    const path = this.find(id);
    if (path !== undefined) this.response = { path, value: Buffer.from(value) };
  }

  /** True when this moved the peer. */
  onResponse(id: number, value: Buffer): boolean {
    const path = this.find(id);
    if (path?.challenge == null || !timingSafeEqual(path.challenge, value)) return false;
    path.proven = true;
    path.challenge = null;
    if (this.candidate === path) this.candidate = null;
    const moved = this.activePath !== path;
    this.activePath = path;
    return moved;
  }

  /** Whether `length` bytes may go to the active path now. */
  allows(length: number): boolean {
    return this.activePath !== null && fits(this.activePath, length);
  }

  onSent(length: number): void {
    if (this.activePath !== null && !this.activePath.proven) this.activePath.bytesOut += length;
  }

  /** A response or challenge that is due and fits: what to send, and where. Taken once. */
  takeDue(now: number, length: number): { kind: 'challenge' | 'response'; value: Buffer; path: number } | null {
    const { response, candidate } = this;
    if (response !== null && fits(response.path, length)) {
      this.response = null;
      response.path.bytesOut += length;
      return { kind: 'response', value: response.value, path: response.path.id };
    }
    if (candidate?.challenge == null || now < candidate.challengeAt + CHALLENGE_EVERY || !fits(candidate, length))
      return null;
    if (candidate.tries >= CHALLENGE_TRIES) {
      this.candidate = null;
      return null;
    }
    candidate.tries++;
    candidate.challengeAt = now;
    candidate.bytesOut += length;
    return { kind: 'challenge', value: candidate.challenge, path: candidate.id };
  }

  /** When takeDue may next have something; Infinity when only a datagram can change that. */
  wakeAt(length: number): number {
    if (this.response !== null && fits(this.response.path, length)) return -Infinity;
    if (this.candidate === null || !fits(this.candidate, length)) return Infinity;
    return this.candidate.challengeAt + CHALLENGE_EVERY;
  }
}

function fits(path: Path, length: number): boolean {
  return path.proven || path.bytesOut + length <= path.bytesIn;
}
