import { readdirSync, readFileSync } from 'node:fs';

/** Resident bytes of all processes that the server started (its fronts), from /proc; 0 where there is no /proc. */
export function frontMemory(server: { child: { pid?: number | undefined } }): number {
  let total = 0;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
      if (parent !== server.child.pid) continue;
      total += Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'latin1'))?.[1] ?? 0) * 1024;
    } catch {
      continue; // ended while we looked
    }
  }
  return total;
}
