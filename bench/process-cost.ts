/** CPU seconds and memory of a process and all that it started, from /proc (Linux). */
import { readFileSync, readdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface Stat {
  readonly pid: number;
  readonly parent: number;
  /** Own time and that of children already waited for. */
  readonly seconds: number;
}

function stat(pid: number): Stat | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The command name may hold spaces and parentheses: fields start after the last ")".
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [parent = 0, ticks] = [fields[1], [11, 12, 13, 14].reduce((sum, at) => sum + (fields[at] ?? 0), 0)];
    return { pid, parent, seconds: ticks / ticksPerSecond };
  } catch {
    return null; // ended while we looked
  }
}

function tree(root: number): Stat[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => stat(Number(name)))
    .filter((one) => one !== null);
  const members = new Set([root]);
  for (let grew = true; grew;) {
    grew = false;
    for (const one of all) {
      if (members.has(one.parent) && !members.has(one.pid)) {
        members.add(one.pid);
        grew = true;
      }
    }
  }
  return all.filter((one) => members.has(one.pid));
}

export function cpuSeconds(root: number): number {
  return tree(root).reduce((sum, one) => sum + one.seconds, 0);
}

/** Proportional and resident set size in bytes: PSS counts a shared page once, which is fair to servers that fork. */
export function memory(root: number): { pss: number; rss: number; processes: number } {
  let [pss, rss] = [0, 0];
  const members = tree(root);
  for (const { pid } of members) {
    try {
      const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
      pss += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
      rss += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
    } catch {
      continue;
    }
  }
  return { pss, rss, processes: members.length };
}
