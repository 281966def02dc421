/** The requests under way in one session: which may start beside them, and how much memory they hold. */
import type { Answer } from './answers.ts';
import { related } from './paths.ts';
import type { AnyRow, Subject } from './request.ts';

export interface Request {
  readonly id: number;
  readonly row: AnyRow;
  readonly args: Subject;
  readonly writes: boolean;
  readonly path: string | null;
  readonly otherPath: string | null;
  readonly memory: number;
  /** Bytes of the packet on the wire. */
  readonly packetBytes: number;
  /** Set when the request is done but an earlier one of the same handle is not. */
  answer: Answer | null;
}

export function makeRequest(id: number, row: AnyRow, args: Subject, packetBytes: number): Request {
  return {
    id,
    row,
    args,
    writes: typeof row.writes === 'boolean' ? row.writes : row.writes(args),
    path: args.handle?.path ?? args.path ?? null,
    otherPath: args.otherHandle?.path ?? args.otherPath ?? null,
    memory: row.memory === undefined ? 0 : row.memory(args),
    packetBytes,
    answer: null,
  };
}

export interface RunningLimits {
  readonly requests: number;
  readonly memory: number;
}

export class RunningRequests {
  private readonly limits: RunningLimits;
  private readonly changing = new Set<Request>();
  private readonly looking = new Set<Request>();
  private held = 0;

  constructor(limits: RunningLimits) {
    this.limits = limits;
  }

  get count(): number {
    return this.changing.size + this.looking.size;
  }

  /** A request larger than the bound itself still runs, alone. */
  mayStart(request: Request): boolean {
    if (this.count >= this.limits.requests) return false;
    if (request.memory > 0 && this.held > 0 && this.held + request.memory > this.limits.memory) return false;
    if (this.changing.size > 0 && touchesAny(request, this.changing)) return false;
    return !request.writes || this.looking.size === 0 || !touchesAny(request, this.looking);
  }

  add(request: Request): void {
    (request.writes ? this.changing : this.looking).add(request);
    this.held += request.memory;
  }

  remove(request: Request): void {
    (request.writes ? this.changing : this.looking).delete(request);
    this.held -= request.memory;
  }
}

function touchesAny(request: Request, others: Iterable<Request>): boolean {
  for (const other of others) if (touches(request, other)) return true;
  return false;
}

function touches(a: Request, b: Request): boolean {
  return (
    touch(a.path, b.path) || touch(a.path, b.otherPath) || touch(a.otherPath, b.path) || touch(a.otherPath, b.otherPath)
  );
}

function touch(a: string | null, b: string | null): boolean {
  return a !== null && b !== null && related(a, b);
}
