/**
 * What a folder may hold after a crash. Every operation is atomic by promise: acknowledged, it has happened; never answered,
 * it has happened whole or not at all. So a few unanswered operations make a few possible worlds, and what a restarted
 * server holds must be one of them.
 */

/** SHA-256 by name; a name that is missing is not there. */
export type World = ReadonlyMap<string, string>;

export type Operation =
  | { readonly kind: 'write'; readonly name: string; readonly hash: string }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string };

/** Null: in that world the operation could not have been acknowledged. */
export function after(world: World, operation: Operation): World | null {
  const next = new Map(world);
  if (operation.kind === 'write') return next.set(operation.name, operation.hash);
  const held = next.get(operation.name);
  if (held === undefined) return null;
  next.delete(operation.name);
  return operation.kind === 'rename' ? next.set(operation.to, held) : next;
}

export function same(left: World, right: World): boolean {
  return left.size === right.size && [...left].every(([name, hash]) => right.get(name) === hash);
}

export class Worlds {
  private possible: World[] = [new Map()];
  private unanswered: Operation | null = null;
  /** Names below which a part of an unanswered upload may wait for its account to take it up. */
  readonly leftovers = new Set<string>();
  acknowledged = 0;

  /** What is surely there, or null when that is not known. */
  get certain(): World | null {
    const [only, ...others] = this.possible;
    return others.length === 0 && only !== undefined ? only : null;
  }

  begin(operation: Operation): void {
    this.unanswered = operation;
    if (operation.kind === 'write') this.leftovers.add(operation.name);
    if (operation.kind === 'rename' && this.leftovers.has(operation.name)) this.leftovers.add(operation.to);
  }

  acknowledge(): void {
    const operation = this.unanswered;
    if (operation === null) throw new Error('nothing was begun');
    this.unanswered = null;
    this.acknowledged++;
    this.possible = this.possible.map((world) => after(world, operation)).filter((world) => world !== null);
    if (operation.kind === 'rename') {
      if (this.leftovers.has(operation.name)) this.leftovers.add(operation.to);
      else this.leftovers.delete(operation.to);
    }
    this.leftovers.delete(operation.name);
  }

  /** The connection is gone, and with it the answer. */
  lose(): void {
    const operation = this.unanswered;
    if (operation === null) return;
    this.unanswered = null;
    for (const world of [...this.possible]) {
      const next = after(world, operation);
      if (next !== null && !this.possible.some((known) => same(known, next))) this.possible.push(next);
    }
  }

  /** Takes what was found for the truth; false when it is none of what may be. */
  settle(found: World): boolean {
    if (!this.possible.some((world) => same(world, found))) return false;
    this.possible = [found];
    return true;
  }

  toString(): string {
    const line = (world: World): string =>
      [...world]
        .map(([name, hash]) => `${name}=${hash.slice(0, 8)}`)
        .sort()
        .join(' ') || 'nothing';
    return this.possible.map(line).join('\n or ');
  }
}
