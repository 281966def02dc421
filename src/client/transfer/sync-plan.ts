/** What one side lacks of the other, and what it has too much; pure. */

export interface Side {
  readonly size: number;
  /** Seconds. */
  readonly modified: number;
}

export interface SyncPlan {
  readonly send: string[];
  /** As large on both sides; whether they are the same, only their content tells. */
  readonly compare: string[];
  readonly remove: string[];
}

export type Rule = 'time' | 'checksum';

/**
 * `upload`: the server notes when it stored a file, so one that was changed here since is newer than there. `download`: files
 * here have the time that they have there.
 */
export function planSync(
  from: ReadonlyMap<string, Side>,
  to: ReadonlyMap<string, Side>,
  direction: 'upload' | 'download',
  rule: Rule,
): SyncPlan {
  const plan: SyncPlan = { send: [], compare: [], remove: [] };
  for (const [name, source] of from) {
    const there = to.get(name);
    if (there?.size !== source.size) plan.send.push(name);
    else if (rule === 'checksum') plan.compare.push(name);
    else if (direction === 'upload' ? source.modified > there.modified : source.modified !== there.modified)
      plan.send.push(name);
  }
  for (const name of to.keys()) if (!from.has(name)) plan.remove.push(name);
  return plan;
}
